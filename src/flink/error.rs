//! What can go wrong between us and Flink, told apart by what it means for the caller: whether
//! Flink was reached, whether it may have acted, whether asking again makes sense.

use std::time::Duration;

use http::StatusCode;

use super::cause;
use super::transport::{Answer, Request, TransportError};

/// An error of a call to Flink's REST API.
#[derive(Debug, Clone, thiserror::Error)]
pub enum FlinkError {
    /// There is no way to Flink, or it broke.
    #[error("Flink cannot be reached by {via}: {message}")]
    Unreachable {
        /// The transport, in words.
        via: String,
        message: String,
        /// Flink may have seen the request, and acted.
        may_have_acted: bool,
    },
    /// The API server does not let this user through.
    #[error("no right to reach Flink by {via}: {message} (needed: {right})")]
    Forbidden {
        /// The transport, in words.
        via: String,
        /// The API server's own words.
        message: String,
        /// The right that is missing, as `verb resource`.
        right: String,
    },
    /// 503: the `JobManager` is up and has no leader, or still recovers its jobs. It knows nothing
    /// at this time: not even that a job does not exist.
    #[error("Flink's JobManager is starting or recovering: {message}")]
    Recovering { message: String },
    /// Flink itself says that there is no such thing (404).
    #[error("Flink does not know it ({request}): {message}")]
    NotFound { request: String, message: String },
    /// Flink refused, or failed at, the request (any other 4xx and 5xx).
    #[error("Flink refused ({status}): {message}")]
    Refused {
        request: String,
        status: u16,
        /// One line of Flink's cause.
        message: String,
        /// What kind of refusal it is, where Flink's exceptions say so.
        kind: Refusal,
    },
    /// No answer in time. Flink may have seen the request, and acted.
    #[error("Flink gave no answer within {} s ({request})", after.as_secs_f32())]
    Deadline {
        request: String,
        after: Duration,
        /// The request changes something.
        may_have_acted: bool,
    },
    /// What answered is not Flink's REST API, or not as this client knows it.
    #[error("the answer is not one of Flink's REST API ({request}): {message}")]
    Body {
        request: String,
        /// The reason.
        message: String,
    },
    /// The layout does not do that: nothing was sent.
    #[error("this layout cannot {request}: an error of this program")]
    Unsupported {
        /// The request as given.
        request: String,
    },
    /// The operation is no longer ours: nothing was sent.
    #[error("not sent ({request}): {message}")]
    Fenced {
        request: String,
        /// Why the fence did not let it through.
        message: String,
    },
    /// The file to upload cannot be read.
    #[error("{message}")]
    Upload {
        /// Which file, and why.
        message: String,
    },
}

/// What Flink's exceptions say about a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The job's (or, since Flink 2.3, its application's) id runs already or has ended; with high
    /// availability Flink remembers that over a restart.
    DuplicateId,
    Other,
}

impl FlinkError {
    /// From a transport's error.
    pub(super) fn transport(error: TransportError, via: &str, changes: bool) -> Self {
        let via = via.to_owned();
        match error {
            TransportError::Forbidden { message, right } => Self::Forbidden { via, message, right },
            TransportError::Content { .. } => Self::Upload { message: error.to_string() },
            other => {
                let may_have_acted = changes && !other.certainly_not_sent();
                Self::Unreachable { via, message: other.to_string(), may_have_acted }
            }
        }
    }

    /// From an answer whose status is no success.
    pub(super) fn answer(request: &Request, answer: &Answer) -> Self {
        let text = String::from_utf8_lossy(&answer.body);
        let said = cause::of_body(&answer.body);
        let is_read = request.method == http::Method::GET;
        let request = request.to_string();
        match (answer.status, said) {
            (StatusCode::SERVICE_UNAVAILABLE, said) => {
                Self::Recovering { message: said.unwrap_or_else(|| cause::headline(&text)) }
            }
            (StatusCode::NOT_FOUND, Some(message)) => Self::NotFound { request, message },
            // `/jobs/{id}/status` and `/applications/{id}` answer 500 for what Flink does not know
            // (2.3.0).
            (_, Some(message))
                if is_read
                    && ["FlinkJobNotFoundException", "FlinkApplicationNotFoundException"]
                        .iter()
                        .any(|class| cause::names_class(&text, class)) =>
            {
                Self::NotFound { request, message }
            }
            (status, Some(message)) => {
                let kind = if ["DuplicateJobSubmissionException", "DuplicateApplicationSubmissionException"]
                    .iter()
                    .any(|class| cause::names_class(&text, class))
                {
                    Refusal::DuplicateId
                } else {
                    Refusal::Other
                };
                Self::Refused { request, status: status.as_u16(), message, kind }
            }
            // A 404 of something else on the way says nothing about a job: it must not look like
            // Flink's.
            (status, None) => {
                Self::Body { request, message: format!("status {status}, and no \"errors\" in the body") }
            }
        }
    }

    /// Returns whether Flink may have acted on the request although there was no (good) answer.
    /// What it refused with an error of its own counts too: `run` answers 400 or 500 with the job
    /// running, when `main()` waits for its result.
    pub fn may_have_acted(&self) -> bool {
        match self {
            Self::Unreachable { may_have_acted, .. } | Self::Deadline { may_have_acted, .. } => {
                *may_have_acted
            }
            Self::Refused { .. } | Self::Body { .. } => true,
            Self::Forbidden { .. }
            | Self::Recovering { .. }
            | Self::NotFound { .. }
            | Self::Fenced { .. }
            | Self::Unsupported { .. }
            | Self::Upload { .. } => false,
        }
    }

    /// Returns whether the same look a little later may well succeed: a loop that waits for
    /// something goes on.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Recovering { .. } | Self::Deadline { .. })
    }

    /// Returns whether Flink itself said that there is no such thing.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound { .. })
    }
}
