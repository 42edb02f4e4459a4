//! A namespace of its own for each test.

use kubectl_flink::cluster::call::Call;
use kubectl_flink::cluster::{Cluster, ConnectOptions, Right};
use kubectl_flink::render::Object;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// A connection and a fresh namespace; `None` where no test cluster is given.
pub async fn namespace(name: &str) -> Option<(Cluster, String)> {
    if !crate::support::has_cluster(name) {
        return None;
    }
    let cluster = Cluster::connect(&ConnectOptions::default()).await.unwrap();
    let unique = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
    let namespace = format!("t-{name}-{unique}");
    assert!(cluster.create_namespace(&namespace).await.unwrap().is_some());
    Some((cluster, namespace))
}

/// Removes a namespace; what is in it goes with it.
pub async fn remove(cluster: &Cluster, namespace: &str) {
    cluster.call(Call::delete(format!("/api/v1/namespaces/{namespace}"), &json!({}))).await.unwrap();
}

/// An object of release `demo`.
pub fn object(mut value: Value) -> Object {
    value["metadata"]["labels"]["flink.kubectl/release"] = json!("demo");
    Object { source: "test".to_owned(), value }
}

/// A `ConfigMap` of release `demo`.
pub fn config_map(name: &str, text: &str) -> Object {
    object(
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"key": text}}),
    )
}

/// The same cluster seen by a user who has the `ClusterRole` of that name in the namespace.
pub async fn as_user(cluster: &Cluster, namespace: &str, role: &str) -> Cluster {
    let user = format!("{role}-of-{namespace}");
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": role},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}],
    });
    let path = format!("/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/rolebindings");
    cluster.call(Call::create(path, &binding)).await.unwrap();
    let other =
        Cluster::connect(&ConnectOptions { as_user: Some(user), ..ConnectOptions::default() }).await.unwrap();
    // The API server's authorizer learns of the binding by a watch.
    let right = Right::new("list", "", "pods");
    until("the binding is known", async || {
        other.check_rights(namespace, std::slice::from_ref(&right)).await.unwrap().is_empty().then_some(())
    })
    .await;
    other
}

/// Asks again until there is an answer; fails after two minutes.
pub async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let end = Instant::now() + Duration::from_mins(2);
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < end, "not within two minutes: {what}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
