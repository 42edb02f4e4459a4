//! Jobs that the release does not know, in a Flink that does not say what runs in it: high availability keeps their graphs, and a
//! `JobManager` that comes back starts them again. With the generation they would go without a word.
//!
//! Reads Flink's own ConfigMaps; never changes them.

use std::collections::BTreeSet;

use serde_json::Value;

use super::descriptor::Descriptor;
use super::{Cause, Context, Failure};
use crate::cluster::Selection;
use crate::cluster::discovery::Resource;
use crate::id::JobId;

/// How the entries of jobs begin in the cluster's ConfigMap: Flink 1's and 2's (`Constants.JOB_GRAPH_STORE_KEY_PREFIX`,
/// `Constants.EXECUTION_PLAN_STORE_KEY_PREFIX`).
const ENTRIES: [&str; 2] = ["jobGraph-", "executionPlan-"];

/// A job's entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stranger {
    pub id: JobId,
    /// The ConfigMap that has it.
    config_map: String,
    key: String,
}

/// The jobs that no revision of a release knows, of those that a generation would bring back.
pub(crate) async fn kept(
    context: &Context,
    release: &str,
    descriptor: &Descriptor,
) -> Result<Vec<Stranger>, Cause> {
    if !descriptor.high_availability {
        return Ok(Vec::new());
    }
    let config_maps = Resource::known("v1", "configmaps");
    let selection = Selection { labels: &descriptor.ha_selector, ..Selection::default() };
    let found = context.cluster.list(&config_maps, Some(&context.namespace), &selection).await?;
    let mut kept: Vec<Stranger> = found.iter().flat_map(entries).collect();
    if kept.is_empty() {
        return Ok(kept);
    }
    let mut known = BTreeSet::new();
    for summary in context.store.history(release).await? {
        let record = context.store.get(release, summary.revision).await?;
        known.extend(record.jobs.iter().filter_map(|job| job.id));
    }
    kept.retain(|entry| !known.contains(&entry.id));
    Ok(kept)
}

/// Refuses where a generation that does not answer keeps such jobs.
pub(super) async fn refuse(context: &Context, release: &str, descriptor: &Descriptor) -> Result<(), Failure> {
    let kept = kept(context, release, descriptor).await?;
    if kept.is_empty() {
        return Ok(());
    }
    let ids: Vec<_> = kept.iter().map(|stranger| stranger.id.to_string()).collect();
    let give_up = kept.iter().map(|Stranger { config_map, key, .. }| {
        format!(
            "kubectl patch configmap {config_map} --type=merge \\\n  -p '{{\"data\":{{\"{key}\":null}}}}'   # gives it up; its checkpoints stay"
        )
    });
    let status = format!("kubectl flink status {release}   # why it does not answer");
    Err(Failure::refused(Cause::Strangers { generation: descriptor.name.clone(), jobs: ids.join(", ") })
        .next([status])
        .next(give_up))
}

fn entries(config_map: &Value) -> Vec<Stranger> {
    let (Some(name), Some(data)) = (config_map["metadata"]["name"].as_str(), config_map["data"].as_object())
    else {
        return Vec::new();
    };
    let id = |key: &str| ENTRIES.iter().find_map(|prefix| key.strip_prefix(prefix))?.parse().ok();
    let entry = |key: &String| Some(Stranger { id: id(key)?, config_map: name.to_owned(), key: key.clone() });
    data.keys().filter_map(entry).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::entries;

    #[test]
    fn the_jobs_that_flink_keeps() {
        let id = "d5bb0a1235950632632daf49ad57d026";
        for (key, kept) in [
            (format!("jobGraph-{id}"), true),
            (format!("executionPlan-{id}"), true),
            (format!("org.apache.flink.k8s.leader.job-{id}"), false),
            (format!("checkpointID-{id}"), false),
            ("executionPlan-x".to_owned(), false),
        ] {
            let found = entries(
                &json!({"metadata": {"name": "a-g1-cluster-config-map"}, "data": {key.as_str(): ""}}),
            );
            let found: Vec<_> = found.iter().map(|stranger| stranger.id.to_string()).collect();
            assert_eq!(found, if kept { vec![id] } else { vec![] }, "{key}");
        }
        assert!(entries(&json!({"metadata": {"name": "empty"}})).is_empty());
    }
}
