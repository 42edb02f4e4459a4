//! A job that can take no savepoint goes on from its latest retained checkpoint.

use crate::cluster;
use crate::support::tally::{Expect, State};
use crate::support::{JobTally, Namespace, job_args, statuses, wait_for};

/// Expected: the job fails on every record, again and again, so that it can take no savepoint (exit
/// code 3, no revision); fixed by an upgrade, by a rollback and by an upgrade that names the
/// checkpoint, it goes on from its latest checkpoint each time. Nothing is lost, committed repeats
/// nothing, and emitted repeats what it put out after those checkpoints, over and over.
#[test]
fn a_job_that_crashes_again_and_again_is_fixed_from_its_latest_checkpoint() {
    let namespace = cluster!("checkpoint", tally);
    namespace.install_job("demo", &[]).ok();
    let tally = namespace.tally("demo-storage");
    tally.await_committed(40);

    let latest = crash_loop(&namespace, &tally);
    let mended = ["upgrade", "demo", "--set-json", "job.args=[]"];
    // It has just crashed for the third time: the next attempt is two seconds away.
    namespace
        .flink([mended.as_slice(), &["--with-savepoint"]].concat())
        .exits(3)
        .says("the job counter can take no savepoint: it is ");
    assert_eq!(statuses(&namespace.history("demo")), "1 superseded, 2 deployed", "no revision");
    namespace
        .flink([mended.as_slice(), &["--from-checkpoint", "latest"]].concat())
        .ok()
        .says("cancel, start from its latest checkpoint");
    went_on(&namespace, &tally, &latest);

    let latest = crash_loop(&namespace, &tally);
    namespace
        .flink(["rollback", "demo", "3", "--from-checkpoint", "latest"])
        .ok()
        .says("cancel, start from its latest checkpoint");
    went_on(&namespace, &tally, &latest);

    let latest = crash_loop(&namespace, &tally);
    namespace
        .flink([mended.as_slice(), &["--from-checkpoint", &latest]].concat())
        .ok()
        .says(&format!("cancel, start from {latest}"));
    went_on(&namespace, &tally, &latest);
    let history =
        "1 superseded, 2 superseded, 3 superseded, 4 superseded, 5 superseded, 6 superseded, 7 deployed";
    assert_eq!(statuses(&namespace.history("demo")), history);

    let repeated: u64 = tally.read().judge(State::Running).repeated_emitted.values().sum();
    namespace.flink(["uninstall", "demo", "--with-savepoint"]).ok();
    let expected = Expect { repeated_emitted: repeated.max(1)..=repeated.max(1), ..Expect::default() };
    tally.check(State::Ended, &expected);
}

/// Has the job crash on every record; gives its latest checkpoint, the moment that it has crashed
/// for the third time.
#[track_caller]
fn crash_loop(namespace: &Namespace, tally: &JobTally) -> String {
    let healed = tally.folder.join("healed");
    fs_err::write(&healed, "").unwrap();
    let fragile = job_args("--fail-until,/flink-storage/tally/healed");
    namespace.flink(["upgrade", "demo", "--with-savepoint", "--set", &fragile]).ok();
    tally.await_committed(40);
    let runs = tally.read().runs.len();
    let id = namespace.job_id("demo");
    fs_err::remove_file(&healed).unwrap();
    wait_for("the job to crash again and again", || (tally.read().runs.len() > runs + 2).then_some(()));
    let checkpoints = namespace.ask_flink("demo", &format!("/jobs/{id}/checkpoints"));
    let latest = checkpoints["latest"]["completed"]["external_path"].as_str().unwrap().to_owned();
    assert!(latest.contains("/chk-"), "{checkpoints:#}");
    latest
}

