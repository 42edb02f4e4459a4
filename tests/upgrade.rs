//! Upgrades that fail: where they end, and what becomes of the job and its state.

use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::time::Instant;

use crate::cluster;
use crate::support::tally::{Expect, Run as JobRun, State};
use crate::support::{JobTally, Namespace, Run, job_args, run, run_until, statuses, wait_for};

/// Runs an upgrade that must fail before its job's first checkpoint, and holds what the release is
/// then.
#[track_caller]
fn undone(namespace: &Namespace, tally: &JobTally, set: &[&str], because: &str) -> Run {
    let before = namespace.history("demo");
    let (attempt, _) = before.last().unwrap();
    let run = namespace.flink([["upgrade", "demo", "--with-savepoint"].as_slice(), set].concat()).exits(5);
    let run = run.says(because).says("the operation was undone");
    let after = namespace.history("demo");
    let expected: Vec<_> = before.iter().cloned().chain([(attempt + 1, "failed".to_owned())]).collect();
    assert_eq!(statuses(&after), statuses(&expected), "{run}");
    let status = namespace.status("demo");
    assert_eq!(status["revision"], 1, "{status:#}");
    assert_eq!(status["failedAttempts"].as_array().unwrap().len(), after.len() - 1, "{status:#}");
    assert!(status["operation"].is_null(), "{status:#}");
    tally.await_committed(40);
    run
}

/// Expected, each time: exit code 5, N+1 `failed`, N `deployed`, and the old job runs on as if
/// nothing had been: one attempt throughout, the same id, no restart, and nothing was asked of its
/// JobManager that stops or saves.
#[test]
fn a_warm_upgrade_that_cannot_start_never_stops_the_job() {
    let namespace = cluster!("warm-fails", tally);
    namespace.install_job("demo", &[]).ok();
    let tally = namespace.tally("demo-storage");
    tally.await_committed(40);
    let before = namespace.status("demo");

    undone(&namespace, &tally, &["--set", "image.tag=none-such"], "none-such");
    let unschedulable = ["--set-string", "nodeSelector.none=such", "--timeout", "10s"];
    undone(&namespace, &tally, &unschedulable, "node affinity/selector");
    let refused = r#"flinkConfiguration={"taskmanager.memory.managed.fraction":1.5}"#;
    undone(&namespace, &tally, &["--set-json", refused, "--timeout", "40s"], "taskmanager");
    undone(
        &namespace,
        &tally,
        &["--set", "job.entryClass=tally.NoneSuch,taskManager.memory=1100m"],
        "tally.NoneSuch",
    );
    // On the same Pods it is checked before the stop as well.
    undone(&namespace, &tally, &["--set", "job.entryClass=tally.NoneSuch"], "tally.NoneSuch");
    undone(&namespace, &tally, &["--set", "job.entryClass=tally.Throws"], "cannot be started again");

    let left = namespace.names("deployments,configmaps,services", "flink.kubectl/generation");
    assert!(left.iter().all(|name| name.contains("demo-g1-")), "left behind: {left:?}");
    let after = namespace.status("demo");
    assert_eq!(after["jobs"][0]["id"], before["jobs"][0]["id"], "{after:#}");
    let id = before["jobs"][0]["id"].as_str().unwrap();
    let log = || namespace.kubectl(["logs", "deployment/demo-g1-jobmanager"]).ok().stdout;
    // What Flink writes when it is asked for a savepoint of the job, and when the job stops, is
    // cancelled, fails or restarts.
    let of_the_job = |phrase: &str| log().lines().any(|line| line.contains(id) && line.contains(phrase));
    let phrases = ["savepoint for job", "switched from state RUNNING to"];
    for phrase in phrases {
        assert!(!of_the_job(phrase), "the JobManager was asked: {phrase}");
    }
    // The same phrases are there once the job has really been stopped.
    namespace.flink(["job", "stop", "demo", "counter"]).ok();
    for phrase in phrases {
        assert!(of_the_job(phrase), "Flink does not write any more: {phrase}");
    }
    namespace.flink(["uninstall", "demo", "--with-savepoint"]).ok();
    tally.check(State::Ended, &Expect { runs: 1..=1, ..Expect::default() });
}

