//! What a release remembers: its revisions as Secrets, and the operation in progress, which is lock
//! and journal in one.
//!
//! Talks to Kubernetes only through [`crate::cluster`]. It stores what it is given and decides
//! nothing about it; it never prints, and its errors never quote what a record holds.

mod blob;
mod codec;
mod labels;
mod name;
pub mod operation;
mod packages;
mod record;
mod savepoints;
mod secrets;
mod segments;
mod store;
#[cfg(test)]
pub(crate) mod testing;

pub use name::{MAX_LENGTH as MAX_NAME_LENGTH, NameError, check as check_name};
pub use operation::{Lock, LockError};
pub use record::{Elsewhere, JobMode, JobRecord, JobState, PackageRef, Record, Status, StatusError, Summary};
pub use savepoints::{Ledger, Origin, Savepoint, StateFormat};
pub use store::Store;

use crate::cluster::ClusterError;

/// A record could not be stored or read.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseError {
    /// The API server could not be reached, or said no.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// The release has no such revision.
    #[error("release {name} has no revision {revision} in namespace {namespace}")]
    NoRevision {
        name: String,
        namespace: String,
        /// The revision asked for.
        revision: u32,
    },
    /// The revision is there already: another client wrote it.
    #[error("release {name} has a revision {revision} already")]
    RevisionExists { name: String, revision: u32 },
    /// A Secret that another one names, or that belongs between two others, is missing.
    #[error("a part of what is recorded is missing: Secret {secret}")]
    PartMissing {
        /// The Secret that is not there.
        secret: String,
    },
    /// A Secret does not hold what was written with the others.
    #[error("the Secret {secret} is damaged: it does not have the recorded SHA-256")]
    Torn { secret: String },
    /// A later version of this program wrote it.
    #[error(
        "{what} was written by kubectl-flink {written_by} in format {format}, which this version does not know: \
         use {written_by} or newer"
    )]
    UnknownFormat {
        /// The object, in words.
        what: String,
        /// The number of its format.
        format: u32,
        /// The version that wrote it.
        written_by: String,
    },
    /// No released version of this program wrote it.
    #[error("{what} has no format number: no released kubectl-flink wrote it")]
    NoFormat {
        /// The object, in words.
        what: String,
    },
    /// A Secret that looks like a record is none.
    #[error("the Secret {secret} is not a release record: {field} is missing or wrong")]
    Metadata {
        secret: String,
        /// The label, annotation or key.
        field: String,
    },
    /// Not to be written as JSON.
    #[error("{what} cannot be recorded: {reason}")]
    Encode {
        /// The object, in words.
        what: String,
        reason: String,
    },
    /// Its bytes cannot be read.
    #[error("{what} cannot be read: {reason}")]
    Decode {
        /// The object, in words.
        what: String,
        reason: String,
    },
}

impl ReleaseError {
    /// Returns whether another version of this program wrote what cannot be read.
    pub fn is_another_version(&self) -> bool {
        matches!(self, Self::UnknownFormat { .. } | Self::NoFormat { .. })
    }

    /// Returns whether the API server could not be reached at all.
    pub fn is_unreachable(&self) -> bool {
        matches!(self, Self::Cluster(error) if error.is_unreachable())
    }
}