/// The job runs again, restored from that checkpoint, by Flink's word, and is past all that it had
/// put out before.
#[track_caller]
fn went_on(namespace: &Namespace, tally: &JobTally, checkpoint: &str) {
    let id = namespace.job_id("demo");
    let restored = wait_for("where Flink restored it from", || {
        let checkpoints = namespace.ask_flink("demo", &format!("/jobs/{id}/checkpoints"));
        checkpoints["latest"]["restored"]["external_path"].as_str().map(ToOwned::to_owned)
    });
    assert_eq!(restored, checkpoint);
    assert_eq!(namespace.status("demo")["jobs"][0]["restoredFrom"], checkpoint);
    tally.await_caught_up();
    tally.await_committed(40);
}

/// Expected: for a path with nothing at it the job is never stopped. Started from one where no
/// state is the job fails, and goes back to its own latest checkpoint, not to nothing: exit code 5,
/// nothing is lost, committed repeats nothing. The plan of a volume that the new Pods do not mount
/// is refused.
#[test]
fn a_path_that_is_wrong_costs_no_state() {
    let namespace = cluster!("typo", tally);
    namespace.install_job("demo", &[]).ok();
    let tally = namespace.tally("demo-storage");
    tally.await_committed(40);
    let memory = ["upgrade", "demo", "--set", "taskManager.memory=1100m"];
    let elsewhere = ["--with-savepoint", "--set", "storage.claim.existingClaim=another"];
    namespace
        .flink([memory.as_slice(), &elsewhere].concat())
        .exits(3)
        .says("in the volume demo-storage, which the new Pods do not mount");
    let id = namespace.job_id("demo");
    let from = |path: &str| {
        let undone = namespace.flink([memory.as_slice(), &["--from-savepoint", path]].concat()).exits(5);
        undone.says("the operation was undone")
    };
    from("file:///flink-storage/typo")
        .says("there is no savepoint or checkpoint at file:///flink-storage/typo");
    assert_eq!(namespace.job_id("demo"), id, "it was stopped");
    fs_err::write(namespace.volume("demo-storage").join("garbage"), "no state").unwrap();
    from("file:///flink-storage/garbage");
    assert_eq!(statuses(&namespace.history("demo")), "1 deployed, 2 failed, 3 failed");
    let restored = namespace.status("demo")["jobs"][0]["restoredFrom"].as_str().unwrap().to_owned();
    assert!(restored.contains("/chk-"), "{restored}");
    tally.await_caught_up();
    tally.await_committed(40);
    let repeated: u64 = tally.read().judge(State::Running).repeated_emitted.values().sum();
    namespace.flink(["uninstall", "demo", "--with-savepoint"]).ok();
    tally.check(
        State::Ended,
        &Expect { runs: 2..=2, repeated_emitted: repeated..=repeated, ..Expect::default() },
    );
}

/// Expected: of a job that takes no checkpoints the plan says that nothing goes back by itself, and
/// nothing does once it runs. What has failed for good is not uninstalled without a word about its
/// state.
#[test]
fn without_checkpoints_nothing_goes_back_by_itself() {
    let namespace = cluster!("uncheckpointed", tally);
    let fragile = r#"job.args=["--fail-until","/flink-storage/tally/healed","--fail-after","100"]"#;
    namespace.install_job("demo", &["--set", "checkpointing.interval="]).ok();
    let tally = namespace.tally("demo-storage");
    tally.await_more(40);
    let once = r#"flinkConfiguration={"restart-strategy.type":"none"}"#;
    let upgrade = [
        "upgrade",
        "demo",
        "--with-savepoint",
        "--stability-period",
        "60s",
        "--set-json",
        fragile,
        "--set-json",
        once,
    ];
    let planned = namespace.flink([upgrade.as_slice(), &["--dry-run", "-o", "json"]].concat()).ok().json();
    assert_eq!(planned["jobs"][0]["downtime"]["takesNoCheckpoints"], true, "{planned:#}");
    namespace.flink(upgrade).exits(1).says("or takes none");
    assert_eq!(statuses(&namespace.history("demo")), "1 deployed, 2 failed");
    for choice in [&["--with-savepoint"][..], &[]] {
        namespace.flink([["uninstall", "demo"].as_slice(), choice].concat()).exits(3).says("counter");
    }
    namespace.flink(["uninstall", "demo", "--stateless"]).ok();
}
