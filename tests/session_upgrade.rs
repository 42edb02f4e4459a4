//! Upgrades of a session with several jobs, some of which do things of their own meanwhile.

use std::path::{Path, PathBuf};

use crate::cluster;
use crate::support::tally::{Expect, State};
use crate::support::{JAR, JobTally, Namespace, run_until, statuses, wait_for};

fn job(name: &str, class: &str, args: &[&str]) -> String {
    let args: Vec<&str> = ["--name", name].iter().chain(args).copied().collect();
    serde_json::json!({"name": name, "jar": JAR, "parallelism": 1, "entryClass": class, "args": args})
        .to_string()
}

fn tally_of(namespace: &Namespace, job: &str) -> JobTally {
    JobTally { folder: namespace.volume("demo-storage").join("tally"), job: job.to_owned() }
}

/// An option of Flink changes, then the image. Expected: two jobs move, each from exactly the
/// savepoint that is recorded, and nothing of them is lost or repeated; the third one finishes by
/// itself while the new generation comes up, is recorded as finished, never starts again, and
/// everything that it emitted is committed once.
#[test]
fn a_job_that_finishes_by_itself_meanwhile_stays_finished() {
    let namespace = cluster!("finishes", tally);
    let jobs = format!(
        "jobs=[{},{},{}]",
        job("moves", "tally.Counter", &[]),
        job("second", "tally.Counter", &[]),
        job("finite", "tally.Finite", &["--count", "500"])
    );
    namespace.install_session("demo", &["--set-json", &jobs, "--set", "taskManager.slots=3"]).ok();
    let tally = |job: &str| tally_of(&namespace, job);
    let (moves, second, finite) = (tally("moves"), tally("second"), tally("finite"));
    moves.await_committed(40);
    // Ten seconds are left to it: longer than a plan takes, shorter than new Pods.
    wait_for("the finite job to be near its end", || {
        finite.read().position().values().all(|at| *at >= 300).then_some(())
    });
    let upgrade = ["upgrade", "demo", "--with-savepoint"];
    let option = r#"flinkConfiguration={"taskmanager.network.memory.fraction":0.12}"#;
    let upgraded = namespace.flink([upgrade.as_slice(), &["--set-json", option]].concat()).ok();
    println!("{upgraded}");
    assert_eq!(statuses(&namespace.history("demo")), "1 superseded, 2 deployed");
    namespace.restored_as_recorded("demo", 1);
    let set = &namespace.ask_flink("demo", "/jobmanager/config");
    let set = set.as_array().unwrap().iter().find(|row| row["key"] == "taskmanager.network.memory.fraction");
    assert_eq!(set.unwrap()["value"], "0.12");
    moves.await_committed(40);
    second.await_committed(40);
    let status = namespace.status("demo");
    let state = |name: &str| {
        let jobs = status["jobs"].as_array().unwrap();
        jobs.iter().find(|job| job["name"] == name).unwrap()["state"].as_str().unwrap().to_lowercase()
    };
    assert_eq!((state("moves").as_str(), state("finite").as_str()), ("running", "finished"), "{status:#}");
    // The next upgrade leaves it alone as well.
    namespace.flink([upgrade.as_slice(), &["--set", "image.tag=2.3.0-v2"]].concat()).ok();
    namespace.restored_as_recorded("demo", 2);
    let image = "jsonpath={.items[*].spec.containers[*].image}";
    let images = namespace.kubectl(["get", "pods", "-l", "flink.kubectl/generation=3", "-o", image]).ok();
    assert_eq!(images.stdout, "flink-test:2.3.0-v2 flink-test:2.3.0-v2");
    moves.await_committed(40);
    second.await_committed(40);
    namespace.flink(["uninstall", "demo", "--with-savepoint"]).ok();
    for tally in [moves, second] {
        tally.check(State::Ended, &Expect { runs: 3..=3, ..Expect::default() });
    }
    let verdict = finite.check(State::Ended, &Expect { runs: 1..=1, ..Expect::default() });
    assert_eq!(verdict.emitted, 2000, "all of it: {verdict}");
}

