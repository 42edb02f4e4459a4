//! The tests that need the cluster: a process each, some side by side, the longest first.
//!
//! Each waits most of its time, for Pods and for Flink, so more of them run than there are
//! processors. Rust's test runner takes tests by their names; the longest would then begin when all
//! others are done.

use std::collections::VecDeque;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::Instant;

use anyhow::{Context as _, Result};

use super::Counts;
use crate::progress::say;

/// What takes longest, so begins first; the order matters, a name that is missing costs a minute at
/// the end at most.
pub const LONGEST: &[&str] = &[
    "application::what_pods_committed_after_the_run_had_died_is_not_undone",
    "recover::killed_at_any_transition_the_next_run_goes_on",
    "application::an_application_as_a_kubernetes_job_moves_with_its_state",
    "application::an_application_moves_with_its_state",
    "rollback::a_rollback_says_where_its_state_comes_from",
    "lock::one_at_a_time_and_what_a_killed_run_leaves",
    "recover::recover_takes_a_persons_word",
    "recover::a_suspended_run_that_goes_on_late_does_no_harm",
    "failover::before_the_savepoint_is_written_the_job_runs_on",
    "upgrade::a_warm_upgrade_that_cannot_start_never_stops_the_job",
];

/// Runs each of these tests in a process of its own, `at_once` of them side by side. `command`
/// gives the test program with all that it needs; a test's output is shown where it fails, or where
/// `more` asks the test runner for it.
pub fn run(
    tests: Vec<String>,
    at_once: usize,
    more: &[String],
    command: impl Fn() -> Result<Command> + Sync,
) -> Result<Counts> {
    let count = tests.len();
    let queue = Mutex::new(VecDeque::from(longest_first(tests)));
    let next = || queue.lock().ok().and_then(|mut queue| queue.pop_front());
    let worker = || -> Result<Counts> {
        let mut counts = Counts { ok: true, ..Counts::default() };
        while let Some(test) = next() {
            counts.add_all(&one(&test, more, command()?)?);
        }
        Ok(counts)
    };
    say(format_args!("\n{count} tests on the cluster, {at_once} at once"));
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..at_once).map(|_| scope.spawn(worker)).collect();
        let mut counts = Counts { ok: true, ..Counts::default() };
        for worker in workers {
            let done = worker.join().map_err(|_| anyhow::anyhow!("running a test panicked"))?;
            counts.add_all(&done?);
        }
        Ok(counts)
    })
}

/// Runs one; a line with its time, and its output where it failed.
fn one(test: &str, more: &[String], mut command: Command) -> Result<Counts> {
    let begun = Instant::now();
    // Named exactly; a thread of its own, which has the test's name.
    command.args(["--exact", test]).args(more).env(super::THREADS, "2").stdin(Stdio::null());
    let done = command.output().with_context(|| format!("cannot run the test {test}"))?;
    let output = String::from_utf8_lossy(&done.stdout);
    let mut counts = Counts { ok: done.status.success(), ..Counts::default() };
    output.lines().for_each(|line| counts.add(line));
    if counts.ok && counts.passed != 1 {
        anyhow::bail!("the test {test} was not run:\n{output}");
    }
    if !counts.ok && counts.failed == 0 {
        counts.failed = 1; // it was ended in the middle
    }
    let seconds = begun.elapsed().as_secs();
    if counts.ok {
        say(format_args!("ok     {seconds:>4} s  {test}"));
        if more.iter().any(|flag| ["--nocapture", "--no-capture", "--show-output"].contains(&flag.as_str())) {
            say(output);
        }
    } else {
        let told = String::from_utf8_lossy(&done.stderr);
        say(format_args!("FAILED {seconds:>4} s  {test}\n{output}{told}"));
    }
    Ok(counts)
}

/// What takes an hour, the longest of the others in their order, then the rest as they are.
fn longest_first(mut tests: Vec<String>) -> Vec<String> {
    let place = |test: &String| {
        let long = LONGEST.iter().position(|long| long == test).unwrap_or(LONGEST.len());
        (!test.starts_with("long::"), long)
    };
    tests.sort_by_key(place);
    tests
}

/// How many run at once: two for each processor, as far as the memory goes that each takes (GiB, at
/// its most).
pub fn at_once(processors: usize, memory: usize) -> usize {
    const EACH: usize = 5; // two generations of two Pods with 1 GiB each, and some
    (2 * processors).min(memory / EACH).max(1)
}

/// The machine's memory in GiB.
pub fn memory() -> Result<usize> {
    in_gib(&fs_err::read_to_string(Path::new("/proc/meminfo"))?).context("/proc/meminfo has no MemTotal")
}

fn in_gib(meminfo: &str) -> Option<usize> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: usize = line.split_whitespace().next()?.parse().ok()?;
    Some(kib >> 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn the_longest_begin_first() {
        let tests = names(&["a::b", LONGEST[1], "long::x", "c::d", LONGEST[0]]);
        assert_eq!(longest_first(tests), ["long::x", LONGEST[0], LONGEST[1], "a::b", "c::d"]);
    }

    #[test]
    fn the_longest_are_tests_that_exist() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests");
        for name in LONGEST {
            let (file, function) = name.split_once("::").unwrap();
            let text = fs_err::read_to_string(folder.join(format!("{file}.rs"))).unwrap();
            assert!(text.contains(&format!("fn {function}()")), "there is no test {name}");
        }
    }

    #[test]
    fn processors_and_memory_bound_how_many_run() {
        assert_eq!(at_once(2, 23), 4);
        assert_eq!(at_once(2, 12), 2);
        assert_eq!(at_once(1, 3), 1);
        assert_eq!(in_gib("MemFree: 1 kB\nMemTotal:       24651652 kB\n"), Some(23));
    }

    #[test]
    fn each_is_run_once_and_a_failure_counts() {
        // Says what Rust's test runner says of one test; `bad` fails.
        let script = r#"case $2 in bad) echo "test result: FAILED. 0 passed; 1 failed; 0 ignored"; exit 101;;
            *) echo "test result: ok. 1 passed; 0 failed; 0 ignored";; esac"#;
        let command = || {
            let mut command = Command::new("bash");
            command.args(["-c", script, "bash"]);
            Ok(command)
        };
        let counts = run(names(&["a", "bad", "c"]), 2, &[], command).unwrap();
        assert_eq!((counts.ok, counts.passed, counts.failed), (false, 2, 1));
        let none = || Ok(Command::new("true"));
        assert!(run(names(&["a"]), 2, &[], none).is_err(), "a test that was not run passed");
    }
}
