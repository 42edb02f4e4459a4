//! A change of the number of TaskManagers: the Pods that are there stay, and no job is stopped. And
//! a namespace that has room for these Pods only.

use crate::cluster;
use crate::support::tally::{Expect, State};
use crate::support::{statuses, wait_for};

/// Expected: the same job, the same attempt, one run in the tally; nothing lost, nothing repeated.
/// Then the same command again: nothing changes, and nothing is stopped. With a quota that leaves
/// no room for a second generation new Pods are refused (exit code 3, no revision), and `auto`
/// takes the strategy recreate: one move, nothing lost, nothing repeated.
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

    assert_eq!(tally.read().runs.len(), 1, "no job was stopped");

    let quota = serde_json::json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "few"},
        "spec": {"hard": {"pods": "5"}}});
    namespace.apply(&quota);
    wait_for("the quota's count", || {
        let quota = namespace.get("resourcequota", "few")?;
        (quota["status"]["used"]["pods"] == "3").then_some(())
    });
    let upgrade = ["upgrade", "demo", "--set", "taskManager.memory=1100m", "--with-savepoint"];
    namespace
        .flink(upgrade)
        .exits(3)
        .says("the quota few leaves no room for a second generation beside the first: pods 3 of 5 are used")
        .says("--strategy recreate");
    assert_eq!(statuses(&namespace.history("demo")), "1 superseded, 2 deployed");
    namespace
        .flink([upgrade.as_slice(), &["--strategy", "auto", "--yes"]].concat())
        .ok()
        .says("recreate: stop, replace, start")
        .says("the quota few leaves no room");
    assert_eq!(statuses(&namespace.history("demo")), "1 superseded, 2 superseded, 3 deployed");
    tally.await_committed(40);

    namespace.flink(["uninstall", "demo", "--with-savepoint"]).ok();
    tally.check(State::Ended, &Expect { runs: 2..=2, ..Expect::default() });
}
