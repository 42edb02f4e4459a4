//! Running other programs: with their output, or into a log that is shown when they fail, with a
//! sign of life meanwhile.

use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::progress::{duration, say};

/// How often a long command gives a sign of life.
const SIGN_OF_LIFE: Duration = Duration::from_secs(20);
/// What takes no longer is not announced.
const SHORT: Duration = Duration::from_secs(1);
/// How much of a log's last line a sign of life has.
const CHARS_SHOWN: usize = 80;
/// How many of a failed command's last lines are shown.
const LINES_SHOWN: usize = 25;

/// Runs a command and returns what it wrote to stdout; its stderr is part of the error.
pub fn output(command: &mut Command) -> Result<String> {
    let done =
        command.stdin(Stdio::null()).output().with_context(|| format!("cannot run {}", name(command)))?;
    if !done.status.success() {
        bail!("{} failed ({}): {}", line(command), done.status, String::from_utf8_lossy(&done.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&done.stdout).into_owned())
}

/// Whether a command ends well; what it says is dropped.
pub fn succeeds(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Runs a command whose output goes to the person.
pub fn shown(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot run {}", name(command)))?;
    if !status.success() {
        bail!("{} failed ({status})", line(command));
    }
    Ok(())
}

/// Runs a command that takes long where it has something to do, with its output to the user. What
/// it does is said once it has taken a second, and again now and then.
pub fn shown_as(what: &str, command: &mut Command) -> Result<()> {
    let mut child = command.spawn().with_context(|| format!("cannot run {}", name(command)))?;
    let begun = Instant::now();
    let mut announced = false;
    let status = awaited(&mut child, |took| {
        if !announced && took >= SHORT {
            announced = true;
            say(format_args!("==> {what}"));
        }
        (took >= SIGN_OF_LIFE).then(|| sign_of_life(what, took, None))
    })?;
    if !status.success() {
        bail!("{} failed ({status})", line(command));
    }
    if announced {
        say(format_args!("    {what}: {}", duration(begun.elapsed().as_secs())));
    }
    Ok(())
}

/// Runs a command that may take long, with the stdin that it was given and its output into `log`: a
/// sign of life now and then, with the log's last line; the log's end when it fails.
pub fn logged(what: &str, command: &mut Command, log: &Path) -> Result<()> {
    let file = fs_err::File::create(log)?.into_parts().0;
    let mut child = command
        .stdout(file.try_clone()?)
        .stderr(file)
        .spawn()
        .with_context(|| format!("cannot run {}", name(command)))?;
    let status = awaited(&mut child, |took| {
        (took >= SIGN_OF_LIFE).then(|| {
            let end = tail(log);
            sign_of_life(what, took, end.lines().last())
        })
    })?;
    if !status.success() {
        bail!("{} failed ({status}); the end of {}:\n{}", line(command), log.display(), tail(log));
    }
    Ok(())
}

/// Waits for a child's end. `talk` is asked all the time, and what it has to say is said every
/// [`SIGN_OF_LIFE`].
fn awaited(child: &mut Child, mut talk: impl FnMut(Duration) -> Option<String>) -> Result<ExitStatus> {
    let begun = Instant::now();
    let mut last = begun;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        let words = talk(begun.elapsed());
        if let Some(words) = words.filter(|_| last.elapsed() >= SIGN_OF_LIFE) {
            last = Instant::now();
            say(words);
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// What runs, for how long, and the last that it said: several may run at once.
fn sign_of_life(what: &str, took: Duration, said: Option<&str>) -> String {
    let mut words = format!("    … {what}: {} so far", duration(took.as_secs()));
    if let Some(said) = said.map(str::trim).filter(|said| !said.is_empty()) {
        words.push_str("; ");
        words.extend(said.chars().take(CHARS_SHOWN));
    }
    words
}

/// The last lines of a log, for an error.
pub fn tail(log: &Path) -> String {
    let text =
        fs_err::read(log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LINES_SHOWN)..].join("\n")
}

/// Asks again until it is so.
pub fn wait_until(what: &str, limit: Duration, mut is_so: impl FnMut() -> bool) -> Result<()> {
    let begun = Instant::now();
    while !is_so() {
        if begun.elapsed() > limit {
            bail!("waited {} in vain for {what}", duration(limit.as_secs()));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

fn name(command: &Command) -> String {
    command.get_program().to_string_lossy().into_owned()
}

fn line(command: &Command) -> String {
    let words: Vec<_> = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| word.to_string_lossy())
        .collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sign_of_life_says_what_runs_and_what_it_said_last() {
        let of = |said| sign_of_life("building Kubernetes", Duration::from_secs(190), said);
        assert_eq!(of(None), "    … building Kubernetes: 3 min 10 s so far");
        assert_eq!(of(Some("  ")), of(None));
        assert_eq!(of(Some(" a.go\n")), "    … building Kubernetes: 3 min 10 s so far; a.go");
        assert!(of(Some(&"x".repeat(500))).len() < 150);
    }

    #[test]
    fn what_fails_names_the_end_of_its_log() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let fails = |script: &str| logged("a try", Command::new("bash").args(["-c", script]), &log);
        fails("echo fine").unwrap();
        let error = fails("echo one; echo two >&2; exit 3").unwrap_err().to_string();
        assert!(error.contains("exit status: 3") && error.ends_with("one\ntwo"), "{error}");
    }
}
