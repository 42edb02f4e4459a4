//! `cargo xtask test`: all tests, those that need a cluster too, run where users run the plugin.
//!
//! Tests that need a cluster look for [`CLUSTER`]; a plain `cargo test` does not set it, and they say that they were left out.
//! To Rust's test runner such a test has passed; here it has not.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, IsTerminal as _, Write as _};
use std::path::Path;
use std::process::Stdio;
use std::thread::available_parallelism;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};

use crate::command::shown_as;
use crate::plugin;
use crate::progress::{duration, say};
use crate::target::Target;

/// Set to 1 where there is a cluster: KUBECONFIG leads to it, and kubectl with the plugin is on PATH.
const CLUSTER: &str = "KUBECTL_FLINK_TEST_CLUSTER";
/// The host's folder of the cluster's volumes (`NAMESPACE/CLAIM-UID`), where the tests' host has it.
const STORAGE: &str = "KUBECTL_FLINK_STORAGE";
/// Set to 1 where tests that take minutes are wanted.
const LONG: &str = "KUBECTL_FLINK_TEST_LONG";
/// How many tests Rust's test runner runs at the same time.
const THREADS: &str = "RUST_TEST_THREADS";
/// A file that gets a line for each test with a namespace: its milliseconds and its name.
const TIMES: &str = "KUBECTL_FLINK_TEST_TIMES";
/// How many of the slowest tests are named at the end.
const SLOWEST: usize = 10;
/// A file that gets a line for each test that was left out.
const LEFT_OUT: &str = "KUBECTL_FLINK_TEST_LEFT_OUT";

#[derive(clap::Args)]
pub struct Options {
    /// A context of your kubeconfig to test against, instead of a cluster on this machine
    #[arg(long)]
    context: Option<String>,
    /// Run the tests so many times, and go on after a failure
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    repeat: u32,
    /// Also the tests that take minutes
    #[arg(long)]
    long: bool,
    /// Run only tests whose name contains one of these
    filters: Vec<String>,
    /// What cargo test's test programs take: `-- --nocapture`
    #[arg(last = true)]
    more: Vec<String>,
}

pub fn run(project: &Path, options: &Options) -> Result<()> {
    let target = Target::open(project, options.context.as_deref())?;
    plugin::build(project)?;
    shown_as(
        "building the tests with cargo (3 to 5 minutes the first time)",
        plugin::cargo(project).args(["test", "--workspace", "--no-run", "--quiet"]).stdout(std::io::stderr()),
    )?;
    let mut closing = Vec::new();
    let mut failed = 0;
    for round in 1..=options.repeat {
        let begun = Instant::now();
        let counts = once(project, &target, options)?;
        if !counts.ok {
            failed += 1;
        }
        closing.push(format!(
            "run {round} of {}: {}; {} passed, {} failed, {} left out; {}",
            options.repeat,
            if counts.ok { "ok" } else { "FAILED" },
            counts.passed,
            counts.failed,
            counts.ignored,
            duration(begun.elapsed().as_secs())
        ));
    }
    for line in closing {
        say(line);
    }
    if failed > 0 {
        bail!("{failed} of {} runs failed", options.repeat);
    }
    Ok(())
}

/// What the test programs of one run said at their ends, added up.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    ok: bool,
    passed: u64,
    failed: u64,
    ignored: u64,
}

impl Counts {
    /// Tests that came to an end because what they need is not there have not passed.
    fn leave_out(&mut self, tests: u64) {
        self.passed -= tests;
        self.ignored += tests;
    }

    /// Adds a line like `test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; …`; any other line changes nothing.
    fn add(&mut self, line: &str) {
        let Some((_, counts)) = line.strip_prefix("test result: ").and_then(|result| result.split_once(". "))
        else {
            return;
        };
        for part in counts.split(';') {
            let mut words = part.split_whitespace();
            let (Some(Ok(number)), Some(what)) = (words.next().map(str::parse::<u64>), words.next()) else {
                continue;
            };
            match what {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" => self.ignored += number,
                _ => {}
            }
        }
    }
}

