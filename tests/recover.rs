//! A run that dies, or stands still while another one takes over: the next run ends in one running
//! job with its state, and a true history.

use std::process::{Child, Command, Stdio};

use crate::cluster;
use crate::support::tally::{Expect, State};
use crate::support::{JobTally, Namespace, Run, run, statuses, wait_for};

/// Named in `src/context/fence.rs`: the process stops itself between its last look at the lock and
/// the sending.
const HALT: &str = "KUBECTL_FLINK_HALT_AT_TRANSITION";

/// What the user who started the upgrade says of it.
const DESCRIPTION: &str = "more memory";

/// An upgrade with a savepoint that replaces the Pods, and the requests by which it changed
/// something, in their order.
#[track_caller]
fn transitions(namespace: &Namespace, memory: &str) -> Vec<String> {
    let all = requests(upgrade(namespace, memory), 0);
    assert!(all.len() > 15, "so few transitions: {all:?}");
    all
}

/// Runs a command that is expected to end with that code; the requests by which it changed
/// something, in their order.
#[track_caller]
pub fn requests(mut command: Command, code: i32) -> Vec<String> {
    let done = run(command.env("KUBECTL_FLINK_LOG", "kubectl_flink=info")).exits(code);
    let requests = done.stderr.lines().filter(|line| line.contains("transition"));
    requests.filter_map(|line| line.split_once("request=")).map(|(_, request)| request.to_owned()).collect()
}

pub fn upgrade(namespace: &Namespace, memory: &str) -> Command {
    let mut command = namespace.program();
    command.args(["upgrade", "demo", "--with-savepoint", "--set", &format!("taskManager.memory={memory}")]);
    command.args(["--description", DESCRIPTION]);
    command
}

