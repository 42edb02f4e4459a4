//! `job.mode: application`: a `main()` that Flink runs as an application of its own, and that waits
//! for its job.

use std::process::Stdio;

use crate::cluster;
use crate::recover::recover;
use crate::support::tally::{Expect, State};
use crate::support::{JobTally, Namespace, statuses, wait_for};

/// An application whose Pods start the job: a Kubernetes Job, for Flink has no request for it.
pub const STANDALONE: &str = "job.mode=application,job.entryClass=tally.Awaits,image.tag=1.20.5";

/// Expected: it moves like any other job, warm, by recreate and back, each time from exactly the
/// savepoint just taken: nothing is lost, nothing is repeated. A `main()` that throws where it
/// should start the job is undone, with its own words. After its JobManager's death `main()` runs
/// again and the job goes on under its id, from its latest checkpoint.
#[test]
fn an_application_moves_with_its_state() {
    let namespace = cluster!("application", tally);
    namespace.install_job("demo", &["--set", "job.mode=application,job.entryClass=tally.Awaits"]).ok();
    let tally = namespace.tally("demo-storage");
    tally.await_committed(40);
    is_an_application(&namespace);

    let upgrade = ["upgrade", "demo", "--with-savepoint", "--set"];
    namespace.flink([upgrade.as_slice(), &["taskManager.memory=1100m"]].concat()).ok();
    namespace.restored_as_recorded("demo", 1);
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
    namespace.restored_as_recorded("demo", 2);
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

    let repeated = job_manager_dies(&namespace, &tally);
    let uninstall = wait_for("all tasks", || {
        let run = namespace.flink(["uninstall", "demo", "--with-savepoint"]);
        (run.code != 3).then_some(run)
    });
    uninstall.ok();
    tally.check(State::Ended, &Expect { repeated_emitted: repeated..=repeated, ..Expect::default() });
}

