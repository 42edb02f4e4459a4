//! What stopped an apply, each error with its object.

use super::super::{ClusterError, FieldConflict};
use crate::render::ObjectKey;

/// Why one object could not be applied.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// It exists and is not the release's.
    #[error("{key} exists in namespace {namespace} and {}; --take-ownership takes it over", owned(.owner.as_deref()))]
    Foreign {
        key: ObjectKey,
        namespace: String,
        /// The owner that its labels name: another release, or what manages it.
        owner: Option<String>,
    },
    /// It is on its way out: what is applied now would go with it.
    #[error("{key} is being deleted; try again when it is gone{}", held(.finalizers))]
    Terminating {
        key: ObjectKey,
        /// What it waits for.
        finalizers: Vec<String>,
    },
    /// Another client manages fields that would change.
    #[error("{key}: fields are managed by {}; --force-conflicts takes them over", managers(.conflicts))]
    Conflict { key: ObjectKey, conflicts: Vec<FieldConflict> },
    /// The server refuses it.
    #[error("{key}: {reason}")]
    Refused {
        key: ObjectKey,
        code: u16,
        /// The server's words; for a Secret without any value.
        reason: String,
    },
    #[error("{key}: {source}")]
    Cluster {
        key: ObjectKey,
        #[source]
        source: ClusterError,
    },
}

impl ApplyError {
    /// The object it is about.
    pub fn key(&self) -> &ObjectKey {
        match self {
            Self::Foreign { key, .. }
            | Self::Terminating { key, .. }
            | Self::Conflict { key, .. }
            | Self::Refused { key, .. }
            | Self::Cluster { key, .. } => key,
        }
    }
}

/// All that went wrong in one phase; later phases were not begun.
#[derive(Debug, thiserror::Error)]
#[error("{}", each(.errors))]
pub struct ApplyErrors {
    /// One for each object that failed, in the manifest's order; never empty.
    pub errors: Vec<ApplyError>,
}

impl ApplyErrors {
    /// Returns whether the cluster could not be reached at all, rather than having said no.
    pub fn is_unreachable(&self) -> bool {
        let unreachable = |error: &ApplyError| matches!(error, ApplyError::Cluster { source, .. } if source.is_unreachable());
        self.errors.iter().all(unreachable)
    }
}

fn owned(owner: Option<&str>) -> String {
    match owner {
        Some(owner) => format!("belongs to {owner}"),
        None => "was made by another client".to_owned(),
    }
}

fn managers(conflicts: &[FieldConflict]) -> String {
    conflicts.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn each(errors: &[ApplyError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

fn held(finalizers: &[String]) -> String {
    if finalizers.is_empty() {
        String::new()
    } else {
        format!(" (held by the finalizer {})", finalizers.join(", "))
    }
}
