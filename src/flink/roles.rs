//! The two roles of an upgrade: a **source** (which jobs run; stop this one with a savepoint, giving a path) and a
//! **destination** (is it ready; start this job from a path; how does it do). Every layout plays both.

use std::time::Duration;

use tokio::time::Instant;

use super::error::FlinkError;
use super::health::{self, Health};
use super::job_start::{self, StartError, Started};
use super::requests::{Program, RunRequest, StopRequest};
use super::rest::Rest;
use super::savepoint::{self, End, StopError, Tick};
use super::types::{JobOverview, LatestCheckpoints, Overview, Plan};
use crate::id::JobId;

/// Where state comes from.
#[expect(async_fn_in_trait, reason = "polled where they are made, on one thread")]
pub trait Source {
    /// The jobs it knows.
    async fn jobs(&self) -> Result<Vec<JobOverview>, FlinkError>;

    /// Stops a job with a savepoint, and gives its path the moment it is written; never abandons a savepoint by a
    /// time-out of its own.
    async fn stop(&self, job: JobId, request: &StopRequest, tick: &mut Tick<'_>)
    -> Result<String, StopError>;

    /// Follows a stop that was triggered before: triggers nothing.
    async fn follow(
        &self,
        job: JobId,
        request: &StopRequest,
        tick: &mut Tick<'_>,
    ) -> Result<String, StopError>;

    /// Asks for a job to be canceled. A job that has ended, or that nobody knows, is no error.
    async fn cancel(&self, job: JobId) -> Result<(), FlinkError>;

    /// Waits until a job that was stopped or canceled has ended.
    async fn ended(&self, job: JobId, tick: &mut Tick<'_>) -> Result<End, FlinkError>;

    /// The path of the newest checkpoint that a job which has ended left; `None` where it completed none.
    async fn latest_checkpoint(&self, job: JobId) -> Result<Option<String>, FlinkError>;

    /// The path of the newest savepoint that Flink knows of a job; `None` where there is none.
    async fn latest_savepoint(&self, job: JobId) -> Result<Option<String>, FlinkError>;

    /// Shuts it down for good; Flink removes its own files of high availability. A job that still runs would be dropped
    /// without a word: the caller makes sure that each has ended.
    async fn shut_down(&self) -> Result<(), FlinkError>;
}

/// What a destination must have before a job is moved to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Want {
    /// Free slots.
    pub slots: u32,
    /// Registered `TaskManager`s.
    pub task_managers: u32,
}

/// What a destination has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Readiness {
    /// Whether that is enough.
    pub ready: bool,
    /// What there is.
    pub overview: Overview,
}

impl Readiness {
    /// Holds what there is against what is wanted.
    pub fn of(overview: Overview, want: Want) -> Self {
        let ready = overview.slots_available >= want.slots && overview.taskmanagers >= want.task_managers;
        Self { ready, overview }
    }
}

/// Where state goes.
#[expect(async_fn_in_trait, reason = "polled where they are made, on one thread")]
pub trait Destination {
    /// One look at what it has. An error that [`FlinkError::is_passing`]: not yet.
    async fn ready(&self, want: Want) -> Result<Readiness, FlinkError>;

    /// Runs `main()` without starting its job.
    async fn try_out(&self, jar: &str, program: &Program) -> Result<Plan, FlinkError>;

    /// Starts a job, exactly once, or finds that it is there.
    async fn start(&self, jar: &str, request: &RunRequest) -> Result<Started, StartError>;

    /// Whether a job takes checkpoints. Where Flink does not say: it does.
    async fn takes_checkpoints(&self, job: JobId) -> bool;

    /// One look at a job.
    async fn health(&self, job: JobId) -> Result<Health, FlinkError>;
}

/// A Flink cluster that is up, by its REST API: both roles.
#[derive(Debug, Clone)]
pub struct RestCluster<R> {
    rest: R,
    silence: Duration,
}

impl<R: Rest> RestCluster<R> {
    /// By these requests. `silence` is for how long Flink may not answer while a job is looked up around its start.
    pub fn new(rest: R, silence: Duration) -> Self {
        Self { rest, silence }
    }

    /// What Flink knows of a job's checkpoints after its end; where it does not answer it is asked again for a while.
    async fn last_checkpoints(&self, job: JobId) -> Result<LatestCheckpoints, FlinkError> {
        let begun = Instant::now();
        loop {
            match self.last_checkpoints_now(job).await {
                Err(error) if error.is_passing() && begun.elapsed() < self.silence => {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
                answer => return answer,
            }
        }
    }

    async fn last_checkpoints_now(&self, job: JobId) -> Result<LatestCheckpoints, FlinkError> {
        // Flink answers from a cache: one that was filled before the end may name a checkpoint that is gone by now.
        let cached = self.rest.config().await?.refresh_interval;
        tokio::time::sleep(Duration::from_millis(cached + 100)).await;
        Ok(self.rest.checkpoints(job).await?.latest)
    }
}

impl<R: Rest> Source for RestCluster<R> {
    async fn jobs(&self) -> Result<Vec<JobOverview>, FlinkError> {
        self.rest.jobs().await
    }

    async fn stop(
        &self,
        job: JobId,
        request: &StopRequest,
        tick: &mut Tick<'_>,
    ) -> Result<String, StopError> {
        savepoint::stop_with_savepoint(&self.rest, job, request, tick).await
    }

    async fn follow(
        &self,
        job: JobId,
        request: &StopRequest,
        tick: &mut Tick<'_>,
    ) -> Result<String, StopError> {
        savepoint::follow_stop(&self.rest, job, request, tick).await
    }

    async fn cancel(&self, job: JobId) -> Result<(), FlinkError> {
        match self.rest.cancel(job).await {
            Err(FlinkError::NotFound { .. } | FlinkError::Refused { status: 409, .. }) => Ok(()),
            answer => answer,
        }
    }

    async fn ended(&self, job: JobId, tick: &mut Tick<'_>) -> Result<End, FlinkError> {
        savepoint::await_end(&self.rest, job, tick).await
    }

    async fn latest_checkpoint(&self, job: JobId) -> Result<Option<String>, FlinkError> {
        let newest = self.last_checkpoints(job).await?.completed;
        Ok(newest.and_then(|checkpoint| checkpoint.external_path))
    }

    async fn latest_savepoint(&self, job: JobId) -> Result<Option<String>, FlinkError> {
        let newest = self.last_checkpoints(job).await?.savepoint;
        Ok(newest.and_then(|savepoint| savepoint.external_path))
    }

    async fn shut_down(&self) -> Result<(), FlinkError> {
        self.rest.delete_cluster().await
    }
}

impl<R: Rest> Destination for RestCluster<R> {
    async fn ready(&self, want: Want) -> Result<Readiness, FlinkError> {
        Ok(Readiness::of(self.rest.overview().await?, want))
    }

    async fn try_out(&self, jar: &str, program: &Program) -> Result<Plan, FlinkError> {
        self.rest.plan(jar, program).await
    }

    async fn start(&self, jar: &str, request: &RunRequest) -> Result<Started, StartError> {
        job_start::start(&self.rest, jar, request, self.silence).await
    }

    async fn takes_checkpoints(&self, job: JobId) -> bool {
        self.rest.checkpoint_config(job).await.map_or(true, |config| config.enabled)
    }

    async fn health(&self, job: JobId) -> Result<Health, FlinkError> {
        health::look(&self.rest, job).await
    }
}
