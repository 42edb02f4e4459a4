//! Server-side apply of a manifest: concurrent within a phase, phase after phase, each object's
//! owner checked first.

mod error;

use super::call::{Call, Effect};
use super::conflict;
use super::discovery::Resource;
use super::owner::{RELEASE_LABEL, finalizers, label, owner};
use super::{Cluster, ClusterError, FIELD_MANAGER};
use crate::render::{Object, ObjectKey, Phase};
pub use error::{ApplyError, ApplyErrors};
use futures::StreamExt;
use http::StatusCode;
use serde_json::{Map, Value};

/// Requests at one time. The API server's own limit for a client is about as many.
const AT_ONCE: usize = 12;

/// How to apply.
#[derive(Clone, Debug)]
pub struct ApplyOptions {
    /// The namespace of objects that name none; the namespace of the release.
    pub namespace: String,
    /// The release that the objects belong to.
    pub release: String,
    /// Ask the server what it would say, change nothing. All phases at once.
    pub dry_run: bool,
    /// Take over fields that another client manages.
    pub force_conflicts: bool,
    /// Take over objects that another client made.
    pub take_ownership: bool,
}

/// What became of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Created,
    Configured,
    /// It was so already.
    Unchanged,
    /// Only in a dry run: the server cannot say beforehand, for this reason.
    Unchecked(String),
}

/// Applies objects and reports each as it is done.
///
/// The owners of all objects are read before the first change, so that a unmanaged job's object
/// stops everything. Then each phase is applied, concurrently, and the next begins when it is
/// whole.
pub async fn apply(
    cluster: &Cluster,
    objects: &[Object],
    options: &ApplyOptions,
    progress: &mut (dyn FnMut(&ObjectKey, Outcome) + Send),
) -> Result<(), ApplyErrors> {
    let mut targets = targets(cluster, objects, options).await?;
    let all: Vec<usize> = (0..targets.len()).collect();
    // In a real apply a kind may become known only when its definition is applied: those are looked
    // up at their turn.
    run(cluster, &mut targets, &all, options, &mut |_, _| (), Step::Look).await?;
    if options.dry_run {
        let mut outcomes = Vec::new();
        let result = run(
            cluster,
            &mut targets,
            &all,
            options,
            &mut |key, outcome| outcomes.push((key.clone(), outcome)),
            Step::Apply,
        )
        .await;
        for (key, outcome) in outcomes {
            progress(&key, outcome);
        }
        return result;
    }
    let mut waves: Vec<(Phase, bool)> = targets.iter().map(Target::wave).collect();
    waves.sort_unstable();
    waves.dedup();
    for wave in waves {
        let members: Vec<usize> =
            all.iter().copied().filter(|&index| targets[index].wave() == wave).collect();
        if members.iter().any(|&index| targets[index].resource.is_none()) {
            resolve(cluster, &mut targets, &members).await?;
            run(cluster, &mut targets, &members, options, &mut |_, _| (), Step::Look).await?;
        }
        run(cluster, &mut targets, &members, options, progress, Step::Apply).await?;
    }
    Ok(())
}

/// An object and what is known of the place it goes to.
struct Target {
    key: ObjectKey,
    value: Value,
    phase: Phase,
    namespace: String,
    /// `None` while its kind is not known: the definition comes with the manifest.
    resource: Option<Resource>,
    live: Option<Value>,
}

