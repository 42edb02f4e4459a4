//! What is wrong is refused with place and reason before anything changes: no record, no object, no
//! lock is left.

use std::path::Path;
use std::process::Command;

use crate::support::{Namespace, Run, flink, kubectl, program, run, wait_for};

/// An image that nobody has: what is installed makes Pods that never start, and no machine is kept
/// busy.
const NO_IMAGE: &[&str] = &["--set", "image.repository=localhost/nothing,image.tag=2.3.0", "--no-wait"];

/// Everything in a namespace that an operation could have made.
#[track_caller]
fn contents(namespace: &Namespace) -> Vec<String> {
    let kinds = "secrets,configmaps,services,deployments,pvc,serviceaccounts,roles";
    let listed = namespace.kubectl(["get", kinds, "-o", "name"]).ok();
    // What Kubernetes puts into every namespace by itself, sooner or later.
    let own = ["configmap/kube-root-ca.crt", "serviceaccount/default"];
    let mut names: Vec<String> =
        listed.stdout.lines().filter(|line| !own.contains(line)).map(str::to_owned).collect();
    names.sort();
    names
}

/// Refused with exit code 3 and these words; nothing is in the namespace afterwards.
#[track_caller]
fn refused(namespace: &Namespace, args: &[&str], words: &[&str]) -> Run {
    let mut refusal = namespace.flink(args).exits(3);
    for word in words {
        refusal = refusal.says(word);
    }
    assert!(refusal.stdout.is_empty(), "a refusal is talk: {refusal}");
    assert_eq!(contents(namespace), [""; 0], "left behind by: {refusal}");
    refusal
}

/// A copy of the package `flink` with one file changed.
fn changed_package(file: &str, from: &str, to: &str) -> tempfile::TempDir {
    fn copy(from: &Path, to: &Path) {
        fs_err::create_dir_all(to).unwrap();
        for entry in fs_err::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            let target = to.join(entry.file_name());
            if entry.path().is_dir() {
                copy(&entry.path(), &target);
            } else {
                fs_err::copy(entry.path(), target).unwrap();
            }
        }
    }
    let place = tempfile::tempdir().unwrap();
    let root = place.path().join("flink");
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("packages/flink"), &root);
    let text = fs_err::read_to_string(root.join(file)).unwrap();
    assert!(text.contains(from), "{file} has no {from:?}");
    fs_err::write(root.join(file), text.replacen(from, to, 1)).unwrap();
    place
}

#[test]
fn what_needs_no_cluster_to_be_seen_is_refused_without_one() {
    let offline = |args: &[&str]| run(program().args(args).env("KUBECONFIG", "/nowhere/config"));
    for (args, words) in [
        (
            &["--set", "taskManager.replicaCount=two"][..],
            "taskManager.replicaCount: expected an integer, found a string",
        ),
        (&["--set", "image.tg=1"], "image.tg: unknown key; did you mean `image.tag`?"),
        (&["--set", "taskmanager.slots=1"], "did you mean `taskManager`?"),
        (&["--layout", "sesion"], "the package flink has no layout `sesion`; it has: job, session"),
        (&["--version", ">=9"], "9"),
        (&["-f", "/nowhere/values.yaml"], "/nowhere/values.yaml: cannot be read"),
    ] {
        let run = offline(&[&["install", "demo", "flink"], args].concat()).exits(3).says(words);
        assert!(run.stdout.is_empty(), "{run}");
    }
    offline(&["install", "demo", "flink", "--set", "image"]).exits(2).says("write `image=VALUE`");
    for (name, words) in [
        ("Demo", "'D' is not a lower-case letter, a digit or '-'"),
        ("1demo", "it must begin with a letter"),
        ("demo-", "it must not end with '-'"),
        ("a-name-that-is-longer-than-forty-characters", "at most 40 are allowed"),
    ] {
        offline(&["install", name, "flink"]).exits(2).says(&format!("bad release name {name:?}")).says(words);
    }
    offline(&["install", "demo", "flnk"]).exits(3).says("did you mean `flink`?");
    offline(&["install", "demo", "./nowhere"]).exits(3).says("there is no package at ./nowhere");
    // Every wrong value at once, not one after the other.
    let both = offline(&["install", "demo", "flink", "--set", "image.tg=1,parallelism=many"]).exits(3);
    both.says("image.tg: unknown key").says("parallelism: expected an integer");
    // A password in the wrong place is not repeated.
    let secret = offline(&["install", "demo", "flink", "--set", "taskManager.slots=hunter2"]).exits(3);
    secret.says("taskManager.slots").never_says("hunter2");
}

#[test]
fn a_values_file_that_is_no_yaml_names_its_line() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("values.yaml");
    fs_err::write(&file, "taskManager:\n  slots: [1\nimage: x\n").unwrap();
    let file = file.to_str().unwrap();
    let refusal = flink(["template", "demo", "flink", "-f", file]).exits(3);
    assert!(
        refusal.stderr.contains(&format!("{file}:3:")) || refusal.stderr.contains(&format!("{file}:2:")),
        "{refusal}"
    );
}

