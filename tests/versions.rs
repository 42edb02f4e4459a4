//! A change of Flink's version is an upgrade like any other; the revert has to be one that the
//! older Flink can read.

use crate::cluster;
use crate::support::tally::{Expect, State};
use crate::support::{statuses, wait_for};

/// Expected: from 1.20 to 2.3 with its state nothing is lost or repeated, and a failure before the
/// first checkpoint goes back by itself, for that savepoint is 1.20's. Later the revert with
/// today's state is refused; from the recorded savepoint it repeats exactly what 2.3 put out.
#[test]
fn from_1_20_to_2_3_and_back() {
    let namespace = cluster!("versions", tally);
    namespace.install_job("demo", &["--set", "image.tag=1.20.5"]).ok();
    let tally = namespace.tally("demo-storage");
    tally.await_committed(40);

    let upgrade = ["upgrade", "demo", "--with-savepoint", "--set"];
    let bad = "image.tag=2.3.0,job.entryClass=tally.StateChanged";
    namespace.flink([upgrade.as_slice(), &[bad]].concat()).exits(5).says("the operation was undone");
    assert_eq!(namespace.status("demo")["flink"]["version"], "1.20.5");
    tally.await_committed(40);
    let before = tally.read().runs.len();
    namespace.flink([upgrade.as_slice(), &["image.tag=2.3.0"]].concat()).ok();
    assert_eq!(namespace.status("demo")["flink"]["version"], "2.3.0");
    namespace.restored_as_recorded("demo", 1);
    tally.await_committed(40);
    let verdict = tally.read().judge(State::Running);
    assert!(verdict.repeated_emitted.is_empty() && verdict.repeated_committed.is_empty(), "{verdict}");

    for choice in [&["--with-savepoint"][..], &["--from-checkpoint", "latest"]] {
        let refused = namespace.flink([["rollback", "demo", "1"].as_slice(), choice].concat()).exits(3);
        refused
            .says("Flink 1.20.5 cannot read the state of the job counter")
            .says("--from-savepoint recorded");
    }
    assert_eq!(statuses(&namespace.history("demo")), "1 superseded, 2 failed, 3 deployed");
    // The new generation is one of 1.20 again; the warm-up job runs on both.
    namespace.flink(["rollback", "demo", "1", "--from-savepoint", "recorded"]).ok().says("warmed up in ");
    let newer = wait_for("the run after the way back", || {
        let runs = tally.read().runs;
        (runs.len() > before + 1).then(|| runs[before].clone())
    });
    tally.await_committed(newer.lines.try_into().unwrap());
    tally.await_committed(40);
    namespace.flink(["uninstall", "demo", "--with-savepoint"]).ok();
    let expected = Expect {
        repeated_emitted: newer.lines..=newer.lines,
        repeated_committed: 1..=newer.lines,
        ..Expect::default()
    };
    tally.check(State::Ended, &expected);
}
