//! Is it ready, and if not, why not: one look, no loop. Who waits, and how long, is the caller's
//! business.
//!
//! Knows Kubernetes' own kinds that packages use. Of another kind the caller may have a rule, in
//! its table of [`OwnedKind`]s; else [`conditions`] judges. Flink's own readiness (slots, jobs) is
//! not seen here.

pub mod conditions;
mod pod;

use super::discovery::Resource;
use super::{Cluster, ClusterError, Selection};
use crate::render::{Object, ObjectKey};
use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, ReplicaSet, StatefulSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Event, PersistentVolumeClaim};
use serde_json::Value;

const AT_ONCE: usize = 12;

/// A kind of objects that a release may be made of: a row of its owner's table.
#[derive(Clone, Copy, Debug)]
pub struct OwnedKind {
    /// As `apps/v1`.
    pub api_version: &'static str,
    /// As `Deployment`.
    pub kind: &'static str,
    /// As `deployments`.
    pub plural: &'static str,
    pub ready: Ready,
}

impl OwnedKind {
    /// Returns whether an object is of this kind, of whichever version.
    fn is_of(&self, key: &ObjectKey) -> bool {
        (group(self.api_version), self.kind) == (group(&key.api_version), key.kind.as_str())
    }
}

/// When an object of a kind is ready.
#[derive(Clone, Copy, Debug)]
pub enum Ready {
    /// Kubernetes' own kinds by what each of them reports, all others by their [`conditions`].
    ByKind,
    /// By what its controller reports: the function returns what the live object waits for.
    Reported(fn(&Value) -> Option<Waiting>),
}

/// An object that is not ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotReady {
    pub object: ObjectKey,
    /// What is awaited, in words for the user.
    pub reason: String,
    /// Set where waiting will not help soon.
    pub fatal: Option<Fatal>,
    /// There is no room for its Pods: they cannot be scheduled, or a quota refuses them. Waiting
    /// may help.
    pub no_room: bool,
    /// Of a workload: how many of its Pods are ready, and how many are wanted.
    pub pods: Option<(i32, i32)>,
    /// More than that it takes its time: the user may have to do something.
    pub trouble: Option<String>,
}

/// Why waiting will not help soon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fatal {
    /// The image cannot be pulled, or its name is wrong.
    Image,
    /// The container cannot be made: a key, Secret or `ConfigMap` that it names is missing.
    Config,
    /// The container ends again and again.
    CrashLoop,
    /// The container was killed for memory.
    OutOfMemory,
    /// The API server refuses the Pods.
    PodsRefused,
    /// The volume is lost.
    Volume,
    /// A Job has failed for good.
    JobFailed,
    /// Its controller says that it does not get on.
    Stalled,
    /// The object is not there.
    Missing,
}

/// What one object waits for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// In words for the user.
    reason: String,
    fatal: Option<Fatal>,
    no_room: bool,
    pods: Option<(i32, i32)>,
    trouble: Option<String>,
}

impl Waiting {
    /// For something that takes its time.
    pub fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), ..Self::default() }
    }

    /// For something that waiting will not help soon.
    pub fn fatal(reason: impl Into<String>, fatal: Fatal) -> Self {
        Self { fatal: Some(fatal), ..Self::trouble(reason) }
    }

    fn trouble(reason: impl Into<String>) -> Self {
        let reason = reason.into();
        Self { trouble: Some(reason.clone()), reason, ..Self::default() }
    }

    fn no_room(reason: impl Into<String>) -> Self {
        Self { no_room: true, ..Self::trouble(reason) }
    }

    fn of_pods(reason: impl Into<String>, ready: i32, wanted: i32) -> Self {
        Self { pods: Some((ready, wanted)), ..Self::new(reason) }
    }
}

/// Looks at all objects once and names those that are not ready, in the given order. What `kinds`
/// says of a kind goes before what is known here.
pub async fn not_ready(
    cluster: &Cluster,
    namespace: &str,
    objects: &[Object],
    kinds: &[OwnedKind],
) -> Result<Vec<NotReady>, ClusterError> {
    let looks: Vec<_> = futures::stream::iter(objects)
        .map(|object| async move {
            let key = object.key();
            let row = kinds.iter().find(|row| row.is_of(&key));
            let rule = row.map_or(Ready::ByKind, |row| row.ready);
            let waiting = look(cluster, namespace, &key, rule).await?;
            Ok::<_, ClusterError>(waiting.map(|waiting| NotReady {
                object: key,
                reason: waiting.reason,
                fatal: waiting.fatal,
                no_room: waiting.no_room,
                pods: waiting.pods,
                trouble: waiting.trouble,
            }))
        })
        .buffered(AT_ONCE)
        .try_collect()
        .await?;
    Ok(looks.into_iter().flatten().collect())
}

