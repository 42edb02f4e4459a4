//! The control of a generation whose Pods start its one job: a `JobManager` that runs as a
//! Kubernetes Job.
//!
//! Applied, the Kubernetes Job is suspended; it begins when the journal says that the job is to
//! start. All else is asked of its Flink by REST.

use std::time::Duration;

use super::{JobControl, RestControl};
use crate::cluster::call::Call;
use crate::cluster::discovery::Resource;
use crate::cluster::{Cluster, delete, pods};
use crate::failure::Cause;
use crate::flink::{Client, names};
use crate::id::JobId;
use crate::layout::Descriptor;
use crate::render::{Object, ObjectKey};

/// Returns whether an object runs a generation's `JobManager`.
pub(super) fn is_job_manager(object: &Object, descriptor: &Descriptor) -> bool {
    object.kind() == "Job" && object.generation() == Some(descriptor.generation)
}

/// The control of one such generation.
pub struct PodsControl {
    pub(super) rest: RestControl<Client>,
    pub(super) cluster: Cluster,
    pub(super) namespace: String,
    pub(super) release: String,
    pub(super) descriptor: Descriptor,
    /// What runs the `JobManager`.
    pub(super) job_managers: Vec<ObjectKey>,
    /// How long the end of its Pods may take.
    pub(super) timeout: Duration,
}

impl PodsControl {
    /// Returns whether no Pod of the `JobManager` has ever run a container: then it has no job.
    async fn has_never_run(&self) -> bool {
        let selector = &self.descriptor.job_manager_selector;
        let before = pods::list(&self.cluster, &self.namespace, selector).await;
        before.is_ok_and(|pods| !pods.is_empty() && !pods.iter().any(pods::has_run))
    }
}

impl JobControl for PodsControl {
    type Rest = Client;

    fn rest(&self) -> &RestControl<Client> {
        &self.rest
    }

    async fn unsuspend(&self) -> Result<(), Cause> {
        for key in &self.job_managers {
            let path = Resource::known("batch/v1", "jobs").object(&self.namespace, &key.name)?;
            let body = serde_json::json!({"spec": {"suspend": false}});
            self.cluster.call(Call::merge_patch(path, &body)).await?;
        }
        Ok(())
    }

    /// Deletes what runs the `JobManager` and waits until its Pods are gone. High availability
    /// keeps an entry for each completed checkpoint in a ConfigMap of the job's own
    /// (`KubernetesStateHandleStore`).
    async fn halt(&self, job: JobId) -> Result<Option<bool>, Cause> {
        let (cluster, namespace) = (&self.cluster, &self.namespace);
        let never_ran = self.has_never_run().await;
        delete::delete(cluster, namespace, &self.release, &self.job_managers, &mut |_, _| {})
            .await
            .map_err(Cause::not_deleted)?;
        delete::wait_gone(cluster, namespace, &self.job_managers, self.timeout).await?;
        if never_ran {
            return Ok(Some(false));
        }
        if !self.descriptor.high_availability {
            return Ok(None);
        }
        let name = names::job_config_map(&self.descriptor.name, job);
        let found = cluster.get(&Resource::known("v1", "configmaps"), namespace, &name).await?;
        let Some(found) = found else { return Ok(None) }; // it never had a leader, or has come to its end
        let entries = found["data"].as_object();
        Ok(Some(entries.is_some_and(|data| data.keys().any(|key| key.starts_with(names::CHECKPOINT_KEY)))))
    }
}
