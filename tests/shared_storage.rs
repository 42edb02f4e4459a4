//! Two releases of a namespace on one claim: each lives in folders of its own, and one's end is no
//! harm to the other.

use crate::cluster;
use crate::support::tally::{Expect, State};
use crate::support::{JobTally, wait_for};

/// Expected: while `a` is upgraded and removed, and even after its JobManager's restart (which
/// reads jars and graphs back from the storage), `b` loses and repeats nothing but what that
/// fail-over repeats in emitted.
#[test]
fn two_releases_share_a_claim_without_harm() {
    let namespace = cluster!("shared", tally);
    namespace.claim("shared");
    let shared = ["--set", "storage.claim.existingClaim=shared", "--set"];
    let install = |release: &str| {
        let args = format!("job.args={{--tally,/flink-storage/tally-{release}}}");
        namespace.install_job(release, &[shared.as_slice(), &[args.as_str()]].concat()).ok();
        JobTally {
            folder: namespace.volume("shared").join(format!("tally-{release}")),
            job: "counter".to_owned(),
        }
    };
    let a = install("a");
    let b = install("b");
    b.await_committed(40);
    namespace.flink(["upgrade", "a", "--set", "taskManager.memory=1100m", "--with-savepoint"]).ok();
    a.await_committed(40);
    namespace.flink(["uninstall", "a", "--with-savepoint"]).ok();
    a.check(State::Ended, &Expect { runs: 2..=2, ..Expect::default() });
    assert!(namespace.get("persistentvolumeclaim", "shared").is_some(), "a claim that is not the release's");
    let objects = "deployments,services,configmaps,pods,roles,rolebindings,serviceaccounts";
    let left = namespace.names(objects, "flink.kubectl/release=a");
    assert!(left.is_empty(), "left behind: {left:?}");

    assert_eq!(b.read().runs.len(), 1, "b did not notice");
    let job_manager =
        namespace.names("pods", "flink.kubectl/release=b,app.kubernetes.io/component=jobmanager");
    namespace.kubectl(["delete", "--grace-period=0", "--force", "--wait=false", &job_manager[0]]).ok();
    wait_for("b's next run", || (b.read().runs.len() > 1).then_some(()));
    b.await_committed(40);
    b.await_caught_up();
    let repeated: u64 = b.read().judge(State::Running).repeated_emitted.values().sum();
    wait_for("all tasks of b", || {
        let status = namespace.flink(["status", "b", "-o", "json"]).json();
        let job = &status["jobs"][0];
        (job["totalTasks"].as_u64() > Some(0) && job["runningTasks"] == job["totalTasks"]).then_some(())
    });
    namespace.flink(["uninstall", "b", "--with-savepoint"]).ok();
    let expected = Expect { repeated_emitted: repeated..=repeated, runs: 2..=3, ..Expect::default() };
    b.check(State::Ended, &expected);
    // Purging one release deletes nothing that is not its own.
    namespace.flink(["uninstall", "a", "--purge", "--yes"]).ok();
    assert!(
        namespace.get("persistentvolumeclaim", "shared").is_some(),
        "purged: a claim that is not the release's"
    );
}
