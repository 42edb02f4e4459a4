//! What takes too long for every run: `cargo xtask test --long`.

use std::process::Command;
use std::time::Duration;

use crate::application::STANDALONE;
use crate::cluster;
use crate::recover::{halted, one_job_runs, recover, requests, upgrade};
use crate::support::tally::{Expect, State};
use crate::support::{JAR, JobTally, Namespace, Run, statuses, wait_within};

/// Expected: killed at each transition in its turn, the next run completes or undoes the upgrade;
/// nothing is lost, nothing is repeated.
#[test]
fn killed_at_every_transition_warm() {
    let namespace = cluster!("killed-warm", long);
    namespace.install_job("demo", &["--set", "upgrade.strategy=warm"]).ok();
    killed_at_every_upgrade(&namespace, 15);
}

/// The same by recreate.
#[test]
fn killed_at_every_transition_recreate() {
    let namespace = cluster!("killed-recreate", long);
    namespace.install_job("demo", &["--set", "upgrade.strategy=recreate"]).ok();
    killed_at_every_upgrade(&namespace, 15);
}

/// The same where the Pods start the job.
#[test]
fn killed_at_every_transition_application() {
    let namespace = cluster!("killed-application", long);
    namespace.install_job("demo", &["--set", STANDALONE]).ok();
    killed_at_every_upgrade(&namespace, 10);
}

fn killed_at_every_upgrade(namespace: &Namespace, at_least: usize) {
    let tally = namespace.tally("demo-storage");
    tally.await_committed(40);
    // Another one than whatever is deployed by now.
    let command = |turn: usize| upgrade(namespace, &format!("{}m", 1100 + turn));
    let judge = |said: Run, context: &str| {
        let said = said.ok();
        one_job_runs(namespace, &tally, &format!("{context}; {said}"));
    };
    killed_at_every_transition(
        namespace,
        &Killed { command: &command, code: 0, from: None, at_least, judge: &judge },
    );
    namespace.flink(["uninstall", "demo", "--with-savepoint"]).ok();
    tally.check(State::Ended, &Expect::default());
}

/// The new job's state does not fit. Expected: killed at each transition from the stop on, and of
/// the revert, the job runs as it did after the next run, from the savepoint that stopped it;
/// nothing is lost, nothing is repeated.
#[test]
fn killed_at_every_transition_of_a_way_back() {
    let namespace = cluster!("killed-back", long);
    namespace.install_job("demo", &[]).ok();
    let tally = namespace.tally("demo-storage");
    tally.await_committed(40);
    let command = |turn: usize| {
        let mut command = upgrade(&namespace, &format!("{}m", 1100 + turn));
        command.args(["--set", "job.entryClass=tally.StateChanged"]);
        command
    };
    let judge = |said: Run, context: &str| {
        // Undone for what came of it, or because it had not got far.
        assert!([0, 5].contains(&said.code), "{context}: {said}");
        one_job_runs(&namespace, &tally, &format!("{context}; {said}"));
        let deployed = namespace.history("demo").into_iter().find(|(_, status)| status == "deployed");
        assert_eq!(deployed.unwrap().0, 1, "{context}: {said}");
    };
    let all = killed_at_every_transition(
        &namespace,
        &Killed { command: &command, code: 5, from: Some("/stop"), at_least: 15, judge: &judge },
    );
    assert_eq!(
        all.iter().filter(|request| request.ends_with("counter.jar/run")).count(),
        2,
        "there, and back: {all:?}"
    );
    namespace.flink(["uninstall", "demo", "--with-savepoint"]).ok();
    tally.check(State::Ended, &Expect::default());
}

/// Expected: killed at each transition of an uninstall, the next run completes it, or the job runs
/// on; the release comes back from what is recorded, with nothing lost and nothing repeated.
#[test]
fn killed_at_every_transition_of_an_uninstall() {
    let namespace = cluster!("killed-uninstall", long);
    let install = |args: &[&str]| namespace.install_job("demo", args).ok();
    install(&[]);
    let tally = namespace.tally("demo-storage");
    tally.await_committed(40);
    let command = |_| {
        let mut command = namespace.program();
        command.args(["uninstall", "demo", "--with-savepoint"]);
        command
    };
    let judge = |said: Run, context: &str| {
        let said = said.ok();
        let history = namespace.history("demo");
        if history.iter().all(|(_, status)| status != "deployed") {
            let left = namespace.names("deployments,jobs,pods", "flink.kubectl/release=demo");
            assert!(left.is_empty(), "{context}: left behind: {left:?}; {said}");
            install(&["--from-savepoint", "recorded"]);
        }
        one_job_runs(&namespace, &tally, &format!("{context}; {said}"));
    };
    killed_at_every_transition(
        &namespace,
        &Killed { command: &command, code: 0, from: None, at_least: 4, judge: &judge },
    );
    tally.check(State::Ended, &Expect::default());
}

/// A command, and what is expected of it and of what follows where it is killed.
struct Killed<'a> {
    /// The command of a turn.
    command: &'a dyn Fn(usize) -> Command,
    /// With what it ends by itself.
    code: i32,
    /// The first request before which it is killed, by its end; all where there is none.
    from: Option<&'static str>,
    /// How many transitions it has at least.
    at_least: usize,
    /// After each: what `recover` said, and what had been done before.
    judge: &'a dyn Fn(Run, &str),
}

