//! Layout `job`: a job whose life is the release's, from install to uninstall, with its JobManager
//! killed in between.

use crate::cluster;
use crate::support::tally::{Expect, State};
use crate::support::{Namespace, assert_snapshot, run, statuses, wait_for};

/// Expected: after the JobManager's Pod was deleted the job goes on under its id from its latest
/// checkpoint, so emitted repeats what was emitted since (something, and at most some seconds of
/// it), committed nothing; the moves by savepoint add nothing to that. Nothing is lost.
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

    the_plan_tells_what_an_upgrade_would_do(&namespace);
    // Long enough to be told that it lasts: what Flink says of checkpoints is three seconds old.
    let mut upgrade = namespace.program();
    upgrade.args(["upgrade", "demo", "--set", "taskManager.memory=1100m", "--with-savepoint"]);
    let upgraded = run(upgrade.env("KUBECTL_FLINK_STABILITY_PERIOD", "8s"))
        .ok()
        .says("warmed up in ")
        .says("stop with a savepoint, start from it")
        .says("→ wait for generation 2\n")
        .says("✓ stopped counter after ")
        .says("first checkpoint seen, quiet for ")
        .says(" of 8 s\n")
        .says("✓ counter runs, first checkpoint completed\n");
    namespace.restored_as_recorded("demo", 1);
    assert_snapshot("job-upgrade", &upgraded.stdout);
    tally.await_committed(60);
    let rolled_back = namespace.flink(["rollback", "demo", "--with-savepoint"]).ok();
    assert_snapshot("job-rollback", &rolled_back.stdout);
    namespace.restored_as_recorded("demo", 2);
    tally.await_committed(60);
    assert_snapshot("job-history", &namespace.flink(["history", "demo"]).ok().stdout);
    assert_eq!(statuses(&namespace.history("demo")), "1 superseded, 2 superseded, 3 deployed");

    let uninstalled = namespace.flink(["uninstall", "demo", "--with-savepoint"]).ok();
    assert_snapshot("job-uninstall", &uninstalled.stdout);
    let expected = Expect { repeated_emitted: repeated..=repeated, runs: 4..=6, ..Expect::default() };
    tally.check(State::Ended, &expected);
}

/// Expected of the plan of a warm upgrade of a running job: what it costs, for how long the job is
/// down and what happens if it fails, for a program; how each object changes, on demand; and it
/// changes nothing.
#[track_caller]
fn the_plan_tells_what_an_upgrade_would_do(namespace: &Namespace) {
    let plan =
        ["plan", "upgrade", "demo", "--with-savepoint", "--set", "taskManager.memory=1100m", "-o", "json"];
    let told = namespace.flink(plan).ok().json();
    assert_eq!((&told["fromRevision"], &told["toRevision"]), (&1.into(), &2.into()), "{told:#}");
    assert_eq!((&told["strategy"], &told["newPods"]), (&"warm".into(), &true.into()), "{told:#}");
    assert_eq!(told["meanwhile"]["pods"], 2, "{told:#}");
    let mebibytes = told["meanwhile"]["memory"].as_f64().unwrap() / f64::from(1 << 20);
    assert!((mebibytes - 2124.0).abs() < 1.0, "1g and 1100m: {told:#}");
    assert!((told["meanwhile"]["cpu"].as_f64().unwrap() - 0.1).abs() < 1e-6, "{told:#}");
    let job = &told["jobs"][0];
    assert_eq!((&job["name"], &job["id"]), (&"counter".into(), &namespace.job_id("demo").into()), "{told:#}");
    let downtime = &job["downtime"];
    let (all, state) = (downtime["seconds"].as_f64().unwrap(), downtime["stateSeconds"].as_f64().unwrap());
    assert!(state > 0.0 && all > state && all < 30.0, "{told:#}");
    assert!(downtime["stateBytes"].as_u64().unwrap() > 0, "{told:#}");
    assert_eq!(downtime["startsPods"], false, "{told:#}");
    let failure = told["onFailure"].as_str().unwrap();
    assert!(
        failure.contains("the new generation is removed") && failure.contains("first completed checkpoint")
    );
    assert!(told.get("diff").is_none(), "{told:#}");

    let told = namespace.flink([plan.as_slice(), &["--diff"]].concat()).ok().json();
    let diffs = told["diff"].as_array().unwrap();
    let diff = |object: &str| {
        let found = diffs.iter().find(|diff| diff["object"].as_str().unwrap().contains(object));
        found.unwrap_or_else(|| panic!("no {object}: {told:#}"))["diff"].as_str().unwrap()
    };
    let changed = diff("demo-g2-taskmanager");
    assert!(changed.contains("\n-") && changed.contains("\n+") && changed.contains("1100Mi"), "{changed}");
    assert!(!diffs.iter().any(|diff| diff["object"].as_str().unwrap().contains("Service/")), "{told:#}");
    let shown = namespace.flink([&plan[..6], &["--diff"]].concat()).ok();
    shown.prints("down for about").prints("1100Mi");
    assert_eq!(statuses(&namespace.history("demo")), "1 deployed");
}
