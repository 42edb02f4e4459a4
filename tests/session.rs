//! Layout `session`: every verb from install to uninstall, as the user types them, with a job that
//! was submitted.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::cluster;
use crate::support::tally::{Expect, State};
use crate::support::{JobTally, Namespace, assert_snapshot, run, statuses, wait_for};

/// Expected: two moves with a savepoint each lose nothing and repeat nothing.
#[test]
fn every_verb_from_install_to_uninstall() {
    let namespace = cluster!("session", tally);
    let installed = namespace.install_session("a", &[]).ok();
    assert_snapshot("session-install", &installed.stdout);
    assert_snapshot("session-status-empty", &namespace.flink(["status", "a"]).ok().stdout);

    let folder = tempfile::tempdir().unwrap();
    let jar = jar_of(&namespace, "a-g1", folder.path());
    let submitted = namespace.flink(["job", "submit", "a", &jar, "--", "--rate", "20"]).ok();
    assert_snapshot("session-job-submit", &submitted.stdout);
    let tally = namespace.tally("a-storage");
    tally.await_committed(60);
    assert_snapshot("session-status", &namespace.status_with_checkpoint("a"));
    assert_snapshot("session-job-list", &namespace.flink(["job", "list", "a"]).ok().stdout);

    // A job that runs is never stopped without a choice about its state.
    let memory = "taskManager.memory=1100m";
    let refused =
        namespace.flink(["upgrade", "a", "--set", memory, "--yes"]).exits(3).says("--with-savepoint");
    assert!(refused.stdout.is_empty(), "{refused}");
    let upgraded = namespace.flink(["upgrade", "a", "--set", memory, "--with-savepoint"]).ok();
    assert_snapshot("session-upgrade", &upgraded.stdout);
    tally.await_committed(60);
    assert_snapshot("session-history", &namespace.flink(["history", "a"]).ok().stdout);
    assert_snapshot("session-list", &namespace.flink(["list"]).ok().stdout);

    let rolled_back = namespace.flink(["rollback", "a", "--with-savepoint"]).ok();
    assert_snapshot("session-rollback", &rolled_back.stdout);
    tally.await_committed(60);
    assert_eq!(statuses(&namespace.history("a")), "1 superseded, 2 superseded, 3 superseded, 4 deployed");

    the_ui_answers(&namespace);
    let logs = namespace.flink(["logs", "a", "--all-roles", "--tail", "200"]).ok();
    for component in ["jobmanager", "taskmanager"] {
        assert!(logs.stdout.contains(&format!("a-g3-{component}-")), "no line of a {component}: {logs}");
    }
    logs_end_with_their_reader(&namespace);

    namespace.flink(["uninstall", "a"]).exits(3).says("--with-savepoint");
    let uninstalled = namespace.flink(["uninstall", "a", "--with-savepoint"]).ok();
    assert_snapshot("session-uninstall", &uninstalled.stdout);
    let expected = Expect { runs: 3..=3, ..Expect::default() };
    tally.check(State::Ended, &expected);
    let left = namespace.names("deployments,services,configmaps,pods,roles", "flink.kubectl/release=a");
    assert!(left.is_empty(), "left behind: {left:?}");
}

