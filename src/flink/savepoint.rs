//! Savepoints from the trigger to the end. A time-out of ours never abandons one that Flink is
//! still writing: the following goes on until Flink says what became of it. Dropping the future
//! ends the waiting and nothing else: the same trigger can be followed again. Nothing here triggers
//! twice.

use std::fmt;
use std::time::Duration;

use tokio::time::Instant;

use super::backoff::Backoff;
use super::error::FlinkError;
use super::requests::StopRequest;
use super::rest::Rest;
use super::types::{JobState, SavepointStatus};
use crate::id::{JobId, TriggerId};

/// For how long an unknown trigger is asked for again before it counts as forgotten: the request
/// may still be on its way, and the checkpoint statistics that are looked into then are up to 3 s
/// old.
const UNKNOWN_FOR: Duration = Duration::from_secs(5);

/// For how long a job must run with all its tasks, after a stop that failed, to count as running
/// on.
const RUNS_ON_FOR: Duration = Duration::from_secs(5);

/// For how long a job may be on its way to nowhere (restarting again and again) until it counts as
/// going on.
const GOES_ON_FOR: Duration = Duration::from_mins(1);

/// What is being waited for. Its Display is one line for the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    pub elapsed: Duration,
    /// Why it is not over.
    pub why: Why,
}

/// Why a wait is not over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// Flink is writing the savepoint.
    Writing,
    /// The savepoint is there; the job is on its way to its end, in this state.
    Ending(JobState),
    /// Flink does not answer, or does not know the trigger: its words, or ours.
    Silent(String),
}

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.why {
            Why::Writing => f.write_str("Flink is writing it"),
            Why::Ending(state) => write!(f, "the job is {state}"),
            Why::Silent(message) => f.write_str(message),
        }
    }
}

/// Told after every look.
pub type Tick<'a> = dyn FnMut(&Waiting) + 'a;

/// No savepoint, or not one that ended the job.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StopError {
    /// Nothing was asked of Flink, or Flink refused it at once. The job runs on.
    #[error("the savepoint was not begun: {0}")]
    NotBegun(#[source] FlinkError),
    /// Flink could not take the savepoint. The job goes on, unless it had ended before.
    #[error("Flink could not take the savepoint: {cause}")]
    Failed {
        /// One line of Flink's cause.
        cause: String,
    },
    /// The savepoint was written, then the job failed on its way to the end. The savepoint is good
    /// once the job is terminal ([`await_end`]), unless Flink has brought the job back and it is
    /// FINISHED: that is past the savepoint. Transactions may stay uncommitted until a job is
    /// restored from it.
    #[error("{cause}")]
    FailedWhileStopping {
        /// One line of Flink's cause.
        cause: String,
        location: String,
    },
    /// This `JobManager` does not know the trigger (it restarted, or the request never arrived, or
    /// the answer expired) and knows of no savepoint in the trigger's directory. Never trigger
    /// again unasked: output up to an unknown savepoint may be committed.
    #[error(
        "Flink does not know the savepoint trigger {trigger}; if a savepoint was written it is in {directory}"
    )]
    Forgotten {
        trigger: TriggerId,
        directory: String,
        /// The job's state, where Flink knows the job.
        state: Option<JobState>,
    },
    /// Something that is not Flink answered, or Flink in a way that this client does not know. What
    /// became of the savepoint is not known.
    #[error(transparent)]
    Flink(FlinkError),
}

impl StopError {
    /// Returns whether it is certain that the job was not stopped by this.
    pub fn leaves_job_running(&self) -> bool {
        match self {
            Self::NotBegun(_) | Self::Failed { .. } => true,
            // A JobManager that knows the job and not the trigger has brought the job back from a
            // checkpoint.
            Self::Forgotten { state, .. } => matches!(
                state,
                Some(JobState::Running | JobState::Restarting | JobState::Created | JobState::Initializing)
            ),
            Self::FailedWhileStopping { .. } | Self::Flink(_) => false,
        }
    }
}

/// How a job ended, or did not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Ended(JobState),
    /// Its `JobManager` restarted and does not know it: a job that has ended is not brought back.
    Gone,
    /// All its tasks have been running for some seconds, or it restarts again and again: the stop
    /// failed and Flink brought the job back. Its output goes past the savepoint.
    RunsOn,
}

