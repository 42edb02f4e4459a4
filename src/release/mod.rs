//! What a release remembers: its revisions as Secrets, and the operation in progress, which is lock and journal in one.
//!
//! Talks to Kubernetes only through [`crate::cluster`]. It stores what it is given and decides nothing about it; it never
//! prints, and its errors never quote what a record holds.

mod codec;
mod labels;
mod name;
pub mod operation;
mod record;
mod store;
#[cfg(test)]
mod testing;

pub use name::{MAX_LENGTH as MAX_NAME_LENGTH, NameError, check as check_name};
pub use operation::{Lock, LockError};
pub use record::{
    Elsewhere, JobMode, JobRecord, JobSavepoint, JobState, PackageRef, Record, SavepointRef, Status,
    StatusError, Summary,
};
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
        /// The release.
        name: String,
        /// Its namespace.
        namespace: String,
        /// The revision asked for.
        revision: u32,
    },
    /// The revision is there already: somebody else wrote it.
    #[error("release {name} has a revision {revision} already")]
    RevisionExists {
        /// The release.
        name: String,
        /// The revision.
        revision: u32,
    },
    /// A part of a record is missing.
    #[error("a part of the record is missing: Secret {secret}")]
    PartMissing {
        /// The Secret that is not there.
        secret: String,
    },
    /// A part of a record is not the one that was written with it.
    #[error("the record is damaged: {} does not have the recorded SHA-256", piece(*.part))]
    Torn {
        /// 0 is the head.
        part: usize,
    },
    /// The record was written by a later version of this program.
    #[error(
        "the record has form {format}, which this version of kubectl-flink does not know; use a newer one"
    )]
    NewerFormat {
        /// The form.
        format: u32,
    },
    /// A Secret that looks like a record is none.
    #[error("the Secret {secret} is not a release record: {field} is missing or wrong")]
    Metadata {
        /// The Secret.
        secret: String,
        /// The label, annotation or key.
        field: String,
    },
    /// A record cannot be written as JSON.
    #[error("revision {revision} cannot be recorded: {reason}")]
    Encode {
        /// The revision.
        revision: u32,
        /// Why.
        reason: String,
    },
    /// A journal cannot be written as JSON.
    #[error("the journal cannot be written: {reason}")]
    Journal {
        /// Why.
        reason: String,
    },
    /// The bytes of a record cannot be read.
    #[error("the record cannot be read: {reason}")]
    Decode {
        /// Where and why.
        reason: String,
    },
}

fn piece(part: usize) -> String {
    if part == 0 { "its head".to_owned() } else { format!("part {part}") }
}

impl ReleaseError {
    /// Whether the API server could not be reached at all.
    pub fn is_unreachable(&self) -> bool {
        matches!(self, Self::Cluster(error) if error.is_unreachable())
    }
}