async fn look(
    cluster: &Cluster,
    namespace: &str,
    key: &ObjectKey,
    rule: Ready,
) -> Result<Option<Waiting>, ClusterError> {
    let namespace = key.namespace.as_deref().unwrap_or(namespace);
    let Some(live) = cluster.read(namespace, key).await? else {
        return Ok(Some(Waiting::fatal("does not exist", Fatal::Missing)));
    };
    if let Ready::Reported(waits) = rule {
        return Ok(waits(&live));
    }
    let selector = pod_selector(&live);
    let waiting = match (group(&key.api_version), key.kind.as_str()) {
        ("apps", "Deployment") => deployment_waits(&typed(key, live)?),
        ("apps", "StatefulSet") => stateful_set_waits(&typed(key, live)?),
        ("apps", "DaemonSet") => daemon_set_waits(&typed(key, live)?),
        ("apps", "ReplicaSet") => replica_set_waits(&typed(key, live)?),
        ("batch", "Job") => job_waits(&typed(key, live)?),
        ("", "Pod") => return pod::waits(cluster, namespace, &typed(key, live)?).await,
        ("", "PersistentVolumeClaim") => return claim(cluster, namespace, &typed(key, live)?).await,
        ("", "Service") => return Ok(service_waits(&live)),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => return Ok(definition_waits(&live)),
        _ => return Ok(conditions::waits(&live)),
    };
    match waiting {
        Some(waiting) => workload(cluster, namespace, &selector, waiting).await.map(Some),
        None => Ok(None),
    }
}

/// The group of an `apiVersion`; empty for the core.
fn group(api_version: &str) -> &str {
    api_version.rsplit_once('/').map_or("", |(group, _)| group)
}

fn deployment_waits(deployment: &Deployment) -> Option<Waiting> {
    let status = deployment.status.clone().unwrap_or_default();
    if status.observed_generation < deployment.metadata.generation {
        return Some(Waiting::new("its change was not seen yet"));
    }
    let refused = status
        .conditions
        .iter()
        .flatten()
        .find(|condition| condition.type_ == "ReplicaFailure" && condition.status == "True");
    if let Some(condition) = refused {
        return Some(pods_refused(condition.message.as_deref().unwrap_or_default()));
    }
    let wanted = deployment.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
    let (updated, available) = (status.updated_replicas.unwrap_or(0), status.available_replicas.unwrap_or(0));
    let total = status.replicas.unwrap_or(0);
    if updated < wanted || available < wanted {
        let ready = updated.min(available);
        Some(Waiting::of_pods(format!("{ready} of {wanted} Pods are ready"), ready, wanted))
    } else if total > updated {
        Some(Waiting::new(format!("{} old Pods are still there", total - updated)))
    } else {
        None
    }
}

fn stateful_set_waits(set: &StatefulSet) -> Option<Waiting> {
    let status = set.status.clone().unwrap_or_default();
    if status.observed_generation < set.metadata.generation {
        return Some(Waiting::new("its change was not seen yet"));
    }
    let wanted = set.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
    let strategy = set.spec.as_ref().and_then(|spec| spec.update_strategy.as_ref()?.type_.as_deref());
    let updated = updated(strategy, status.updated_replicas);
    let ready = status.ready_replicas.unwrap_or(0).min(updated);
    pods_missing(ready, wanted)
}

/// One Pod a node that takes it; how many these are its controller says.
fn daemon_set_waits(set: &DaemonSet) -> Option<Waiting> {
    let status = set.status.clone().unwrap_or_default();
    if status.observed_generation < set.metadata.generation {
        return Some(Waiting::new("its change was not seen yet"));
    }
    let wanted = status.desired_number_scheduled;
    let strategy = set.spec.as_ref().and_then(|spec| spec.update_strategy.as_ref()?.type_.as_deref());
    let updated = updated(strategy, status.updated_number_scheduled);
    let ready = status.number_available.unwrap_or(0).min(updated);
    pods_missing(ready, wanted)
}

fn pods_missing(ready: i32, wanted: i32) -> Option<Waiting> {
    (ready < wanted).then(|| Waiting::of_pods(format!("{ready} of {wanted} Pods are ready"), ready, wanted))
}

