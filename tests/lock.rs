//! Two at once, and a run that is killed in the middle.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};

use crate::cluster;
use crate::support::tally::{Expect, State};
use crate::support::{Namespace, statuses, wait_for};

const OPERATION: &str = "flink.operation.v1.demo";

/// Starts an upgrade with a savepoint, for the caller to end, and reads its progress until a line
/// has the text.
#[allow(
    clippy::zombie_processes,
    reason = "where it is not handed over, the test fails and the program with it"
)]
fn upgrade_until(
    namespace: &Namespace,
    set: &str,
    text: &str,
) -> (Child, BufReader<std::process::ChildStderr>) {
    let mut child = namespace
        .program()
        .args(["upgrade", "demo", "--with-savepoint", "--set", set])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut progress = BufReader::new(child.stderr.take().unwrap());
    let mut all = String::new();
    loop {
        let from = all.len();
        assert!(progress.read_line(&mut all).unwrap() > 0, "it ended before it said {text:?}:\n{all}");
        if all[from..].contains(text) {
            return (child, progress);
        }
    }
}

/// Expected: while one upgrade is under way another is refused, names who holds the release and
/// changes nothing; the first one ends as if nothing had been. A run that is killed after its stop
/// leaves the path of the savepoint in its journal: the next command completes it, then does its
/// own. Nothing is lost, nothing is repeated.
#[test]
fn one_at_a_time_and_what_a_killed_run_leaves() {
    let namespace = cluster!("lock", tally);
    // Its snapshots take 5 s, which is time enough for a second run.
    namespace.install_job("demo", &["--set", "job.entryClass=tally.SlowSnapshot"]).ok();
    let tally = namespace.tally("demo-storage");
    tally.await_committed(40);

    let (mut first, mut progress) = upgrade_until(&namespace, "parallelism=1", "→ stop the job counter");
    let second = namespace
        .flink(["upgrade", "demo", "--with-savepoint", "--set", "taskManager.memory=1100m"])
        .exits(3)
        .says("is being changed by tester@")
        .says("since");
    assert_eq!(statuses(&namespace.history("demo")), "1 deployed, 2 pending-upgrade", "{second}");
    let said = std::io::read_to_string(&mut progress).unwrap();
    assert!(first.wait().unwrap().success(), "{said}");
    assert_eq!(statuses(&namespace.history("demo")), "1 superseded, 2 deployed");
    assert!(namespace.get("secret", OPERATION).is_none(), "the lock is given back");
    tally.await_committed(40);

    let (mut killed, _) = upgrade_until(&namespace, "taskManager.memory=1100m", "✓ stopped counter");
    killed.kill().unwrap(); // SIGKILL
    killed.wait().unwrap();
    namespace.flink(["status", "demo"]).ok().prints("OPERATION:  an operation by tester@");
    assert_eq!(statuses(&namespace.history("demo")), "1 superseded, 2 deployed, 3 pending-upgrade");
    // The lock expires 30 s after its last renewal; until then the run counts as alive. Whatever
    // changes the release next first completes what that run had begun.
    let next = ["upgrade", "demo", "--set", "taskManager.memory=1150m", "--with-savepoint"];
    let next = wait_for("the lock's expiry", || {
        let next = namespace.flink(next);
        (next.code != 3).then_some(next)
    });
    next.ok().says("resume the interrupted operation by tester@").says("is complete: revision 3 is deployed");
    assert_eq!(statuses(&namespace.history("demo")), "1 superseded, 2 superseded, 3 superseded, 4 deployed");
    assert!(namespace.get("secret", OPERATION).is_none(), "the lock is given back");
    namespace.flink(["recover", "demo"]).ok().says("Nothing to recover");
    let nothing = namespace.flink(["recover", "demo", "-o", "json"]).ok();
    assert_eq!(nothing.json()["outcome"], "nothing", "{nothing}");
    tally.await_committed(40);

    namespace.flink(["uninstall", "demo", "--with-savepoint"]).ok();
    tally.check(State::Ended, &Expect { runs: 4..=4, ..Expect::default() });
}
