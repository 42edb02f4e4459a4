//! Deleting what a release owns, and waiting until it is gone; what a release owns.

use super::call::Call;
use super::discovery::Resource;
use super::objects::Selection;
use super::owner::{RELEASE_LABEL, finalizers, label, owner};
use super::readiness::OwnedKind;
use super::{Cluster, ClusterError};
use crate::render::{Object, ObjectKey};
use futures::StreamExt;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::Instant;

const AT_ONCE: usize = 12;
/// Between two looks whether something is gone.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// What became of an object that was to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Removal {
    /// The server accepted its deletion.
    Deleted,
    Absent,
    /// It belongs to another client and was left alone.
    Foreign {
        /// Whose it is, where its labels say so.
        owner: Option<String>,
    },
}

/// Kinds whose Pods must be gone before they are.
fn runs_pods(kind: &str) -> bool {
    matches!(kind, "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet" | "Job")
}

/// Deletes objects of a release, concurrently. One that is not the release's is left alone; all are
/// tried, and every error is returned with its object.
pub async fn delete(
    cluster: &Cluster,
    namespace: &str,
    release: &str,
    keys: &[ObjectKey],
    progress: &mut (dyn FnMut(&ObjectKey, &Removal) + Send),
) -> Result<(), Vec<(ObjectKey, ClusterError)>> {
    let mut errors = Vec::new();
    let mut results = futures::stream::iter(
        keys.iter().map(|key| async move { (key, delete_one(cluster, namespace, release, key).await) }),
    )
    .buffer_unordered(AT_ONCE);
    while let Some((key, result)) = results.next().await {
        match result {
            Ok(removal) => progress(key, &removal),
            Err(error) => errors.push((key.clone(), error)),
        }
    }
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

async fn delete_one(
    cluster: &Cluster,
    namespace: &str,
    release: &str,
    key: &ObjectKey,
) -> Result<Removal, ClusterError> {
    let resource = match cluster.resource(key).await {
        // Where the kind is gone its objects are too.
        Err(ClusterError::UnknownKind { .. }) => return Ok(Removal::Absent),
        resource => resource?,
    };
    let namespace = key.namespace.as_deref().unwrap_or(namespace);
    let Some(live) = cluster.get(&resource, namespace, &key.name).await? else {
        return Ok(Removal::Absent);
    };
    if label(&live, RELEASE_LABEL) != Some(release) {
        return Ok(Removal::Foreign { owner: owner(&live) });
    }
    delete_live(cluster, &resource, namespace, &key.kind, &live).await
}

/// Deletes exactly the object that was read: one of the same name made since has another uid.
async fn delete_live(
    cluster: &Cluster,
    resource: &Resource,
    namespace: &str,
    kind: &str,
    live: &Value,
) -> Result<Removal, ClusterError> {
    let text = |pointer| live.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let policy = if runs_pods(kind) { "Foreground" } else { "Background" };
    let options = json!({
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "propagationPolicy": policy,
        "preconditions": {"uid": text("/metadata/uid")},
    });
    let path = resource.object(namespace, text("/metadata/name"))?;
    match cluster.call(Call::delete(path, &options)).await {
        Ok(_) => Ok(Removal::Deleted),
        Err(error) if error.is_not_found() || error.is_conflict() => Ok(Removal::Absent),
        Err(error) => Err(error),
    }
}

/// Deletes the objects of a kind that a selector names (Flink's HA `ConfigMaps`) and says which
/// there were.
pub async fn delete_by_selector(
    cluster: &Cluster,
    namespace: &str,
    resource: &Resource,
    selector: &str,
) -> Result<Vec<String>, ClusterError> {
    if selector.trim().is_empty() {
        return Ok(Vec::new());
    }
    let selection = Selection { labels: selector, metadata_only: true, ..Selection::default() };
    let found = cluster.list(resource, Some(namespace), &selection).await?;
    let mut names = Vec::new();
    for live in &found {
        delete_live(cluster, resource, namespace, "", live).await?;
        names.extend(live.pointer("/metadata/name").and_then(Value::as_str).map(str::to_owned));
    }
    Ok(names)
}

/// Waits until none of the objects is left; a workload is gone when its Pods are.
pub async fn wait_gone(
    cluster: &Cluster,
    namespace: &str,
    keys: &[ObjectKey],
    within: Duration,
) -> Result<(), ClusterError> {
    let end = Instant::now() + within;
    for key in keys {
        let resource = match cluster.resource(key).await {
            Err(ClusterError::UnknownKind { .. }) => continue,
            resource => resource?,
        };
        let namespace = key.namespace.as_deref().unwrap_or(namespace);
        while let Some(live) = cluster.get(&resource, namespace, &key.name).await? {
            if Instant::now() >= end {
                let finalizers = finalizers(&live);
                return Err(ClusterError::StillThere { object: key.to_string(), after: within, finalizers });
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
    Ok(())
}

/// What a release owns in its namespace.
#[derive(Clone, Debug, Default)]
pub struct Owned {
    /// The live objects; their `source` is empty.
    pub objects: Vec<Object>,
    /// Kinds that the caller may not list: there may be more.
    pub unread: Vec<String>,
}

/// Lists the live objects of a release, by label, of these kinds; but for those that another object
/// controls.
pub async fn list_owned(
    cluster: &Cluster,
    namespace: &str,
    release: &str,
    kinds: &[OwnedKind],
) -> Result<Owned, ClusterError> {
    let selector = format!("{RELEASE_LABEL}={release}");
    let lists =
        futures::stream::iter(kinds.iter().map(|&OwnedKind { api_version, kind, plural, .. }| {
            let selector = &selector;
            async move {
                let selection = Selection { labels: selector, ..Selection::default() };
                let found =
                    cluster.list(&Resource::known(api_version, plural), Some(namespace), &selection).await;
                (api_version, kind, found)
            }
        }))
        .buffered(AT_ONCE)
        .collect::<Vec<_>>()
        .await;
    let mut owned = Owned::default();
    for (api_version, kind, found) in lists {
        match found {
            Ok(items) => {
                let items = items.into_iter().filter(|item| !is_controlled(item));
                owned.objects.extend(items.map(|item| typed(item, api_version, kind)));
            }
            Err(error) if error.is_forbidden() => owned.unread.push(kind.to_owned()),
            // The server does not serve it.
            Err(error) if error.is_not_found() => (),
            Err(error) => return Err(error),
        }
    }
    Ok(owned)
}

/// Returns whether an object is another one's, as the `ReplicaSet` of a Deployment is: it has its
/// labels from there, and comes and goes with it.
fn is_controlled(item: &Value) -> bool {
    let owners = item.pointer("/metadata/ownerReferences").and_then(Value::as_array);
    owners.into_iter().flatten().any(|owner| owner.get("controller").and_then(Value::as_bool) == Some(true))
}

/// Items of a list carry neither `apiVersion` nor `kind`.
fn typed(mut item: Value, api_version: &str, kind: &str) -> Object {
    if let Some(item) = item.as_object_mut() {
        item.insert("apiVersion".to_owned(), api_version.into());
        item.insert("kind".to_owned(), kind.into());
    }
    Object { source: String::new(), value: item }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::readiness::Ready;
    use super::super::testing::{Reply, cluster};
    use super::*;

    const KIND: OwnedKind =
        OwnedKind { api_version: "apps/v1", kind: "ReplicaSet", plural: "replicasets", ready: Ready::ByKind };

    /// Expected: the `ReplicaSet` of a Deployment has the labels of its Pods, and is not the
    /// release's.
    #[tokio::test]
    async fn what_another_object_controls_is_not_the_releases_own() {
        let owned_by =
            |controller: bool| json!([{"kind": "Deployment", "name": "d", "controller": controller}]);
        let object = move |name: &str, owners| json!({"metadata": {"name": name, "ownerReferences": owners}});
        let (cluster, _) = cluster(move |_| {
            let all =
                [object("d-1", owned_by(true)), object("kept", owned_by(false)), object("own", json!([]))];
            Reply::json(200, &json!({ "items": all }))
        });
        let owned = list_owned(&cluster, "team", "demo", &[KIND]).await.unwrap();
        let names: Vec<_> = owned.objects.iter().map(|object| object.key().name).collect();
        assert_eq!(names, ["kept", "own"]);
    }
}
