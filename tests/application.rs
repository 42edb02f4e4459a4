//! `job.mode: application`: a `main()` that Flink runs as an application of its own, and that waits for its job.

use crate::cluster;
use crate::support::tally::{Expect, State};
use crate::support::{Namespace, statuses, wait_for};

/// Expected: it moves like any other job, warm, in the classic order and back, each time from exactly the savepoint just taken:
/// nothing is lost, nothing is repeated. A `main()` that throws where it should start the job is undone, with its own words.
/// After its JobManager's death `main()` runs again and the job goes on under its id, from its latest checkpoint.
#[test]
fn an_application_moves_with_its_state() {
    let namespace = cluster!("application", tally);
    namespace.install_job("demo", &["--set", "job.mode=application,job.entryClass=tally.Awaits"]).ok();
    let tally = namespace.tally("demo-storage");
    tally.await_committed(40);
    is_an_application(&namespace);

    let upgrade = ["upgrade", "demo", "--with-savepoint", "--set"];
    namespace.flink([upgrade.as_slice(), &["taskManager.memory=1100m"]].concat()).ok();
    tally.await_committed(40);
    is_an_application(&namespace);
    namespace
        .flink([upgrade.as_slice(), &["job.entryClass=tally.ThrowsInRun"]].concat())
        .exits(5)
        .says("main() throws when it is to start the job")
        .says("the operation was undone");
    tally.await_committed(40);
    let classic = ["taskManager.memory=1150m", "--strategy", "recreate"];
    namespace.flink([upgrade.as_slice(), &classic].concat()).ok();
    tally.await_committed(40);
    is_an_application(&namespace);

    // To the mode `cluster` and back again: another way of starting the same job.
    namespace
        .flink([upgrade.as_slice(), &["job.mode=cluster,job.entryClass=tally.Counter"]].concat())
        .ok()
        .says("the same: generation");
    tally.await_committed(40);
    namespace.flink(["rollback", "demo", "--with-savepoint"]).ok();
    tally.await_committed(40);
    is_an_application(&namespace);
    let history = "1 superseded, 2 superseded, 3 failed, 4 superseded, 5 superseded, 6 deployed";
    assert_eq!(statuses(&namespace.history("demo")), history);
    let verdict = tally.read().judge(State::Running);
    assert!(verdict.repeated_emitted.is_empty() && verdict.repeated_committed.is_empty(), "{verdict}");

    let id = namespace.job_id("demo");
    let runs = tally.read().runs.len();
    let job_manager = namespace.names("pods", "app.kubernetes.io/component=jobmanager");
    namespace.kubectl(["delete", "--grace-period=0", "--force", "--wait=false", &job_manager[0]]).ok();
    wait_for("the job's next run", || (tally.read().runs.len() > runs).then_some(()));
    tally.await_caught_up();
    tally.await_committed(40);
    let repeated: u64 = tally.read().judge(State::Running).repeated_emitted.values().sum();
    assert_eq!(namespace.job_id("demo"), id, "it goes on under its id");
    let uninstall = wait_for("all tasks", || {
        let run = namespace.flink(["uninstall", "demo", "--with-savepoint"]);
        (run.code != 3).then_some(run)
    });
    uninstall.ok();
    tally.check(State::Ended, &Expect { repeated_emitted: repeated..=repeated, ..Expect::default() });
}

/// Flink lists an application of the job's id whose `main()` runs: it waits for its job.
#[track_caller]
fn is_an_application(namespace: &Namespace) {
    let id = namespace.job_id("demo");
    let path =
        format!("/api/v1/namespaces/{}/services/demo-rest:8081/proxy/applications/{id}", namespace.name);
    let application = namespace.kubectl(["get", "--raw", &path]).ok().json();
    assert_eq!(application["name"], "tally.Awaits", "{application:#}");
    assert_eq!(application["status"], "RUNNING", "{application:#}");
}

/// Flink 2.2 and older cannot: said before anything changes.
#[test]
fn an_older_flink_is_refused() {
    let set = "job.jar=local:///opt/flink/usrlib/a.jar,job.mode=application,image.tag=";
    for (version, good) in [("1.20.5", false), ("2.2.1-java17", false), ("2.3.0", true), ("2.10.1", true)] {
        let run = crate::support::flink([
            "template",
            "demo",
            "flink",
            "--layout",
            "job",
            "--set",
            &format!("{set}{version}"),
        ]);
        if good {
            assert!(run.ok().stdout.contains("mode: application"));
        } else {
            run.exits(3).says("has mode application, for which Flink 2.3 or later is needed");
        }
    }
}