/// Expected: stopped with a savepoint and started from it, a job that another client submitted by
/// hand loses and repeats nothing.
#[test]
fn a_job_submitted_by_hand_is_never_dropped_by_an_upgrade() {
    let namespace = cluster!("stranger", tally);
    let (id, tally) = with_a_job_by_hand(&namespace);

    let memory = "taskManager.memory=1100m";
    for choice in ["--with-savepoint", "--stateless", "--yes"] {
        let refused = namespace.flink(["upgrade", "a", "--set", memory, choice]).exits(3);
        refused.says(&id).says(&format!("kubectl flink -n {} job stop a {id}", namespace.name));
    }
    namespace.flink(["job", "stop", "a", &id]).ok();
    let savepoints = namespace.flink(["savepoint", "list", "a", "-o", "json"]).ok().json();
    let (job, path) = (savepoints[0]["job"].as_str().unwrap(), savepoints[0]["path"].as_str().unwrap());
    // The only state of a job that is stopped is never deleted.
    namespace
        .flink(["savepoint", "dispose", "a", path, "--yes"])
        .exits(3)
        .says("does not run, and this is its newest state");
    // Nothing can start it: nobody gave the release its jar. So an upgrade leaves it stopped.
    namespace.flink(["upgrade", "a", "--set", memory]).ok();
    let folder = tempfile::tempdir().unwrap();
    let jar = jar_of(&namespace, "a-g2", folder.path());
    no_jar_is_left(&namespace, job, &jar);
    namespace
        .flink([
            "job",
            "submit",
            "a",
            &jar,
            "--name",
            job,
            "--from-savepoint",
            "recorded",
            "--",
            "--rate",
            "20",
        ])
        .ok();
    let status = namespace.status("a");
    let running = status["jobs"].as_array().unwrap().iter().find(|row| row["name"] == job).unwrap();
    assert_eq!((running["state"].as_str(), running["restoredFrom"].as_str()), (Some("RUNNING"), Some(path)));
    tally.await_committed(40);
    another_jar(&namespace, job, &jar);
    tally.await_committed(40);
    namespace.flink(["uninstall", "a", "--with-savepoint"]).ok();
    tally.check(State::Ended, &Expect { runs: 3..=3, ..Expect::default() });
}

/// Expected: nor is it where the JobManager does not say that it has it; only who gives it up
/// himself may go on.
#[test]
fn a_job_submitted_by_hand_outlives_a_jobmanager_that_is_away() {
    let namespace = cluster!("stranger-away", tally);
    let (id, tally) = with_a_job_by_hand(&namespace);
    namespace.job_managers("a-g1", 0);

    let upgrade = ["upgrade", "a", "--set", "taskManager.memory=1100m", "--stateless"];
    let (with_savepoint, stateless) =
        (["uninstall", "a", "--with-savepoint"], ["uninstall", "a", "--stateless"]);
    for command in [&upgrade[..], &with_savepoint, &stateless] {
        let refused = namespace.flink(command).exits(3);
        refused.says("the JobManager of a-g1 does not answer").says(&id);
    }
    assert_eq!(statuses(&namespace.history("a")), "1 deployed");
    let listed = namespace.flink(["job", "list", "a"]).ok().says("the JobManager does not answer");
    listed.prints(&id).prints("UNKNOWN");

    namespace.job_managers("a-g1", 1);
    // However far it is with bringing the job back.
    namespace.flink(upgrade).exits(3).says(&id);
    tally.await_caught_up();
    tally.await_committed(40);
    // It goes on from its checkpoint: what it had emitted since is emitted again, and committed
    // once.
    tally.check(State::Running, &Expect { runs: 2..=2, repeated_emitted: 0..=400, ..Expect::default() });
    namespace.job_managers("a-g1", 0);
    let refused = namespace.flink(upgrade).exits(3).says("gives it up; its checkpoints stay");
    // What is printed, with its comments, is what a shell takes.
    let give_up = refused.stderr.split("hint: ").find(|hint| hint.starts_with("kubectl -n")).unwrap();
    run(Command::new("sh").args(["-c", give_up])).ok();
    namespace.flink(upgrade).ok();
    assert_eq!(statuses(&namespace.history("a")), "1 superseded, 2 deployed");
    let jobs = namespace.flink(["job", "list", "a", "-o", "json"]).ok().json();
    assert_eq!(jobs, serde_json::json!([]), "it is given up");
}

