//! Jobs that the release does not know, in a Flink that does not say that they run in it: high
//! availability keeps their graphs, and a `JobManager` that comes back starts them again. With the
//! generation they would go without a word.
//!
//! Reads Flink's own ConfigMaps; never changes them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::cluster::Selection;
use crate::cluster::discovery::Resource;
use crate::context::Context;
use crate::failure::{Cause, Failure, InPhase, NextStep};
use crate::flink::{JobOverview, names};
use crate::id::JobId;
use crate::layout::Descriptor;
use crate::probe::warm_up;

/// A job that a JobManager would bring back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UnmanagedJob {
    pub id: JobId,
    /// The ConfigMap that has its entries.
    config_map: String,
    keys: Vec<String>,
}

/// The jobs that no revision of a release knows, of those that a generation would bring back, but
/// for `known` ones.
pub(crate) async fn kept(
    context: &Context,
    release: &str,
    descriptor: &Descriptor,
    mut known: BTreeSet<JobId>,
) -> Result<Vec<UnmanagedJob>, Cause> {
    known.extend(warm_up::id(&descriptor.name));
    let config_maps = Resource::known("v1", "configmaps");
    let selection = Selection { labels: &descriptor.ha_selector, ..Selection::default() };
    let found = context.cluster.list(&config_maps, Some(&context.namespace), &selection).await?;
    let mut kept: Vec<UnmanagedJob> = found.iter().flat_map(unmanaged_in).collect();
    kept.retain(|job| !known.contains(&job.id));
    if kept.is_empty() {
        return Ok(kept);
    }
    for summary in context.store.history(release).await? {
        match context.store.get(release, summary.revision).await {
            Ok(record) => known.extend(record.jobs.iter().filter_map(|job| job.id)),
            Err(error) => tracing::warn!(%error, revision = summary.revision, "its jobs are not known"),
        }
    }
    kept.retain(|job| !known.contains(&job.id));
    Ok(kept)
}

/// Refuses where a generation keeps such jobs and does not list them: it does not answer, or has
/// not brought them back yet.
pub(crate) async fn refuse(
    context: &Context,
    release: &str,
    descriptor: &Descriptor,
    listed: Option<&[JobOverview]>,
) -> Result<(), Failure> {
    let known = listed.into_iter().flatten().map(|job| job.id).collect();
    let kept = kept(context, release, descriptor, known).await.refused()?;
    if kept.is_empty() {
        return Ok(());
    }
    let give_up = kept.iter().map(|UnmanagedJob { config_map, keys, .. }| {
        let keys: serde_json::Map<_, _> = keys.iter().map(|key| (key.clone(), Value::Null)).collect();
        let patch = serde_json::json!({ "data": keys }).to_string();
        NextStep::kubectl(["patch", "configmap", config_map, "--type=merge", "-p", &patch])
            .remark("gives it up; its checkpoints stay")
    });
    let answers = listed.is_some();
    let look = if answers { "whether it has brought them back" } else { "why it does not answer" };
    let (generation, jobs) = (descriptor.name.clone(), kept.iter().map(|job| job.id).collect());
    Err(Failure::refused(Cause::Unmanaged { generation, answers, jobs })
        .next([NextStep::flink(["status", release]).remark(look)])
        .next(give_up))
}

/// The jobs of which a ConfigMap has entries.
fn unmanaged_in(config_map: &Value) -> Vec<UnmanagedJob> {
    let (Some(name), Some(data)) = (config_map["metadata"]["name"].as_str(), config_map["data"].as_object())
    else {
        return Vec::new();
    };
    let mut jobs: BTreeMap<JobId, Vec<String>> = BTreeMap::new();
    for key in data.keys() {
        if let Some(id) = names::job_of_key(key) {
            jobs.entry(id).or_default().push(key.clone());
        }
    }
    jobs.into_iter().map(|(id, keys)| UnmanagedJob { id, config_map: name.to_owned(), keys }).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::unmanaged_in;

    #[test]
    fn the_jobs_that_flink_keeps() {
        let (a, b) = ("d5bb0a1235950632632daf49ad57d026", "f36c9bd7c64a9a08de295e3c3933be1c");
        let of_a = format!("jobGraph-{a}");
        let of_b = [format!("application-{b}"), format!("executionPlan-{b}")];
        let found = unmanaged_in(&json!({"metadata": {"name": "a-g1-cluster-config-map"}, "data": {
            of_a.as_str(): "", of_b[0].as_str(): "", of_b[1].as_str(): "",
            "org.apache.flink.k8s.leader.job-d5bb0a1235950632632daf49ad57d027": "",
            "checkpointID-0000000000000000001": "", "executionPlan-x": "",
        }}));
        let found: Vec<_> = found.iter().map(|job| (job.id.to_string(), job.keys.clone())).collect();
        assert_eq!(found, [(a.to_owned(), vec![of_a]), (b.to_owned(), of_b.to_vec())]);
        assert!(unmanaged_in(&json!({"metadata": {"name": "empty"}})).is_empty());
    }
}