impl Target {
    /// Bindings come after the other objects of their phase: who binds a Role without having its
    /// rights needs it to exist.
    fn wave(&self) -> (Phase, bool) {
        (self.phase, self.key.kind.ends_with("Binding"))
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Step {
    Look,
    Apply,
}

async fn targets(
    cluster: &Cluster,
    objects: &[Object],
    options: &ApplyOptions,
) -> Result<Vec<Target>, ApplyErrors> {
    let first = objects.first().map(Object::key);
    let kinds = match (cluster.kinds().await, first) {
        (Ok(kinds), _) => kinds,
        (Err(source), Some(key)) => {
            return Err(ApplyErrors { errors: vec![ApplyError::Cluster { key, source }] });
        }
        (Err(_), None) => return Ok(Vec::new()),
    };
    let mut targets: Vec<Target> = objects
        .iter()
        .map(|object| {
            let key = object.key();
            let namespace = key.namespace.clone().unwrap_or_else(|| options.namespace.clone());
            let resource = kinds.get(&key.api_version, &key.kind).cloned();
            let mut value = object.value.clone();
            if resource.as_ref().is_none_or(|resource| resource.namespaced)
                && let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut)
            {
                metadata.entry("namespace").or_insert_with(|| namespace.clone().into());
            }
            Target { key, value, phase: object.phase(), namespace, resource, live: None }
        })
        .collect();
    let unknown: Vec<usize> = (0..targets.len()).filter(|&index| targets[index].resource.is_none()).collect();
    let definitions = defined_kinds(objects);
    let lost: Vec<usize> =
        unknown.into_iter().filter(|&index| !definitions.contains(&targets[index].key.kind)).collect();
    resolve(cluster, &mut targets, &lost).await?;
    Ok(targets)
}

/// The kinds that the manifest's own `CustomResourceDefinition`s define.
fn defined_kinds(objects: &[Object]) -> Vec<String> {
    objects
        .iter()
        .filter(|object| object.kind() == "CustomResourceDefinition")
        .filter_map(|object| object.value.pointer("/spec/names/kind")?.as_str().map(str::to_owned))
        .collect()
}

async fn resolve(cluster: &Cluster, targets: &mut [Target], members: &[usize]) -> Result<(), ApplyErrors> {
    let mut errors = Vec::new();
    for &index in members {
        let target = &mut targets[index];
        match cluster.resource(&target.key).await {
            Ok(resource) => target.resource = Some(resource),
            Err(source) => errors.push(ApplyError::Cluster { key: target.key.clone(), source }),
        }
    }
    if errors.is_empty() { Ok(()) } else { Err(ApplyErrors { errors }) }
}

/// One step for some of the targets, at most [`AT_ONCE`] at a time; every one is tried, every error
/// is kept.
async fn run(
    cluster: &Cluster,
    targets: &mut [Target],
    members: &[usize],
    options: &ApplyOptions,
    progress: &mut (dyn FnMut(&ObjectKey, Outcome) + Send),
    step: Step,
) -> Result<(), ApplyErrors> {
    let mut errors = Vec::new();
    let mut found = Vec::new();
    {
        let everything: &[Target] = targets;
        let mut results = futures::stream::iter(members.iter().map(|&index| async move {
            let target = &everything[index];
            match step {
                Step::Look => look(cluster, target, options).await.map(|live| (index, None, live)),
                Step::Apply => apply_one(cluster, target, everything, options)
                    .await
                    .map(|outcome| (index, Some(outcome), None)),
            }
            .map_err(|error| (index, error))
        }))
        .buffer_unordered(AT_ONCE);
        while let Some(result) = results.next().await {
            match result {
                Ok((index, Some(outcome), _)) => progress(&everything[index].key, outcome),
                Ok((index, None, live)) => found.push((index, live)),
                Err(error) => errors.push(error),
            }
        }
    }
    for (index, live) in found {
        targets[index].live = live;
    }
    if errors.is_empty() {
        return Ok(());
    }
    errors.sort_by_key(|(index, _)| *index);
    Err(ApplyErrors { errors: errors.into_iter().map(|(_, error)| error).collect() })
}

/// Reads the live object and checks whose it is.
async fn look(
    cluster: &Cluster,
    target: &Target,
    options: &ApplyOptions,
) -> Result<Option<Value>, ApplyError> {
    let Some(resource) = &target.resource else {
        return Ok(None);
    };
    let live = cluster
        .get(resource, &target.namespace, &target.key.name)
        .await
        .map_err(|source| ApplyError::Cluster { key: target.key.clone(), source })?;
    let Some(found) = &live else { return Ok(None) };
    if !options.take_ownership && label(found, RELEASE_LABEL) != Some(&options.release) {
        return Err(ApplyError::Foreign {
            key: target.key.clone(),
            namespace: target.namespace.clone(),
            owner: owner(found),
        });
    }
    if found.pointer("/metadata/deletionTimestamp").is_some() {
        return Err(ApplyError::Terminating { key: target.key.clone(), finalizers: finalizers(found) });
    }
    Ok(live)
}

async fn apply_one(
    cluster: &Cluster,
    target: &Target,
    all: &[Target],
    options: &ApplyOptions,
) -> Result<Outcome, ApplyError> {
    let key = || target.key.clone();
    let Some(resource) = &target.resource else {
        return Ok(Outcome::Unchecked(format!("the kind {} is defined by this package", target.key.kind)));
    };
    let wrap = |source| ApplyError::Cluster { key: key(), source };
    let path = resource.object(&target.namespace, &target.key.name).map_err(wrap)?;
    let force = if options.force_conflicts { "&force=true" } else { "" };
    let dry = if options.dry_run { "&dryRun=All" } else { "" };
    let path = format!("{path}?fieldManager={FIELD_MANAGER}&fieldValidation=Strict{force}{dry}");
    let mut call = Call::apply(path, &target.value);
    if options.dry_run {
        call = call.effect(Effect::Read);
    }
    match cluster.call(call).await {
        Ok(answer) if answer.status == StatusCode::CREATED => Ok(Outcome::Created),
        Ok(answer) => {
            let new: Value = answer.json().map_err(wrap)?;
            let same = target.live.as_ref().is_some_and(|live| content(live) == content(&new));
            Ok(if same { Outcome::Unchanged } else { Outcome::Configured })
        }
        Err(ClusterError::Api { status, what }) => {
            if options.dry_run
                && let Some(reason) = cannot_say(&status, target, all)
            {
                return Ok(Outcome::Unchecked(reason));
            }
            let conflicts = conflict::conflicts(&status);
            if !conflicts.is_empty() {
                return Err(ApplyError::Conflict { key: key(), conflicts });
            }
            if status.code >= 500 {
                return Err(wrap(ClusterError::Api { status, what }));
            }
            let reason = conflict::refusal(&status, target.key.kind == "Secret");
            Err(ApplyError::Refused { key: key(), code: status.code, reason })
        }
        Err(source) => Err(wrap(source)),
    }
}

/// Refusals of a dry run that say nothing about the real thing.
fn cannot_say(status: &kube::core::Status, target: &Target, all: &[Target]) -> Option<String> {
    if status.code == 400 && status.message.contains("does not support dry run") {
        return Some("an admission webhook of the cluster does not support dry runs".to_owned());
    }
    // Seen on 1.36: who may not bind at will gets a 404 for a binding whose role is not there yet;
    // it names the binding itself, as if that were missing.
    let role = target.value.get("roleRef").filter(|_| status.code == 404)?;
    let text = |name: &str| role.get(name).and_then(Value::as_str).unwrap_or_default();
    let brought = all.iter().find(|other| {
        other.live.is_none() && other.key.kind == text("kind") && other.key.name == text("name")
    })?;
    Some(format!("it needs {}, which comes with it", brought.key))
}

/// Returns what of an object the user means by it: without what the server and its controllers
/// write by themselves. The resource version will not do: a status written between our look and our
/// apply changes it, and a dry run never does.
fn content(object: &Value) -> Map<String, Value> {
    let mut object = object.as_object().cloned().unwrap_or_default();
    object.shift_remove("status");
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        for name in ["managedFields", "resourceVersion", "generation"] {
            metadata.shift_remove(name);
        }
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.shift_remove("deployment.kubernetes.io/revision");
            if annotations.is_empty() {
                metadata.shift_remove("annotations");
            }
        }
    }
    object
}

