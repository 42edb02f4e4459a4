//! What takes too long for every run: `cargo xtask test --long`.

use crate::recover::{halted, one_job_runs, recovered, transitions};
use crate::support::tally::{Expect, State};
use std::time::Duration;

use crate::cluster;
use crate::support::{JAR, JobTally, statuses, wait_within};

/// Expected: killed at each transition in its turn, the next run completes or undoes the upgrade; nothing is lost, nothing is
/// repeated.
#[test]
fn killed_at_every_transition_warm() {
    killed_at_every_transition("killed-warm", "warm");
}

/// The same in the classic order.
#[test]
fn killed_at_every_transition_recreate() {
    killed_at_every_transition("killed-recreate", "recreate");
}

fn killed_at_every_transition(test: &str, strategy: &str) {
    let namespace = cluster!(test, long);
    namespace.install_job("demo", &["--set", &format!("upgrade.strategy={strategy}")]).ok();
    let tally = namespace.tally("demo-storage");
    tally.await_committed(40);
    let all = transitions(&namespace, "1100m");
    tally.await_committed(40);
    // What an upgrade finds decides how many there are: until one ends before it gets that far.
    for at in 1.. {
        // Another one than whatever is deployed by now.
        let memory = format!("{}m", 1100 + at);
        let mut killed = halted(&namespace, &memory, at);
        if killed.try_wait().unwrap().is_some() {
            assert!(at > all.len(), "the upgrade ended before its transition {at} of {}", all.len());
            break;
        }
        let _ = killed.kill(); // SIGKILL
        killed.wait().unwrap();
        let said = recovered(&namespace);
        let name = all.get(at - 1).map_or("", String::as_str);
        println!("killed at transition {at} of {}, {strategy}: {name}", all.len());
        one_job_runs(&namespace, &tally, &format!("killed at transition {at}, {name}; {said}"));
    }
    namespace.flink(["uninstall", "demo", "--with-savepoint"]).ok();
    tally.check(State::Ended, &Expect::default());
}

/// Expected: a savepoint that takes more than five minutes, for which Flink keeps its answers, is waited for, whatever
/// `--timeout` says of other waits; nothing is lost, nothing is repeated.
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

/// Expected of each layout, strategy and Flink: an option of Flink changes with a savepoint, the parallelism with another, then
/// a rollback with a third: nothing is lost, nothing is repeated, each start is from exactly that path.
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
