//! A driver for tests alone: another controller starts the jobs and assigns their ids, as the Flink
//! Kubernetes Operator does.
//!
//! A generation is one object, a `JobCluster`. What its `spec` asks for the controller carries out,
//! and tells in `status`. The controller is a model too (`src/verbs/upgrade/tests/model.rs`); what
//! is asked of Flink goes by REST.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Found, JobControl, RestControl, Sighting, Submission};
use crate::cluster::call::Call;
use crate::cluster::discovery::Resource;
use crate::cluster::readiness::{OwnedKind, Ready, Waiting};
use crate::cluster::{Cluster, ClusterError};
use crate::flink::savepoint::Tick;
use crate::flink::{Client, FlinkError, StopError, StopRequest};
use crate::id::JobId;
use crate::operation::ControlTraits;

/// Between two looks at what the controller says.
const POLL: Duration = Duration::from_millis(500);

/// What may be counted on.
pub(super) const TRAITS: ControlTraits = ControlTraits {
    chooses_job_id: false,
    starts_with_pods: false,
    side_by_side: true,
    preflight: false,
    savepoint_beside: false,
};

/// What its generations are made of. Without a status the controller has not looked at one yet.
pub(super) const ADDS: [OwnedKind; 1] = [OwnedKind {
    api_version: "test.example.com/v1",
    kind: "JobCluster",
    plural: "jobclusters",
    ready: Ready::Reported(|live| {
        let phase = live.pointer("/status/phase").and_then(Value::as_str);
        (phase != Some("UP")).then(|| Waiting::new("its controller has not brought it up yet"))
    }),
}];

/// The control of one such generation.
pub struct AssignedControl {
    pub(super) rest: RestControl<Client>,
    pub(super) cluster: Cluster,
    pub(super) namespace: String,
    /// The name of its `JobCluster`.
    pub(super) name: String,
}

impl AssignedControl {
    fn path(&self) -> Result<String, ClusterError> {
        let [OwnedKind { api_version, plural, .. }] = ADDS;
        Resource::known(api_version, plural).object(&self.namespace, &self.name)
    }

    async fn ask(&self, spec: Value) -> Result<(), FlinkError> {
        let asked = async {
            let call = Call::merge_patch(self.path()?, &json!({ "spec": spec }));
            self.cluster.call(call).await.map(drop)
        };
        asked.await.map_err(|error| unreachable(&error))
    }

    async fn seen(&self) -> Result<Value, FlinkError> {
        let asked = async { self.cluster.call(Call::get(self.path()?)).await?.json() };
        asked.await.map_err(|error| unreachable(&error))
    }
}

fn unreachable(error: &ClusterError) -> FlinkError {
    let via = "its controller's resource".to_owned();
    FlinkError::Unreachable { via, message: error.to_string(), may_have_acted: true }
}

impl JobControl for AssignedControl {
    type Rest = Client;

    fn rest(&self) -> &RestControl<Client> {
        &self.rest
    }

    async fn stop(
        &self,
        job: JobId,
        request: &StopRequest,
        tick: &mut Tick<'_>,
    ) -> Result<String, StopError> {
        let stop = json!({ "trigger": request.trigger, "directory": request.directory });
        self.ask(json!({ "stops": { job.to_string(): stop } })).await.map_err(StopError::Flink)?;
        self.follow(job, request, tick).await
    }

    async fn follow(&self, _: JobId, request: &StopRequest, _: &mut Tick<'_>) -> Result<String, StopError> {
        loop {
            let seen = self.seen().await.map_err(StopError::Flink)?;
            if let Some(path) = seen["status"]["savepoints"][request.trigger.to_string()].as_str() {
                return Ok(path.to_owned());
            }
            tokio::time::sleep(POLL).await;
        }
    }

    async fn submit(&self, submission: &Submission) -> Result<(), FlinkError> {
        let Submission { job, savepoint, allow_non_restored_state, nonce } = submission;
        let wanted = json!({
            "nonce": nonce,
            "savepoint": savepoint,
            "allowNonRestoredState": allow_non_restored_state,
        });
        self.ask(json!({ "jobs": { job: wanted } })).await
    }

    async fn identify(&self, submission: &Submission) -> Result<Found, FlinkError> {
        let seen = self.seen().await?;
        let status = &seen["status"]["jobs"][&submission.job];
        let job = status["id"].as_str().and_then(|id| id.parse().ok()).map(|id| Sighting {
            id,
            since: status["since"].as_u64().unwrap_or_default(),
            restored: status["restored"].as_str().map(str::to_owned),
            ended: status["ended"] == true,
        });
        Ok(Found {
            job,
            settled: seen["status"]["observedGeneration"] == seen["metadata"]["generation"],
            launched: status["nonce"] == json!(submission.nonce),
        })
    }

    async fn withdraw(&self, submission: &Submission) -> Result<(), FlinkError> {
        self.ask(json!({ "withdrawn": { submission.nonce.to_string(): true } })).await
    }
}
