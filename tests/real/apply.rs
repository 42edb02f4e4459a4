//! Server-side apply: phases, owners, conflicts, dry runs.

use super::support::{self, config_map, object};
use kubectl_flink::cluster::Cluster;
use kubectl_flink::cluster::apply::{ApplyError, ApplyErrors, ApplyOptions, Outcome, apply};
use kubectl_flink::cluster::call::Call;
use kubectl_flink::cluster::delete::{Removal, delete, list_owned, wait_gone};
use kubectl_flink::layout::control::owned_kinds;
use kubectl_flink::render::{Object, ObjectKey};
use serde_json::{Value, json};
use std::time::Duration;

pub fn options(namespace: &str) -> ApplyOptions {
    ApplyOptions {
        namespace: namespace.to_owned(),
        release: "demo".to_owned(),
        dry_run: false,
        force_conflicts: false,
        take_ownership: false,
    }
}

pub async fn run(
    cluster: &Cluster,
    objects: &[Object],
    options: &ApplyOptions,
) -> (Vec<(ObjectKey, Outcome)>, Result<(), ApplyErrors>) {
    let mut seen = Vec::new();
    let result = apply(cluster, objects, options, &mut |key, outcome| {
        seen.push((key.clone(), outcome));
    })
    .await;
    (seen, result)
}

fn deployment(replicas: u32) -> Object {
    object(json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"a": "b"}},
            "template": {
                "metadata": {"labels": {"a": "b"}},
                "spec": {"containers": [{"name": "c", "image": "localhost/pause:1"}]},
            },
        },
    }))
}

pub fn accounts() -> Vec<Object> {
    let rbac = "rbac.authorization.k8s.io/v1";
    vec![
        object(json!({"apiVersion": rbac, "kind": "RoleBinding", "metadata": {"name": "r"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"},
            "subjects": [{"kind": "ServiceAccount", "name": "r"}]})),
        object(json!({"apiVersion": rbac, "kind": "Role", "metadata": {"name": "r"},
            "rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}]})),
        object(json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "r"}})),
    ]
}

#[tokio::test]
async fn twenty_objects_are_created_found_unchanged_and_changed() {
    let Some((cluster, namespace)) = support::namespace("apply").await else {
        return;
    };
    let mut objects: Vec<_> = (0..16).map(|number| config_map(&format!("c{number}"), "one")).collect();
    objects.push(deployment(0));
    objects.extend(accounts());
    let options = options(&namespace);
    let dry = ApplyOptions { dry_run: true, ..options.clone() };

    let (seen, result) = run(&cluster, &objects, &dry).await;
    result.unwrap();
    assert!(seen.len() == 20 && seen.iter().all(|(_, outcome)| *outcome == Outcome::Created), "{seen:?}");
    assert!(list_owned(&cluster, &namespace, "demo", &owned_kinds()).await.unwrap().objects.is_empty());

    let (seen, result) = run(&cluster, &objects, &options).await;
    result.unwrap();
    assert!(seen.len() == 20 && seen.iter().all(|(_, outcome)| *outcome == Outcome::Created), "{seen:?}");
    let position = |kind: &str| seen.iter().position(|(key, _)| key.kind == kind).unwrap();
    assert!(position("Role") < position("RoleBinding") && position("ConfigMap") < position("Deployment"));

    for options in [&dry, &options] {
        let (seen, result) = run(&cluster, &objects, options).await;
        result.unwrap();
        assert!(seen.iter().all(|(_, outcome)| *outcome == Outcome::Unchanged), "{seen:?}");
    }
    objects[3] = config_map("c3", "two");
    for options in [&dry, &options] {
        let (seen, result) = run(&cluster, &objects, options).await;
        result.unwrap();
        let changed: Vec<_> = seen.iter().filter(|(_, outcome)| *outcome == Outcome::Configured).collect();
        assert!(changed.len() == 1 && changed[0].0.name == "c3", "{seen:?}");
    }

    let owned = list_owned(&cluster, &namespace, "demo", &owned_kinds()).await.unwrap();
    assert_eq!((owned.objects.len(), owned.unread.len()), (20, 0));
    let keys: Vec<_> = owned.objects.iter().map(Object::key).collect();
    delete(&cluster, &namespace, "demo", &keys, &mut |_, removal| {
        assert_eq!(*removal, Removal::Deleted);
    })
    .await
    .unwrap();
    wait_gone(&cluster, &namespace, &keys, Duration::from_mins(1)).await.unwrap();
    assert!(list_owned(&cluster, &namespace, "demo", &owned_kinds()).await.unwrap().objects.is_empty());
    support::remove(&cluster, &namespace).await;
}

#[tokio::test]
async fn a_strangers_object_stops_everything_before_the_first_change() {
    let Some((cluster, namespace)) = support::namespace("foreign").await else {
        return;
    };
    let path = format!("/api/v1/namespaces/{namespace}/configmaps");
    let theirs = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "b", "labels": {"app.kubernetes.io/managed-by": "Helm"}}});
    cluster.call(Call::create(path, &theirs)).await.unwrap();
    let objects = [config_map("a", "x"), config_map("b", "x")];
    let mut options = options(&namespace);
    let (seen, result) = run(&cluster, &objects, &options).await;
    assert!(seen.is_empty());
    assert_eq!(
        result.unwrap_err().to_string(),
        format!(
            "ConfigMap/b exists in namespace {namespace} and belongs to Helm; --take-ownership takes it over"
        )
    );
    let key = objects[1].key();
    delete(&cluster, &namespace, "demo", std::slice::from_ref(&key), &mut |_, removal| {
        assert_eq!(*removal, Removal::Foreign { owner: Some("Helm".to_owned()) });
    })
    .await
    .unwrap();
    options.take_ownership = true;
    let (seen, result) = run(&cluster, &objects, &options).await;
    result.unwrap();
    assert_eq!(seen.len(), 2);
    support::remove(&cluster, &namespace).await;
}

