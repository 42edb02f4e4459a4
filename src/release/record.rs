//! A revision as it is recorded, and the summary of it that lists show.

use crate::flink::JarRef;
use crate::id::JobId;
use crate::render::Capabilities;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;
use std::str::FromStr;

/// Where a revision stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// The first revision, not yet carried out.
    PendingInstall,
    /// A later revision, not yet carried out.
    PendingUpgrade,
    /// A revision that goes back, not yet carried out.
    PendingRollback,
    /// The revision that runs.
    Deployed,
    /// A later one took its place.
    Superseded,
    /// Not carried out to the end.
    Failed,
    /// The release is being removed.
    Uninstalling,
    /// The release was removed; the record is kept for its savepoints.
    Uninstalled,
}

impl Status {
    const ALL: [(Self, &'static str); 8] = [
        (Self::PendingInstall, "pending-install"),
        (Self::PendingUpgrade, "pending-upgrade"),
        (Self::PendingRollback, "pending-rollback"),
        (Self::Deployed, "deployed"),
        (Self::Superseded, "superseded"),
        (Self::Failed, "failed"),
        (Self::Uninstalling, "uninstalling"),
        (Self::Uninstalled, "uninstalled"),
    ];

    /// As it is written in labels and shown to people.
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(status, _)| *status == self).map_or("", |(_, text)| text)
    }

    /// Not carried out yet: an operation is going on, or was left.
    pub fn is_pending(self) -> bool {
        matches!(
            self,
            Self::PendingInstall | Self::PendingUpgrade | Self::PendingRollback | Self::Uninstalling
        )
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The text is no status.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not the status of a revision")]
pub struct StatusError(pub String);

impl FromStr for Status {
    type Err = StatusError;

    fn from_str(text: &str) -> Result<Self, StatusError> {
        Self::ALL
            .iter()
            .find(|(_, name)| *name == text)
            .map(|(status, _)| *status)
            .ok_or(StatusError(text.to_owned()))
    }
}

/// Which package a revision was made from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PackageRef {
    pub name: String,
    /// Its version, by semver.org 2.0.
    pub version: String,
    /// `sha256:…` of its uncompressed tar.
    pub digest: String,
    /// The Flink version it deploys.
    pub flink_version: String,
}

/// A recorded revision. What stays as it was written is in one part of the stored object, what may
/// change later (status, description, `updated`, generation, jobs) in another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    pub name: String,
    pub namespace: String,
    /// Eight hex digits, chosen at the first install and the same in every revision: part of the
    /// path on a storage that several clusters may share.
    pub storage_id: String,
    /// 1, 2, 3 …
    pub revision: u32,
    /// Where it stands. May change.
    pub status: Status,
    /// For people: what was done, or why it failed. May change.
    pub description: String,
    /// When it was first written.
    pub created: Timestamp,
    /// When it was last changed. May change.
    pub updated: Timestamp,
    pub package: PackageRef,
    /// The package's archive (`.tgz`); stored once for all revisions that were made from it.
    #[serde(skip)]
    pub archive: Vec<u8>,
    /// The layout that was rendered.
    pub layout: String,
    /// The values that the user gave.
    pub user_values: Value,
    /// The values that were rendered: the package's defaults and the user's.
    pub values: Value,
    /// The capabilities that were rendered with.
    pub capabilities: Capabilities,
    pub manifest: String,
    pub notes: String,
    /// The number of the generation that runs it. May change: a revert by recreate takes a new one.
    pub generation: u32,
    /// The jobs. What they were restored from and ended by may change, and their states.
    pub jobs: Vec<JobRecord>,
    /// The operation that made the revision: `install`, `upgrade`, `rollback`, `job-submit` …
    pub operation: String,
}

