//! A job that can take no savepoint goes on from its latest retained checkpoint.

use crate::cluster;
use crate::support::tally::{Expect, State};
use crate::support::{job_args, wait_for};

/// Expected: the job fails on every record, again and again; fixed, it goes on from its latest checkpoint. Nothing is lost,
/// committed repeats nothing, and emitted repeats what it put out after that checkpoint, over and over.
#[test]
fn a_job_that_crashes_again_and_again_is_fixed_from_its_latest_checkpoint() {
    let namespace = cluster!("checkpoint", tally);
    namespace.install_job("demo", &[]).ok();
    let tally = namespace.tally("demo-storage");
    tally.await_committed(40);
    let healed = tally.folder.join("healed");
    fs_err::write(&healed, "").unwrap();
    let fragile = job_args("--fail-until,/flink-storage/tally/healed");
    namespace.flink(["upgrade", "demo", "--with-savepoint", "--set", &fragile]).ok();
    tally.await_committed(40);
    let runs = tally.read().runs.len();
    fs_err::remove_file(&healed).unwrap();
    wait_for("the job to crash again and again", || (tally.read().runs.len() > runs + 2).then_some(()));

    namespace
        .flink(["upgrade", "demo", "--from-checkpoint", "latest", "--set-json", "job.args=[]"])
        .ok()
        .says("cancel, start from its latest checkpoint");
    let restored = namespace.status("demo")["jobs"][0]["restoredFrom"].as_str().unwrap().to_owned();
    assert!(restored.contains("/chk-"), "{restored}");
    tally.await_caught_up();
    tally.await_committed(40);
    let repeated: u64 = tally.read().judge(State::Running).repeated_emitted.values().sum();
    namespace.flink(["uninstall", "demo", "--with-savepoint"]).ok();
    let expected = Expect { repeated_emitted: repeated.max(1)..=repeated.max(1), ..Expect::default() };
    tally.check(State::Ended, &expected);
}
