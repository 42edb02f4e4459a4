//! The two roles of an upgrade: a **source** (which jobs run; stop this one with a savepoint, giving a path) and a
//! **destination** (is it ready; start this job from a path; how does it do). Every layout plays both.

use std::time::Duration;

use futures::future::BoxFuture;

use super::client::Client;
use super::error::FlinkError;
use super::health::{self, Health};
use super::job_start::{self, StartError, Started};
use super::requests::{RunRequest, StopRequest};
use super::savepoint::{self, End, StopError, Tick};
use super::types::{JobOverview, Overview};
use crate::id::JobId;

/// Where state comes from.
pub trait Source: Send + Sync {
    /// The jobs it knows.
    fn jobs(&self) -> BoxFuture<'_, Result<Vec<JobOverview>, FlinkError>>;

    /// Stops a job with a savepoint, and gives its path the moment it is written; never abandons a savepoint by a
    /// time-out of its own.
    fn stop<'a>(
        &'a self,
        job: JobId,
        request: &'a StopRequest,
        tick: &'a mut Tick<'_>,
    ) -> BoxFuture<'a, Result<String, StopError>>;

    /// Follows a stop that was triggered before: triggers nothing.
    fn follow<'a>(
        &'a self,
        job: JobId,
        request: &'a StopRequest,
        tick: &'a mut Tick<'_>,
    ) -> BoxFuture<'a, Result<String, StopError>>;

    /// Waits until a job that was stopped has ended.
    fn ended<'a>(&'a self, job: JobId, tick: &'a mut Tick<'_>) -> BoxFuture<'a, Result<End, FlinkError>>;
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
pub trait Destination: Send + Sync {
    /// One look at what it has. An error that [`FlinkError::is_passing`]: not yet.
    fn ready(&self, want: Want) -> BoxFuture<'_, Result<Readiness, FlinkError>>;

    /// Starts a job, exactly once, or finds that it is there.
    fn start<'a>(
        &'a self,
        jar: &'a str,
        request: &'a RunRequest,
    ) -> BoxFuture<'a, Result<Started, StartError>>;

    /// One look at a job.
    fn health(&self, job: JobId) -> BoxFuture<'_, Result<Health, FlinkError>>;
}

/// A Flink cluster that is up, by its REST API: both roles.
#[derive(Debug, Clone)]
pub struct RestCluster {
    client: Client,
    silence: Duration,
}

impl RestCluster {
    /// By this client. `silence` is for how long Flink may not answer while a job is looked up around its start.
    pub fn new(client: Client, silence: Duration) -> Self {
        Self { client, silence }
    }

    /// The client.
    pub fn client(&self) -> &Client {
        &self.client
    }
}

impl Source for RestCluster {
    fn jobs(&self) -> BoxFuture<'_, Result<Vec<JobOverview>, FlinkError>> {
        Box::pin(self.client.jobs())
    }

    fn stop<'a>(
        &'a self,
        job: JobId,
        request: &'a StopRequest,
        tick: &'a mut Tick<'_>,
    ) -> BoxFuture<'a, Result<String, StopError>> {
        Box::pin(savepoint::stop_with_savepoint(&self.client, job, request, tick))
    }

    fn follow<'a>(
        &'a self,
        job: JobId,
        request: &'a StopRequest,
        tick: &'a mut Tick<'_>,
    ) -> BoxFuture<'a, Result<String, StopError>> {
        Box::pin(savepoint::follow(&self.client, job, request, tick))
    }

    fn ended<'a>(&'a self, job: JobId, tick: &'a mut Tick<'_>) -> BoxFuture<'a, Result<End, FlinkError>> {
        Box::pin(savepoint::await_end(&self.client, job, tick))
    }
}

impl Destination for RestCluster {
    fn ready(&self, want: Want) -> BoxFuture<'_, Result<Readiness, FlinkError>> {
        Box::pin(async move { Ok(Readiness::of(self.client.overview().await?, want)) })
    }

    fn start<'a>(
        &'a self,
        jar: &'a str,
        request: &'a RunRequest,
    ) -> BoxFuture<'a, Result<Started, StartError>> {
        Box::pin(job_start::start(&self.client, jar, request, self.silence))
    }

    fn health(&self, job: JobId) -> BoxFuture<'_, Result<Health, FlinkError>> {
        Box::pin(health::look(&self.client, job))
    }
}