#[tokio::test]
async fn an_object_on_its_way_out_is_not_applied_to() {
    let Some((cluster, namespace)) = support::namespace("going").await else { return };
    let options = options(&namespace);
    let object = config_map("a", "x");
    run(&cluster, std::slice::from_ref(&object), &options).await.1.unwrap();
    let path = format!("/api/v1/namespaces/{namespace}/configmaps/a");
    let hold = |all: Value| Call::merge_patch(&path, &json!({"metadata": {"finalizers": all}}));
    cluster.call(hold(json!(["test.flink.kubectl/hold"]))).await.unwrap();
    cluster.call(Call::delete(&path, &json!({}))).await.unwrap();
    let (_, result) = run(&cluster, std::slice::from_ref(&object), &options).await;
    let expected = "ConfigMap/a is being deleted; try again when it is gone (held by the finalizer test.flink.kubectl/hold)";
    assert_eq!(result.unwrap_err().to_string(), expected);
    let waited = wait_gone(&cluster, &namespace, &[object.key()], Duration::from_secs(1)).await.unwrap_err();
    let expected = "ConfigMap/a is still there after 1 s: held by the finalizer test.flink.kubectl/hold";
    assert_eq!(waited.to_string(), expected);
    cluster.call(hold(Value::Null)).await.unwrap();
    wait_gone(&cluster, &namespace, &[object.key()], Duration::from_secs(30)).await.unwrap();
    run(&cluster, &[object], &options).await.1.unwrap();
    support::remove(&cluster, &namespace).await;
}

#[tokio::test]
async fn a_conflict_names_manager_and_field_and_can_be_forced() {
    let Some((cluster, namespace)) = support::namespace("conflict").await else {
        return;
    };
    let mut options = options(&namespace);
    run(&cluster, &[deployment(0)], &options).await.1.unwrap();
    let scale = format!("/apis/apps/v1/namespaces/{namespace}/deployments/d/scale?fieldManager=kubectl");
    cluster.call(Call::merge_patch(scale, &json!({"spec": {"replicas": 1}}))).await.unwrap();
    let (_, result) = run(&cluster, &[deployment(0)], &options).await;
    let error = result.unwrap_err();
    assert!(matches!(error.errors[0], ApplyError::Conflict { .. }));
    assert_eq!(
        error.to_string(),
        "Deployment/d: fields are managed by kubectl (.spec.replicas); --force-conflicts takes them over"
    );
    options.force_conflicts = true;
    run(&cluster, &[deployment(0)], &options).await.1.unwrap();
    let live: Value = cluster.read(&namespace, &deployment(0).key()).await.unwrap().unwrap();
    assert_eq!(live["spec"]["replicas"], 0);
    support::remove(&cluster, &namespace).await;
}

#[tokio::test]
async fn what_the_server_would_refuse_is_known_before_anything_changes() {
    let Some((cluster, namespace)) = support::namespace("refused").await else {
        return;
    };
    let dry = ApplyOptions { dry_run: true, ..options(&namespace) };
    let mut typo = deployment(1);
    typo.value["spec"]["replica"] = json!(1);
    let mut wrong = config_map("b", "x");
    wrong.value["metadata"]["name"] = json!("UPPER");
    let (_, result) = run(&cluster, &[config_map("a", "x"), typo, wrong], &dry).await;
    let text = result.unwrap_err().to_string();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 2, "{text}");
    assert!(lines[0].starts_with("Deployment/d: ") && lines[0].contains("replica"), "{text}");
    assert!(lines[1].starts_with("ConfigMap/UPPER: metadata.name: Invalid value"), "{text}");

    let unknown =
        object(json!({"apiVersion": "flink.apache.org/v1", "kind": "Nothing", "metadata": {"name": "n"}}));
    let (_, result) = run(&cluster, &[unknown], &dry).await;
    assert!(
        result.unwrap_err().to_string().starts_with("Nothing/n: the cluster does not know the kind Nothing")
    );
    support::remove(&cluster, &namespace).await;
}