#[test]
fn a_template_error_names_file_line_and_column_and_shows_the_line() {
    let file = "layouts/session/rest-service.yaml";
    let at = |package: &tempfile::TempDir| package.path().join("flink").to_str().unwrap().to_owned();
    let text =
        fs_err::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("packages/flink").join(file))
            .unwrap();
    let first = text.lines().next().unwrap();

    let unknown = changed_package(file, first, &format!("# {{{{ values.nothing.here }}}}\n{first}"));
    let refusal = flink(["template", "demo", &at(&unknown)]).exits(3).says(&format!("{file}:1:6: "));
    refusal.says("1 | # {{ values.nothing.here }}").says("^^^^");

    let syntax = changed_package(file, first, &format!("{first}\n{{% if %}}"));
    flink(["template", "demo", &at(&syntax)]).exits(3).says(&format!("{file}:2:"));

    let filter = changed_package(file, first, &format!("# {{{{ values.image.tag | no_such }}}}\n{first}"));
    flink(["template", "demo", &at(&filter)]).exits(3).says(&format!("{file}:1:")).says("no_such");

    let yaml = changed_package(file, first, &format!("a: [1\n{first}"));
    flink(["template", "demo", &at(&yaml)]).exits(3).says(file).says("not YAML");
}

#[test]
fn a_cluster_that_cannot_be_reached_is_exit_code_4() {
    let place = tempfile::tempdir().unwrap();
    let kubeconfig = place.path().join("config");
    let text = "apiVersion: v1\nkind: Config\ncurrent-context: away\n\
        clusters: [{name: away, cluster: {server: 'https://127.0.0.1:1'}}]\n\
        users: [{name: away, user: {}}]\ncontexts: [{name: away, context: {cluster: away, user: away}}]\n";
    fs_err::write(&kubeconfig, text).unwrap();
    let away = kubeconfig.to_str().unwrap();
    for args in [
        &["install", "demo", "flink"][..],
        &["upgrade", "demo"],
        &["rollback", "demo"],
        &["uninstall", "demo"],
        &["list"],
        &["status", "demo"],
        &["history", "demo"],
        &["job", "list", "demo"],
    ] {
        let refusal = flink([&["--kubeconfig", away], args].concat()).exits(4);
        refusal.says("https://127.0.0.1:1 cannot be reached: ").never_says("panicked");
    }
    let unknown = flink(["--kubeconfig", away, "--context", "home", "list"]).exits(2);
    unknown.says("the kubeconfig has no context \"home\"; it has: away");
}

#[test]
fn a_namespace_that_does_not_exist_is_named_with_what_to_type() {
    if !crate::support::has_cluster("a namespace that does not exist") {
        return;
    }
    let refusal = flink(["install", "demo", "flink", "-n", "not-there"]).exits(3);
    let refusal =
        refusal.says("namespace \"not-there\" does not exist").says("kubectl create namespace not-there");
    refusal.says("--create-namespace");
    assert_ne!(kubectl(["get", "namespace", "not-there"]).code, 0);
    // A plan of it makes none either.
    let dry = ["install", "demo", "flink", "-n", "not-there", "--create-namespace", "--dry-run"];
    flink(dry).ok().prints("Plan: install demo (revision 1)");
    assert_ne!(kubectl(["get", "namespace", "not-there"]).code, 0);
}

#[test]
fn what_the_cluster_refuses_leaves_nothing() {
    let namespace = crate::cluster!("bad-input");
    let install = ["install", "demo", "flink"];
    // What only the API server knows: the dry run shows it.
    refused(
        &namespace,
        &[&install[..], &["--set", "tolerations[0].key=a,tolerations[0].operator=Maybe"]].concat(),
        &["Deployment/demo-g1-", "Maybe"],
    );
    refused(&namespace, &[&install[..], &["--layout", "job"]].concat(), &["job.jar is empty"]);
    let volatile = ["--layout", "job", "--set", "job.jar=local:///a.jar,storage.type=none"];
    refused(&namespace, &[&install[..], &volatile].concat(), &["--accept-volatile"]);
    refused(&namespace, &[&install[..], &["--from-savepoint", "recorded"]].concat(), &["no savepoint"]);
    refused(
        &namespace,
        &["upgrade", "demo"],
        &["release \"demo\" not found", &format!("kubectl flink -n {} install demo", namespace.name)],
    );
    refused(&namespace, &["rollback", "demo"], &["release \"demo\" not found"]);
    refused(&namespace, &["uninstall", "demo", "--stateless"], &["release \"demo\" not found"]);
    refused(&namespace, &["savepoint", "trigger", "demo"], &["release \"demo\" not found"]);
    // A plan changes nothing.
    let plan = namespace.flink([&install[..], &["--dry-run"]].concat()).ok();
    plan.prints("Plan: install demo (revision 1)");
    assert_eq!(contents(&namespace), [""; 0]);
}

