//! The JobManager's Pod goes at the worst moments: while its savepoint is awaited, before and after
//! it is written.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::cluster;
use crate::support::tally::{Expect, State};
use crate::support::{Namespace, run, statuses, wait_for};

/// An upgrade that is stopping its job, whose snapshots take five seconds.
fn stopping(namespace: &Namespace) -> Child {
    let mut command = namespace.program();
    command.args(["upgrade", "demo", "--with-savepoint", "--set", "taskManager.memory=1100m"]);
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut progress = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("Flink is writing it") {
        line.clear();
        assert!(progress.read_line(&mut line).unwrap() > 0, "it ended before it awaited the savepoint");
    }
    std::thread::spawn(move || std::io::copy(&mut progress, &mut std::io::sink())); // it must not block on a full pipe
    child
}

fn signal(child: &Child, name: &str) {
    run(Command::new("kill").args([name, &child.id().to_string()])).ok();
}

/// The Pod of the first generation's JobManager.
fn job_manager(namespace: &Namespace) -> String {
    let selector = "app.kubernetes.io/component=jobmanager,flink.kubectl/generation=1";
    namespace.names("pods", selector).remove(0)
}

fn delete(namespace: &Namespace, pod: &str) {
    namespace.kubectl(["delete", "--grace-period=0", "--force", "--wait=false", pod]).ok();
}

/// Savepoints that are whole, below a folder of savepoints.
fn whole(folder: &Path) -> usize {
    let below = |folder: &Path| -> Vec<_> {
        fs_err::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path()).collect()
    };
    below(folder)
        .iter()
        .flat_map(|trigger| below(trigger))
        .filter(|path| path.join("_metadata").exists())
        .count()
}

/// Expected: the JobManager forgets the stop, brings the job back from its latest checkpoint under
/// its id, and is not asked again: exit code 5, revision 1 deployed, no savepoint. Later the same
/// upgrade succeeds, and when that generation's JobManager goes, the job goes on from its latest
/// checkpoint, not from the savepoint.
#[test]
fn before_the_savepoint_is_written_the_job_runs_on() {
    let namespace = cluster!("forgets", tally);
    namespace.install_job("demo", &["--set", "job.entryClass=tally.SlowSnapshot"]).ok();
    let tally = namespace.tally("demo-storage");
    tally.await_committed(40);
    let id = namespace.job_id("demo");
    let pod = job_manager(&namespace); // looked up before: the snapshot takes no more than five seconds

    let mut upgrade = stopping(&namespace);
    delete(&namespace, &pod);
    assert_eq!(upgrade.wait().unwrap().code(), Some(5));
    assert_eq!(statuses(&namespace.history("demo")), "1 deployed, 2 failed");
    let savepoints = namespace.volume("demo-storage").join(&namespace.name).join("demo/savepoints");
    assert_eq!(whole(&savepoints), 0, "a savepoint was taken");
    assert_eq!(namespace.job_id("demo"), id);
    tally.await_caught_up();
    tally.await_committed(40);

    namespace.flink(["upgrade", "demo", "--with-savepoint", "--set", "taskManager.memory=1100m"]).ok();
    assert_eq!(whole(&savepoints), 1);
    tally.await_committed(40);
    let runs = tally.read().runs.len();
    let pods = namespace.names("pods", "app.kubernetes.io/component=jobmanager");
    delete(&namespace, &pods[0]);
    let restored = wait_for("the job's next run", || tally.read().runs.get(runs).map(|run| run.restored));
    let savepoint = tally.read().runs[runs - 1].restored;
    assert!(restored > savepoint, "restored from {restored:?}, the savepoint is {savepoint:?}");
    tally.await_caught_up();
    tally.await_committed(40);
    let repeated: u64 = tally.read().judge(State::Running).repeated_emitted.values().sum();
    wait_for("a job that can be stopped", || {
        (namespace.flink(["uninstall", "demo", "--with-savepoint"]).code == 0).then_some(())
    });
    tally.check(State::Ended, &Expect { repeated_emitted: repeated..=repeated, ..Expect::default() });
}

/// Expected: the savepoint is found in its directory, no second one is taken, and the job goes on
/// from it: nothing is lost, nothing is repeated.
#[test]
fn after_the_savepoint_is_written_it_is_found_in_its_directory() {
    let namespace = cluster!("found", tally);
    namespace.install_job("demo", &["--set", "job.entryClass=tally.SlowSnapshot"]).ok();
    let tally = namespace.tally("demo-storage");
    tally.await_committed(40);
    let savepoints = namespace.volume("demo-storage").join(&namespace.name).join("demo/savepoints");

    let mut upgrade = stopping(&namespace);
    signal(&upgrade, "-STOP"); // it must not read the path before the JobManager has gone
    wait_for("the savepoint", || (whole(&savepoints) == 1).then_some(()));
    wait_for("the job's end", || {
        let jobs = namespace.flink(["job", "list", "demo", "-o", "json"]).json();
        (jobs[0]["state"] == "FINISHED").then_some(())
    });
    delete(&namespace, &job_manager(&namespace));
    signal(&upgrade, "-CONT");
    assert_eq!(upgrade.wait().unwrap().code(), Some(0));
    assert_eq!(statuses(&namespace.history("demo")), "1 superseded, 2 deployed");
    assert_eq!(whole(&savepoints), 1, "a second savepoint was taken");
    tally.await_committed(40);
    namespace.flink(["uninstall", "demo", "--with-savepoint"]).ok();
    tally.check(State::Ended, &Expect { runs: 2..=2, ..Expect::default() });
}