fn once(project: &Path, target: &Target, options: &Options) -> Result<Counts> {
    let cargo = plugin::cargo(project);
    let mut command = target.command(cargo.get_program())?;
    // Offline: inside the cluster's network there is no way to a registry, and all was built before.
    command.current_dir(project).args([
        "test",
        "--offline",
        "--workspace",
        "--no-fail-fast",
        "--quiet",
        "--",
    ]);
    command.args(&options.filters).args(&options.more);
    if std::io::stdout().is_terminal() {
        command.arg("--color=always");
    }
    let left_out = tempfile::NamedTempFile::new()?;
    let times = tempfile::NamedTempFile::new()?;
    command.env(TIMES, times.path());
    command.env(CLUSTER, "1").env_remove(STORAGE).env_remove(LONG).env(LEFT_OUT, left_out.path());
    if let Some(storage) = target.storage() {
        command.env(STORAGE, storage);
    }
    if options.long {
        command.env(LONG, "1");
    }
    if std::env::var_os(THREADS).is_none() {
        // One more than there are processors: each test waits a good part of its time.
        let processors = available_parallelism().context("cannot tell the number of processors")?;
        command.env(THREADS, (processors.get() + 1).to_string());
    }
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().context("cannot run cargo test")?;
    let mut counts = Counts::default();
    let mut out = std::io::stdout().lock();
    for line in BufReader::new(child.stdout.take().context("no stdout")?).split(b'\n') {
        let line = line?;
        counts.add(&without_colours(&String::from_utf8_lossy(&line)));
        out.write_all(&line)?;
        out.write_all(b"\n")?;
        out.flush()?;
    }
    counts.ok = child.wait()?.success();
    let mut tests = 0;
    for test in fs_err::read_to_string(left_out.path())?.lines() {
        say(format!("left out: {test}"));
        tests += 1;
    }
    counts.leave_out(tests);
    for line in slowest(&fs_err::read_to_string(times.path())?) {
        say(line);
    }
    Ok(counts)
}

/// The slowest tests, of lines with milliseconds and a name each. A test with several namespaces has one line for each.
fn slowest(times: &str) -> Vec<String> {
    let mut tests = BTreeMap::<&str, u64>::new();
    for (millis, name) in times.lines().filter_map(|line| line.split_once(' ')) {
        let took = tests.entry(name).or_default();
        *took = (*took).max(millis.parse().unwrap_or_default());
    }
    let mut tests: Vec<_> = tests.into_iter().collect();
    tests.sort_by_key(|(_, took)| std::cmp::Reverse(*took));
    let line = |(name, millis): &(&str, u64)| format!("slow: {:>4} s  {name}", millis / 1000);
    tests.iter().take(SLOWEST).map(line).collect()
}

/// The text without terminal colours (`ESC [ … m`).
fn without_colours(text: &str) -> String {
    let mut parts = text.split('\u{1b}');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        plain.push_str(part.split_once('m').map_or("", |(_, rest)| rest));
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slowest_come_first() {
        assert_eq!(slowest("1500 a\n90000 b::c\n2000 a\n"), ["slow:   90 s  b::c", "slow:    2 s  a"]);
    }

    #[test]
    fn the_results_of_several_test_programs_are_added_up() {
        let mut counts = Counts::default();
        counts.add("running 3 tests");
        counts.add(
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s",
        );
        counts.add(&without_colours(
            "test result: \u{1b}[31mFAILED\u{1b}[m. 2 passed; 1 failed; 0 ignored; 0 measured; 4 filtered out; finished in 1.20s",
        ));
        assert_eq!(counts, Counts { ok: false, passed: 5, failed: 1, ignored: 1 });
        counts.leave_out(2);
        assert_eq!(counts, Counts { ok: false, passed: 3, failed: 1, ignored: 3 });
    }
}
