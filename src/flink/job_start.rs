//! Starting a job exactly once. `run` is no honest witness: it answers 400 or 500 with the job
//! running where `main()` waits for its result, and an answer can get lost. So the id, which we
//! choose, is looked up first and after any error; only where Flink does not know it the **same**
//! id is sent again.

use std::time::Duration;

use tokio::time::Instant;

use super::backoff::Backoff;
use super::error::{FlinkError, Refusal};
use super::requests::RunRequest;
use super::rest::Rest;
use super::types::{Failures, JobState};
use crate::id::JobId;

/// How often the same id is sent at most.
const TRIES: u32 = 3;
/// For how long the id is looked up after an answer: the job is registered before `run` answers.
const AFTER_ANSWER: Duration = Duration::from_secs(2);
/// For how long the id is looked up when there was no answer: `main()` may still be running.
const AFTER_SILENCE: Duration = Duration::from_secs(20);

/// The job is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Started {
    /// Its state when it was seen.
    pub state: JobState,
    /// How it came to be there.
    pub how: How,
}

/// How a job came to be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum How {
    /// It was there before: an earlier run of the same operation started it.
    AlreadyThere,
    /// Started, and Flink said so.
    Accepted,
    /// Started although Flink answered with an error: what it said.
    InSpiteOf(String),
}

/// The job is not there, or no longer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StartError {
    /// The request certainly did not reach Flink.
    #[error("job {job} was not started: {source}")]
    NotSent {
        job: JobId,
        #[source]
        source: FlinkError,
    },
    /// Flink refused it and does not know the id: it does not run.
    #[error("job {job} was not started: {cause}")]
    Refused {
        job: JobId,
        /// One line of Flink's cause.
        cause: String,
    },
    /// Flink refuses the id as used and lists no such job: it ran before and ended, and the
    /// `JobManager` restarted since.
    #[error("job {job} ran before and has ended: Flink does not run the same id twice")]
    IdUsed { job: JobId },
    /// It was started and ended at once.
    #[error("job {job} {state}: {cause}")]
    Ended {
        /// The job's id, used up now.
        job: JobId,
        state: JobState,
        /// One line of the root exception, or of what `run` answered.
        cause: String,
    },
    /// It runs is not known: Flink stayed silent. Look the id up later; start no other in its
    /// place.
    #[error("whether job {job} runs is not known: {source}")]
    Uncertain {
        job: JobId,
        #[source]
        source: FlinkError,
    },
}

/// Starts a job, or finds that it is there. `silence` is for how long Flink may not answer, or
/// recover, while the id is looked up, and for how long the `main()` of an application may take
/// until it has submitted its job.
pub async fn start(
    client: &impl Rest,
    jar: &str,
    request: &RunRequest,
    silence: Duration,
) -> Result<Started, StartError> {
    let job = request.job;
    if !request.application {
        return ask(client, jar, request, silence).await;
    }
    // An interrupted run may have started it.
    if let Some(error) = ended_without_job(client, job).await {
        return Err(error);
    }
    match ask(client, jar, request, silence).await {
        Ok(started) => submitted(client, job, started, silence).await,
        Err(error @ StartError::IdUsed { .. }) => Err(ended_without_job(client, job).await.unwrap_or(error)),
        Err(error) => Err(error),
    }
}

/// An application that has ended and never had a job; `None` where that is not certain.
async fn ended_without_job(client: &impl Rest, job: JobId) -> Option<StartError> {
    let application = client.application(job).await.ok()??;
    if !application.state.is_terminal() || application.has_jobs {
        return None;
    }
    let cause = client.application_failure(job).await.ok().flatten();
    let cause = cause.unwrap_or_else(|| "its main() ended without starting a job".to_owned());
    Some(StartError::Ended { job, state: application.state, cause })
}