/// Expected: neither a submission that is refused nor one that fails and is undone leaves its jar
/// in the cluster.
fn no_jar_is_left(namespace: &Namespace, job: &str, jar: &str) {
    let path = format!("/api/v1/namespaces/{}/services/a-rest:8081/proxy/jars", namespace.name);
    let jars = || namespace.kubectl(["get", "--raw", &path]).ok().json()["files"].clone();
    let before = jars();
    assert!(!before.as_array().unwrap().is_empty(), "{before}");
    let submit = ["job", "submit", "a", jar, "--name", job];
    namespace.flink(submit).exits(3).says(&format!("state of {job} is on record"));
    assert_eq!(jars(), before, "a refused submission left its jar");
    let broken = [&submit[..], &["--from-savepoint", "recorded", "--class", "no.such.Main"]].concat();
    namespace.flink(broken).exits(5).says("→ upload counter.jar").says("no.such.Main");
    assert_eq!(jars(), before, "a submission that was undone left its jar");
}

/// Expected: a job that is given another jar moves to it, and the release keeps that one.
fn another_jar(namespace: &Namespace, job: &str, jar: &str) {
    let recorded = || {
        let record = namespace.flink(["get", "all", "a", "-o", "json"]).ok().json();
        let jobs = record["jobs"].as_array().unwrap().clone();
        jobs.into_iter().find(|one| one["name"] == job).unwrap()["jar"].clone()
    };
    let upgrade = |of: &str| {
        let given = format!("{of}={jar}");
        namespace.flink(["upgrade", "a", "--jar", given.as_str(), "--with-savepoint"])
    };
    upgrade("another").exits(3).says(&format!("the release's jobs are: {job}"));
    let before = recorded();
    upgrade(job).ok();
    assert_ne!(recorded(), before);
}

/// Installs the release `a`, and starts the test job as another client does who knows nothing of
/// it; its id and its output.
fn with_a_job_by_hand(namespace: &Namespace) -> (String, JobTally) {
    namespace.install_session("a", &[]).ok();
    let jar = "a-g1_counter.jar";
    let path = format!("/api/v1/namespaces/{}/services/a-rest:8081/proxy/jars/{jar}/run", namespace.name);
    let body = tempfile::NamedTempFile::new().unwrap();
    fs_err::write(body.path(), r#"{"programArgsList": ["--rate", "20"], "parallelism": 2}"#).unwrap();
    let answer = namespace.kubectl(["create", "--raw", &path, "-f", body.path().to_str().unwrap()]).ok();
    let tally = namespace.tally("a-storage");
    tally.await_committed(40);
    (answer.json()["jobid"].as_str().unwrap().to_owned(), tally)
}

/// The test job's jar as a file of this machine: the image's own, copied out of a Pod.
pub fn jar_of(namespace: &Namespace, generation: &str, folder: &Path) -> String {
    let path = folder.join("counter.jar");
    let status = Command::new("kubectl")
        .args(["-n", &namespace.name, "exec", &format!("deployment/{generation}-jobmanager"), "--"])
        .args(["cat", "/opt/flink/usrlib/counter.jar"])
        .stdout(fs_err::File::create(&path).unwrap().into_file())
        .status()
        .unwrap();
    assert!(status.success());
    path.to_str().unwrap().to_owned()
}

/// `ui` prints an address, and Flink answers there.
fn the_ui_answers(namespace: &Namespace) {
    let mut ui = namespace.program().args(["ui", "a", "--port", "0"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut address = String::new();
    BufReader::new(ui.stdout.take().unwrap()).read_line(&mut address).unwrap();
    let answer = run(Command::new("curl")
        .args(["--silent", "--fail", "--max-time", "30"])
        .arg(format!("{}/overview", address.trim())));
    ui.kill().unwrap();
    ui.wait().unwrap();
    assert!(address.starts_with("http://127.0.0.1:"), "{address}");
    assert_eq!(answer.ok().json()["jobs-running"], 1);
}

/// `logs -f` ends when nobody reads it any more, with nothing to complain of.
fn logs_end_with_their_reader(namespace: &Namespace) {
    let mut logs = namespace
        .program()
        .args(["logs", "a", "-f"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(logs.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(!line.is_empty());
    let ended = wait_for("the end of the logs", || logs.try_wait().unwrap());
    let said = std::io::read_to_string(logs.stderr.take().unwrap()).unwrap();
    assert!(ended.success() && said.is_empty(), "{ended}: {said}");
}