#[test]
fn a_warm_upgrade_whose_job_fails_goes_back() {
    goes_back("goes-back-warm", "warm", "demo-g1");
}

#[test]
fn an_upgrade_in_the_classic_order_that_cannot_start_goes_back() {
    goes_back("goes-back", "recreate", "demo-g3");
}

/// Expected, each time: exit code 5, N+1 `failed`, N `deployed` and its job running again from the
/// savepoint just taken; committed neither loses nor repeats anything, and emitted repeats only
/// what the failing job emitted in between.
fn goes_back(test: &str, strategy: &str, generation: &str) {
    let namespace = cluster!(test, tally);
    namespace.install_job("demo", &[]).ok();
    let tally = namespace.tally("demo-storage");
    tally.await_committed(40);

    let first = tally.read().runs.len();
    let undone = |namespace: &Namespace, tally: &JobTally, set: &[&str], because: &str| {
        undone(namespace, tally, &[set, &["--strategy", strategy]].concat(), because)
    };
    if strategy == "recreate" {
        undone(&namespace, &tally, &["--set", "image.tag=none-such", "--timeout", "4m"], "none-such");
        let failed = namespace.names("deployments", "flink.kubectl/generation=2");
        assert!(failed.is_empty(), "left behind: {failed:?}");
    } else {
        // Flink accepts such an option until a job starts with it.
        let backend = r#"flinkConfiguration={"state.backend.type":"none.Such"}"#;
        undone(&namespace, &tally, &["--set-json", backend], "could not be started");
    }
    assert_eq!(namespace.status("demo")["generation"], generation);
    undone(&namespace, &tally, &["--set", "job.entryClass=tally.OperatorRemoved"], "counter");
    undone(&namespace, &tally, &["--set", "job.entryClass=tally.StateChanged"], "counter");
    let quiet = tally.read();
    assert!(quiet.runs[first..].iter().all(JobRun::continues_exactly), "nothing was put out in between");
    let repeated = quiet.judge(State::Running).repeated_emitted;
    assert!(repeated.is_empty(), "nothing was put out in between: {repeated:?}");

    undone(&namespace, &tally, &["--set", "job.entryClass=tally.Failing"], "told to fail until");
    namespace.flink(["uninstall", "demo", "--with-savepoint"]).ok();
    let runs = tally.read().runs;
    // The failing job emitted one number an attempt for some keys, and each attempt repeats the one
    // before it.
    let failing: u64 = runs[quiet.runs.len()..runs.len() - 1].iter().map(|run| run.lines).sum();
    assert!(failing > 0, "the failing job emitted nothing");
    let expected = Expect { repeated_emitted: 1..=failing, ..Expect::default() };
    tally.check(State::Ended, &expected);
}

/// Two jobs change on the same Pods; one completes its first checkpoint, the other fails. Expected:
/// exit code 1; `bad` goes back by itself and loses and repeats nothing in what it commits; `good`
/// stays, for it has committed output since. Its revert is offered and, taken, stops and moves
/// `good` alone.
#[test]
fn after_a_completed_checkpoint_a_job_does_not_go_back_by_itself() {
    let namespace = cluster!("committed", tally);
    let job = |name: &str, class: &str| {
        let jar = "local:///opt/flink/usrlib/counter.jar";
        format!(
            r#"{{"name":"{name}","jar":"{jar}","parallelism":1,"entryClass":"{class}","args":["--name","{name}"]}}"#
        )
    };
    let jobs = |class: &str| format!("jobs=[{},{}]", job("good", class), job("bad", class));
    namespace.install_session("demo", &["--set-json", &jobs("tally.Counter")]).ok();
    let folder = namespace.volume("demo-storage").join("tally");
    let tally = |job: &str| JobTally { folder: folder.clone(), job: job.to_owned() };
    let (good, bad) = (tally("good"), tally("bad"));
    bad.await_committed(40);

    let changed = format!("jobs=[{},{}]", job("good", "tally.Two"), job("bad", "tally.Failing"));
    let failed = namespace
        .flink([
            "upgrade",
            "demo",
            "--with-savepoint",
            "--set",
            "taskManager.replicaCount=2",
            "--set-json",
            &changed,
        ])
        .exits(1)
        .says("the job good stays as revision 2 has it")
        .says(&format!("kubectl flink -n {} rollback demo 1 --with-savepoint", namespace.name));
    assert_eq!(statuses(&namespace.history("demo")), "1 deployed, 2 failed", "{failed}");
    good.await_committed(40);
    bad.await_committed(40);
    assert_eq!(good.read().runs.len(), 2, "the new job runs on");
    let failing: u64 = bad.read().runs.iter().rev().skip(1).map(|run| run.lines).sum::<u64>();

    // A change of another job leaves `good` the room that its revision made.
    namespace.flink(["job", "stop", "demo", "bad"]).ok();
    let replicas = ["get", "deployment/demo-g1-taskmanager", "-o", "jsonpath={.spec.replicas}"];
    assert_eq!(namespace.kubectl(replicas).ok().stdout, "2");
    good.await_committed(40);

    // Only `good` has to move.
    namespace.flink(["rollback", "demo", "1", "--with-savepoint"]).ok();
    good.await_committed(40);
    namespace.flink(["uninstall", "demo", "--with-savepoint"]).ok();
    good.check(State::Ended, &Expect { runs: 3..=3, ..Expect::default() });
    bad.check(State::Ended, &Expect { repeated_emitted: 1..=failing, ..Expect::default() });
}