/// How many Pods are as the template has them, as far as that is waited for: with `OnDelete` each
/// becomes so when the user deletes it.
fn updated(strategy: Option<&str>, updated: Option<i32>) -> i32 {
    if strategy == Some("OnDelete") { i32::MAX } else { updated.unwrap_or(0) }
}

fn replica_set_waits(set: &ReplicaSet) -> Option<Waiting> {
    let status = set.status.clone().unwrap_or_default();
    if status.observed_generation < set.metadata.generation {
        return Some(Waiting::new("its change was not seen yet"));
    }
    let refused = status.conditions.iter().flatten().find(|one| one.type_ == "ReplicaFailure");
    if let Some(condition) = refused.filter(|one| one.status == "True") {
        return Some(pods_refused(condition.message.as_deref().unwrap_or_default()));
    }
    let wanted = set.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
    let ready = status.available_replicas.unwrap_or(0);
    pods_missing(ready, wanted)
}

/// A Job is ready when it has ended well, or its Pod is ready: a Flink application's Job lives as
/// long as the application.
fn job_waits(job: &Job) -> Option<Waiting> {
    let status = job.status.clone().unwrap_or_default();
    let condition = |name: &str| {
        status
            .conditions
            .iter()
            .flatten()
            .find(|condition| condition.type_ == name && condition.status == "True")
    };
    if let Some(failed) = condition("Failed") {
        let message = failed.message.clone().unwrap_or_default();
        return Some(Waiting::fatal(format!("the Job failed: {message}"), Fatal::JobFailed));
    }
    let ready = condition("Complete").is_some() || status.ready.unwrap_or(0) > 0;
    (!ready).then(|| Waiting::new("its Pod is not ready"))
}

/// The `ReplicaSet`'s own error: `pods "x" is forbidden: exceeded quota: …`.
fn pods_refused(message: &str) -> Waiting {
    let reason = format!("its Pods are refused: {message}");
    if message.contains("exceeded quota") {
        Waiting::no_room(reason)
    } else {
        Waiting::fatal(reason, Fatal::PodsRefused)
    }
}

/// Says what its Pods wait for, where one of them does; the worst first.
async fn workload(
    cluster: &Cluster,
    namespace: &str,
    selector: &str,
    waiting: Waiting,
) -> Result<Waiting, ClusterError> {
    if waiting.fatal.is_some() || waiting.no_room || selector.is_empty() {
        return Ok(waiting);
    }
    let mut worst: Option<Waiting> = None;
    for pod in super::pods::list(cluster, namespace, selector).await? {
        let Some(found) = pod::waits(cluster, namespace, &pod).await? else {
            continue;
        };
        let name = pod.metadata.name.unwrap_or_default();
        let found = Waiting {
            reason: format!("{}; Pod {name}: {}", waiting.reason, found.reason),
            pods: waiting.pods,
            ..found
        };
        let rank = |waiting: &Waiting| (waiting.fatal.is_some(), waiting.no_room, waiting.trouble.is_some());
        if worst.as_ref().is_none_or(|worst| rank(&found) > rank(worst)) {
            worst = Some(found);
        }
    }
    Ok(worst.unwrap_or(waiting))
}

async fn claim(
    cluster: &Cluster,
    namespace: &str,
    claim: &PersistentVolumeClaim,
) -> Result<Option<Waiting>, ClusterError> {
    let phase = claim.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or("Pending");
    match phase {
        "Bound" => Ok(None),
        "Lost" => Ok(Some(Waiting::fatal("its volume is lost", Fatal::Volume))),
        _ => {
            let name = claim.metadata.name.as_deref().unwrap_or_default();
            let event = last_event(cluster, namespace, "PersistentVolumeClaim", name).await?;
            let (reason, message) = event.unwrap_or_default();
            // A volume that is bound where its Pod lands is asked for by the Pod: that Pod tells
            // what is wrong.
            Ok(match reason.as_str() {
                "WaitForFirstConsumer" => None,
                // No class, no provisioner, or a provisioner that cannot: its own words.
                "FailedBinding" | "ProvisioningFailed" => {
                    Some(Waiting::trouble(format!("no volume yet: {message}")))
                }
                _ => Some(Waiting::new("no volume yet")),
            })
        }
    }
}

fn service_waits(live: &Value) -> Option<Waiting> {
    let balanced = live.pointer("/spec/type").and_then(Value::as_str) == Some("LoadBalancer");
    let ingress = live.pointer("/status/loadBalancer/ingress").and_then(Value::as_array);
    (balanced && ingress.is_none_or(Vec::is_empty))
        .then(|| Waiting::new("the load balancer has no address yet"))
}

