//! How an operation fails: the phase gives the exit code, the cause says what happened to what,
//! `next` what to type.

mod next;

pub use next::{Command, NextStep, Program, What, Word};

use crate::cluster::ClusterError;
use crate::cluster::apply::ApplyErrors;
use crate::flink::{FlinkError, StartError};
use crate::package::{PackageError, SchemaError};
use crate::release::{LockError, NameError, ReleaseError};
use crate::render::RenderError;
use crate::source::RepositoryError;
use crate::values::ValuesError;
use crate::yaml::YamlError;

/// How far an operation had come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Refused before anything changed (exit code 3).
    Refused,
    /// The command line is wrong (exit code 2).
    CommandLine,
    /// The cluster or Flink could not be reached, before anything changed (exit code 4).
    Unreachable,
    /// Failed; with what is left behind (exit code 1).
    Failed {
        /// In words, one thing an entry.
        left_behind: Vec<String>,
    },
    /// Failed and undone (exit code 5).
    Undone,
}

/// A failed operation.
#[derive(Debug)]
pub struct Failure {
    /// How far it had come.
    pub phase: Phase,
    /// The cause: what happened, to what.
    pub cause: Box<Cause>,
    /// The next steps.
    pub next: Vec<NextStep>,
}

impl Failure {
    /// Refused before anything changed, unless the cause is the command line, or that something
    /// could not be reached.
    pub fn refused(cause: impl Into<Cause>) -> Self {
        let cause = cause.into();
        let phase = if cause.is_command_line() {
            Phase::CommandLine
        } else if cause.is_unreachable() {
            Phase::Unreachable
        } else {
            Phase::Refused
        };
        Self { phase, cause: Box::new(cause), next: Vec::new() }
    }

    /// Failed after something may have changed.
    pub fn failed(cause: impl Into<Cause>, left_behind: Vec<String>) -> Self {
        Self { phase: Phase::Failed { left_behind }, cause: Box::new(cause.into()), next: Vec::new() }
    }

    /// Returns whether nothing has changed, so that what was made for the operation is of no use.
    pub(crate) fn changed_nothing(&self) -> bool {
        matches!(self.phase, Phase::Refused | Phase::CommandLine | Phase::Unreachable)
    }

    /// With what to type next.
    #[must_use]
    pub fn next(mut self, steps: impl IntoIterator<Item = NextStep>) -> Self {
        self.next.extend(steps);
        self
    }
}

/// Errors that only planning makes convert by themselves: they are found in what was given, and no
/// server is asked.
macro_rules! found_in_planning {
    ($($error:ty),*) => {
        $(impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Failure::refused(error)
            }
        })*
    };
}

found_in_planning!(NameError, PackageError, RenderError);

/// Names the phase in which an error happened. Of what a server is asked for, no conversion knows
/// that.
pub(crate) trait InPhase<T> {
    /// Before anything changed.
    fn refused(self) -> Result<T, Failure>;

    /// When something may have changed: says what is left behind.
    fn failed(self, left_behind: impl FnOnce() -> Vec<String>) -> Result<T, Failure>;
}

impl<T, E: Into<Cause>> InPhase<T> for Result<T, E> {
    fn refused(self) -> Result<T, Failure> {
        self.map_err(Failure::refused)
    }

    fn failed(self, left_behind: impl FnOnce() -> Vec<String>) -> Result<T, Failure> {
        self.map_err(|error| Failure::failed(error, left_behind()))
    }
}

