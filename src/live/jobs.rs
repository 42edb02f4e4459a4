//! The jobs of a release as the records, Flink and its high availability know them: a row each, and
//! who is who by name or id.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{Live, Situation, unmanaged};
use crate::context::Context;
use crate::failure::{Cause, Failure, NextStep};
use crate::flink::JarRef;
use crate::id::JobId;
use crate::release::{JobMode, JobRecord, JobState, Record};
use crate::render::generation_name;

/// What is recorded as the jar of a job that was submitted by hand.
/// Characters of a name that is made from Flink's.
const MAX_JOB_NAME: usize = 40;

/// A job of a release, as the record and Flink know it. Stable: `-o json` prints it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JobRow {
    /// Its name in the release; Flink's for a job that the release does not know.
    pub name: String,
    pub id: Option<String>,
    /// Flink's state, or the record's where Flink does not know it.
    pub state: String,
    pub running_tasks: u32,
    pub total_tasks: u32,
    /// Milliseconds since the epoch.
    pub started: Option<u64>,
    /// `declared`, `submitted`, or `unknown` to the release.
    pub origin: &'static str,
    /// The generation that it runs in, where that is not the release's: it stayed there when an
    /// upgrade was undone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generation: Option<String>,
    /// The savepoint that it was restored from.
    pub restored_from: Option<String>,
    pub jar: Option<String>,
}

/// The state of a job that should run, where nobody says whether it does.
const UNKNOWN: &str = "UNKNOWN";

impl JobRow {
    /// The row of a job that the release does not know.
    fn unmanaged(id: JobId, name: String, state: impl ToString) -> Self {
        Self {
            name,
            id: Some(id.to_string()),
            state: state.to_string(),
            running_tasks: 0,
            total_tasks: 0,
            started: None,
            origin: "unknown",
            generation: None,
            restored_from: None,
            jar: None,
        }
    }
}

/// The rows, and of a JobManager that does not answer the jobs too that only its high availability
/// knows.
pub(crate) async fn all_rows(context: &Context, situation: &Situation, base: &Record) -> Vec<JobRow> {
    let mut rows = rows(situation, base);
    let (Some(_), Some(descriptor)) = (situation.live.unreachable(), &situation.descriptor) else {
        return rows;
    };
    let known = base.jobs.iter().filter_map(|job| job.id).collect();
    match unmanaged::kept(context, &base.name, descriptor, known).await {
        Ok(kept) => {
            rows.extend(kept.iter().map(|kept| JobRow::unmanaged(kept.id, kept.id.to_string(), UNKNOWN)));
        }
        Err(error) => tracing::warn!(%error, "the jobs that high availability keeps could not be read"),
    }
    rows
}

fn rows(situation: &Situation, base: &Record) -> Vec<JobRow> {
    let mut rows: Vec<JobRow> = base
        .jobs
        .iter()
        .map(|job| {
            let seen = situation.seen(job);
            JobRow {
                name: job.name.clone(),
                id: job.id.map(|id| id.to_string()),
                state: seen.map_or_else(|| recorded_state(job, situation), |seen| seen.state.to_string()),
                running_tasks: seen.map_or(0, |seen| seen.tasks.running),
                total_tasks: seen.map_or(0, |seen| seen.tasks.total),
                started: seen.and_then(|seen| seen.start_time),
                origin: if job.declared { "declared" } else { "submitted" },
                generation: base.place_of(job).map(|number| generation_name(&base.name, number)),
                restored_from: job.restored_from.clone(),
                jar: Some(job.jar.to_string()),
            }
        })
        .collect();
    let live = situation.live_jobs();
    let unmanaged = live.values().filter(|seen| !base.jobs.iter().any(|job| job.id == Some(seen.id)));
    rows.extend(unmanaged.filter(|seen| !seen.state.is_terminal()).map(|seen| JobRow {
        running_tasks: seen.tasks.running,
        total_tasks: seen.tasks.total,
        started: seen.start_time,
        ..JobRow::unmanaged(seen.id, seen.name.clone(), seen.state)
    }));
    rows
}

/// Returns what the record says, where Flink does not know the job; `UNKNOWN` where it should run.
fn recorded_state(job: &JobRecord, situation: &Situation) -> String {
    match (situation.live_of(job), job.state) {
        (_, JobState::Running) if job.ended_by.is_some() => "STOPPED".to_owned(),
        (Live::Jobs(_), JobState::Running) => "LOST".to_owned(),
        (_, JobState::Running) => UNKNOWN.to_owned(),
        (_, state) => state.to_string().to_uppercase(),
    }
}

/// The record of a job that another client submitted by hand.
pub(crate) fn unknown(name: String, id: JobId) -> JobRecord {
    JobRecord {
        name,
        id: Some(id),
        jar: JarRef::Unknown,
        jar_sha256: None,
        entry_class: None,
        args: Vec::new(),
        parallelism: None,
        allow_non_restored_state: false,
        mode: JobMode::default(),
        state: JobState::Running,
        elsewhere: None,
        restored_from: None,
        ended_by: None,
        declared: false,
    }
}

/// Flink's name of a job as a name in the release: free, and easy to type.
pub(crate) fn record_name(flink: &str, id: JobId, taken: &BTreeSet<String>) -> String {
    let plain: String = flink
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' })
        .take(MAX_JOB_NAME)
        .collect();
    let plain = plain.trim_matches('-');
    if plain.is_empty() || taken.contains(plain) {
        return format!("job-{}", &id.to_string()[..8]);
    }
    plain.to_owned()
}

pub(crate) fn find_job(situation: &Situation, base: &Record, wanted: &str) -> Result<String, Failure> {
    let id: Option<JobId> = wanted.parse().ok();
    let found = base.jobs.iter().find(|job| job.name == wanted || (id.is_some() && job.id == id));
    if let Some(job) = found {
        return Ok(job.name.clone());
    }
    let known: Vec<_> = rows(situation, base).into_iter().map(|row| row.name).collect();
    Err(Failure::refused(Cause::NoJob {
        release: base.name.clone(),
        job: wanted.to_owned(),
        known: if known.is_empty() { "none".to_owned() } else { known.join(", ") },
    })
    .next([NextStep::flink(["job", "list", &base.name])]))
}