/// Starts a command that halts at a transition; waits until it has, or has ended.
pub fn halted(mut command: Command, at: usize) -> Child {
    command.env(HALT, at.to_string()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    wait_for("the command to halt", || {
        let halted = fs_err::read_to_string(&status).is_ok_and(|text| text.contains("State:\tT"));
        (halted || child.try_wait().unwrap().is_some()).then_some(())
    });
    child
}

/// Recovers as soon as the dead run's lock has expired; gives what `recover` said.
#[track_caller]
fn recovered(namespace: &Namespace) -> String {
    recover(namespace, &[]).ok().stderr
}

/// The same with more arguments, whatever comes of it.
#[track_caller]
pub fn recover(namespace: &Namespace, args: &[&str]) -> Run {
    wait_for("the lock's expiry", || {
        let recovered = namespace.flink([["recover", "demo"].as_slice(), args].concat());
        (!recovered.stderr.contains("is being changed by")).then_some(recovered)
    })
}

/// One job runs, all its tasks, and the history knows what is.
#[track_caller]
pub fn one_job_runs(namespace: &Namespace, tally: &JobTally, context: &str) {
    tally.await_committed(40);
    let status = namespace.status("demo");
    let jobs = status["jobs"].as_array().unwrap();
    assert_eq!(jobs.len(), 1, "{context}: {status:#}");
    assert_eq!(
        (&jobs[0]["state"], &jobs[0]["origin"]),
        (&"RUNNING".into(), &"declared".into()),
        "{status:#}"
    );
    let history = namespace.history("demo");
    let deployed: Vec<_> = history.iter().filter(|(_, status)| status == "deployed").collect();
    assert_eq!(deployed.len(), 1, "{context}: {history:?}");
    assert_eq!(status["revision"], deployed[0].0, "{context}: {status:#}");
    let known = |status: &str| ["deployed", "superseded", "failed", "uninstalled"].contains(&status);
    assert!(history.iter().all(|(_, status)| known(status)), "{context}: {}", statuses(&history));
    let generation = status["generation"].as_str().unwrap();
    let left = namespace.names("deployments", "flink.kubectl/release=demo");
    assert!(left.iter().all(|name| name.contains(generation)), "{context}: left behind: {left:?}");
}

/// Expected: killed at any transition, four chosen by the commit, the next run completes or undoes
/// it; nothing is lost, nothing is repeated, for no new job emits anything before its run is over.
#[test]
fn killed_at_any_transition_the_next_run_goes_on() {
    let namespace = cluster!("killed", tally);
    namespace.install_job("demo", &[]).ok();
    let tally = namespace.tally("demo-storage");
    tally.await_committed(40);
    let all = transitions(&namespace, "1100m");
    tally.await_committed(40);
    for (turn, at) in chosen(all.len()).into_iter().enumerate() {
        let memory = if turn % 2 == 0 { "1150m" } else { "1100m" };
        let mut killed = halted(upgrade(&namespace, memory), at);
        let _ = killed.kill(); // SIGKILL
        killed.wait().unwrap();
        let said = recovered(&namespace);
        let context = format!("killed at transition {at} of {}, {}; {said}", all.len(), all[at - 1]);
        println!("{context}");
        one_job_runs(&namespace, &tally, &context);
    }
    namespace.flink(["uninstall", "demo", "--with-savepoint"]).ok();
    tally.check(State::Ended, &Expect::default());
}

/// One transition out of each quarter, by the commit that is tested; the same each time where there
/// is no git.
fn chosen(count: usize) -> Vec<usize> {
    let hash = run(Command::new("git").args(["rev-parse", "HEAD"])).stdout;
    let digits: Vec<usize> = hash.bytes().map(usize::from).chain([7; 4]).take(4).collect();
    let quarter = count / 4;
    digits.iter().enumerate().map(|(turn, digit)| 1 + turn * quarter + digit % quarter).collect()
}

/// Expected: a run stands still between its last look at the lock and sending `run`; another one
/// takes over and finishes; the first goes on and sends. Still one job runs, nothing is lost,
/// nothing is repeated. Nor where it stood still before `stop`.
#[test]
fn a_suspended_run_that_goes_on_late_does_no_harm() {
    let namespace = cluster!("suspended", tally);
    namespace.install_job("demo", &[]).ok();
    let tally = namespace.tally("demo-storage");
    tally.await_committed(40);
    let all = transitions(&namespace, "1100m");
    let start = all.iter().rposition(|request| request.ends_with("/run")).expect("a job was started") + 1;
    tally.await_committed(40);

    let mut suspended = halted(upgrade(&namespace, "1150m"), start);
    let said = recovered(&namespace);
    assert!(said.contains("start the job counter"), "{said}");
    run(Command::new("kill").args(["-CONT", &suspended.id().to_string()])).ok();
    let late = suspended.wait().unwrap();
    assert!(!late.success(), "the run that lost its lock must not claim success");
    one_job_runs(&namespace, &tally, "after the suspended run");
    assert_eq!(statuses(&namespace.history("demo")), "1 superseded, 2 superseded, 3 deployed");

    // The same before the stop, which another run finds not to have happened, and undoes the
    // operation: the late one stops the job after all, sees that it is on its own, and starts it
    // again from that savepoint.
    let stop = all.iter().position(|request| request.ends_with("/stop")).expect("a job was stopped") + 1;
    let mut suspended = halted(upgrade(&namespace, "1200m"), stop);
    let said = recovered(&namespace);
    assert!(said.contains("runs on"), "{said}");
    one_job_runs(&namespace, &tally, "while the run is suspended");
    run(Command::new("kill").args(["-CONT", &suspended.id().to_string()])).ok();
    assert_eq!(suspended.wait().unwrap().code(), Some(5), "undone, and said so");
    one_job_runs(&namespace, &tally, "after the run that stopped it late");
    assert_eq!(statuses(&namespace.history("demo")), "1 superseded, 2 superseded, 3 deployed, 4 failed");
    namespace.flink(["uninstall", "demo", "--with-savepoint"]).ok();
    tally.check(State::Ended, &Expect { runs: 4..=4, ..Expect::default() });
}

/// Expected: what only the user can know is taken from them. A run dies before its stop was sent;
/// another client stops the job by hand and says where the savepoint is: the upgrade is completed
/// from it. Another one dies there and is abandoned: nothing more is done than recorded, the job
/// runs on, and the next upgrade tidies. Nothing is lost, nothing is repeated.
#[test]
fn recover_takes_a_persons_word() {
    let namespace = cluster!("word", tally);
    namespace.install_job("demo", &[]).ok();
    let tally = namespace.tally("demo-storage");
    tally.await_committed(40);
    let all = transitions(&namespace, "1100m");
    let stop = all.iter().position(|request| request.ends_with("/stop")).expect("a job was stopped") + 1;
    tally.await_committed(40);
    let killed = |memory: &str| {
        let mut killed = halted(upgrade(&namespace, memory), stop);
        let _ = killed.kill(); // SIGKILL
        killed.wait().unwrap();
    };

    killed("1150m");
    let path = stopped_by_hand(&namespace);
    let left = namespace.flink(["recover", "demo", "--dry-run"]).ok();
    let next = "its next step: find out whether the job counter was stopped";
    assert!(left.stdout.contains(next), "{left}");
    let left = namespace.flink(["recover", "demo", "--dry-run", "-o", "json"]).ok().json();
    assert!(left["left"].as_str().is_some_and(|left| left.contains(next)), "{left:#}");
    let plan = ["plan", "upgrade", "demo", "--with-savepoint", "--set", "taskManager.memory=1200m"];
    namespace.flink(plan).ok().says(next).says("this is planned for the release as it is now");
    let after = namespace.status("demo")["operation"].to_string();
    assert!(after.contains(next), "a dry run changed something: {after}");
    let recovered = recover(&namespace, &["--savepoint", &path, "-o", "json"]).ok().json();
    assert_eq!(
        (&recovered["outcome"], &recovered["revision"]),
        (&"completed".into(), &3.into()),
        "{recovered:#}"
    );
    one_job_runs(&namespace, &tally, "after a person's savepoint");
    let history = namespace.flink(["history", "demo", "-o", "json"]).ok().json();
    assert_eq!(history[2]["description"], DESCRIPTION, "the words of whoever began it: {history:#}");
    assert_eq!(statuses(&namespace.history("demo")), "1 superseded, 2 superseded, 3 deployed");
    let status = namespace.status("demo");
    assert_eq!(status["jobs"][0]["restoredFrom"], path.as_str(), "{status:#}");

    killed("1200m");
    let id = namespace.job_id("demo");
    recover(&namespace, &["--abandon"]).ok();
    assert_eq!(namespace.job_id("demo"), id, "the job runs on");
    assert_eq!(statuses(&namespace.history("demo")), "1 superseded, 2 superseded, 3 deployed, 4 failed");
    tally.await_committed(40);
    namespace.flink(["upgrade", "demo", "--with-savepoint", "--set", "taskManager.memory=1250m"]).ok();
    one_job_runs(&namespace, &tally, "after the next upgrade");
    namespace.flink(["uninstall", "demo", "--with-savepoint"]).ok();
    tally.check(State::Ended, &Expect { runs: 4..=4, ..Expect::default() });
}

/// Expected: a `savepoint trigger` that is killed once Flink was asked leaves a savepoint that the
/// next command records. An uninstall that is killed before its stop and abandoned leaves the
/// release as it was: its job runs, every verb knows it, and another uninstall stops it with a
/// savepoint.
#[test]
fn what_a_killed_trigger_and_an_abandoned_uninstall_leave() {
    let namespace = cluster!("abandoned", tally);
    namespace.install_job("demo", &[]).ok();
    let tally = namespace.tally("demo-storage");
    tally.await_committed(40);
    let killed = |args: &[&str], at: usize| {
        let mut command = namespace.program();
        command.args(args);
        let mut killed = halted(command, at);
        assert!(killed.try_wait().unwrap().is_none(), "{args:?} has no transition {at}");
        let _ = killed.kill(); // SIGKILL
        killed.wait().unwrap();
    };
    // The second is the record with the path, which nobody but that run has read.
    killed(&["savepoint", "trigger", "demo"], 2);
    let listed = || namespace.flink(["savepoint", "list", "demo", "-o", "json"]).ok().json();
    assert_eq!(listed().as_array().unwrap().len(), 0);
    let said = recovered(&namespace);
    assert!(said.contains("Recorded: the savepoint file:"), "{said}");
    assert_eq!(
        (listed()[0]["job"].as_str(), listed()[0]["origin"].as_str()),
        (Some("counter"), Some("trigger"))
    );

    // While savepoints are deleted that is what is said, and who finds it left behind completes it.
    namespace.flink(["savepoint", "trigger", "demo"]).ok();
    let older = listed()[0]["path"].as_str().unwrap().to_owned();
    let mut prune = namespace.program();
    prune.args(["savepoint", "prune", "demo", "--keep", "1", "--yes"]);
    let mut halted = halted(prune, 1);
    let doing = namespace.status("demo")["operation"].as_str().unwrap().to_owned();
    assert!(doing.ends_with(&format!("is under way: savepoint 1 of 1 is being deleted: {older}")), "{doing}");
    let _ = halted.kill(); // SIGKILL
    halted.wait().unwrap();
    let said = recovered(&namespace);
    assert!(said.contains(&format!("Deleted: the savepoint {older}.")), "{said}");
    assert_eq!(listed().as_array().unwrap().len(), 1, "{:#}", listed());
    assert_ne!(listed()[0]["path"], older.as_str());

    let id = namespace.job_id("demo");
    killed(&["uninstall", "demo", "--with-savepoint"], 2); // the record is first, then the stop
    recover(&namespace, &["--abandon"]).ok();
    assert_eq!(statuses(&namespace.history("demo")), "1 deployed");
    assert_eq!(namespace.job_id("demo"), id, "the job runs on, and the release knows it");
    tally.await_committed(40);
    namespace.flink(["uninstall", "demo", "--with-savepoint"]).ok();
    assert_eq!(listed().as_array().unwrap().len(), 2, "{:#}", listed());
    tally.check(State::Ended, &Expect { runs: 1..=1, ..Expect::default() });
}

/// Stops the job as another client does who knows Flink's REST API only; the path of its savepoint.
fn stopped_by_hand(namespace: &Namespace) -> String {
    let id = namespace.job_id("demo");
    let proxy = format!("/api/v1/namespaces/{}/services/demo-rest:8081/proxy", namespace.name);
    let body = tempfile::NamedTempFile::new().unwrap();
    fs_err::write(body.path(), r#"{"targetDirectory": "file:///flink-storage/by-hand"}"#).unwrap();
    let file = body.path().to_str().unwrap();
    let asked = namespace.kubectl(["create", "--raw", &format!("{proxy}/jobs/{id}/stop"), "-f", file]).ok();
    let trigger = asked.json()["request-id"].as_str().unwrap().to_owned();
    wait_for("the savepoint", || {
        let path = format!("{proxy}/jobs/{id}/savepoints/{trigger}");
        let answer = namespace.kubectl(["get", "--raw", &path]).ok().json();
        answer["operation"]["location"].as_str().map(ToOwned::to_owned)
    })
}
