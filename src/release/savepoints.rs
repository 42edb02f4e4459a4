//! Which savepoints a release knows, in the order in which they were recorded.
//!
//! Newest is who was recorded last: two clients' clocks may be a day apart, and the time in a
//! savepoint is for people.

use crate::flink::savepoint::same_path;
use crate::id::TriggerId;
use crate::operation::SavepointFormat;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A savepoint, or a checkpoint that was retained.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Savepoint {
    /// Its place in the order of recording, from 1; 0 until it is recorded.
    #[serde(default)]
    pub sequence: u64,
    /// The job's name in the release.
    pub job: String,
    /// The revision that the job was of.
    pub revision: u32,
    /// Flink's URI of it.
    pub path: String,
    /// The trigger it was asked for with; none for a checkpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trigger: Option<TriggerId>,
    /// How its state is written.
    pub format: StateFormat,
    /// The Flink version that wrote it.
    pub flink_version: String,
    /// When it was complete, by the clock of the client that recorded it.
    pub taken_at: Timestamp,
    /// The job ended its windows before: what is restored from it does not go on as if nothing had
    /// been.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub drained: bool,
    /// How it came to be.
    pub origin: Origin,
    /// Its files are deleted, or may be.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub disposed: bool,
}

/// How the state in a savepoint is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum StateFormat {
    /// A savepoint that every state backend reads.
    Canonical,
    /// A savepoint in the backend's own format.
    Native,
    /// A checkpoint that was retained.
    Checkpoint,
}

impl From<SavepointFormat> for StateFormat {
    fn from(format: SavepointFormat) -> Self {
        match format {
            SavepointFormat::Canonical => Self::Canonical,
            SavepointFormat::Native => Self::Native,
        }
    }
}

impl fmt::Display for StateFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Canonical => "CANONICAL",
            Self::Native => "NATIVE",
            Self::Checkpoint => "CHECKPOINT",
        })
    }
}

/// How a savepoint came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// Ended the revision's job.
    Stop,
    /// The job went on.
    Trigger,
    /// A later revision's job left it, which did not stay: its checkpoint is newer than the
    /// savepoint that it came from.
    Checkpoint,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Stop => "stop",
            Self::Trigger => "trigger",
            Self::Checkpoint => "checkpoint",
        })
    }
}

/// The savepoints of a release, as they were read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    /// In the order of recording, disposed ones included.
    all: Vec<Savepoint>,
}

impl Ledger {
    pub(super) fn new(all: Vec<Savepoint>) -> Self {
        Self { all }
    }

    /// Returns the savepoints that there are, in the order of recording.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Savepoint> {
        self.all.iter().filter(|savepoint| !savepoint.disposed)
    }

    /// Returns true where the release has no savepoint.
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// Returns those of a job, in the order of recording.
    pub fn of_job<'a>(&'a self, job: &str) -> impl DoubleEndedIterator<Item = &'a Savepoint> {
        self.iter().filter(move |savepoint| savepoint.job == job)
    }

    /// Returns those of a revision's jobs, in the order of recording.
    pub fn of_revision(&self, revision: u32) -> impl DoubleEndedIterator<Item = &Savepoint> {
        self.iter().filter(move |savepoint| savepoint.revision == revision)
    }

    /// Returns the newest of a job.
    pub fn newest(&self, job: &str) -> Option<&Savepoint> {
        self.of_job(job).next_back()
    }

    /// Returns the savepoint at a path, however it is spelled.
    pub fn find(&self, path: &str) -> Option<&Savepoint> {
        self.iter().find(|savepoint| same_path(&savepoint.path, path))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) fn savepoint(job: &str, number: u32) -> Savepoint {
        Savepoint {
            sequence: 0,
            job: job.to_owned(),
            revision: 1,
            path: format!("file:///savepoints/{job}/{number}"),
            trigger: Some(crate::id::Id::from_bytes([7; 16])),
            format: StateFormat::Canonical,
            flink_version: "2.3.0".to_owned(),
            taken_at: "2026-01-02T03:04:05Z".parse().unwrap(),
            drained: false,
            origin: Origin::Trigger,
            disposed: false,
        }
    }

    #[test]
    fn newest_is_by_the_order_of_recording_and_not_by_a_clock() {
        let early = Savepoint { taken_at: "2025-01-01T00:00:00Z".parse().unwrap(), ..savepoint("orders", 2) };
        let gone = Savepoint { disposed: true, ..savepoint("orders", 3) };
        let ledger = Ledger::new(vec![savepoint("orders", 1), early.clone(), savepoint("other", 1), gone]);
        assert_eq!(ledger.newest("orders"), Some(&early));
        assert_eq!(ledger.of_job("orders").count(), 2);
        assert!(ledger.find("file:/savepoints/orders/2/").is_some());
        assert!(ledger.find("file:///savepoints/orders/3").is_none());
    }

    #[test]
    fn its_words_are_those_that_are_shown() {
        for format in [StateFormat::Canonical, StateFormat::Native, StateFormat::Checkpoint] {
            assert_eq!(serde_json::to_value(format).unwrap(), format.to_string());
        }
        for origin in [Origin::Stop, Origin::Trigger, Origin::Checkpoint] {
            assert_eq!(serde_json::to_value(origin).unwrap(), origin.to_string());
        }
    }
}