fn definition_waits(live: &Value) -> Option<Waiting> {
    let conditions = live.pointer("/status/conditions").and_then(Value::as_array);
    let established = conditions.into_iter().flatten().any(|condition| {
        condition.get("type").and_then(Value::as_str) == Some("Established")
            && condition.get("status").and_then(Value::as_str) == Some("True")
    });
    (!established).then(|| Waiting::new("is not served yet"))
}

/// Reason and message of the youngest event about an object; nothing where events may not be read.
async fn last_event(
    cluster: &Cluster,
    namespace: &str,
    kind: &str,
    name: &str,
) -> Result<Option<(String, String)>, ClusterError> {
    let fields = format!("involvedObject.kind={kind},involvedObject.name={name}");
    let selection = Selection { fields: &fields, ..Selection::default() };
    let items = match cluster.list(&Resource::known("v1", "events"), Some(namespace), &selection).await {
        Err(error) if error.is_forbidden() => return Ok(None),
        items => items?,
    };
    let mut events: Vec<Event> = items.into_iter().map(super::pods::typed).collect::<Result<_, _>>()?;
    events.sort_by_key(|event| {
        let last = event.last_timestamp.as_ref().map(|time| time.0);
        last.or(event.event_time.as_ref().map(|time| time.0)).or(event
            .metadata
            .creation_timestamp
            .as_ref()
            .map(|time| time.0))
    });
    Ok(events.pop().map(|event| (event.reason.unwrap_or_default(), event.message.unwrap_or_default())))
}

/// The label selector of a workload's Pods; empty where it has none.
fn pod_selector(live: &Value) -> String {
    let labels = live.pointer("/spec/selector/matchLabels").and_then(Value::as_object);
    let label = |(name, value): (&String, &Value)| format!("{name}={}", value.as_str().unwrap_or_default());
    labels.into_iter().flatten().map(label).collect::<Vec<_>>().join(",")
}

fn typed<T: serde::de::DeserializeOwned>(key: &ObjectKey, live: Value) -> Result<T, ClusterError> {
    serde_json::from_value(live)
        .map_err(|error| ClusterError::Answer { what: format!("GET {key}"), reason: error.to_string() })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(kind: &str, spec: &Value, status: &Value) -> Option<String> {
        let mut value = json!({"metadata": {"generation": 2}, "spec": spec, "status": status});
        if kind.ends_with("on delete") {
            value["spec"]["updateStrategy"] = json!({"type": "OnDelete"});
        }
        let waiting = match kind {
            "DaemonSet" | "DaemonSet on delete" => daemon_set_waits(&serde_json::from_value(value).unwrap()),
            _ => replica_set_waits(&serde_json::from_value(value).unwrap()),
        };
        waiting.map(|waiting| waiting.reason)
    }

    #[test]
    fn sets_of_pods_are_ready_when_their_pods_are() {
        let template = json!({"metadata": {"labels": {"a": "b"}}, "spec": {"containers": []}});
        let spec = json!({"replicas": 2, "selector": {"matchLabels": {"a": "b"}}, "template": template});
        let daemons = |seen: i64, updated: i64, available: i64| {
            json!({
                "observedGeneration": seen, "currentNumberScheduled": 2, "desiredNumberScheduled": 2,
                "numberMisscheduled": 0, "numberReady": available, "updatedNumberScheduled": updated,
                "numberAvailable": available,
            })
        };
        let replicas = |seen: i64, available: i64| json!({"observedGeneration": seen, "replicas": 2, "availableReplicas": available});
        let refused = json!({
            "observedGeneration": 2, "replicas": 0,
            "conditions": [{"type": "ReplicaFailure", "status": "True", "message": "no such account"}],
        });
        for (kind, status, expected) in [
            ("DaemonSet", daemons(1, 2, 2), Some("its change was not seen yet")),
            ("DaemonSet", daemons(2, 1, 2), Some("1 of 2 Pods are ready")),
            ("DaemonSet", daemons(2, 2, 0), Some("0 of 2 Pods are ready")),
            ("DaemonSet", daemons(2, 2, 2), None),
            ("DaemonSet on delete", daemons(2, 0, 2), None),
            ("ReplicaSet", replicas(1, 2), Some("its change was not seen yet")),
            ("ReplicaSet", replicas(2, 1), Some("1 of 2 Pods are ready")),
            ("ReplicaSet", replicas(2, 2), None),
            ("ReplicaSet", refused, Some("its Pods are refused: no such account")),
        ] {
            assert_eq!(said(kind, &spec, &status).as_deref(), expected, "{kind}: {status}");
        }
    }
}
