//! The savepoints that a release's records know.

use serde::Serialize;

use crate::context::Context;
use crate::failure::{Cause, Failure, not_found};
use crate::release::{SavepointRef, Summary};

/// A recorded savepoint. Stable: `-o json` prints it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SavepointRow {
    /// The revision whose job it is of.
    pub revision: u32,
    /// The job.
    pub job: String,
    /// `stop` (it ended the revision's job) or `trigger` (the job went on).
    pub origin: &'static str,
    /// When it was taken.
    pub taken_at: jiff::Timestamp,
    /// CANONICAL or NATIVE.
    pub format: String,
    /// The Flink that wrote it.
    pub flink_version: String,
    /// The job was drained: its windows ended before the savepoint was taken.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub drained: bool,
    /// Where it is.
    pub path: String,
    /// Revisions whose job was restored from it.
    pub restored_by: Vec<u32>,
}

/// Lists the recorded savepoints, oldest first.
pub async fn list(context: &Context, name: &str) -> Result<Vec<SavepointRow>, Failure> {
    crate::release::check_name(name)?;
    let history = context.store.history(name).await.map_err(Cause::from)?;
    if history.is_empty() {
        return Err(not_found(&context.namespace, name));
    }
    let mut records = Vec::new();
    for summary in &history {
        records.push(context.store.get(name, summary.revision).await.map_err(Cause::from)?);
    }
    let restored_by = |path: &str| -> Vec<u32> {
        let restored = |record: &&crate::release::Record| {
            record.jobs.iter().any(|job| job.restored_from.as_deref() == Some(path))
        };
        records.iter().filter(restored).map(|record| record.revision).collect()
    };
    let mut rows: Vec<SavepointRow> = Vec::new();
    for record in &records {
        for job in &record.jobs {
            let stop = job.ended_by.iter().map(|savepoint| ("stop", savepoint));
            for (origin, savepoint) in job.taken.iter().map(|savepoint| ("trigger", savepoint)).chain(stop) {
                if rows.iter().any(|row| row.path == savepoint.path) {
                    continue;
                }
                rows.push(SavepointRow {
                    revision: record.revision,
                    job: job.name.clone(),
                    origin,
                    taken_at: savepoint.taken_at,
                    format: savepoint.format.clone(),
                    flink_version: savepoint.flink_version.clone(),
                    drained: savepoint.drained,
                    path: savepoint.path.clone(),
                    restored_by: restored_by(&savepoint.path),
                });
            }
        }
    }
    rows.sort_by_key(|row| row.taken_at);
    Ok(rows)
}

/// The newest savepoint of a job that the release's history knows, with the revision that it belongs to.
pub(crate) async fn newest_savepoint(
    context: &Context,
    name: &str,
    history: &[Summary],
    job: &str,
) -> Result<Option<(u32, SavepointRef)>, Cause> {
    let mut newest: Option<(u32, SavepointRef)> = None;
    // A later revision may hold an older one: it failed, and the one before it went on.
    for summary in history.iter().filter(|summary| summary.savepoints.iter().any(|s| s.job == job)) {
        let record = context.store.get(name, summary.revision).await?;
        let found = record.savepoints_of(job).into_iter().map(|savepoint| (summary.revision, savepoint));
        newest = newest.into_iter().chain(found).max_by_key(|(_, savepoint)| savepoint.taken_at);
    }
    Ok(newest)
}