/// Deletes the JobManager's Pod. Expected: the job goes on under its id, from its latest
/// checkpoint; gives how many numbers it has emitted again.
#[track_caller]
fn job_manager_dies(namespace: &Namespace, tally: &JobTally) -> u64 {
    let id = namespace.job_id("demo");
    let runs = tally.read().runs.len();
    let job_manager = namespace.names("pods", "app.kubernetes.io/component=jobmanager");
    namespace.kubectl(["delete", "--grace-period=0", "--force", "--wait=false", &job_manager[0]]).ok();
    wait_for("the job's next run", || (tally.read().runs.len() > runs).then_some(()));
    tally.await_caught_up();
    tally.await_committed(40);
    assert_eq!(namespace.job_id("demo"), id, "it goes on under its id");
    tally.read().judge(State::Running).repeated_emitted.values().sum()
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

/// Before Flink 2.3, and with `jobManager.kind` Job, the JobManager is a Kubernetes Job whose Pod
/// runs `main()`. Expected: it takes the strategy recreate, each time from exactly the savepoint
/// just taken, to another Flink version and to the mode `cluster` too; what fails is undone in a
/// generation of its own; nothing is lost, nothing is repeated. After its Pod's death the job goes
/// on under its id, from its latest checkpoint.
#[test]
fn an_application_as_a_kubernetes_job_moves_with_its_state() {
    let namespace = cluster!("standalone", tally);
    namespace.install_job("demo", &["--set", STANDALONE]).ok();
    let tally = namespace.tally("demo-storage");
    tally.await_committed(40);
    let jobs = |generation: u32| {
        let found = namespace.names("jobs", &format!("flink.kubectl/generation={generation}"));
        assert_eq!(found.len(), 1, "the JobManager of generation {generation}: {found:?}");
    };
    jobs(1);
    let upgrade = ["upgrade", "demo", "--with-savepoint", "--set"];
    let unchanged = namespace.flink(["upgrade", "demo", "--with-savepoint"]).ok();
    assert_eq!(statuses(&namespace.history("demo")), "1 deployed", "{unchanged}");
    namespace.flink(["upgrade", "demo", "--set", "labels.team=streams"]).ok(); // stops nothing
    jobs(1);
    namespace.flink([upgrade.as_slice(), &["taskManager.memory=1100m"]].concat()).ok().says("recreate");
    namespace.restored_as_recorded("demo", 2);
    tally.await_committed(40);
    jobs(2);
    let path = namespace.status("demo")["jobs"][0]["restoredFrom"].as_str().unwrap().to_owned();
    namespace.flink(["get", "manifest", "demo"]).ok().prints(&path).prints(&namespace.job_id("demo"));

    // State that does not fit shows when it starts; an image that is missing before.
    let undone = |set: &str| {
        let failed = namespace.flink([upgrade.as_slice(), &[set]].concat()).exits(5);
        failed.says("the operation was undone");
        tally.await_committed(40);
    };
    undone("job.entryClass=tally.StateChanged");
    undone("image.repository=no-such-image");
    let history = "1 superseded, 2 superseded, 3 deployed, 4 failed, 5 failed";
    assert_eq!(statuses(&namespace.history("demo")), history);
    assert_eq!(tally.read().judge(State::Running).repeated_committed.len(), 0);

    namespace.flink([upgrade.as_slice(), &["image.tag=2.3.0,jobManager.kind=Job"]].concat()).ok();
    tally.await_committed(40);
    let verdict = tally.read().judge(State::Running);
    assert!(verdict.repeated_emitted.is_empty() && verdict.repeated_committed.is_empty(), "{verdict}");
    let repeated = job_manager_dies(&namespace, &tally);

    let cluster = "job.mode=cluster,jobManager.kind=,job.entryClass=tally.Counter";
    let moved = wait_for("all tasks", || {
        let run = namespace.flink([upgrade.as_slice(), &[cluster]].concat());
        (run.code != 3).then_some(run)
    });
    moved.ok();
    tally.await_committed(40);
    namespace.flink(["rollback", "demo", "--with-savepoint"]).ok();
    tally.await_committed(40);
    namespace.flink(["uninstall", "demo", "--with-savepoint"]).ok();
    let left = namespace.names("deployments,jobs,pods", "flink.kubectl/release=demo");
    assert!(left.is_empty(), "left behind: {left:?}");
    tally.check(State::Ended, &Expect { repeated_emitted: repeated..=repeated, ..Expect::default() });
}

/// The plugin dies when the new JobManager's Pod has been unsuspended, before it has seen the job.
/// That completes checkpoints and fails for good, and Flink forgets it with its JobManager.
/// Expected: `recover` finds what it left, so the old job does not start again from the savepoint
/// before it; from what is on record then nothing is lost, and nothing that was committed is
/// committed again. The same where the job finishes, of which Flink keeps no checkpoint. Where the
/// Pods never ran, it is undone.
#[test]
fn what_pods_committed_after_the_run_had_died_is_not_undone() {
    let namespace = cluster!("let-go", tally);
    namespace.install_job("demo", &["--set", STANDALONE]).ok();
    let tally = namespace.tally("demo-storage");
    tally.await_committed(40);
    let fails = r#"job.args=["--fail-until","/flink-storage/tally/healed","--fail-commits","true","--fail-after","150"]"#;
    let once = r#"flinkConfiguration={"restart-strategy.type":"none"}"#;
    // Gives what the new JobManager's Job and Service are called.
    let killed = |set: &[&str]| {
        let mut upgrade = namespace.program();
        upgrade.args(["upgrade", "demo", "--with-savepoint"]).args(set);
        let upgrade = upgrade.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let before = namespace.names("jobs", "flink.kubectl/release=demo");
        let mut upgrade = upgrade.spawn().unwrap();
        let new = wait_for("the new JobManager to be let go", || {
            let jobs = namespace.names("jobs", "flink.kubectl/release=demo");
            let new = jobs.iter().find(|job| !before.contains(job))?.strip_prefix("job.batch/")?;
            let job = namespace.get("job", new)?;
            (job["spec"]["suspend"] == false).then(|| new.to_owned())
        });
        upgrade.kill().unwrap();
        upgrade.wait().unwrap();
        new
    };
    let recovered = || recover(&namespace, &["--timeout", "30s"]);
    let new = killed(&["--set-json", fails, "--set-json", once]);
    // The new job ends so, and its JobManager dies: the next one knows no job.
    let forgotten = |new: &str, end: &str| {
        let job_manager = || namespace.names("pods", &format!("job-name={new}")).first().cloned();
        // What its REST API says of jobs; none while it does not answer.
        let states = || {
            let asked = namespace.kubectl(["get", "--raw", &namespace.proxied(new, "/jobs")]);
            let jobs = (asked.code == 0).then(|| asked.json()["jobs"].clone())?;
            let state = |job: &serde_json::Value| job["status"].as_str().unwrap().to_owned();
            Some(jobs.as_array()?.iter().map(state).collect::<Vec<_>>())
        };
        wait_for("the end of the new job", || states().filter(|states| states == &[end]));
        let died = job_manager().unwrap();
        namespace.kubectl(["delete", "--grace-period=0", "--force", &died]).ok();
        wait_for("another JobManager, that knows no job", || {
            states().filter(|states| states.is_empty() && job_manager().is_some_and(|pod| pod != died))
        });
    };
    forgotten(&new, "FAILED");
    let theirs = tally.read();
    let new = theirs.runs.last().unwrap();
    assert!(theirs.committed.iter().any(|line| new.attempts.contains(&line.attempt)), "it committed nothing");

    let said = recovered()
        .exits(1)
        .says("has ended as revision 2 had it; its state is in file:///flink-storage/")
        .says("rollback demo 1 --from-savepoint recorded   # from where the new job has got to")
        .never_says("reprocessed");
    assert_eq!(tally.read().runs.len(), theirs.runs.len(), "something was started: {said}");
    assert_eq!(statuses(&namespace.history("demo")), "1 deployed, 2 failed", "{said}");

    namespace.flink(["rollback", "demo", "1", "--from-savepoint", "recorded"]).ok();
    tally.await_caught_up();
    tally.await_committed(40);
    let repeated: u64 = tally.read().judge(State::Running).repeated_emitted.values().sum();

    // Pods that have never run have put nothing out, though nobody can look.
    killed(&["--set", "image.repository=no-such-image"]);
    let said = recovered().ok();
    let history = "1 superseded, 2 failed, 3 deployed, 4 failed";
    assert_eq!(statuses(&namespace.history("demo")), history, "{said}");
    tally.await_committed(40);

    let furthest = tally.read().position().values().max().copied().unwrap();
    let count = format!(r#"job.args=["--count","{}"]"#, furthest + 100);
    let new = killed(&["--set-json", &count]);
    forgotten(&new, "FINISHED");
    let said = recovered().exits(1).says("its output is committed");
    assert_eq!(statuses(&namespace.history("demo")), format!("{history}, 5 failed"), "{said}");
    namespace.flink(["uninstall", "demo", "--stateless"]).ok();
    tally.check(
        State::Ended,
        &Expect { repeated_emitted: repeated..=repeated, runs: 5..=5, ..Expect::default() },
    );
}

/// Flink 2.2 and older has no request for it: such a JobManager is a Job, and where it may not be
/// one, that is said.
#[test]
fn an_older_flink_runs_an_application_in_a_job() {
    let set = "job.jar=local:///opt/flink/usrlib/a.jar,job.mode=application,image.tag=";
    let template = |more: &str| {
        let set = format!("{set}{more}");
        crate::support::flink(["template", "demo", "flink", "--layout", "job", "--set", &set])
    };
    for (version, mode) in [
        ("1.20.5", "standalone"),
        ("2.2.1-java17", "standalone"),
        ("2.3.0", "application"),
        ("2.10.1", "application"),
    ] {
        let shown = template(version).ok().stdout;
        assert!(shown.contains(&format!("mode: {mode}")), "{version}: {shown}");
        assert_eq!(shown.contains("kind: Job\n"), mode == "standalone", "{version}: {shown}");
    }
    template("2.2.1,jobManager.kind=Deployment")
        .exits(3)
        .says("has mode application, for which Flink 2.3 or later is needed");
    template("2.3.0,jobManager.kind=Job,job.mode=cluster").exits(3).says("set job.mode=application");
    template("1.20.5,jobManager.replicaCount=2").exits(3).says("has no standby");
    template("1.20.5,job.suspended=true").exits(3).says("job.suspended");
    template("1.20.5,job.jar=package:files/a.jar").exits(3).says("job.jar");
    let session = "jobManager.kind=Job";
    crate::support::flink(["template", "demo", "flink", "--layout", "session", "--set", session])
        .exits(3)
        .says("the layout session has a Deployment");
}
