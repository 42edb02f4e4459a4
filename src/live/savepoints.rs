//! The savepoints that a release knows, as lists show them.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::context::Context;
use crate::failure::{Failure, InPhase, not_found};
use crate::flink::savepoint::normal;
use crate::release::{Origin, Savepoint, StateFormat};

/// A recorded savepoint. Stable: `-o json` prints it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SavepointRow {
    /// The revision whose job it is of.
    pub revision: u32,
    pub job: String,
    /// `stop` (it ended the revision's job), `trigger` (the job went on) or `checkpoint` (left by
    /// the job as a later revision had it, which did not stay).
    pub origin: Origin,
    /// When it was taken.
    pub taken_at: jiff::Timestamp,
    /// CANONICAL, NATIVE or CHECKPOINT.
    pub format: StateFormat,
    /// The Flink that wrote it.
    pub flink_version: String,
    /// The job was drained: its windows ended before the savepoint was taken.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub drained: bool,
    pub path: String,
    /// Revisions whose job was restored from it.
    pub restored_by: Vec<u32>,
}

impl From<&Savepoint> for SavepointRow {
    fn from(savepoint: &Savepoint) -> Self {
        Self {
            revision: savepoint.revision,
            job: savepoint.job.clone(),
            origin: savepoint.origin,
            taken_at: savepoint.taken_at,
            format: savepoint.format,
            flink_version: savepoint.flink_version.clone(),
            drained: savepoint.drained,
            path: savepoint.path.clone(),
            restored_by: Vec::new(),
        }
    }
}

/// Lists the recorded savepoints, in the order in which they were recorded.
pub async fn list(context: &Context, name: &str) -> Result<Vec<SavepointRow>, Failure> {
    crate::release::check_name(name)?;
    let store = &context.store;
    let (jobs, savepoints) = tokio::try_join!(store.jobs(name), store.savepoints(name)).refused()?;
    if jobs.is_empty() {
        return Err(not_found(&context.namespace, name));
    }
    let mut restored: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for (revision, jobs) in &jobs {
        for path in jobs.iter().filter_map(|job| job.restored_from.as_deref()) {
            let by = restored.entry(normal(path)).or_default();
            if by.last() != Some(revision) {
                by.push(*revision);
            }
        }
    }
    let row = |savepoint: &Savepoint| {
        let restored_by = restored.get(&normal(&savepoint.path)).cloned().unwrap_or_default();
        SavepointRow { restored_by, ..SavepointRow::from(savepoint) }
    };
    Ok(savepoints.iter().map(row).collect())
}
