//! What is asked of a Flink cluster around the end and the start of a job, one request each. A
//! trait, so that a model of Flink can take the place of the REST API: the protocols above it
//! ([`super::savepoint`], [`super::job_start`], [`super::health`]) are the same for both.

use super::error::FlinkError;
use super::requests::{Program, RunRequest, StopRequest};
use super::types::{
    Application, CheckpointConfig, Checkpoints, Config, Failures, JobDetail, JobOverview, JobState, Overview,
    Plan, SavepointStatus,
};
use crate::id::{JobId, TriggerId};

/// One request of Flink's REST API each. [`FlinkError::NotFound`]: Flink does not know the job.
#[expect(async_fn_in_trait, reason = "polled where they are made, on one thread")]
pub trait Rest {
    /// `TaskManagers`, slots and Flink's version.
    async fn overview(&self) -> Result<Overview, FlinkError>;

    /// Returns what this REST API lets be done.
    async fn config(&self) -> Result<Config, FlinkError>;

    /// All jobs that this `JobManager` knows, also those that ended since it started.
    async fn jobs(&self) -> Result<Vec<JobOverview>, FlinkError>;

    /// A job's details, up to `web.refresh-interval` old; its vertices are missing while it
    /// initializes. Here, in its state and where it is canceled, a job that its application has not
    /// submitted yet counts as [`JobState::Reconciling`].
    async fn job(&self, job: JobId) -> Result<JobDetail, FlinkError>;

    /// A job's state, fresh.
    async fn job_state(&self, job: JobId) -> Result<JobState, FlinkError>;

    /// Counts and the newest checkpoints, up to `web.refresh-interval` old.
    /// [`FlinkError::NotFound`] also for a job that still initializes.
    async fn checkpoints(&self, job: JobId) -> Result<Checkpoints, FlinkError>;

    /// How a job takes its checkpoints.
    async fn checkpoint_config(&self, job: JobId) -> Result<CheckpointConfig, FlinkError>;

    /// How often a job failed, and why last; up to `web.refresh-interval` old.
    async fn failures(&self, job: JobId) -> Result<Failures, FlinkError>;

    /// How often a job was restarted since its `JobManager` has it; `None` as long as Flink has not
    /// gathered the metric (it does so on demand, every ten seconds at most).
    async fn restarts(&self, job: JobId) -> Result<Option<u64>, FlinkError>;

    /// Asks for a stop with savepoint. Accepted says nothing yet: ask [`Rest::savepoint`], better
    /// by [`super::savepoint::follow`].
    async fn stop(&self, job: JobId, request: &StopRequest) -> Result<(), FlinkError>;

    /// Asks for a savepoint beside the running job.
    async fn trigger_savepoint(&self, job: JobId, request: &StopRequest) -> Result<(), FlinkError>;

    /// Returns what became of a trigger. [`FlinkError::NotFound`]: this `JobManager` does not know
    /// it, or no longer (an answer is kept for `rest.async.store-duration`, five minutes).
    async fn savepoint(&self, job: JobId, trigger: TriggerId) -> Result<SavepointStatus, FlinkError>;

    /// Asks for a job to be canceled, without a savepoint. [`FlinkError::Refused`] with 409 where
    /// it has ended.
    async fn cancel(&self, job: JobId) -> Result<(), FlinkError>;

    /// Shuts the whole cluster down; Flink removes its own HA files. A live job would be dropped
    /// without a word: the caller makes sure that each has ended.
    async fn delete_cluster(&self) -> Result<(), FlinkError>;

    /// Runs `main()` without starting a job: a missing class, wrong arguments and the vertices'
    /// parallelism show. That `run` will succeed it does not prove; `main()`'s side effects happen.
    async fn plan(&self, jar: &str, program: &Program) -> Result<Plan, FlinkError>;

    /// The application of that id (Flink 2.3 and later; a job that `run` starts is one too); `None`
    /// where there is none.
    async fn application(&self, id: JobId) -> Result<Option<Application>, FlinkError>;

    /// One line of why an application failed.
    async fn application_failure(&self, id: JobId) -> Result<Option<String>, FlinkError>;

    /// Runs `main()` and starts its job; as an application it answers before `main()` has run.
    /// After **any** error the job may run all the same: use [`super::job_start::start`].
    async fn run(&self, jar: &str, request: &RunRequest) -> Result<(), FlinkError>;

    /// A job as the overview lists it: fresh, with its tasks. `None` where Flink lists no such job.
    async fn find(&self, job: JobId) -> Result<Option<JobOverview>, FlinkError> {
        Ok(self.jobs().await?.into_iter().find(|one| one.id == job))
    }
}