/// Kills a command at each transition in its turn, and recovers; the requests of one that was not
/// killed.
fn killed_at_every_transition(namespace: &Namespace, killed: &Killed) -> Vec<String> {
    let all = requests((killed.command)(0), killed.code);
    assert!(all.len() > killed.at_least, "so few transitions: {all:?}");
    (killed.judge)(recover(namespace, &[]), "not killed");
    let from = match killed.from {
        None => 1,
        Some(first) => 1 + all.iter().position(|request| request.ends_with(first)).expect(first),
    };
    // What a run finds decides how many there are: until one ends before it gets that far.
    for at in from.. {
        let mut run = halted((killed.command)(at), at);
        if let Some(ended) = run.try_wait().unwrap() {
            assert_eq!(ended.code(), Some(killed.code), "of the last, which was not killed");
            assert!(at > all.len(), "it ended before its transition {at} of {}", all.len());
            return all;
        }
        let _ = run.kill(); // SIGKILL
        run.wait().unwrap();
        let name = all.get(at - 1).map_or("", String::as_str);
        let context = format!("killed at transition {at} of {}, {name}", all.len());
        println!("{context}");
        (killed.judge)(recover(namespace, &[]), &context);
    }
    all
}

/// Expected: a savepoint that takes more than five minutes, for which Flink keeps its answers, is
/// waited for, whatever `--timeout` says of other waits; nothing is lost, nothing is repeated.
#[test]
fn a_savepoint_of_more_than_five_minutes() {
    let namespace = cluster!("slow", long);
    // No checkpoint of its own comes in between, but for the first, with which Flink begins.
    let slow =
        ["--set", "checkpointing.interval=1h", "--set-json", r#"job.args=["--snapshot-millis","330000"]"#];
    namespace.install_job("demo", &slow).ok();
    let tally = namespace.tally("demo-storage");
    wait_within(Duration::from_mins(7), "the first checkpoint", || {
        let status = namespace.status("demo");
        (!status["jobs"][0]["lastCheckpoint"].is_null()).then_some(())
    });
    tally.await_more(200);
    let begun = std::time::Instant::now();
    let fast = ["--set", "checkpointing.interval=1s", "--set-json", "job.args=[]"];
    namespace
        .flink([["upgrade", "demo", "--with-savepoint", "--timeout", "3m"].as_slice(), &fast].concat())
        .ok();
    assert!(begun.elapsed().as_secs() > 330, "it took {} s", begun.elapsed().as_secs());
    tally.await_committed(40);
    namespace.flink(["uninstall", "demo", "--with-savepoint"]).ok();
    tally.check(State::Ended, &Expect { runs: 2..=2, ..Expect::default() });
}

/// Expected of each layout, strategy and Flink: an option of Flink changes with a savepoint, the
/// parallelism with another, then a rollback with a third: nothing is lost, nothing is repeated,
/// each start is from exactly that path.
#[test]
fn job_warm_on_flink_1_20() {
    moves("l-job-warm-1", "job", "warm", "1.20.5");
}

#[test]
fn job_warm_on_flink_2_3() {
    moves("l-job-warm-2", "job", "warm", "2.3.0");
}

#[test]
fn job_recreate_on_flink_1_20() {
    moves("l-job-recreate-1", "job", "recreate", "1.20.5");
}

#[test]
fn job_recreate_on_flink_2_3() {
    moves("l-job-recreate-2", "job", "recreate", "2.3.0");
}

#[test]
fn session_warm_on_flink_1_20() {
    moves("l-session-warm-1", "session", "warm", "1.20.5");
}

#[test]
fn session_warm_on_flink_2_3() {
    moves("l-session-warm-2", "session", "warm", "2.3.0");
}

#[test]
fn session_recreate_on_flink_1_20() {
    moves("l-session-recreate-1", "session", "recreate", "1.20.5");
}

#[test]
fn session_recreate_on_flink_2_3() {
    moves("l-session-recreate-2", "session", "recreate", "2.3.0");
}

fn moves(test: &str, layout: &str, strategy: &str, flink: &str) {
    let namespace = cluster!(test, long);
    let image = format!("image.tag={flink},upgrade.strategy={strategy}");
    let names: &[&str] = if layout == "job" { &["counter"] } else { &["counter", "second"] };
    if layout == "job" {
        namespace.install_job("demo", &["--set", &image]).ok();
    } else {
        let job = |name: &&str| {
            serde_json::json!({"name": name, "jar": JAR, "parallelism": 1, "entryClass": "tally.Counter",
                "args": ["--name", name]})
        };
        let jobs: Vec<_> = names.iter().map(job).collect();
        let jobs = format!("jobs={}", serde_json::Value::from(jobs));
        namespace.install_session("demo", &["--set", &image, "--set-json", &jobs]).ok();
    }
    let folder = namespace.volume("demo-storage").join("tally");
    let tallies = || names.iter().map(|job| JobTally { folder: folder.clone(), job: (*job).to_owned() });
    let go_on = || tallies().for_each(|tally| tally.await_committed(40));
    go_on();
    let options = r#"flinkConfiguration={"taskmanager.network.memory.fraction":0.12}"#;
    let upgrade = ["upgrade", "demo", "--with-savepoint"];
    namespace.flink([upgrade.as_slice(), &["--set-json", options]].concat()).ok();
    namespace.restored_as_recorded("demo", 1);
    go_on();
    namespace.flink([upgrade.as_slice(), &["--set", "parallelism=1"]].concat()).ok();
    namespace.restored_as_recorded("demo", 2);
    go_on();
    namespace.flink(["rollback", "demo", "1", "--with-savepoint"]).ok();
    namespace.restored_as_recorded("demo", 3);
    go_on();
    let history = "1 superseded, 2 superseded, 3 superseded, 4 deployed";
    assert_eq!(statuses(&namespace.history("demo")), history);
    namespace.flink(["uninstall", "demo", "--with-savepoint"]).ok();
    for tally in tallies() {
        tally.check(State::Ended, &Expect { runs: 4..=4, ..Expect::default() });
    }
}