/// Triggers a stop with savepoint, once, and waits until the savepoint is written: gives its path,
/// to be recorded at once. Then [`await_end`].
pub async fn stop_with_savepoint(
    client: &impl Rest,
    job: JobId,
    request: &StopRequest,
    tick: &mut Tick<'_>,
) -> Result<String, StopError> {
    begun(client.stop(job, request).await)?;
    follow_stop(client, job, request, tick).await
}

/// Follows a stop that was triggered before, by this process or one that died. Sends nothing that
/// changes Flink.
pub async fn follow_stop(
    client: &impl Rest,
    job: JobId,
    request: &StopRequest,
    tick: &mut Tick<'_>,
) -> Result<String, StopError> {
    match found(client, job, request, tick).await? {
        Found { path: location, restored_since: true } => Err(StopError::FailedWhileStopping {
            cause: "Flink has brought the job back since its savepoint".to_owned(),
            location,
        }),
        Found { path, .. } => Ok(path),
    }
}

/// A savepoint that is written.
struct Found {
    path: String,
    /// The job was restored after it, by the same `JobManager`: it has not ended the job. `false`
    /// where the trigger itself is known, which says as much.
    restored_since: bool,
}

/// Takes a savepoint beside the running job, and gives its path.
pub async fn take(
    client: &impl Rest,
    job: JobId,
    request: &StopRequest,
    tick: &mut Tick<'_>,
) -> Result<String, StopError> {
    begun(client.trigger_savepoint(job, request).await)?;
    follow(client, job, request, tick).await
}