/// A job of a revision, with all that it takes to start it again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobRecord {
    /// Its name in the values or on the command line.
    pub name: String,
    /// Flink's id; absent while it was never started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<JobId>,
    /// The descriptor's jar, or one that was uploaded.
    pub jar: JarRef,
    /// SHA-256 of an uploaded jar, hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jar_sha256: Option<String>,
    /// The class with `main()`; absent where the jar's manifest names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry_class: Option<String>,
    #[serde(default)]
    pub args: Vec<String>,
    /// The default parallelism given to the program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parallelism: Option<u32>,
    /// State of operators that the program no longer has is dropped.
    #[serde(default)]
    pub allow_non_restored_state: bool,
    /// The client that runs its `main()`.
    #[serde(default, skip_serializing_if = "JobMode::is_default")]
    pub mode: JobMode,
    pub state: JobState,
    /// Where it runs and what from, if that is not as the revision itself has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub elsewhere: Option<Elsewhere>,
    /// The savepoint or checkpoint it was started from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restored_from: Option<String>,
    /// The path of the savepoint that ended it; the rest of what is known of it is in the
    /// [`Ledger`](super::Ledger).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_by: Option<String>,
    /// Declared by the package or its values (`true`), or by `job submit`.
    pub declared: bool,
}

/// The part of an upgrade that did not go back: a job that runs as the revision that failed has it,
/// in that one's generation, which may be the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Elsewhere {
    pub generation: u32,
    /// The revision that failed: its package has the job's jar.
    pub revision: u32,
}

/// The client that runs a job's `main()`, and for how long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum JobMode {
    /// The request that submits the job (Flink's `jars/run`): it ends when the job is submitted.
    #[default]
    Cluster,
    /// Flink, as an application of its own (`jars/{id}/run-application`, Flink 2.3 and later): it
    /// may wait for the job.
    Application,
    /// The `JobManager` of a generation of its own, as it starts (Flink's `standalone-job`): the
    /// job begins with its Pods.
    Standalone,
}

impl JobMode {
    /// Returns whether the job begins with its Pods, so that no request starts it.
    pub fn starts_with_pods(self) -> bool {
        self == Self::Standalone
    }

    /// Returns whether its `main()` is an application of its own, and may still be about to submit
    /// the job.
    pub fn is_application(self) -> bool {
        self == Self::Application
    }

    /// Returns whether it is the one that is not named.
    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Where a recorded job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum JobState {
    /// Started, and not known to have ended.
    Running,
    /// Ended with a savepoint.
    Stopped,
    Canceled,
    Finished,
    /// Ended by an error.
    Failed,
    /// Declared, and wanted not to run.
    Suspended,
}

impl std::fmt::Display for JobState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Running => "running",
            Self::Stopped => "stopped",
            Self::Canceled => "canceled",
            Self::Finished => "finished",
            Self::Failed => "failed",
            Self::Suspended => "suspended",
        })
    }
}

impl Record {
    /// The number of the generation that a job runs in, where that is not the revision's own.
    pub fn place_of(&self, job: &JobRecord) -> Option<u32> {
        job.elsewhere.map(|place| place.generation).filter(|number| *number != self.generation)
    }
}

/// A recorded revision as lists show it: read from the metadata alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    pub name: String,
    pub namespace: String,
    /// 1, 2, 3 …
    pub revision: u32,
    pub status: Status,
    pub package: String,
    pub version: String,
    pub flink_version: String,
    pub layout: String,
    /// The generation that runs it.
    pub generation: u32,
    pub description: String,
    /// When it was first written.
    pub created: Timestamp,
    /// When it was last changed.
    pub updated: Timestamp,
    pub operation: String,
    /// The release's part of a path on a storage that several clusters may share.
    pub storage_id: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_written_the_same_everywhere() {
        for (status, text) in Status::ALL {
            assert_eq!(status.to_string(), text);
            assert_eq!(text.parse(), Ok(status));
            assert_eq!(serde_json::to_value(status).unwrap(), text);
        }
        assert!("gone".parse::<Status>().is_err());
    }
}
