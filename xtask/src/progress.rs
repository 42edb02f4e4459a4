//! What a person sees while things happen, all of it on stderr: stdout is for what a command was
//! asked for.

use std::time::Instant;

/// Says one thing that is being done or that has been found.
pub fn say(message: impl std::fmt::Display) {
    eprintln!("{message}");
}

/// Says what is begun, does it, and says how long it took. Nothing is said at the end of what took
/// less than a second.
pub fn step<T>(what: &str, action: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
    say(format_args!("==> {what}"));
    let begun = Instant::now();
    let result = action();
    let seconds = begun.elapsed().as_secs();
    if result.is_ok() && seconds > 0 {
        say(format_args!("    {what}: {}", duration(seconds)));
    }
    result
}

/// Seconds as a person says them.
pub fn duration(seconds: u64) -> String {
    if seconds < 60 { format!("{seconds} s") } else { format!("{} min {} s", seconds / 60, seconds % 60) }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_duration_reads_as_people_say_it() {
        assert_eq!(super::duration(7), "7 s");
        assert_eq!(super::duration(61), "1 min 1 s");
    }
}