#[cfg(test)]
mod tests {
    use super::super::testing::{self, Log, Reply, Seen};
    use super::*;
    use serde_json::json;

    fn object(kind: &str, api_version: &str, name: &str) -> Object {
        let metadata = json!({"name": name, "labels": {RELEASE_LABEL: "demo"}});
        Object {
            source: String::new(),
            value: json!({"apiVersion": api_version, "kind": kind, "metadata": metadata}),
        }
    }

    fn manifest() -> Vec<Object> {
        let mut all: Vec<_> = (0..5).map(|number| object("ConfigMap", "v1", &format!("c{number}"))).collect();
        all.push(object("Service", "v1", "s"));
        all.push(object("Deployment", "apps/v1", "d"));
        all
    }

    /// A server without objects, where `patch` answers the applies.
    fn server(mut patch: impl FnMut(&Seen) -> Option<Reply> + Send + 'static) -> (Cluster, Log) {
        testing::cluster(move |seen| match seen.method.as_str() {
            "GET" => testing::discovery(&seen.path).unwrap_or_else(|| Reply::no(404, "not found")),
            _ => patch(seen).unwrap_or_else(|| Reply::json(201, &seen.body)),
        })
    }

    async fn run(cluster: &Cluster, dry_run: bool) -> (Vec<String>, Result<(), ApplyErrors>) {
        let options = ApplyOptions {
            namespace: "team".to_owned(),
            release: "demo".to_owned(),
            dry_run,
            force_conflicts: false,
            take_ownership: false,
        };
        let mut done = Vec::new();
        let result = apply(cluster, &manifest(), &options, &mut |key, _| {
            done.push(key.to_string());
        })
        .await;
        done.sort();
        (done, result)
    }