/// Waits until an application has submitted its job.
async fn submitted(
    client: &impl Rest,
    job: JobId,
    started: Started,
    silence: Duration,
) -> Result<Started, StartError> {
    let begun = Instant::now();
    let mut backoff = Backoff::default();
    loop {
        let last = match client.find(job).await {
            Ok(Some(found)) => return Ok(Started { state: found.state, ..started }),
            Ok(None) => match ended_without_job(client, job).await {
                Some(error) => return Err(error),
                None => FlinkError::Deadline {
                    request: format!("GET /applications/{job}"),
                    after: begun.elapsed(),
                    may_have_acted: true,
                },
            },
            Err(error) => error,
        };
        if begun.elapsed() >= silence {
            return Err(StartError::Uncertain { job, source: last });
        }
        backoff.wait().await;
    }
}

async fn ask(
    client: &impl Rest,
    jar: &str,
    request: &RunRequest,
    silence: Duration,
) -> Result<Started, StartError> {
    let job = request.job;
    // An earlier run of the operation may have started it.
    let before = look_up(client, job, Duration::ZERO, silence)
        .await
        .map_err(|source| StartError::NotSent { job, source })?;
    if let Some(state) = before {
        return Ok(Started { state, how: How::AlreadyThere });
    }
    let mut tries = 0;
    loop {
        tries += 1;
        let error = match client.run(jar, request).await {
            Ok(()) => {
                let state = look_up(client, job, AFTER_ANSWER, silence).await.ok().flatten();
                return Ok(Started { state: state.unwrap_or(JobState::Initializing), how: How::Accepted });
            }
            Err(error) => error,
        };
        if certainly_not_sent(&error) {
            return Err(StartError::NotSent { job, source: error });
        }
        let answered = matches!(
            error,
            FlinkError::Refused { .. } | FlinkError::NotFound { .. } | FlinkError::Recovering { .. }
        );
        let patience = if answered { AFTER_ANSWER } else { AFTER_SILENCE };
        let found = look_up(client, job, patience, silence)
            .await
            .map_err(|_| StartError::Uncertain { job, source: error.clone() })?;
        match (found, error) {
            (Some(state), error) => return seen(client, job, state, &error).await,
            (None, FlinkError::Refused { kind: Refusal::DuplicateId, .. }) => {
                return Err(StartError::IdUsed { job });
            }
            (None, FlinkError::Refused { message, .. } | FlinkError::NotFound { message, .. }) => {
                return Err(StartError::Refused { job, cause: message });
            }
            (None, source) if tries >= TRIES => return Err(StartError::Uncertain { job, source }),
            (None, error) => tracing::debug!(%job, %error, "unknown to Flink: the same id again"),
        }
    }
}

/// The job is there in spite of an error: running on, or ended already.
async fn seen(
    client: &impl Rest,
    job: JobId,
    state: JobState,
    error: &FlinkError,
) -> Result<Started, StartError> {
    let said = match error {
        FlinkError::Refused { message, .. } => message.clone(),
        other => other.to_string(),
    };
    if !matches!(state, JobState::Failed | JobState::Canceled) {
        return Ok(Started { state, how: How::InSpiteOf(said) });
    }
    let cause = match client.failures(job).await {
        Ok(Failures { newest: Some(root), .. }) => root.first_line,
        _ => said,
    };
    Err(StartError::Ended { job, state, cause })
}

/// Looks a job up until Flink knows it, or has said for that long that it does not. An error: Flink
/// stayed silent.
async fn look_up(
    client: &impl Rest,
    job: JobId,
    patience: Duration,
    silence: Duration,
) -> Result<Option<JobState>, FlinkError> {
    let begun = Instant::now();
    let mut silent_since = None;
    let mut backoff = Backoff::default();
    loop {
        match client.job_state(job).await {
            Ok(state) => return Ok(Some(state)),
            Err(error) if error.is_not_found() => {
                if begun.elapsed() >= patience {
                    return Ok(None);
                }
                silent_since = None;
            }
            Err(error) if error.is_passing() => {
                if silent_since.get_or_insert_with(Instant::now).elapsed() >= silence {
                    return Err(error);
                }
            }
            Err(error) => return Err(error),
        }
        backoff.wait().await;
    }
}

fn certainly_not_sent(error: &FlinkError) -> bool {
    match error {
        FlinkError::Unreachable { may_have_acted, .. } => !may_have_acted,
        FlinkError::Forbidden { .. } | FlinkError::Fenced { .. } | FlinkError::Upload { .. } => true,
        _ => false,
    }
}
