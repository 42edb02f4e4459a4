//! The roles that Kubernetes gives a namespace's people are enough: `admin`, and `edit` with an
//! account made beforehand.

use serde_json::json;

use crate::cluster;
use crate::support::tally::{Expect, State};
use crate::support::{IMAGE, JAR, Namespace, Run, kubectl, wait_for};

/// Gives a user of that name a role of the namespace, and waits until the API server knows.
fn user(namespace: &Namespace, role: &str) -> String {
    let user = format!("{role}-{}", namespace.name);
    namespace.kubectl(["create", "rolebinding", &user, "--clusterrole", role, "--user", &user]).ok();
    wait_for("the binding", || {
        let asked = ["auth", "can-i", "create", "deployments", "-n", &namespace.name, "--as", &user];
        (kubectl(asked).code == 0).then_some(())
    });
    user
}

/// A release's life as that user. Expected: one move with a savepoint loses and repeats nothing.
fn life(namespace: &Namespace, role: &str, set: &[&str]) {
    let user = user(namespace, role);
    let flink = |args: &[&str]| -> Run { namespace.flink([&["--as", &user], args].concat()) };
    let jar = format!("job.name=counter,job.jar={JAR}");
    let install = ["install", role, "flink", "--layout", "job", "--set", &jar];
    flink(&[install.as_slice(), IMAGE, set].concat()).ok();
    let tally = namespace.tally(&format!("{role}-storage"));
    tally.await_committed(40);
    flink(&["upgrade", role, "--set", "taskManager.memory=1100m", "--with-savepoint"]).ok();
    tally.await_committed(40);
    flink(&["list"]).ok().prints(role);
    flink(&["status", role]).ok().prints("JOB:        counter RUNNING");
    flink(&["logs", role, "--tail", "1"]).ok();
    flink(&["uninstall", role, "--with-savepoint"]).ok();
    tally.check(State::Ended, &Expect { runs: 2..=2, ..Expect::default() });
    flink(&["uninstall", role, "--purge", "--yes"]).ok();
}

#[test]
fn the_role_admin_is_enough() {
    life(&cluster!("admin", tally), "admin", &[]);
}

#[test]
fn the_role_edit_is_enough_with_an_account_made_beforehand() {
    let namespace = cluster!("edit", tally);
    namespace.kubectl(["create", "serviceaccount", "flink"]).ok();
    let verbs = ["get", "list", "watch", "create", "update", "patch", "delete"];
    namespace.apply(&json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "flink", "namespace": namespace.name},
        "rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": verbs}],
    }));
    let account = format!("{}:flink", namespace.name);
    namespace
        .kubectl(["create", "rolebinding", "flink", "--role", "flink", "--serviceaccount", &account])
        .ok();
    // `serviceAccount.create` stays true by habit: with rbac.create=false and a name, one that
    // exists is meant.
    life(&namespace, "edit", &["--set", "rbac.create=false,serviceAccount.name=flink"]);
}
