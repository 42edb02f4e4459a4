//! The requests of [`Rest`] over HTTP, and the disposal of savepoints.

use http::Method;
use serde::Deserialize;

use super::cause;
use super::client::{Client, json, segment};
use super::error::FlinkError;
use super::requests::{Program, RunRequest, StopRequest};
use super::rest::Rest;
use super::transport::Payload;
use super::types::{
    Application, CheckpointConfig, Checkpoints, Config, Failures, JobDetail, JobOverview, JobState, Overview,
    Plan, RawCheckpointConfig, RootException, SavepointStatus,
};
use crate::id::{JobId, TriggerId};

impl Rest for Client {
    async fn overview(&self) -> Result<Overview, FlinkError> {
        self.read("/overview".to_owned()).await
    }

    async fn config(&self) -> Result<Config, FlinkError> {
        self.read("/config".to_owned()).await
    }

    async fn jobs(&self) -> Result<Vec<JobOverview>, FlinkError> {
        #[derive(Deserialize)]
        struct Answer {
            jobs: Vec<JobOverview>,
        }
        Ok(self.read::<Answer>("/jobs/overview".to_owned()).await?.jobs)
    }

    async fn job(&self, job: JobId) -> Result<JobDetail, FlinkError> {
        match self.read(format!("/jobs/{job}")).await {
            Err(unknown) if unknown.is_not_found() => self.unsubmitted(job, unknown).await,
            answer => answer,
        }
    }

    async fn job_state(&self, job: JobId) -> Result<JobState, FlinkError> {
        #[derive(Deserialize)]
        struct Answer {
            status: JobState,
        }
        match self.read::<Answer>(format!("/jobs/{job}/status")).await {
            Err(unknown) if unknown.is_not_found() => Ok(self.unsubmitted(job, unknown).await?.state),
            answer => Ok(answer?.status),
        }
    }

    async fn checkpoints(&self, job: JobId) -> Result<Checkpoints, FlinkError> {
        self.read(format!("/jobs/{job}/checkpoints")).await
    }

    async fn checkpoint_config(&self, job: JobId) -> Result<CheckpointConfig, FlinkError> {
        Ok(self.read::<RawCheckpointConfig>(format!("/jobs/{job}/checkpoints/config")).await?.into())
    }

    async fn failures(&self, job: JobId) -> Result<Failures, FlinkError> {
        self.exceptions(format!("/jobs/{job}/exceptions")).await
    }

    async fn restarts(&self, job: JobId) -> Result<Option<u64>, FlinkError> {
        #[derive(Deserialize)]
        struct Metric {
            id: String,
            value: String,
        }
        let metrics: Vec<Metric> = self.read(format!("/jobs/{job}/metrics?get=numRestarts")).await?;
        Ok(metrics.iter().find(|one| one.id == "numRestarts").and_then(|one| one.value.parse().ok()))
    }

    async fn stop(&self, job: JobId, request: &StopRequest) -> Result<(), FlinkError> {
        self.trigger(format!("/jobs/{job}/stop"), json(&request.stop_body())).await
    }

    async fn trigger_savepoint(&self, job: JobId, request: &StopRequest) -> Result<(), FlinkError> {
        self.trigger(format!("/jobs/{job}/savepoints"), json(&request.savepoint_body())).await
    }

    async fn savepoint(&self, job: JobId, trigger: TriggerId) -> Result<SavepointStatus, FlinkError> {
        self.read::<Operation>(format!("/jobs/{job}/savepoints/{trigger}")).await?.status()
    }

    async fn cancel(&self, job: JobId) -> Result<(), FlinkError> {
        let (path, deadline) = (format!("/jobs/{job}?mode=cancel"), self.deadlines().change);
        match self.change(Method::PATCH, path, Payload::Empty, deadline).await {
            Err(unknown) if unknown.is_not_found() => {
                // Its application may be about to submit it.
                self.unsubmitted(job, unknown).await?;
                let path = format!("/applications/{job}/cancel");
                self.change(Method::POST, path, Payload::Empty, deadline).await.map(drop)
            }
            answer => answer.map(drop),
        }
    }

    async fn delete_cluster(&self) -> Result<(), FlinkError> {
        self.change(Method::DELETE, "/cluster".to_owned(), Payload::Empty, self.deadlines().change)
            .await
            .map(drop)
    }

    async fn plan(&self, jar: &str, program: &Program) -> Result<Plan, FlinkError> {
        #[derive(Deserialize)]
        struct Answer {
            plan: Plan,
        }
        let path = format!("/jars/{}/plan", segment(jar));
        let reply =
            self.change(Method::POST, path, json(&program.plan_body()), self.deadlines().main).await?;
        Ok(reply.decode::<Answer>()?.plan)
    }