/// The cause: what happened, to what.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the messages say it
pub enum Cause {
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    #[error("{0}")]
    Apply(#[from] ApplyErrors),
    #[error("{}", each(objects))]
    NotDeleted { objects: Vec<(crate::render::ObjectKey, ClusterError)> },
    #[error(transparent)]
    Release(#[from] ReleaseError),
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error("{doing}")]
    Flink {
        doing: String,
        #[source]
        source: FlinkError,
    },
    #[error("the job {job} could not be started")]
    Start {
        job: String,
        #[source]
        source: StartError,
    },
    #[error(transparent)]
    Package(#[from] PackageError),
    #[error(transparent)]
    Repository(#[from] RepositoryError),
    #[error(transparent)]
    Values(#[from] ValuesError),
    #[error("the values do not fit the package {package}")]
    Schema {
        package: String,
        #[source]
        source: SchemaError,
    },
    #[error(transparent)]
    Render(#[from] RenderError),
    #[error(transparent)]
    Yaml(#[from] YamlError),
    #[error("{}: cannot be read", path.display())]
    File {
        path: std::path::PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error(transparent)]
    ReleaseName(#[from] NameError),
    #[error("release {name:?} not found in namespace {namespace:?}")]
    NotFound { name: String, namespace: String },
    #[error("release {name:?} has no revision {revision} (it has {known})")]
    NoRevision { name: String, revision: u32, known: String },
    #[error("release {name:?} exists in namespace {namespace:?} (revision {revision}, {status})")]
    Exists { name: String, namespace: String, revision: u32, status: String },
    #[error("namespace {0:?} does not exist")]
    NoNamespace(String),
    #[error("not allowed: {}", missing.join("; "))]
    Rights { missing: Vec<String> },
    #[error("{why}, and what happens to the state is never a silent default")]
    ChoiceNeeded { why: String },
    #[error("the job {job} can take no savepoint: {reason}")]
    NoSavepoint { job: String, reason: String },
    #[error("the job {job} has no checkpoint to go on from: {reason}")]
    NoCheckpoint { job: String, reason: String },
    #[error("Flink {reader} cannot read the state of the job {job}, which Flink {writer} wrote")]
    Unreadable { job: String, reader: String, writer: String },
    #[error("no savepoint of the job {job} is recorded{}", at.as_ref().map(|r| format!(" for revision {r}")).unwrap_or_default())]
    NothingRecorded { job: String, at: Option<u32> },
    #[error("{reason}")]
    NoRoom { reason: String },
    #[error("state is not durable here (storage.type is none): {0}")]
    Volatile(String),
    #[error("job {job} ({id}) runs in the release's cluster, but the release does not know its jar")]
    UnknownJob { job: String, id: String },
    #[error(
        "the JobManager of {generation} {}, and would bring back jobs that the release does not know: {}",
        if *answers { "is starting" } else { "does not answer" },
        jobs.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    )]
    Unmanaged { generation: String, answers: bool, jobs: Vec<crate::id::JobId> },
    #[error("the job {job} cannot be started again: {reason}")]
    CannotStart { job: String, reason: String },
    #[error("release {release:?} has no job {job:?} (it has {known})")]
    NoJob { release: String, job: String, known: String },
    #[error("{0}")]
    InvalidInput(String),
    #[error("{0}")]
    Precondition(String),
    #[error("{step}: {reason}")]
    Step { step: String, reason: String },
    #[error("release {release:?} changed meanwhile: it is at revision {now}, the plan was made for {then}")]
    ChangedMeanwhile { release: String, now: String, then: String },
    #[error("an interrupted {operation} by {holder} (since {since}): {position}")]
    LeftBehind { operation: String, holder: String, since: String, position: String },
    #[error("interrupted")]
    Interrupted,
}

fn each(objects: &[(crate::render::ObjectKey, ClusterError)]) -> String {
    let each: Vec<_> =
        objects.iter().map(|(key, error)| format!("{key} could not be deleted: {error}")).collect();
    each.join("; ")
}

impl Cause {
    /// Objects that could not be deleted, each with its reason.
    pub(crate) fn not_deleted(objects: Vec<(crate::render::ObjectKey, ClusterError)>) -> Self {
        Self::NotDeleted { objects }
    }

    /// Returns whether something could not be reached at all.
    pub fn is_unreachable(&self) -> bool {
        match self {
            Cause::Cluster(error) => error.is_unreachable(),
            Cause::Release(error) | Cause::Lock(LockError::Release(error)) => error.is_unreachable(),
            Cause::Apply(errors) => errors.is_unreachable(),
            Cause::Flink { source, .. } => source.is_passing(),
            _ => false,
        }
    }

    /// Returns whether what the user has typed cannot be read, or names nothing that there is in
    /// their own files.
    fn is_command_line(&self) -> bool {
        match self {
            Cause::InvalidInput(_) | Cause::ReleaseName(_) | Cause::Values(ValuesError::Set { .. }) => true,
            Cause::Cluster(error) => error.is_command_line(),
            _ => false,
        }
    }
}

/// Returns the refusal where a namespace has no release of a name.
pub(crate) fn not_found(namespace: &str, name: &str) -> Failure {
    Failure::refused(Cause::NotFound { name: name.to_owned(), namespace: namespace.to_owned() })
        .next([NextStep::flink(["list", "-A"]).remark("the releases there are")])
}

/// An error and its sources in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let next = error.to_string();
        if !text.contains(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        source = error.source();
    }
    text
}
