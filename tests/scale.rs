//! A change of the number of TaskManagers: the Pods that are there stay, and no job is stopped.

use crate::cluster;
use crate::support::statuses;
use crate::support::tally::{Expect, State};

/// Expected: the same job, the same attempt, one run in the tally; nothing lost, nothing repeated.
/// Then the same command again: nothing changes, and nothing is stopped.
#[test]
fn the_number_of_task_managers_stops_no_job() {
    let namespace = cluster!("scale", tally);
    namespace.install_job("demo", &[]).ok();
    let tally = namespace.tally("demo-storage");
    tally.await_committed(40);
    let before = namespace.status("demo");
    let pods = |component: &str| namespace.names("pods", &format!("app.kubernetes.io/component={component}"));
    let (job_managers, task_managers) = (pods("jobmanager"), pods("taskmanager"));

    let report = namespace
        .flink(["upgrade", "demo", "--set", "taskManager.replicaCount=2", "-o", "json"])
        .ok()
        .says("the same: generation demo-g1")
        .says("none is stopped or started")
        .json();
    assert_eq!((&report["revision"], &report["generation"]), (&2.into(), &1.into()), "{report:#}");
    let after = namespace.status("demo");
    assert_eq!(after["jobs"][0]["id"], before["jobs"][0]["id"], "{after:#}");
    assert_eq!(after["flink"]["taskManagers"], 2, "{after:#}");
    assert_eq!(pods("jobmanager"), job_managers);
    assert!(task_managers.iter().all(|pod| pods("taskmanager").contains(pod)), "a TaskManager was replaced");

    namespace
        .flink(["upgrade", "demo", "--set", "taskManager.replicaCount=2"])
        .ok()
        .prints("Nothing to change: the release is as it was asked for, no job was stopped.\n")
        .prints("REVISION:   2\n");
    namespace.flink(["upgrade", "demo", "--with-savepoint"]).ok().prints("Nothing to change");
    assert_eq!(statuses(&namespace.history("demo")), "1 superseded, 2 deployed");

    namespace.flink(["uninstall", "demo", "--with-savepoint"]).ok();
    let expected = Expect { runs: 1..=1, ..Expect::default() };
    tally.check(State::Ended, &expected);
}