#[test]
fn missing_rights_are_named_before_anything_changes() {
    let namespace = crate::cluster!("no-rights");
    let user = format!("viewer-{}", namespace.name);
    namespace.kubectl(["create", "rolebinding", "view", "--clusterrole=view", "--user", &user]).ok();
    let may =
        |verb: &str, what: &str| namespace.kubectl(["auth", "can-i", verb, what, "--as", &user]).code == 0;
    wait_for("the binding is known", || may("list", "pods").then_some(()));
    for verb in ["install", "upgrade"] {
        let words =
            ["create secrets", "patch deployments.apps", namespace.name.as_str(), "`edit` or `admin`"];
        refused(&namespace, &[verb, "demo", "flink", "--as", &user], &words);
    }
    refused(&namespace, &["uninstall", "demo", "--as", &user], &["delete secrets"]);
    let list = namespace.flink(["list", "--as", &user]).exits(3);
    list.says("secrets");
}

#[test]
fn what_belongs_to_somebody_else_is_not_touched_unless_asked() {
    let namespace = crate::cluster!("foreign");
    namespace.kubectl(["create", "service", "clusterip", "demo-rest", "--tcp=9999"]).ok();
    let before = namespace.get("service", "demo-rest").unwrap();
    let install = [&["install", "demo", "flink"], NO_IMAGE].concat();
    let refusal = namespace.flink(&install).exits(3);
    refusal
        .says("Service/demo-rest exists in namespace")
        .says("was made by another client")
        .says("--take-ownership");
    assert_eq!(contents(&namespace), ["service/demo-rest"]);
    assert_eq!(namespace.get("service", "demo-rest").unwrap()["spec"], before["spec"]);

    let take = [&install[..], &["--take-ownership", "--force-conflicts"]].concat();
    namespace.flink(&take).ok();
    let taken = namespace.get("service", "demo-rest").unwrap();
    assert_eq!(taken["metadata"]["labels"]["flink.kubectl/release"], "demo");
    // Another release does not take it by accident: it says whose it is.
    let label = ["label", "service", "demo-rest", "flink.kubectl/release=other", "--overwrite"];
    namespace.kubectl(label).ok();
    let upgrade = ["upgrade", "demo", "--set", "taskManager.memory=1g", "--no-wait"];
    namespace.flink(upgrade).exits(3).says("Service/demo-rest").says("release other");
    assert_eq!(namespace.history("demo"), [(1, "deployed".to_owned())]);
}

#[test]
fn a_field_of_another_manager_is_named_and_taken_only_when_asked() {
    let namespace = crate::cluster!("conflict");
    namespace.flink([&["install", "demo", "flink"], NO_IMAGE].concat()).ok();
    let patch = ["patch", "service", "demo-rest", "-p", r#"{"spec": {"type": "NodePort"}}"#];
    namespace.kubectl(patch).ok();
    let upgrade = ["upgrade", "demo", "--set", "taskManager.memory=1g", "--no-wait"];
    let refusal = namespace.flink(upgrade).exits(3);
    let refusal = refusal.says("Service/demo-rest: fields are managed by kubectl-patch").says(".spec.type");
    refusal.says("--force-conflicts");
    assert_eq!(namespace.history("demo"), [(1, "deployed".to_owned())]);
    let kind = || namespace.get("service", "demo-rest").unwrap()["spec"]["type"].clone();
    assert_eq!(kind(), "NodePort");
    assert_eq!(namespace.names("deployments", "flink.kubectl/generation=1").len(), 2);
    namespace.flink([&upgrade[..], &["--force-conflicts"]].concat()).ok();
    assert_eq!(kind(), "ClusterIP");
}

/// Expected: a namespace that `--create-namespace` has made goes again where the lock cannot be
/// had, and no other one does.
#[test]
fn a_namespace_that_was_made_for_nothing_goes() {
    let namespace = crate::cluster!("made");
    let (user, role) = (format!("maker-{}", namespace.name), format!("makes-namespaces-{}", namespace.name));
    let verbs = "--verb=get,create,delete";
    kubectl(["create", "clusterrole", &role, verbs, "--resource=namespaces"]).ok();
    kubectl([
        "create",
        "clusterrolebinding",
        &role,
        &format!("--clusterrole={role}"),
        &format!("--user={user}"),
    ])
    .ok();
    let may = || {
        run(Command::new("kubectl").args(["auth", "can-i", "delete", "namespaces", "--as", &user])).code == 0
    };
    wait_for("the binding is known", || may().then_some(()));
    let made = format!("{}-made", namespace.name);
    let install = ["-n", &made, "install", "demo", "flink", "--create-namespace", "--as", &user];
    let refused = flink([&install[..], NO_IMAGE].concat()).exits(3);
    refused.says("secrets");
    wait_for("the namespace to go", || {
        kubectl(["get", "namespace", &made, "--ignore-not-found", "-o", "name"])
            .stdout
            .is_empty()
            .then_some(())
    });
    kubectl(["delete", "clusterrole,clusterrolebinding", &role]).ok();
}