    #[tokio::test]
    async fn an_error_half_way_keeps_the_later_phases_from_beginning_and_the_rest_of_its_own_going() {
        let (cluster, log) = server(|seen| seen.path.contains("/c2?").then(|| Reply::no(500, "etcd is ill")));
        let (done, result) = run(&cluster, false).await;
        assert_eq!(done, ["ConfigMap/c0", "ConfigMap/c1", "ConfigMap/c3", "ConfigMap/c4"]);
        assert_eq!(result.unwrap_err().to_string(), "ConfigMap/c2: etcd is ill");
        let patches = log.lines().into_iter().filter(|line| line.starts_with("PATCH")).collect::<Vec<_>>();
        assert!(patches.len() == 5 && patches.iter().all(|line| line.contains("configmaps")), "{patches:?}");
    }

    #[tokio::test]
    async fn every_error_of_a_phase_is_told_in_the_manifests_order() {
        let (cluster, _) = server(|seen| {
            (seen.path.contains("/c3?") || seen.path.contains("/c1?")).then(|| Reply::no(403, "you may not"))
        });
        let (_, result) = run(&cluster, false).await;
        assert_eq!(result.unwrap_err().to_string(), "ConfigMap/c1: you may not\nConfigMap/c3: you may not");
    }

    #[tokio::test]
    async fn a_dry_run_asks_about_all_phases_whatever_one_says() {
        let (cluster, log) = server(|seen| seen.path.contains("/c2?").then(|| Reply::no(422, "no")));
        let (done, result) = run(&cluster, true).await;
        assert_eq!((done.len(), result.unwrap_err().errors.len()), (6, 1));
        assert_eq!(log.lines().iter().filter(|line| line.starts_with("PATCH")).count(), 7);
    }

    #[tokio::test]
    async fn a_webhook_without_dry_runs_leaves_its_objects_unchecked() {
        let (cluster, _) = server(|seen| {
            let message = "admission webhook \"w\" does not support dry run";
            seen.path.contains("/d?").then(|| Reply::no(400, message))
        });
        run(&cluster, true).await.1.unwrap();
    }

    #[tokio::test]
    async fn an_apply_that_was_told_to_wait_is_sent_again_and_one_that_broke_off_is_not() {
        let mut told = false;
        let (cluster, log) = server(move |seen| {
            let first = seen.path.contains("/s?") && !std::mem::replace(&mut told, seen.path.contains("/s?"));
            first.then(|| Reply::no(429, "wait").header("retry-after", "0"))
        });
        run(&cluster, false).await.1.unwrap();
        assert_eq!(log.lines().iter().filter(|line| line.ends_with("/services/s")).count(), 3);
        let (cluster, _) = server(|seen| seen.path.contains("/s?").then(|| Reply::text(200, "{}").cut_off()));
        let errors = run(&cluster, false).await.1.unwrap_err();
        assert!(matches!(&errors.errors[0], ApplyError::Cluster { source, .. } if source.is_uncertain()));
    }
}
