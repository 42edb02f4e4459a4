//! The control by Flink's REST API: session and job clusters, whose jobs are started and stopped by
//! request.

use std::time::Duration;

use tokio::time::Instant;

use super::JobControl;
use crate::flink::savepoint::{self, Tick};
use crate::flink::{
    End, FlinkError, Health, JobOverview, LatestCheckpoints, Overview, Plan, Program, Rest, RunRequest,
    StartError, Started, StopError, StopRequest, health, job_start,
};
use crate::id::JobId;

/// What a generation must have before a job is moved to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Want {
    pub slots: u32,
    pub task_managers: u32,
}

/// What a generation has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Readiness {
    pub ready: bool,
    pub overview: Overview,
}

impl Readiness {
    /// Holds what there is against what is wanted.
    pub fn of(overview: Overview, want: Want) -> Self {
        let ready = overview.slots_available >= want.slots && overview.taskmanagers >= want.task_managers;
        Self { ready, overview }
    }
}

/// A Flink cluster that is up, by its REST API.
#[derive(Debug, Clone)]
pub struct RestControl<R> {
    rest: R,
    silence: Duration,
}

impl<R: Rest> RestControl<R> {
    /// By these requests. `silence` is for how long Flink may not answer while a job is looked up
    /// around its start.
    pub fn new(rest: R, silence: Duration) -> Self {
        Self { rest, silence }
    }

    /// Returns what Flink knows of a job's checkpoints after its end; where it does not answer it
    /// is asked again for a while.
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
        // Flink answers from a cache: one that was filled before the end may name a checkpoint that
        // is gone by now.
        let cached = self.rest.config().await?.refresh_interval;
        tokio::time::sleep(Duration::from_millis(cached + 100)).await;
        Ok(self.rest.checkpoints(job).await?.latest)
    }

    /// Returns the jobs that it knows.
    pub async fn jobs(&self) -> Result<Vec<JobOverview>, FlinkError> {
        self.rest.jobs().await
    }

    /// Stops a job with a savepoint, and gives its path the moment it is written.
    pub async fn stop(
        &self,
        job: JobId,
        request: &StopRequest,
        tick: &mut Tick<'_>,
    ) -> Result<String, StopError> {
        savepoint::stop_with_savepoint(&self.rest, job, request, tick).await
    }

    /// Follows a stop that was triggered before: triggers nothing.
    pub async fn follow(
        &self,
        job: JobId,
        request: &StopRequest,
        tick: &mut Tick<'_>,
    ) -> Result<String, StopError> {
        savepoint::follow_stop(&self.rest, job, request, tick).await
    }

    /// Asks for a job to be cancelled. A job that has ended, or that nobody knows, is no error.
    pub async fn cancel(&self, job: JobId) -> Result<(), FlinkError> {
        match self.rest.cancel(job).await {
            Err(FlinkError::NotFound { .. } | FlinkError::Refused { status: 409, .. }) => Ok(()),
            answer => answer,
        }
    }

    /// Waits until a job that was stopped or cancelled has ended.
    pub async fn ended(&self, job: JobId, tick: &mut Tick<'_>) -> Result<End, FlinkError> {
        savepoint::await_end(&self.rest, job, tick).await
    }

    /// Returns the path of the newest checkpoint that a job which has ended left.
    pub async fn latest_checkpoint(&self, job: JobId) -> Result<Option<String>, FlinkError> {
        let newest = self.last_checkpoints(job).await?.completed;
        Ok(newest.and_then(|checkpoint| checkpoint.external_path))
    }

    /// Returns the path of the newest savepoint that Flink knows of a job.
    pub async fn latest_savepoint(&self, job: JobId) -> Result<Option<String>, FlinkError> {
        let newest = self.last_checkpoints(job).await?.savepoint;
        Ok(newest.and_then(|savepoint| savepoint.external_path))
    }

    /// Shuts the cluster down for good.
    pub async fn shut_down(&self) -> Result<(), FlinkError> {
        self.rest.delete_cluster().await
    }

    /// Takes one look at what it has. An error that [`FlinkError::is_passing`]: not yet.
    pub async fn ready(&self, want: Want) -> Result<Readiness, FlinkError> {
        Ok(Readiness::of(self.rest.overview().await?, want))
    }

    /// Runs `main()` without starting its job.
    pub async fn preflight(&self, jar: &str, program: &Program) -> Result<Plan, FlinkError> {
        self.rest.plan(jar, program).await
    }

    /// Starts a job, exactly once, or finds that it is there.
    pub async fn start(&self, jar: &str, request: &RunRequest) -> Result<Started, StartError> {
        job_start::start(&self.rest, jar, request, self.silence).await
    }

    /// Returns whether a job takes checkpoints. Where Flink does not say: it does.
    pub async fn takes_checkpoints(&self, job: JobId) -> bool {
        self.rest.checkpoint_config(job).await.map_or(true, |config| config.enabled)
    }

    /// Takes one look at a job.
    pub async fn health(&self, job: JobId) -> Result<Health, FlinkError> {
        health::look(&self.rest, job).await
    }
}

impl<R: Rest> JobControl for RestControl<R> {
    type Rest = R;

    fn rest(&self) -> &RestControl<R> {
        self
    }
}