    async fn application(&self, id: JobId) -> Result<Option<Application>, FlinkError> {
        #[derive(Deserialize)]
        struct Answer {
            name: String,
            status: JobState,
            #[serde(default)]
            jobs: Vec<serde::de::IgnoredAny>,
        }
        match self.read::<Answer>(format!("/applications/{id}")).await {
            Ok(Answer { name, status, jobs }) => {
                Ok(Some(Application { name, state: status, has_jobs: !jobs.is_empty() }))
            }
            Err(error) if error.is_not_found() => Ok(None), // so says an older Flink too
            Err(error) => Err(error),
        }
    }

    async fn application_failure(&self, id: JobId) -> Result<Option<String>, FlinkError> {
        let failures = self.exceptions(format!("/applications/{id}/exceptions")).await?;
        Ok(failures.newest.map(|root| root.first_line))
    }

    async fn run(&self, jar: &str, request: &RunRequest) -> Result<(), FlinkError> {
        let path = format!("/jars/{}/{}", segment(jar), request.verb());
        self.change(Method::POST, path, json(&request.body()), self.deadlines().main).await.map(drop)
    }
}

impl Client {
    /// A job that Flink does not know, while an application of its id runs that will submit it, or
    /// recovers with it: neither on its way up nor to its end. Else the error that says that Flink
    /// does not know it.
    async fn unsubmitted(&self, job: JobId, unknown: FlinkError) -> Result<JobDetail, FlinkError> {
        match self.application(job).await? {
            Some(application) if !application.state.is_terminal() => Ok(JobDetail {
                id: job,
                name: application.name,
                state: JobState::Reconciling,
                start_time: None,
                end_time: None,
                vertices: Vec::new(),
            }),
            _ => Err(unknown),
        }
    }

    /// The exception history of a job or of an application.
    async fn exceptions(&self, path: String) -> Result<Failures, FlinkError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Answer {
            exception_history: History,
        }
        #[derive(Deserialize)]
        struct History {
            entries: Vec<Entry>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Entry {
            stacktrace: String,
            timestamp: Option<u64>,
            task_name: Option<String>,
        }
        let entries = self.read::<Answer>(path).await?.exception_history.entries;
        Ok(Failures {
            count: entries.len() as u64,
            newest: entries.into_iter().next().map(|entry| RootException {
                at: entry.timestamp,
                first_line: cause::headline(&entry.stacktrace),
                task: entry.task_name,
            }),
        })
    }

    async fn trigger(&self, path: String, body: Payload) -> Result<(), FlinkError> {
        self.change(Method::POST, path, body, self.deadlines().change).await.map(drop)
    }

    /// Asks for a savepoint to be deleted; gives the id to ask [`Client::disposal`] about.
    pub async fn dispose(&self, path: &str) -> Result<TriggerId, FlinkError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "kebab-case")]
        struct Answer {
            request_id: TriggerId,
        }
        let body = json(&serde_json::json!({ "savepoint-path": path }));
        let reply = self
            .change(Method::POST, "/savepoint-disposal".to_owned(), body, self.deadlines().change)
            .await?;
        Ok(reply.decode::<Answer>()?.request_id)
    }

    /// Returns whether the savepoint is deleted: `Ok(true)` yes, `Ok(false)` Flink is at it.
    pub async fn disposal(&self, trigger: TriggerId) -> Result<bool, FlinkError> {
        let path = format!("/savepoint-disposal/{trigger}");
        let answer: Operation = self.read(path.clone()).await?;
        match (answer.status.id.as_str(), answer.operation.and_then(|one| one.failure_cause)) {
            ("COMPLETED", None) => Ok(true),
            ("COMPLETED", Some(cause)) => Err(FlinkError::Refused {
                request: format!("GET {path}"),
                status: 200,
                message: cause::headline(&cause.stack_trace),
                kind: super::error::Refusal::Other,
            }),
            _ => Ok(false),
        }
    }
}

/// Flink's answer about an operation that takes its time.
#[derive(Deserialize)]
struct Operation {
    status: OperationStatus,
    operation: Option<OperationResult>,
}

#[derive(Deserialize)]
struct OperationStatus {
    id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct OperationResult {
    location: Option<String>,
    failure_cause: Option<FailureCause>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct FailureCause {
    #[serde(default)]
    stack_trace: String,
}

impl Operation {
    fn status(self) -> Result<SavepointStatus, FlinkError> {
        let odd = |message: String| FlinkError::Body {
            request: "GET /jobs/…/savepoints/…".to_owned(),
            message,
        };
        match (self.status.id.as_str(), self.operation) {
            ("IN_PROGRESS", _) => Ok(SavepointStatus::InProgress),
            ("COMPLETED", Some(OperationResult { failure_cause: Some(cause), .. })) => {
                Ok(SavepointStatus::Failed {
                    cause: cause::headline(&cause.stack_trace),
                    location: cause::savepoint_in(&cause.stack_trace),
                })
            }
            ("COMPLETED", Some(OperationResult { location: Some(location), .. })) => {
                Ok(SavepointStatus::Completed { location })
            }
            ("COMPLETED", _) => Err(odd("COMPLETED with neither a location nor a cause".to_owned())),
            (id, _) => Err(odd(format!("status {id:?}"))),
        }
    }
}
