//! How a job does: one look, no judgement. What is healthy, and for how long it must be, is the
//! operation's to decide.

use super::error::FlinkError;
use super::rest::Rest;
use super::types::{JobState, Tasks};
use crate::id::JobId;

/// What one look at a job shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    pub state: JobState,
    pub tasks: Tasks,
    /// The tasks that its graph plans; 0 while it initializes. Up to 3 s old, as are the fields
    /// below.
    pub planned_tasks: u32,
    /// The path that it was restored from last, as Flink writes it. Later restores overwrite it:
    /// the caller latches the first one seen.
    pub restored: Option<String>,
    /// Checkpoints and savepoints completed; they count from zero again when the `JobManager`
    /// restarts.
    pub completed_checkpoints: u64,
    /// When the newest completed checkpoint was triggered, milliseconds since 1970.
    pub last_checkpoint: Option<u64>,
    /// Failures since the `JobManager` has the job: each but a last one was followed by a restart.
    pub restarts: u64,
    /// One line of why it failed last.
    pub root_exception: Option<String>,
}

impl Health {
    /// Returns whether the job runs with all the tasks that its graph plans.
    pub fn is_fully_running(&self) -> bool {
        self.state == JobState::Running && self.tasks.all_running() && self.tasks.total == self.planned_tasks
    }
}

/// Looks at a job. [`FlinkError::NotFound`]: Flink does not know it.
pub async fn look(client: &impl Rest, job: JobId) -> Result<Health, FlinkError> {
    let (found, detail, checkpoints, failures, restarts) = tokio::join!(
        client.find(job),
        client.job(job),
        client.checkpoints(job),
        client.failures(job),
        client.restarts(job),
    );
    let detail = detail?;
    let found = found?;
    // While a job initializes these are 404.
    let checkpoints = known(checkpoints)?.unwrap_or_default();
    let failures = known(failures)?.unwrap_or_default();
    Ok(Health {
        state: found.as_ref().map_or(detail.state, |job| job.state),
        tasks: found.map(|job| job.tasks).unwrap_or_default(),
        planned_tasks: detail.planned_tasks(),
        restored: checkpoints.latest.restored.and_then(|from| from.external_path),
        completed_checkpoints: checkpoints.counts.completed,
        last_checkpoint: checkpoints.latest.completed.map(|one| one.trigger_timestamp),
        // The metric counts on where the history ends, and is up to ten seconds late.
        restarts: restarts.ok().flatten().unwrap_or(0).max(failures.count),
        root_exception: failures.newest.map(|root| root.first_line),
    })
}

fn known<T>(answer: Result<T, FlinkError>) -> Result<Option<T>, FlinkError> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}