/// The new job, in new Pods, completes checkpoints of its own, fails, restarts twice and is FAILED.
/// Expected: exit code 1, N+1 `failed`, and nothing goes back by itself, for its output is
/// committed: both generations stay as they are. The command that is printed, taken, goes on from
/// where that job had got to: nothing is lost, committed repeats nothing, and emitted only what the
/// attempts had put out since a checkpoint.
#[test]
fn a_job_that_fails_after_its_own_first_checkpoint_stays_until_a_person_decides() {
    let namespace = cluster!("own-checkpoint", tally);
    namespace.install_job("demo", &[]).ok();
    let tally = namespace.tally("demo-storage");
    tally.await_committed(40);
    let restarts = r#"flinkConfiguration={"restart-strategy.type":"fixed-delay","restart-strategy.fixed-delay.attempts":2,
        "restart-strategy.fixed-delay.delay":"1s"}"#;
    // Of each attempt, counted from its first completed checkpoint.
    let fails = r#"job.args=["--fail-until","/flink-storage/tally/healed","--fail-commits","true","--fail-after","150"]"#;
    let mut upgrade = namespace.program();
    upgrade.args(["upgrade", "demo", "--with-savepoint", "--set-json", fails, "--set-json", restarts]);
    // Longer than it takes to fail for good.
    let failed = run(upgrade.env("KUBECTL_FLINK_STABILITY_PERIOD", "2m"))
        .exits(1)
        .says("told to fail until")
        .says("the job counter stays as revision 2 has it, in generation demo-g2")
        .says("the new job counter completed a checkpoint")
        .never_says("is stopped; its state is in")
        .never_says("as it was");
    assert_eq!(statuses(&namespace.history("demo")), "1 deployed, 2 failed", "{failed}");
    let status = namespace.status("demo");
    assert_eq!((&status["revision"], &status["generation"]), (&2.into(), &"demo-g2".into()), "{status:#}");
    assert_eq!(status["jobs"][0]["state"], "FAILED", "{status:#}");
    let deployments = |number: u32| {
        namespace
            .names("deployments", &format!("flink.kubectl/release=demo,flink.kubectl/generation={number}"))
    };
    assert_eq!((deployments(1).len(), deployments(2).len()), (2, 2), "both generations are kept: {failed}");
    let stayed = tally.read();
    let attempts = &stayed.runs[1..];
    assert_eq!(attempts.len(), 3, "the new job and its two restarts, and nothing after them: {failed}");
    assert!(attempts.iter().all(|run| run.job == attempts[0].job && run.job != stayed.runs[0].job));
    let theirs = |attempt: &String| attempts.iter().any(|run| run.attempts.contains(attempt));
    assert!(stayed.committed.iter().any(|line| theirs(&line.attempt)), "the new job committed nothing");

    take_the_printed_way_back(&namespace, &failed);
    assert_eq!(statuses(&namespace.history("demo")), "1 superseded, 2 failed, 3 deployed");
    assert_eq!((deployments(1).len(), deployments(2).len(), deployments(3).len()), (0, 0, 2));
    tally.await_caught_up();
    tally.await_committed(40);
    let repeated: u64 = tally.read().judge(State::Running).repeated_emitted.values().sum();
    namespace.flink(["uninstall", "demo", "--with-savepoint"]).ok();
    let expected = Expect { repeated_emitted: repeated..=repeated, runs: 5..=5, ..Expect::default() };
    tally.check(State::Ended, &expected);
}

