//! What an operation did, for the user and for a program.

use serde::Serialize;

use crate::operation::{Journal, Outcome};
use crate::plan::ObjectChanges;
use crate::release::{JobState, Record, Status};
use crate::site::Operation;

/// What an operation did. Stable: `-o json` prints it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    pub name: String,
    pub namespace: String,
    /// The revision that is the release now.
    pub revision: u32,
    pub status: Status,
    /// `name-version` of its package.
    pub package: String,
    pub layout: String,
    /// The generation that runs, by number.
    pub generation: u32,
    /// What the record says.
    pub description: String,
    /// Nothing had to be changed.
    pub unchanged: bool,
    /// The objects that changed.
    pub objects: ObjectChanges,
    /// The jobs, as they are now.
    pub jobs: Vec<JobReport>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub notes: String,
}

/// A job in a report.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JobReport {
    pub name: String,
    pub id: Option<String>,
    /// Its state in the record.
    pub state: JobState,
    /// The savepoint that it was restored from.
    pub restored_from: Option<String>,
    /// The savepoint with which this operation stopped it.
    pub savepoint: Option<String>,
}

impl Report {
    /// Returns what became of an operation.
    pub(crate) fn of(operation: &Operation, journal: &Journal) -> Self {
        let status = match journal.closed {
            Some(Outcome::Uninstalled) => Status::Uninstalled,
            _ => operation.record.status,
        };
        Self { status, ..Self::of_record(&operation.record, journal) }
    }

    /// Returns the report of a change that changes nothing: the revision that runs.
    pub(crate) fn unchanged(operation: &Operation) -> Self {
        let record = operation.base.as_ref().unwrap_or(&operation.record);
        Self { unchanged: true, ..Self::of_record(record, &operation.journal) }
    }

    fn of_record(record: &Record, journal: &Journal) -> Self {
        Self {
            name: record.name.clone(),
            namespace: record.namespace.clone(),
            revision: record.revision,
            status: record.status,
            package: format!("{}-{}", record.package.name, record.package.version),
            layout: record.layout.clone(),
            generation: record.generation,
            description: record.description.clone(),
            unchanged: false,
            objects: ObjectChanges::default(),
            jobs: record
                .jobs
                .iter()
                .map(|job| JobReport {
                    name: job.name.clone(),
                    id: job.id.map(|id| id.to_string()),
                    state: job.state,
                    restored_from: job.restored_from.clone(),
                    savepoint: journal
                        .jobs
                        .iter()
                        .find(|moved| moved.name == job.name && !moved.forward.finished)
                        .and_then(|moved| moved.forward.savepoint.clone()),
                })
                .collect(),
            notes: record.notes.clone(),
        }
    }
}