/// Expected: a job that another client submits to the old generation while an upgrade is under way
/// keeps that generation alive, and is named; the release's own job moves all the same. When it has
/// ended, the next operation removes that generation, with its high-availability data.
#[test]
fn a_job_submitted_meanwhile_keeps_its_generation_alive() {
    let namespace = cluster!("meanwhile", tally);
    let jobs = format!("jobs=[{}]", job("moves", "tally.Counter", &[]));
    namespace.install_session("demo", &["--set-json", &jobs]).ok();
    let (moves, guest) = (tally_of(&namespace, "moves"), tally_of(&namespace, "guest"));
    moves.await_committed(40);

    let mut upgrade = namespace.program();
    upgrade.args(["upgrade", "demo", "--set", "taskManager.memory=1100m", "--with-savepoint"]);
    let mut id = String::new();
    let upgraded = run_until(&mut upgrade, "→ wait for generation 2", || {
        id = submit(&namespace, "demo-g1", "guest");
    });
    upgraded.ok().says("generation demo-g1 is kept").says(&id);
    moves.await_committed(40);
    guest.await_committed(40);
    let status = namespace.status("demo");
    assert_eq!((&status["revision"], &status["generation"]), (&2.into(), &"demo-g2".into()), "{status:#}");

    // Stopped by whoever owns it; then its generation goes, and nothing of its high availability
    // stays.
    let ha = |generation: &str| namespace.names("configmaps", &format!("app={generation}"));
    let folder = namespace.volume("demo-storage").join(&namespace.name).join("demo/ha");
    let files = |generation: &str| files_below(&folder.join(generation));
    assert!(!ha("demo-g1").is_empty() && !files("demo-g1").is_empty());
    let path = proxied(&namespace, "demo-g1", &format!("/jobs/{id}/stop"));
    namespace.kubectl(["create", "--raw", &path, "-f", body("{}").path().to_str().unwrap()]).ok();
    wait_for("the guest's end", || {
        let jobs = proxied(&namespace, "demo-g1", "/jobs/overview");
        let jobs = namespace.kubectl(["get", "--raw", &jobs]).ok().json();
        let ended = jobs["jobs"].as_array().unwrap().iter().all(|job| job["state"] == "FINISHED");
        ended.then_some(())
    });
    namespace.flink(["upgrade", "demo", "--set", "labels.team=streams"]).ok();
    let left = namespace.names("deployments,services", "flink.kubectl/generation=1");
    assert!(left.is_empty() && ha("demo-g1").is_empty(), "left behind: {left:?} {:?}", ha("demo-g1"));
    assert!(files("demo-g1").is_empty(), "left behind: {:?}", files("demo-g1"));
    assert!(!ha("demo-g2").is_empty() && !files("demo-g2").is_empty(), "the neighbour's is still there");
    // A number is never used again.
    namespace.flink(["rollback", "demo", "1", "--with-savepoint"]).ok();
    assert_eq!(namespace.status("demo")["generation"], "demo-g3");
    moves.await_committed(40);
    namespace.flink(["uninstall", "demo", "--with-savepoint"]).ok();
    moves.check(State::Ended, &Expect { runs: 3..=3, ..Expect::default() });
    guest.check(State::Ended, &Expect { runs: 1..=1, ..Expect::default() });
}

/// Expected: what is done to one job, with whatever choice, is done to no other: `second` runs on
/// through all of it, one attempt. A path that is not said to be of one job is refused where there
/// are two. The savepoint of an unmanaged job that goes with the release is on record under a name
/// of its own.
#[test]
fn a_change_of_one_job_leaves_the_others_alone() {
    let namespace = cluster!("alone", tally);
    let two =
        format!("jobs=[{},{}]", job("first", "tally.Counter", &[]), job("second", "tally.Counter", &[]));
    let room = ["--set", "taskManager.slots=4", "--set-json", &two];
    namespace.install_session("demo", &room).ok();
    let (first, second) = (tally_of(&namespace, "first"), tally_of(&namespace, "second"));
    first.await_committed(40);
    second.await_committed(40);
    let id = |name: &str| {
        let jobs = namespace.flink(["job", "list", "demo", "-o", "json"]).ok().json();
        let row = jobs.as_array().unwrap().iter().find(|row| row["name"] == name).unwrap().clone();
        (row["id"].as_str().unwrap().to_owned(), row["state"].as_str().unwrap().to_owned())
    };
    let before = id("second");
    let taken = ["savepoint", "trigger", "demo", "--job", "second", "-o", "json"];
    let path = namespace.flink(taken).ok().json()["path"].as_str().unwrap().to_owned();
    let unnamed = ["upgrade", "demo", "--from-savepoint", &path, "--set", "labels.team=streams"];
    namespace.flink(unnamed).exits(3).says("first, second").says(&format!("first={path}"));

    namespace.flink(["job", "stop", "demo", "first"]).ok();
    let listed = || namespace.flink(["savepoint", "list", "demo", "-o", "json"]).ok().json();
    let stopped = |rows: &serde_json::Value, name: &str| {
        let row = |row: &&serde_json::Value| row["job"] == name && row["origin"] == "stop";
        rows.as_array().unwrap().iter().find(row).map(|row| row["path"].as_str().unwrap().to_owned())
    };
    let path = stopped(&listed(), "first").expect("its savepoint");
    let folder = tempfile::tempdir().unwrap();
    let jar = crate::session::jar_of(&namespace, "demo-g1", folder.path());
    let third = ["job", "submit", "demo", &jar, "--name", "third", "-p", "1", "--from-savepoint", &path];
    namespace.flink([third.as_slice(), &["--", "--name", "first"]].concat()).ok();
    assert_eq!((id("first").1.as_str(), &id("second")), ("FINISHED", &before), "the others are left alone");
    first.await_committed(40);
    namespace.flink(["job", "cancel", "demo", "third"]).ok();
    assert_eq!((id("first").1.as_str(), &id("second")), ("FINISHED", &before), "the others are left alone");
    second.await_committed(40);

    submit(&namespace, "demo-g1", "guest");
    tally_of(&namespace, "guest").await_committed(40);
    namespace.flink(["uninstall", "demo", "--with-savepoint"]).ok();
    let rows = listed();
    let all = ["first", "second", "guest"].into_iter().all(|name| stopped(&rows, name).is_some());
    assert!(all, "{rows:#}");
    second.check(State::Ended, &Expect { runs: 1..=1, ..Expect::default() });
}

