//! Upgrades of a session with several jobs, some of which do things of their own meanwhile.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use crate::cluster;
use crate::support::tally::{Expect, State};
use crate::support::{JAR, JobTally, Namespace, statuses, wait_for};

fn job(name: &str, class: &str, args: &[&str]) -> String {
    let args: Vec<&str> = ["--name", name].iter().chain(args).copied().collect();
    serde_json::json!({"name": name, "jar": JAR, "parallelism": 1, "entryClass": class, "args": args})
        .to_string()
}

fn tally_of(namespace: &Namespace, job: &str) -> JobTally {
    JobTally { folder: namespace.volume("demo-storage").join("tally"), job: job.to_owned() }
}

/// Expected: one job moves, and nothing of it is lost or repeated; the other one finishes by itself while the new generation
/// comes up, is recorded as finished, never starts again, and everything that it emitted is committed once.
#[test]
fn a_job_that_finishes_by_itself_meanwhile_stays_finished() {
    let namespace = cluster!("finishes", tally);
    let jobs = format!(
        "jobs=[{},{}]",
        job("moves", "tally.Counter", &[]),
        job("finite", "tally.Finite", &["--count", "500"])
    );
    namespace.install_session("demo", &["--set-json", &jobs]).ok();
    let (moves, finite) = (tally_of(&namespace, "moves"), tally_of(&namespace, "finite"));
    moves.await_committed(40);
    // Ten seconds are left to it: longer than a plan takes, shorter than new Pods.
    wait_for("the finite job to be near its end", || {
        finite.read().position().values().all(|at| *at >= 300).then_some(())
    });
    let upgraded =
        namespace.flink(["upgrade", "demo", "--set", "taskManager.memory=1100m", "--with-savepoint"]).ok();
    println!("{upgraded}");
    assert_eq!(statuses(&namespace.history("demo")), "1 superseded, 2 deployed");
    moves.await_committed(40);
    let status = namespace.status("demo");
    let state = |name: &str| {
        let jobs = status["jobs"].as_array().unwrap();
        jobs.iter().find(|job| job["name"] == name).unwrap()["state"].as_str().unwrap().to_lowercase()
    };
    assert_eq!((state("moves").as_str(), state("finite").as_str()), ("running", "finished"), "{status:#}");
    // The next upgrade leaves it alone as well.
    namespace.flink(["upgrade", "demo", "--set", "taskManager.memory=1150m", "--with-savepoint"]).ok();
    moves.await_committed(40);
    namespace.flink(["uninstall", "demo", "--with-savepoint"]).ok();
    moves.check(State::Ended, &Expect { runs: 3..=3, ..Expect::default() });
    let verdict = finite.check(State::Ended, &Expect { runs: 1..=1, ..Expect::default() });
    assert_eq!(verdict.emitted, 2000, "all of it: {verdict}");
}

/// Expected: a job that somebody submits to the old generation while an upgrade is under way keeps that generation alive,
/// and is named; the release's own job moves all the same. When it has ended, the next operation removes that generation,
/// with its high-availability data.
#[test]
fn a_job_submitted_meanwhile_keeps_its_generation_alive() {
    let namespace = cluster!("meanwhile", tally);
    let jobs = format!("jobs=[{}]", job("moves", "tally.Counter", &[]));
    namespace.install_session("demo", &["--set-json", &jobs]).ok();
    let (moves, guest) = (tally_of(&namespace, "moves"), tally_of(&namespace, "guest"));
    moves.await_committed(40);

    let mut upgrade = namespace
        .program()
        .args(["upgrade", "demo", "--set", "taskManager.memory=1100m", "--with-savepoint"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    let mut submitted = None;
    let mut lines = BufReader::new(upgrade.stderr.take().unwrap());
    loop {
        let from = said.len();
        if lines.read_line(&mut said).unwrap() == 0 {
            break;
        }
        if said[from..].contains("→ wait for generation 2") {
            submitted = Some(submit(&namespace, "demo-g1", "guest"));
        }
    }
    assert!(upgrade.wait().unwrap().success(), "{said}");
    let id = submitted.expect("a job was submitted meanwhile");
    assert!(said.contains("generation demo-g1 is kept") && said.contains(&id), "{said}");
    moves.await_committed(40);
    guest.await_committed(40);
    let status = namespace.status("demo");
    assert_eq!((&status["revision"], &status["generation"]), (&2.into(), &"demo-g2".into()), "{status:#}");

    // Stopped by whoever owns it; then its generation goes, and nothing of its high availability stays.
    let ha = |generation: &str| namespace.names("configmaps", &format!("app={generation}"));
    assert!(!ha("demo-g1").is_empty());
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
    assert!(!ha("demo-g2").is_empty(), "the neighbour's is still there");
    // A number is never used again.
    namespace.flink(["rollback", "demo", "1", "--with-savepoint"]).ok();
    assert_eq!(namespace.status("demo")["generation"], "demo-g3");
    moves.await_committed(40);
    namespace.flink(["uninstall", "demo", "--with-savepoint"]).ok();
    moves.check(State::Ended, &Expect { runs: 3..=3, ..Expect::default() });
    guest.check(State::Ended, &Expect { runs: 1..=1, ..Expect::default() });
}

/// Starts the test job as somebody does who knows nothing of the release; its id.
fn submit(namespace: &Namespace, generation: &str, name: &str) -> String {
    let path = proxied(namespace, generation, &format!("/jars/{generation}_counter.jar/run"));
    let body = body(&format!(r#"{{"programArgsList": ["--name", "{name}"], "parallelism": 1}}"#));
    let answer = namespace.kubectl(["create", "--raw", &path, "-f", body.path().to_str().unwrap()]).ok();
    answer.json()["jobid"].as_str().unwrap().to_owned()
}

fn proxied(namespace: &Namespace, generation: &str, path: &str) -> String {
    format!("/api/v1/namespaces/{}/services/{generation}-jobmanager:8081/proxy{path}", namespace.name)
}

fn body(text: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs_err::write(file.path(), text).unwrap();
    file
}