/// Returns whether a trigger may be under way: after an error that leaves it open the trigger is
/// followed all the same.
fn begun(sent: Result<(), FlinkError>) -> Result<(), StopError> {
    match sent {
        // Flink's own refusal is definite here, unlike that of `run`.
        Err(error @ FlinkError::Refused { .. }) => Err(StopError::NotBegun(error)),
        Err(error) if !error.may_have_acted() => Err(StopError::NotBegun(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Follows a trigger of [`take`] that was sent before, by this process or one that died, until the
/// savepoint is written. Sends nothing that changes Flink.
pub async fn follow(
    client: &impl Rest,
    job: JobId,
    request: &StopRequest,
    tick: &mut Tick<'_>,
) -> Result<String, StopError> {
    Ok(found(client, job, request, tick).await?.path)
}

async fn found(
    client: &impl Rest,
    job: JobId,
    request: &StopRequest,
    tick: &mut Tick<'_>,
) -> Result<Found, StopError> {
    let since = Instant::now();
    let mut backoff = Backoff::default();
    let mut unknown_since = None;
    loop {
        let why = match client.savepoint(job, request.trigger).await {
            Ok(SavepointStatus::Completed { location: path }) => {
                return Ok(Found { path, restored_since: false });
            }
            Ok(SavepointStatus::Failed { cause, location: Some(location) }) => {
                return Err(StopError::FailedWhileStopping { cause, location });
            }
            Ok(SavepointStatus::Failed { cause, location: None }) => return Err(StopError::Failed { cause }),
            Ok(SavepointStatus::InProgress) => Why::Writing,
            Err(error) if error.is_not_found() => {
                let begun = *unknown_since.get_or_insert_with(Instant::now);
                if begun.elapsed() >= UNKNOWN_FOR
                    && let Some(found) = remembered(client, job, request).await?
                {
                    return Ok(found);
                }
                Why::Silent(error.to_string())
            }
            Err(error) if error.is_passing() => Why::Silent(error.to_string()),
            Err(error) => return Err(StopError::Flink(error)),
        };
        tick(&Waiting { elapsed: since.elapsed(), why });
        backoff.wait().await;
    }
}

/// The trigger is unknown: the job's statistics may still know the savepoint. `None`: Flink did not
/// answer, ask again.
async fn remembered(
    client: &impl Rest,
    job: JobId,
    request: &StopRequest,
) -> Result<Option<Found>, StopError> {
    match client.checkpoints(job).await {
        Ok(checkpoints) => {
            let restored = checkpoints.latest.restored.map_or(0, |restored| restored.restore_timestamp);
            if let Some(savepoint) = checkpoints.latest.savepoint
                && let Some(path) = savepoint.external_path.filter(|path| is_under(path, &request.directory))
            {
                return Ok(Some(Found { path, restored_since: restored > savepoint.trigger_timestamp }));
            }
        }
        Err(error) if error.is_not_found() => {}
        Err(error) if error.is_passing() => return Ok(None),
        Err(error) => return Err(StopError::Flink(error)),
    }
    let state = match client.job_state(job).await {
        Ok(state) => Some(state),
        Err(error) if error.is_not_found() => None,
        Err(error) if error.is_passing() => return Ok(None),
        Err(error) => return Err(StopError::Flink(error)),
    };
    Err(StopError::Forgotten { trigger: request.trigger, directory: request.directory.clone(), state })
}

/// Waits until a job that was stopped or canceled has ended: before that its savepoint is not to be
/// started from. Errors that pass are waited out; the caller sets a limit, if any, by dropping the
/// future.
pub async fn await_end(client: &impl Rest, job: JobId, tick: &mut Tick<'_>) -> Result<End, FlinkError> {
    let since = Instant::now();
    let mut backoff = Backoff::default();
    let (mut runs_since, mut goes_on_since) = (None, None);
    loop {
        let why = match client.job_state(job).await {
            Ok(state) if state.is_terminal() => return Ok(End::Ended(state)),
            Ok(state) => {
                // Once it has been on its way up again, it is not on its way to its end.
                match state {
                    JobState::Restarting | JobState::Created | JobState::Initializing => {
                        goes_on_since.get_or_insert_with(Instant::now);
                    }
                    JobState::Cancelling | JobState::Failing => goes_on_since = None,
                    _ => {}
                }
                let goes_on = goes_on_since.is_some_and(|since| since.elapsed() >= GOES_ON_FOR);
                if goes_on || runs_on(client, job, &mut runs_since).await {
                    return Ok(End::RunsOn);
                }
                Why::Ending(state)
            }
            Err(error) if error.is_not_found() => return Ok(End::Gone),
            Err(error) if error.is_passing() => Why::Silent(error.to_string()),
            Err(error) => return Err(error),
        };
        tick(&Waiting { elapsed: since.elapsed(), why });
        backoff.wait().await;
    }
}

/// Returns whether all the job's tasks have been running for a while.
async fn runs_on(client: &impl Rest, job: JobId, since: &mut Option<Instant>) -> bool {
    let runs = matches!(client.find(job).await, Ok(Some(job)) if job.is_fully_running());
    if !runs {
        *since = None;
        return false;
    }
    since.get_or_insert_with(Instant::now).elapsed() >= RUNS_ON_FOR
}

/// Returns a path as it is compared: Flink writes `file:/a` for `file:///a`, and a closing slash
/// means nothing.
pub(crate) fn normal(path: &str) -> String {
    let path = path.trim_end_matches('/');
    match path.split_once(':') {
        Some((scheme, rest)) if rest.starts_with('/') => {
            let after = rest.trim_start_matches('/');
            // An authority (s3://bucket) stays apart from a path without one.
            match rest.len() - after.len() {
                2 => format!("{scheme}://{after}"),
                _ => format!("{scheme}:/{after}"),
            }
        }
        _ if path.starts_with('/') => format!("file:{path}"),
        _ => path.to_owned(),
    }
}

/// Returns whether two paths name the same savepoint.
pub fn same_path(one: &str, other: &str) -> bool {
    normal(one) == normal(other)
}

/// Returns whether a path lies in a directory.
pub fn is_under(path: &str, directory: &str) -> bool {
    normal(path).strip_prefix(&normal(directory)).is_some_and(|rest| rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flink_s_spelling_of_a_path_is_the_same_path() {
        assert!(same_path("file:///a/b", "file:/a/b"));
        assert!(same_path("file:///a/b/", "/a/b"));
        assert!(same_path("s3://bucket/a/", "s3://bucket/a"));
        assert!(!same_path("s3://bucket/a", "s3:/bucket/a"));
        assert!(!same_path("file:///a/b", "file:///a/bc"));
    }

    #[test]
    fn a_path_lies_in_its_trigger_s_directory_only() {
        assert!(is_under("file:/a/3-1/savepoint-0-1", "file:///a/3-1"));
        assert!(!is_under("file:/a/3-12/savepoint-0-1", "file:///a/3-1"));
        assert!(!is_under("file:/a/3-1", "file:///a/3-1"));
    }
}