/// Two jobs, of which the second gets a class that no savepoint fits.
fn one_that_fails(first: &str, second: &str) -> (String, String, String) {
    let classes = |bad: &str| {
        let class = |name: &str| if name == "bad" { bad.to_owned() } else { "tally.Counter".to_owned() };
        format!("jobs=[{},{}]", job(first, &class(first), &[]), job(second, &class(second), &[]))
    };
    let memory = "taskManager.memory=1100m".to_owned();
    (classes("tally.Counter"), classes("tally.StateChanged"), memory)
}

/// Where each job runs: the generation, where that is not the release's.
fn places(namespace: &Namespace) -> Vec<(String, String, Option<String>)> {
    let jobs = namespace.flink(["job", "list", "demo", "-o", "json"]).ok().json();
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let row = |job: &serde_json::Value| {
        (text(&job["name"]), text(&job["state"]), job["generation"].as_str().map(str::to_owned))
    };
    jobs.as_array().unwrap().iter().map(row).collect()
}

fn at(name: &str, generation: Option<&str>) -> (String, String, Option<String>) {
    (name.to_owned(), "RUNNING".to_owned(), generation.map(str::to_owned))
}

/// The new Pods come up, `good` moves and completes a checkpoint, `bad` fails. Expected: exit code
/// 1; `bad` goes back to its old generation from the savepoint just taken, `good` stays in the new
/// one and is named; every verb knows where each runs. The next upgrade gathers both, and neither
/// old generation stays. Nothing is lost, nothing is repeated.
#[test]
fn of_two_jobs_one_goes_back_and_the_other_stays() {
    let namespace = cluster!("parted", tally);
    let (plain, changed, memory) = one_that_fails("good", "bad");
    namespace.install_session("demo", &["--set-json", &plain]).ok();
    let (good, bad) = (tally_of(&namespace, "good"), tally_of(&namespace, "bad"));
    good.await_committed(40);
    bad.await_committed(40);
    let upgrade = ["upgrade", "demo", "--with-savepoint", "--set", &memory, "--set-json"];
    let failed = namespace.flink([upgrade.as_slice(), &[&changed]].concat()).exits(1);
    failed.clone().says("the job good stays as revision 2 has it, in generation demo-g2");
    assert_eq!(statuses(&namespace.history("demo")), "1 deployed, 2 failed", "{failed}");
    assert_eq!(places(&namespace), [at("good", Some("demo-g2")), at("bad", None)], "{failed}");
    good.await_committed(40);
    bad.await_committed(40);
    let status = namespace.status("demo");
    assert_eq!((&status["revision"], &status["generation"]), (&1.into(), &"demo-g1".into()), "{status:#}");
    namespace.flink(["job", "list", "demo"]).ok().prints("declared, in demo-g2");
    namespace.flink(["logs", "demo", "--tail", "1"]).ok().prints("[demo-g1-").prints("[demo-g2-");
    namespace.flink(["savepoint", "trigger", "demo", "--job", "good"]).ok();

    // Labels alone would stop nothing, but `good` has to come from where it is: a choice is needed,
    // for it alone.
    namespace.flink(["upgrade", "demo", "--set", "labels.team=streams"]).exits(3).says("good");
    // A change of another job leaves it there.
    namespace.flink(["job", "stop", "demo", "bad"]).ok();
    assert_eq!(places(&namespace)[0], at("good", Some("demo-g2")));
    good.await_committed(40);

    let mended = ["upgrade", "demo", "--set", "taskManager.memory=1150m", "--set-json", &plain];
    namespace.flink([mended.as_slice(), &["--with-savepoint"]].concat()).ok();
    assert_eq!(statuses(&namespace.history("demo")), "1 superseded, 2 failed, 3 superseded, 4 deployed");
    assert_eq!(places(&namespace)[0], at("good", None));
    good.await_committed(40);
    for generation in ["1", "2"] {
        let left = namespace.names("deployments,services", &format!("flink.kubectl/generation={generation}"));
        let ha = namespace.names("configmaps", &format!("app=demo-g{generation}"));
        assert!(left.is_empty() && ha.is_empty(), "left behind: {left:?} {ha:?}");
    }
    namespace.flink(["uninstall", "demo", "--with-savepoint"]).ok();
    good.check(State::Ended, &Expect { runs: 3..=3, ..Expect::default() });
    bad.check(State::Ended, &Expect::default());
}