/// Expected: a savepoint that cannot be written leaves the job as it was (exit code 5, N deployed),
/// and so does the refusal (exit code 3, no revision) where not all its tasks run, and where the
/// JobManager is gone. When the reason is gone the same command succeeds, even where the job fails
/// on its way to the end, after its savepoint: Flink gives it up then, the savepoint is on record,
/// and the new job goes on from it, one job at a time, nothing lost, nothing repeated.
#[test]
fn a_savepoint_that_fails_leaves_the_job_running() {
    let namespace = cluster!("savepoint", tally);
    namespace
        .install_job("demo", &["--set", &job_args("--fail-stop-while,/flink-storage/tally/no-stop")])
        .ok();
    let tally = namespace.tally("demo-storage");
    tally.await_committed(40);
    let id = namespace.job_id("demo");
    let folder = namespace.volume("demo-storage").join(&namespace.name).join("demo/savepoints");
    fs_err::create_dir_all(&folder).unwrap();
    chown(&folder, Some(9999), Some(9999)).unwrap();
    fs_err::set_permissions(&folder, Permissions::from_mode(0o555)).unwrap();
    let upgrade = ["upgrade", "demo", "--set", "taskManager.memory=1100m", "--with-savepoint"];
    namespace
        .flink(upgrade)
        .exits(5)
        .says("the savepoint of counter failed")
        .says("the operation was undone");
    assert_eq!(statuses(&namespace.history("demo")), "1 deployed, 2 failed");
    assert_eq!(namespace.job_id("demo"), id, "the job that ran runs on");
    tally.await_committed(40);
    fs_err::set_permissions(&folder, Permissions::from_mode(0o755)).unwrap();

    namespace.kubectl(["scale", "deployment/demo-g1-taskmanager", "--replicas=0"]).ok();
    let tasks = |all: bool| {
        let status = namespace.flink(["status", "demo", "-o", "json"]).json();
        let job = &status["jobs"][0];
        ((job["runningTasks"] == job["totalTasks"] && job["totalTasks"] != 0) == all).then_some(())
    };
    wait_for("some tasks to be gone", || tasks(false));
    namespace.flink(upgrade).exits(3).says("the job counter can take no savepoint").says("tasks run");
    namespace.job_managers("demo-g1", 0);
    namespace
        .flink(upgrade)
        .exits(3)
        .says("the job counter can take no savepoint: the JobManager does not answer");
    assert_eq!(statuses(&namespace.history("demo")), "1 deployed, 2 failed", "no revision");
    namespace.job_managers("demo-g1", 1);
    namespace.kubectl(["scale", "deployment/demo-g1-taskmanager", "--replicas=1"]).ok();
    wait_for("all tasks", || tasks(true));
    tally.await_caught_up();
    let repeated: u64 = tally.read().judge(State::Running).repeated_emitted.values().sum();

    // The savepoint is complete, then the job fails for good on its way to the end.
    let reason = tally.folder.join("no-stop");
    fs_err::write(&reason, "").unwrap();
    let upgraded = namespace.flink(upgrade).ok();
    let upgraded =
        upgraded.says("the job counter failed while it was stopping, after its savepoint was complete");
    fs_err::remove_file(&reason).unwrap();
    assert_eq!(statuses(&namespace.history("demo")), "1 superseded, 2 failed, 3 deployed", "{upgraded}");
    let recorded = namespace.flink(["savepoint", "list", "demo", "-o", "json"]).ok().json();
    assert_eq!(recorded.as_array().unwrap().len(), 1, "one savepoint, and no second one: {recorded:#}");
    namespace.restored_as_recorded("demo", 1);
    tally.await_committed(40);
    let runs = tally.read().runs;
    let (new, old) = runs.split_last().unwrap();
    assert!(old.iter().all(|run| run.job == id) && new.job != id && new.continues_exactly(), "{upgraded}");
    namespace.flink(["uninstall", "demo", "--with-savepoint"]).ok();
    // Only the loss of the Pods repeats anything, in emitted.
    let expected = Expect { repeated_emitted: repeated..=repeated, ..Expect::default() };
    tally.check(State::Ended, &expected);
}

