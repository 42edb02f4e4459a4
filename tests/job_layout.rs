//! Layout `job`: a job whose life is the release's, from install to uninstall, with its JobManager killed in between.

use crate::cluster;
use crate::support::tally::{Expect, State};
use crate::support::{assert_snapshot, statuses, wait_for};

/// Expected: after the JobManager's Pod was deleted the job goes on under its id from its latest checkpoint, so emitted
/// repeats what was emitted since (something, and at most some seconds of it), committed nothing; the moves by
/// savepoint add nothing to that. Nothing is lost.
#[test]
fn a_job_from_install_to_uninstall() {
    let namespace = cluster!("job", tally);
    let installed = namespace.install_job("demo", &[]).ok();
    assert_snapshot("job-install", &installed.stdout);
    let tally = namespace.tally("demo-storage");
    tally.await_committed(100);
    assert_snapshot("job-status", &namespace.status_with_checkpoint("demo"));
    let id = namespace.job_id("demo");

    let job_manager = namespace.names("pods", "app.kubernetes.io/component=jobmanager");
    let runs = tally.read().runs.len();
    namespace.kubectl(["delete", "--grace-period=0", "--force", "--wait=false", &job_manager[0]]).ok();
    wait_for("the job's next run", || (tally.read().runs.len() > runs).then_some(()));
    tally.await_committed(100);
    let status = wait_for("a status with all tasks and a checkpoint", || {
        let status = namespace.flink(["status", "demo", "-o", "json"]).json();
        let job = &status["jobs"][0];
        (job["runningTasks"] == job["totalTasks"] && !job["lastCheckpoint"].is_null()).then_some(status)
    });
    assert_eq!(status["jobs"][0]["id"], *id, "the job goes on under its id: {status:#}");
    let again = tally.read().runs.last().cloned().unwrap();
    assert!(again.restored.is_some(), "it went on from a checkpoint: {again}");
    assert!(!again.begins_at_zero(), "{again}");
    tally.await_caught_up();
    // What the fail-over repeated; the moves from here on repeat nothing more.
    let repeated: u64 = tally.read().judge(State::Running).repeated_emitted.values().sum();

    let upgraded = namespace
        .flink(["upgrade", "demo", "--set", "taskManager.memory=1100m", "--with-savepoint"])
        .ok()
        .says("rehearsed in ")
        .says("stop with a savepoint, start from it");
    assert_snapshot("job-upgrade", &upgraded.stdout);
    tally.await_committed(60);
    let rolled_back = namespace.flink(["rollback", "demo", "--with-savepoint"]).ok();
    assert_snapshot("job-rollback", &rolled_back.stdout);
    tally.await_committed(60);
    assert_snapshot("job-history", &namespace.flink(["history", "demo"]).ok().stdout);
    assert_eq!(statuses(&namespace.history("demo")), "1 superseded, 2 superseded, 3 deployed");

    let uninstalled = namespace.flink(["uninstall", "demo", "--with-savepoint"]).ok();
    assert_snapshot("job-uninstall", &uninstalled.stdout);
    let expected = Expect { repeated_emitted: repeated..=repeated, runs: 4..=6, ..Expect::default() };
    tally.check(State::Ended, &expected);
}
