//! How the jobs of a layout are started and stopped: one trait, a file for each way.
//!
//! Plan, state machine and engine know the trait and its [`ControlTraits`], never a kind of layout:
//! what differs between layouts differs here. A driver carries out single requests; the order of
//! them is the engine's.

#[cfg(test)]
mod assigned;
mod driver;
mod kind;
mod owned;
mod pods;
mod rest;

pub use driver::{Driver, suspend};
pub use kind::ControlKind;
pub use owned::owned_kinds;
pub use pods::PodsControl;
pub use rest::{Readiness, RestControl, Want};

use crate::failure::Cause;
use crate::flink::savepoint::Tick;
use crate::flink::{
    End, FlinkError, Health, JobOverview, Plan, Program, Rest, RunRequest, StartError, Started, StopError,
    StopRequest,
};
use crate::id::{Id, JobId};

/// A start that is carried out by another controller, which assigns the job's id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submission {
    /// The job's name in the release.
    pub job: String,
    /// The path of the state that it is restored from.
    pub savepoint: Option<String>,
    /// State that no operator takes may be dropped.
    pub allow_non_restored_state: bool,
    /// Tells this submission from any other one of the same job.
    pub nonce: Id,
}

/// What is there under a submission's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The job; perhaps the one that it replaces still.
    pub job: Option<Sighting>,
    /// The controller has carried out what it was asked for last: no job is on its way.
    pub settled: bool,
    /// The controller has begun to carry out this very submission. The job may not be there yet, or
    /// not any more.
    pub launched: bool,
}

/// A job as who assigned its id shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// Its id; perhaps that of the job which it replaces.
    pub id: JobId,
    /// When it was started, milliseconds since 1970 by Flink's clock.
    pub since: u64,
    /// The path that it was restored from last.
    pub restored: Option<String>,
    pub ended: bool,
}

/// The control over one generation: by default through its Flink's REST API.
#[expect(async_fn_in_trait, reason = "polled where they are made, on one thread")]
pub trait JobControl {
    /// How requests reach its Flink.
    type Rest: Rest;

    /// Returns the control by REST: every generation has a Flink that can be asked.
    fn rest(&self) -> &RestControl<Self::Rest>;

    /// Returns the jobs that it knows.
    async fn jobs(&self) -> Result<Vec<JobOverview>, FlinkError> {
        self.rest().jobs().await
    }

    /// Takes one look at a job.
    async fn health(&self, job: JobId) -> Result<Health, FlinkError> {
        self.rest().health(job).await
    }

    /// Returns whether a job takes checkpoints. Where Flink does not say: it does.
    async fn takes_checkpoints(&self, job: JobId) -> bool {
        self.rest().takes_checkpoints(job).await
    }

    /// Returns the path of the newest checkpoint that a job which has ended left; `None` where it
    /// completed none.
    async fn latest_checkpoint(&self, job: JobId) -> Result<Option<String>, FlinkError> {
        self.rest().latest_checkpoint(job).await
    }

    /// Returns the path of the newest savepoint that Flink knows of a job; `None` where there is
    /// none.
    async fn latest_savepoint(&self, job: JobId) -> Result<Option<String>, FlinkError> {
        self.rest().latest_savepoint(job).await
    }

    /// Stops a job with a savepoint, and gives its path the moment it is written; never abandons a
    /// savepoint by a time-out of its own.
    async fn stop(
        &self,
        job: JobId,
        request: &StopRequest,
        tick: &mut Tick<'_>,
    ) -> Result<String, StopError> {
        self.rest().stop(job, request, tick).await
    }

    /// Follows a stop that was triggered before: triggers nothing.
    async fn follow(
        &self,
        job: JobId,
        request: &StopRequest,
        tick: &mut Tick<'_>,
    ) -> Result<String, StopError> {
        self.rest().follow(job, request, tick).await
    }

    /// Asks for a job to be cancelled. A job that has ended, or that nobody knows, is no error.
    async fn cancel(&self, job: JobId) -> Result<(), FlinkError> {
        self.rest().cancel(job).await
    }

    /// Waits until a job that was stopped or cancelled has ended.
    async fn ended(&self, job: JobId, tick: &mut Tick<'_>) -> Result<End, FlinkError> {
        self.rest().ended(job, tick).await
    }

    /// Runs `main()` without starting its job
    /// ([`ControlTraits::preflight`](crate::operation::ControlTraits)).
    async fn preflight(&self, jar: &str, program: &Program) -> Result<Plan, FlinkError> {
        self.rest().preflight(jar, program).await
    }

    /// Starts a job under the id that the request names, exactly once, or finds that it is there.
    async fn start(&self, jar: &str, request: &RunRequest) -> Result<Started, StartError> {
        self.rest().start(jar, request).await
    }

    /// Hands a job to who assigns ids
    /// ([`ControlTraits::chooses_job_id`](crate::operation::ControlTraits) is off). The same
    /// submission again changes nothing; neither does one that arrives when it was withdrawn.
    async fn submit(&self, submission: &Submission) -> Result<(), FlinkError> {
        Err(unsupported(&format!("submit {}", submission.job)))
    }

    /// Looks for the job that is there under a submission's name.
    async fn identify(&self, submission: &Submission) -> Result<Found, FlinkError> {
        Err(unsupported(&format!("identify {}", submission.job)))
    }

    /// Takes a submission back: who assigns ids does not begin to start its job any more. What it
    /// has begun it finishes: [`Found::settled`] says when.
    async fn withdraw(&self, submission: &Submission) -> Result<(), FlinkError> {
        Err(unsupported(&format!("withdraw {}", submission.job)))
    }

    /// Lets the Pods that start the job begin
    /// ([`ControlTraits::starts_with_pods`](crate::operation::ControlTraits)). A request that
    /// arrives when they are deleted again does nothing.
    async fn unsuspend(&self) -> Result<(), Cause> {
        Ok(())
    }

    /// Ends the `JobManager`, which does not answer, or does not know its job. Returns whether that
    /// job completed a checkpoint, which high availability knows; `None` where it does not say.
    async fn halt(&self, job: JobId) -> Result<Option<bool>, Cause> {
        let source = unsupported(&format!("halt {job}"));
        Err(Cause::Flink { doing: "the JobManager could not be ended".to_owned(), source })
    }

    /// Shuts the cluster down for good; Flink removes its own files of high availability. A job
    /// that still runs would be dropped without a word: the caller makes sure that each has ended.
    async fn shut_down(&self) -> Result<(), FlinkError> {
        self.rest().shut_down().await
    }
}

/// A request that a driver's traits say is never made.
fn unsupported(request: &str) -> FlinkError {
    FlinkError::Unsupported { request: request.to_owned() }
}
