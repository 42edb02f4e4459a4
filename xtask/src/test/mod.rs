//! `cargo xtask test`: all tests, those that need a cluster too, run where users run the plugin.
//!
//! Tests that need a cluster look for [`CLUSTER`]; a plain `cargo test` does not set it, and they
//! say that they were left out. To Rust's test runner such a test has passed; here it has not. That
//! is also how it is known which tests they are.

mod side_by_side;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::available_parallelism;
use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use crate::command::{output, shown_as};
use crate::plugin;
use crate::progress::{duration, say};
use crate::target::Target;

/// Set to 1 where there is a cluster: KUBECONFIG leads to it, and kubectl with the plugin is on
/// PATH.
const CLUSTER: &str = "KUBECTL_FLINK_TEST_CLUSTER";
/// The host's folder of the cluster's volumes (`NAMESPACE/CLAIM-UID`), where the tests' host has
/// it.
const STORAGE: &str = "KUBECTL_FLINK_STORAGE";
/// Set to 1 where tests that take minutes are wanted.
const LONG: &str = "KUBECTL_FLINK_TEST_LONG";
/// How many tests run at the same time.
const THREADS: &str = "RUST_TEST_THREADS";
/// A file that gets a line for each test with a namespace: its milliseconds and its name.
const TIMES: &str = "KUBECTL_FLINK_TEST_TIMES";
/// How many of the slowest tests are named at the end.
const SLOWEST: usize = 10;
/// A file that gets a line for each test that was left out: its name and why.
const LEFT_OUT: &str = "KUBECTL_FLINK_TEST_LEFT_OUT";
/// How the reason begins where it is that there is no cluster (`tests/support/mod.rs`).
const NEEDS_CLUSTER: &str = "it needs a cluster";

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

    /// Adds what other test programs said.
    fn add_all(&mut self, other: &Self) {
        self.ok &= other.ok;
        self.passed += other.passed;
        self.failed += other.failed;
        self.ignored += other.ignored;
    }

    /// Adds a line like `test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; …`; any other
    /// line changes nothing.
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

/// Runs all tests once: first what needs no cluster, as a plain `cargo test` does. The tests that
/// say there that they need one come after, for the machine's processors are then free for what
/// waits most of its time.
fn once(project: &Path, target: &Target, options: &Options) -> Result<Counts> {
    let cargo = plugin::cargo(project);
    let left_out = tempfile::NamedTempFile::new()?;
    let times = tempfile::NamedTempFile::new()?;
    let prepared = |program: &OsStr| -> Result<Command> {
        let mut command = target.command(program)?;
        command.current_dir(project).env(TIMES, times.path()).env(LEFT_OUT, left_out.path());
        command.env_remove(CLUSTER).env_remove(STORAGE).env_remove(LONG);
        if options.long {
            command.env(LONG, "1");
        }
        Ok(command)
    };
    let processors = available_parallelism().context("cannot tell the number of processors")?.get();
    let mut command = prepared(cargo.get_program())?;
    // Offline: inside the cluster's network there is no way to a registry, and all was built
    // before.
    command.args(["test", "--offline", "--workspace", "--no-fail-fast", "--quiet", "--"]);
    command.args(&options.filters).args(&options.more);
    if std::io::stdout().is_terminal() {
        command.arg("--color=always");
    }
    // At least two: where there is one, Rust's test runner gives its thread no test's name.
    let mut counts = passed_on(command.env(THREADS, (processors + 1).to_string()))?;

    let said = |file: &Path| -> Result<Vec<(String, String)>> {
        let lines = fs_err::read_to_string(file)?;
        // A line that cannot be read is a test that would count as passed.
        let read = |line: &str| {
            let (test, why) = line.split_once(": ").with_context(|| format!("no left-out test: {line:?}"))?;
            ensure!(!test.contains(' ') && !why.contains(": "), "two left-out tests in one line: {line:?}");
            Ok((test.to_owned(), why.to_owned()))
        };
        lines.lines().map(read).collect()
    };
    let (want_cluster, mut others): (Vec<_>, Vec<_>) =
        said(left_out.path())?.into_iter().partition(|(_, why)| why.starts_with(NEEDS_CLUSTER));
    counts.leave_out(others.len() as u64);
    if !want_cluster.is_empty() {
        counts.passed -= want_cluster.len() as u64; // not yet
        fs_err::write(left_out.path(), "")?;
        let program = test_program(project)?;
        let command = || -> Result<Command> {
            let mut command = prepared(program.as_os_str())?;
            command.env(CLUSTER, "1");
            if let Some(storage) = target.storage() {
                command.env(STORAGE, storage);
            }
            Ok(command)
        };
        let at_once = match std::env::var(THREADS) {
            Ok(threads) => threads.parse().with_context(|| format!("{THREADS} is no number: {threads}"))?,
            Err(_) => side_by_side::at_once(processors, side_by_side::memory()?),
        };
        let tests = want_cluster.into_iter().map(|(test, _)| test).collect();
        counts.add_all(&side_by_side::run(tests, at_once, &options.more, command)?);
        let more = said(left_out.path())?;
        counts.leave_out(more.len() as u64);
        others.extend(more);
    }
    for (test, why) in others {
        say(format_args!("left out: {test}: {why}"));
    }
    for line in slowest(&fs_err::read_to_string(times.path())?) {
        say(line);
    }
    Ok(counts)
}

/// Runs test programs, passes on what they print, and counts.
fn passed_on(command: &mut Command) -> Result<Counts> {
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
    Ok(counts)
}

/// The program of the integration tests, as cargo says that it has built it.
fn test_program(project: &Path) -> Result<PathBuf> {
    let mut cargo = plugin::cargo(project);
    cargo.args(["test", "--offline", "--workspace", "--no-run", "--quiet"]);
    let messages = output(cargo.arg("--message-format=json"))?;
    let program =
        messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()).find_map(|said| {
            let is_it = said["target"]["name"] == "main" && said["target"]["kind"][0] == "test";
            is_it.then(|| said["executable"].as_str().map(PathBuf::from))?
        });
    program.context("cargo does not say where the test program `main` is")
}

/// The slowest tests, of lines with milliseconds and a name each. A test with several namespaces
/// has one line for each.
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