/// The new Pods may not be where those of generation 1 are, and there is one node: no room for
/// both. Expected: `auto` removes the new generation and leaves the job alone; only where another
/// client says yes to the new plan it takes the strategy recreate.
#[test]
fn auto_asks_before_it_stops_a_job_for_want_of_room() {
    let namespace = cluster!("auto", tally);
    // How long a start takes here is the measure of what is long: on a busy machine the scheduler
    // has not spoken in ten seconds.
    let begun = Instant::now();
    namespace.install_job("demo", &[]).ok();
    let start = begun.elapsed().as_secs();
    let spoken = format!("{}s", start.max(10));
    let started = format!("{}s", (3 * start).max(30));
    let tally = namespace.tally("demo-storage");
    tally.await_committed(40);
    let id = namespace.job_id("demo");
    let apart = r#"affinity={"podAntiAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":[{"topologyKey":"kubernetes.io/hostname",
        "labelSelector":{"matchLabels":{"app.kubernetes.io/instance":"demo","flink.kubectl/generation":"1"}}}]}}"#;
    let upgrade =
        ["upgrade", "demo", "--strategy", "auto", "--with-savepoint", "--set-json", apart, "--timeout"];
    namespace
        .flink([upgrade.as_slice(), &[&spoken]].concat())
        .exits(5)
        .says("no room for the new Pods")
        .says("recreate: stop, replace, start")
        .says("down for about")
        .says("--strategy recreate");
    assert_eq!(namespace.job_id("demo"), id, "the job that ran runs on");
    tally.await_committed(40);
    namespace.flink([upgrade.as_slice(), &[&started, "--yes"]].concat()).ok();
    assert_eq!(statuses(&namespace.history("demo")), "1 superseded, 2 failed, 3 failed, 4 deployed");
    tally.await_committed(40);
    namespace.flink(["uninstall", "demo", "--with-savepoint"]).ok();
    tally.check(State::Ended, &Expect { runs: 2..=2, ..Expect::default() });
}

/// Runs the first command that brings the old revision back, as a failed upgrade printed it.
#[track_caller]
fn take_the_printed_way_back(namespace: &Namespace, failed: &Run) -> Run {
    let prefix = format!("hint: kubectl flink -n {} rollback ", namespace.name);
    let printed = failed.stderr.lines().find_map(|line| line.strip_prefix(&prefix));
    let printed = printed.unwrap_or_else(|| panic!("no command brings it back: {failed}"));
    let command = printed.split("   # ").next().unwrap_or(printed);
    namespace.flink(["rollback"].into_iter().chain(command.split_whitespace())).ok()
}

/// Expected: with `--no-rollback-on-failure` the failed revision stays (exit code 1) and the
/// command that is printed brings the old one back, from the savepoint just taken: nothing is lost,
/// nothing is repeated.
#[test]
fn what_is_not_undone_comes_back_by_the_command_that_is_printed() {
    let namespace = cluster!("not-undone", tally);
    namespace.install_job("demo", &[]).ok();
    let tally = namespace.tally("demo-storage");
    tally.await_committed(40);
    let failed = namespace
        .flink(["upgrade", "demo", "--with-savepoint", "--no-rollback-on-failure", "--set"])
        .exits(2); // a flag without its value changes nothing
    assert_eq!(statuses(&namespace.history("demo")), "1 deployed", "{failed}");
    let set = "job.entryClass=tally.StateChanged,taskManager.memory=1100m";
    let failed = namespace
        .flink(["upgrade", "demo", "--with-savepoint", "--no-rollback-on-failure", "--set", set])
        .exits(1)
        .says("its state is in ");
    assert_eq!(statuses(&namespace.history("demo")), "1 deployed, 2 failed", "{failed}");
    take_the_printed_way_back(&namespace, &failed);
    tally.await_committed(40);
    assert_eq!(statuses(&namespace.history("demo")), "1 superseded, 2 failed, 3 deployed");
    let left = namespace.names("deployments", "flink.kubectl/release=demo");
    assert!(left.iter().all(|name| name.contains("demo-g3-")), "left behind: {left:?}");
    namespace.flink(["uninstall", "demo", "--with-savepoint"]).ok();
    tally.check(State::Ended, &Expect::default());
}

