//! Back to an earlier revision: from a recorded savepoint, without state, and never without a
//! choice.

use crate::cluster;
use crate::support::tally::{Expect, State};
use crate::support::{statuses, wait_for};

/// Expected: refused without a choice, with `--yes` too. From the recorded savepoint nothing is
/// lost, and what the second revision emitted and committed is repeated to the number, for its last
/// number committed is the last that the savepoint after it has. Then without state: every key
/// begins again at number 0.
#[test]
fn a_rollback_says_where_its_state_comes_from() {
    let namespace = cluster!("rollback", tally);
    namespace.install_job("demo", &[]).ok();
    let tally = namespace.tally("demo-storage");
    tally.await_committed(40);
    let memory = "taskManager.memory=1100m";
    namespace.flink(["upgrade", "demo", "--set", memory, "--with-savepoint"]).ok();
    tally.await_committed(60);

    for args in [&["rollback", "demo"][..], &["rollback", "demo", "--yes"]] {
        namespace
            .flink(args)
            .exits(3)
            .says(&format!("kubectl flink -n {} rollback demo 1 --with-savepoint", namespace.name))
            .says("--from-savepoint recorded")
            .says("--stateless");
    }
    assert_eq!(statuses(&namespace.history("demo")), "1 superseded, 2 deployed");

    // Stopped cleanly, so that the span is known: what revision 2 emitted is what is repeated.
    let recorded = namespace.flink(["savepoint", "list", "demo", "-o", "json"]).ok().json();
    let path = recorded[0]["path"].as_str().unwrap().to_owned();
    namespace
        .flink(["rollback", "demo", "1", "--from-savepoint", "recorded"])
        .ok()
        .says(&format!("cancel, start from {path}"))
        .says("records since that savepoint are reprocessed: their output is repeated");
    let status = namespace.status("demo");
    assert_eq!(status["jobs"][0]["restoredFrom"], path.as_str(), "{status:#}");
    namespace.restored_as_recorded("demo", 1);
    let second = wait_for("the third run", || tally.read().runs.get(2).map(|_| tally.read().runs[1].clone()));
    tally.await_committed(second.lines.try_into().unwrap());
    let third = tally.read();
    assert!(third.runs[1].continues_exactly(), "{}", third.runs[1]);
    assert_eq!(third.runs[2].repeats(), second.lines, "from the savepoint on: {}", third.runs[2]);
    let verdict = third.judge(State::Running);
    assert!(verdict.lost.is_empty(), "{verdict}");
    println!("{verdict}");

    // The user's own value is a choice, a package's default would not be one. From here on it
    // completes no checkpoint.
    let upgraded = namespace
        .flink([
            "upgrade",
            "demo",
            "--set",
            "taskManager.memory=1150m,upgrade.state=savepoint,upgrade.warmUp=false,checkpointing.interval=",
        ])
        .ok();
    assert!(upgraded.stderr.contains("stop with a savepoint, start from it"), "{upgraded}");
    assert!(!upgraded.stderr.contains("warmed up"), "{upgraded}");
    tally.await_more(40);
    let before = tally.read().judge(State::Running).repeated_emitted.values().sum::<u64>();

    // What it was restored from is all that it could go back to.
    let kept = || namespace.flink(["savepoint", "list", "demo", "-o", "json"]).ok().json();
    let only = kept()[1]["path"].as_str().unwrap().to_owned();
    namespace
        .flink(["savepoint", "dispose", "demo", &only, "--yes"])
        .exits(3)
        .says("revision 4 was restored from it, and its job counter has completed no checkpoint");
    let none = namespace.flink(["savepoint", "prune", "demo", "--keep", "0", "--dry-run"]).ok();
    assert_eq!(none.stdout, format!("{path} would be deleted\n"), "{none}");
    assert_eq!(kept().as_array().unwrap().len(), 2);

    // Of five revisions two are to stay, and those whose savepoints exist stay beside them.
    assert_eq!(statuses(&namespace.history("demo")), "1 superseded, 2 superseded, 3 superseded, 4 deployed");
    namespace
        .flink(["rollback", "demo", "--stateless", "--history-max", "2"])
        .ok()
        .says("its state is dropped: it starts with empty state");
    tally.await_committed(40);
    assert_eq!(statuses(&namespace.history("demo")), "1 superseded, 3 superseded, 5 deployed");

    // All but the newest savepoint go, from the storage and from the records, which say so.
    let before_pruning = kept();
    assert_eq!(before_pruning.as_array().unwrap().len(), 2, "{before_pruning:#}");
    namespace.flink(["savepoint", "prune", "demo", "--keep", "1"]).exits(3).says(&path).says("--yes");
    let would = namespace.flink(["savepoint", "prune", "demo", "--keep", "1", "--dry-run"]).ok();
    assert_eq!(would.stdout, format!("{path} would be deleted\n"), "{would}");
    assert_eq!(kept(), before_pruning);
    let file = path.trim_start_matches("file:");
    let status = namespace.status("demo");
    let job_manager = format!("deploy/{}-jobmanager", status["generation"].as_str().unwrap());
    let look = || namespace.kubectl(["exec", &job_manager, "--", "ls", file]);
    assert!(look().ok().stdout.contains("_metadata"));
    let pruned = namespace.flink(["savepoint", "prune", "demo", "--keep", "1", "--yes"]).ok();
    assert_eq!(pruned.stdout, format!("{path} deleted\n"), "{pruned}");
    look().exits(2);
    assert_eq!(kept(), serde_json::json!([before_pruning[1]]));
    let history = namespace.flink(["history", "demo"]).ok();
    assert!(history.stdout.contains("a savepoint of counter was disposed of"), "{history}");
    namespace.flink(["savepoint", "dispose", "demo", &path, "--yes"]).exits(3).says("knows no savepoint");
    // Now the revision of the one that is gone may go as well.
    namespace.flink(["upgrade", "demo", "--set", "labels.team=streams", "--history-max", "2"]).ok();
    assert_eq!(statuses(&namespace.history("demo")), "3 superseded, 6 deployed");

    namespace.flink(["uninstall", "demo", "--with-savepoint"]).ok();
    let last = tally.read().runs.last().cloned().unwrap();
    assert!(last.restored.is_none(), "{last}");
    let expected = Expect {
        repeated_emitted: before + last.lines..=before + last.lines,
        repeated_committed: 1..=before + last.lines,
        restarts_from_zero: true,
        runs: 5..=5,
        ..Expect::default()
    };
    tally.check(State::Ended, &expected);
}
