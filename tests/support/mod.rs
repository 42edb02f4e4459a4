//! What tests of the program share: running it as users do, a namespace each, waiting, and reading
//! what a job left behind.
//!
//! Nothing here knows what a test expects.
#![allow(dead_code, reason = "each test takes the part it needs")]

pub mod imports;
pub mod namespace;
pub mod run;
pub mod snapshot;
pub mod tally;

#[allow(unused_imports, reason = "each test takes the part it needs")]
pub use namespace::{IMAGE, JAR, JobTally, Namespace, job_args};
#[allow(unused_imports, reason = "each test takes the part it needs")]
pub use run::{Run, flink, kubectl, program, run, run_until};
#[allow(unused_imports, reason = "each test takes the part it needs")]
pub use snapshot::{assert_snapshot, redact};

use std::io::Write as _;
use std::time::{Duration, Instant};

/// Set to 1 where there is a cluster: KUBECONFIG leads to it and kubectl is on PATH (`cargo xtask
/// test` does it).
pub const CLUSTER: &str = "KUBECTL_FLINK_TEST_CLUSTER";
/// The host's folder of the cluster's volumes, `NAMESPACE/CLAIM-UID` each.
pub const STORAGE: &str = "KUBECTL_FLINK_STORAGE";

/// Set to 1 where tests that take minutes are wanted (`cargo xtask test --long`).
pub const LONG: &str = "KUBECTL_FLINK_TEST_LONG";

/// A file that gets a line for each test that is left out, so that none of them counts as passed
/// (`cargo xtask test` reads it).
pub const LEFT_OUT: &str = "KUBECTL_FLINK_TEST_LEFT_OUT";

/// A file that gets a line for each test with a namespace: its milliseconds and its name (`cargo
/// xtask test` reads it).
pub const TIMES: &str = "KUBECTL_FLINK_TEST_TIMES";

/// Notes how long the test of this thread, which the test runner names after it, has had its
/// namespace.
fn note_time(took: Duration) {
    let (Some(path), thread) = (std::env::var_os(TIMES), std::thread::current()) else { return };
    let file = std::fs::File::options().append(true).create(true).open(path);
    let line = format!("{} {}\n", took.as_millis(), thread.name().unwrap_or("?"));
    if let Err(error) = file.and_then(|mut file| file.write_all(line.as_bytes())) {
        println!("how long it took could not be noted: {error}");
    }
}

/// Whether there is a cluster to test on; says what is left out where there is none.
pub fn has_cluster(test: &str) -> bool {
    let there = std::env::var_os(CLUSTER).is_some_and(|value| value == "1");
    there || leave_out(test, "it needs a cluster (cargo xtask test)")
}

/// Whether the volumes can be read from here; says what is left out where they cannot.
pub fn has_storage(test: &str) -> bool {
    let there = std::env::var_os(STORAGE).is_some();
    there
        || leave_out(test, "it reads the job's tally in the cluster's volumes, which are not on this machine")
}

/// Whether tests that take minutes are wanted; says what is left out where they are not.
pub fn has_time(test: &str) -> bool {
    let wanted = std::env::var_os(LONG).is_some_and(|value| value == "1");
    wanted || leave_out(test, "it takes minutes (cargo xtask test --long)")
}

fn leave_out(test: &str, why: &str) -> bool {
    println!("left out: {test}: {why}");
    // By the name that the test runner knows it by: so it can be asked for (`cargo xtask test`
    // does).
    let thread = std::thread::current();
    let test = thread.name().unwrap_or(test);
    if let Some(path) = std::env::var_os(LEFT_OUT) {
        let mut file = std::fs::File::options()
            .append(true)
            .create(true)
            .open(path)
            .expect("the list of left-out tests");
        // In one write: `writeln!` makes several, between which come those of other tests.
        let line = format!("{test}: {why}\n");
        file.write_all(line.as_bytes()).expect("a line in the list of left-out tests");
    }
    false
}

/// A fresh namespace, or the end of the test where there is no cluster: `let namespace =
/// cluster!("upgrade");`. With `tally` it also ends where the volumes cannot be read from here,
/// with `long` where tests that take minutes are not wanted, too.
#[macro_export]
macro_rules! cluster {
    ($test:expr) => {{
        if !$crate::support::has_cluster($test) {
            return;
        }
        $crate::support::Namespace::new($test)
    }};
    ($test:expr, tally) => {{
        if !$crate::support::has_cluster($test) || !$crate::support::has_storage($test) {
            return;
        }
        $crate::support::Namespace::new($test)
    }};
    ($test:expr, long) => {{
        if !$crate::support::has_time($test) {
            return;
        }
        $crate::cluster!($test, tally)
    }};
}

/// How long anything in a cluster on a busy machine may take.
pub const DEADLINE: Duration = Duration::from_mins(3);

/// The time between two looks at a thing, at least.
const POLL: Duration = Duration::from_millis(200);

/// Looks again until there is something; fails, naming what was awaited, when the deadline has
/// passed.
#[track_caller]
pub fn wait_for<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    wait_within(DEADLINE, what, look)
}

/// The same for what takes longer than anything else.
#[track_caller]
pub fn wait_within<T>(deadline: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + deadline;
    loop {
        let begun = Instant::now();
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "not within {} s: {what}", deadline.as_secs());
        // Between two looks, never in place of one. A look that starts programs takes a processor
        // from what is waited for.
        std::thread::sleep((2 * begun.elapsed()).clamp(POLL, 3 * POLL));
    }
}

/// A history in one line: `1 superseded, 2 deployed`.
pub fn statuses(history: &[(u64, String)]) -> String {
    history.iter().map(|(revision, status)| format!("{revision} {status}")).collect::<Vec<_>>().join(", ")
}