/// Expected: a job whose checkpoints all take longer than Flink gives them would fail its savepoint
/// as well, and Flink would then start it again from nothing. Refused (exit code 3) before anything
/// is stopped: one run, nothing repeated. Where they were good until then and the savepoint alone
/// takes too long: exit code 5, N+1 `failed`, N deployed, and the job, which Flink starts again
/// from its latest checkpoint, runs on; nothing is lost, committed repeats nothing. The same
/// command succeeds later.
#[test]
fn a_savepoint_that_would_time_out_is_not_tried() {
    let namespace = cluster!("times-out", tally);
    let options = r#"flinkConfiguration={"execution.checkpointing.timeout":"4s","execution.checkpointing.tolerable-failed-checkpoints":1000}"#;
    namespace
        .install_job(
            "demo",
            &["--set-json", options, "--set-json", r#"job.args=["--snapshot-millis","6000"]"#],
        )
        .ok();
    let tally = namespace.tally("demo-storage");
    tally.await_more(40);
    let id = namespace.job_id("demo");
    let upgrade = ["upgrade", "demo", "--set", "taskManager.memory=1100m", "--with-savepoint"];
    wait_for("three failed checkpoints", || {
        let plan = namespace.flink([upgrade.as_slice(), &["--dry-run"]].concat());
        (plan.code == 3).then_some(())
    });
    namespace
        .flink(upgrade)
        .exits(3)
        .says("the job counter can take no savepoint: it has completed no checkpoint")
        .says("expired");
    assert_eq!(statuses(&namespace.history("demo")), "1 deployed");
    assert_eq!(namespace.job_id("demo"), id, "the job that ran runs on");
    tally.await_more(40);
    let verdict = tally.read().judge(State::Running);
    assert!(verdict.lost.is_empty() && verdict.repeated_emitted.is_empty(), "{verdict}");
    assert_eq!(verdict.runs.len(), 1, "{verdict}");
    println!("{verdict}");

    // Another job in its place, whose snapshots are quick until that file is there.
    let args = r#"job.args=["--name","second","--slow-snapshot-while","/flink-storage/tally/slow"]"#;
    namespace.flink(["upgrade", "demo", "--stateless", "--set-json", args]).ok();
    let tally = JobTally { job: "second".to_owned(), ..tally };
    tally.await_committed(40);
    let id = namespace.job_id("demo");
    let slow = tally.folder.join("slow");
    let late = run_until(namespace.program().args(upgrade), "→ check the job counter", || {
        fs_err::write(&slow, "").unwrap();
    });
    fs_err::remove_file(&slow).unwrap();
    let late = late.exits(5).says("the savepoint of counter failed").says("the operation was undone");
    assert_eq!(statuses(&namespace.history("demo")), "1 superseded, 2 deployed, 3 failed", "{late}");
    assert_eq!(namespace.job_id("demo"), id, "the job that ran runs on: {late}");
    assert!(namespace.names("deployments", "flink.kubectl/generation=2").is_empty(), "{late}");
    tally.await_caught_up();
    tally.await_committed(40);
    let verdict = tally.read().judge(State::Running);
    assert!(verdict.runs.iter().all(|run| run.job == id), "a second job ran: {verdict}");
    let repeated: u64 = verdict.repeated_emitted.values().sum();
    namespace.flink(upgrade).ok();
    tally.await_committed(40);
    namespace.flink(["uninstall", "demo", "--with-savepoint"]).ok();
    let expected = Expect { repeated_emitted: repeated..=repeated, ..Expect::default() };
    tally.check(State::Ended, &expected);
}