/// With `--keep-going` the first job fails and goes back, and the second one moves all the same.
/// Expected: exit code 1; the rollback brings the second one back to the generation that runs,
/// without new Pods, and the other is removed; a second attempt the same way, and `uninstall` stops
/// both where they are. Nothing is lost, nothing is repeated.
#[test]
fn with_keep_going_the_others_move_on() {
    let namespace = cluster!("keep-going", tally);
    let (plain, changed, memory) = one_that_fails("bad", "good");
    namespace.install_session("demo", &["--set-json", &plain]).ok();
    let (good, bad) = (tally_of(&namespace, "good"), tally_of(&namespace, "bad"));
    good.await_committed(40);
    bad.await_committed(40);
    let upgrade = ["upgrade", "demo", "--with-savepoint", "--set", &memory, "--set-json", &changed];
    let parted = |revisions: &str, generation: &str| {
        let failed = namespace.flink([upgrade.as_slice(), &["--keep-going"]].concat()).exits(1);
        assert_eq!(statuses(&namespace.history("demo")), revisions, "{failed}");
        assert_eq!(places(&namespace), [at("bad", None), at("good", Some(generation))], "{failed}");
        good.await_committed(40);
        bad.await_committed(40);
    };
    parted("1 deployed, 2 failed", "demo-g2");
    namespace.flink(["rollback", "demo", "1", "--with-savepoint"]).ok();
    assert_eq!(statuses(&namespace.history("demo")), "1 superseded, 2 failed, 3 deployed");
    assert_eq!(places(&namespace), [at("bad", None), at("good", None)]);
    assert_eq!(namespace.status("demo")["generation"], "demo-g1");
    assert!(namespace.names("deployments", "flink.kubectl/generation=2").is_empty());
    good.await_committed(40);
    parted("1 superseded, 2 failed, 3 deployed, 4 failed", "demo-g3");
    namespace.flink(["uninstall", "demo", "--with-savepoint"]).ok().says("good").says("bad");
    let left = namespace.names("deployments,services", "flink.kubectl/release=demo");
    assert!(left.is_empty(), "left behind: {left:?}");
    good.check(State::Ended, &Expect { runs: 4..=4, ..Expect::default() });
    bad.check(State::Ended, &Expect::default());
}

/// All files in a folder and the folders in it; none where there is no such folder.
fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs_err::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}

/// Starts the test job as another client does who knows nothing of the release; its id.
fn submit(namespace: &Namespace, generation: &str, name: &str) -> String {
    let path = proxied(namespace, generation, &format!("/jars/{generation}_counter.jar/run"));
    let body = body(&format!(r#"{{"programArgsList": ["--name", "{name}"], "parallelism": 1}}"#));
    let answer = namespace.kubectl(["create", "--raw", &path, "-f", body.path().to_str().unwrap()]).ok();
    answer.json()["jobid"].as_str().unwrap().to_owned()
}

fn proxied(namespace: &Namespace, generation: &str, path: &str) -> String {
    namespace.proxied(&format!("{generation}-jobmanager"), path)
}

fn body(text: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs_err::write(file.path(), text).unwrap();
    file
}
