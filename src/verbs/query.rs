//! `list`, `status`, `history`, `get`: what is, read only.

use std::time::Duration;

use serde::Serialize;

use crate::cluster::readiness;
use crate::context::Context;
use crate::failure::{Cause, Failure, InPhase, NextStep, not_found};
use crate::flink::{Failures, JobState, Rest};
use crate::id::JobId;
use crate::layout::control::owned_kinds;
use crate::live::jobs::{JobRow, all_rows};
use crate::live::pending::operation_in_progress;
use crate::live::{Situation, objects_of, waiting};
use crate::release::{JobRecord, Ledger, Record, Savepoint, Status, Summary};
use crate::render::to_manifest;

/// A revision in a list. Stable: `-o json` prints it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReleaseRow {
    pub name: String,
    pub namespace: String,
    pub revision: u32,
    /// When it was made.
    pub created: jiff::Timestamp,
    /// When it last changed.
    pub updated: jiff::Timestamp,
    pub status: Status,
    /// `name-version` of its package.
    pub package: String,
    pub flink_version: String,
    pub layout: String,
    pub description: String,
    /// Paths of the savepoints that there are of the revision's jobs; absent in lists of releases,
    /// which read metadata only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub savepoints: Option<Vec<String>>,
}

impl From<&Summary> for ReleaseRow {
    fn from(summary: &Summary) -> Self {
        Self {
            name: summary.name.clone(),
            namespace: summary.namespace.clone(),
            revision: summary.revision,
            created: summary.created,
            updated: summary.updated,
            status: summary.status,
            package: format!("{}-{}", summary.package, summary.version),
            flink_version: summary.flink_version.clone(),
            layout: summary.layout.clone(),
            description: summary.description.clone(),
            savepoints: None,
        }
    }
}

impl ReleaseRow {
    fn with(summary: &Summary, known: &Ledger) -> Self {
        let paths = known.of_revision(summary.revision).map(|savepoint| savepoint.path.clone());
        Self { savepoints: Some(paths.collect()), ..Self::from(summary) }
    }
}

/// Lists releases, one row each: the deployed revision, or the last. `uninstalled` ones only with
/// `all`.
pub async fn list(
    context: &Context,
    all_namespaces: bool,
    selector: Option<&str>,
    all: bool,
) -> Result<Vec<ReleaseRow>, Failure> {
    let mut summaries = context.store.list(all_namespaces, selector.unwrap_or_default()).await.refused()?;
    summaries.sort_by(|a, b| (&a.namespace, &a.name, a.revision).cmp(&(&b.namespace, &b.name, b.revision)));
    let releases = summaries.chunk_by(|a, b| a.namespace == b.namespace && a.name == b.name);
    Ok(releases
        .filter_map(|revisions| {
            let last = revisions.last()?;
            let shown =
                revisions.iter().rev().find(|summary| summary.status == Status::Deployed).unwrap_or(last);
            (all || shown.status != Status::Uninstalled).then(|| ReleaseRow::from(shown))
        })
        .collect())
}

/// All revisions of a release, oldest first; at most `max` of the newest.
pub async fn history(context: &Context, name: &str, max: usize) -> Result<Vec<ReleaseRow>, Failure> {
    crate::release::check_name(name)?;
    let store = &context.store;
    let (history, savepoints) = tokio::try_join!(store.history(name), store.savepoints(name)).refused()?;
    if history.is_empty() {
        return Err(not_found(&context.namespace, name));
    }
    let skip = if max == 0 { 0 } else { history.len().saturating_sub(max) };
    Ok(history[skip..].iter().map(|summary| ReleaseRow::with(summary, &savepoints)).collect())
}

/// A release's state. Stable: `-o json` prints it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StatusReport {
    /// The running revision, or the last.
    #[serde(flatten)]
    pub release: ReleaseRow,
    /// The generation that runs it, by name.
    pub generation: Option<String>,
    /// Failed attempts after it.
    pub failed_attempts: Vec<ReleaseRow>,
    /// Objects that are not ready, with reasons.
    pub not_ready: Vec<String>,
    /// Flink's own view; absent where there is no cluster or it does not answer.
    pub flink: Option<FlinkStatus>,
    /// Why Flink does not answer.
    pub unreachable: Option<String>,
    pub jobs: Vec<JobStatus>,
    /// The operation in progress, in words.
    pub operation: Option<String>,
}

/// Flink's own view of a cluster.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FlinkStatus {
    pub version: String,
    /// TaskManagers that have registered.
    pub task_managers: u32,
    pub slots_total: u32,
    /// Slots without a task.
    pub slots_available: u32,
}

/// A job's state.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JobStatus {
    /// Name, id, state, tasks.
    #[serde(flatten)]
    pub row: JobRow,
    pub last_checkpoint: Option<CheckpointStatus>,
    /// The first line of why it last failed.
    pub root_exception: Option<String>,
    /// The savepoint that ended it, where it is stopped.
    pub stopped_with: Option<String>,
}

/// A completed checkpoint.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckpointStatus {
    pub id: u64,
    pub completed: Option<jiff::Timestamp>,
    /// How long it took.
    #[serde(serialize_with = "milliseconds", rename = "durationMillis")]
    pub duration: Duration,
    pub size: u64,
}

#[allow(clippy::cast_possible_truncation)] // milliseconds of a checkpoint fit
fn milliseconds<S: serde::Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(duration.as_millis() as u64)
}

/// A release's state, with its jobs' root exceptions and last checkpoints.
pub async fn status(context: &Context, name: &str, revision: Option<u32>) -> Result<StatusReport, Failure> {
    crate::release::check_name(name)?;
    let situation = Situation::read(context, name).await.refused()?;
    let Some(last) = situation.history.last() else { return Err(not_found(&context.namespace, name)) };
    let base_revision = situation.base.as_ref().map_or(last.revision, |base| base.revision);
    let shown = revision.unwrap_or(base_revision);
    let Some(summary) = situation.history.iter().find(|summary| summary.revision == shown) else {
        let known = situation.history.iter().map(|s| s.revision.to_string()).collect::<Vec<_>>().join(", ");
        return Err(Failure::refused(Cause::NoRevision { name: name.to_owned(), revision: shown, known }));
    };
    let mut report = StatusReport {
        release: ReleaseRow::with(summary, &situation.savepoints),
        generation: None,
        failed_attempts: situation
            .history
            .iter()
            .filter(|s| s.revision > base_revision && s.status == Status::Failed)
            .map(|summary| ReleaseRow::with(summary, &situation.savepoints))
            .collect(),
        not_ready: Vec::new(),
        flink: None,
        unreachable: None,
        jobs: Vec::new(),
        operation: operation_in_progress(context, name).await?,
    };
    if shown != base_revision {
        return Ok(report);
    }
    let record = match &situation.base {
        Some(base) => base.clone(),
        None => context.store.get(name, shown).await.refused()?,
    };
    let running = situation.descriptor.as_ref().filter(|d| situation.generations.contains(&d.generation));
    if let Some(descriptor) = running {
        report.generation = Some(descriptor.name.clone());
        let missing =
            readiness::not_ready(&context.cluster, &context.namespace, &situation.objects, &owned_kinds())
                .await
                .refused()?;
        report.not_ready =
            missing.iter().map(|missing| waiting::brief(missing, &situation.objects)).collect();
        if let Ok(overview) = context.flink(descriptor).overview().await {
            report.flink = Some(FlinkStatus {
                version: overview.flink_version,
                task_managers: overview.taskmanagers,
                slots_total: overview.slots_total,
                slots_available: overview.slots_available,
            });
        }
    }
    report.unreachable = situation.live.unreachable().map(ToString::to_string);
    for row in all_rows(context, &situation, &record).await {
        report.jobs.push(job_status(context, &situation, &record, row).await);
    }
    Ok(report)
}

async fn job_status(context: &Context, situation: &Situation, record: &Record, row: JobRow) -> JobStatus {
    let stopped_with =
        record.jobs.iter().find(|job| job.name == row.name).and_then(|job| job.ended_by.clone());
    let mut status = JobStatus { row, last_checkpoint: None, root_exception: None, stopped_with };
    let id: Option<JobId> = status.row.id.as_ref().and_then(|id| id.parse().ok());
    let recorded = record.jobs.iter().find(|job| job.id.is_some() && job.id == id);
    let (seen, descriptor) = match recorded {
        Some(job) => (situation.seen(job).is_some(), situation.descriptor_of(job)),
        None => (id.is_some_and(|id| situation.live_jobs().contains_key(&id)), situation.descriptor.as_ref()),
    };
    let (Some(id), Some(descriptor)) = (id.filter(|_| seen), descriptor) else { return status };
    let flink = context.flink(descriptor);
    if let Ok(checkpoints) = flink.checkpoints(id).await {
        status.last_checkpoint = checkpoints.latest.completed.map(|checkpoint| CheckpointStatus {
            id: checkpoint.id,
            completed: jiff::Timestamp::from_millisecond(
                i64::try_from(checkpoint.latest_ack_timestamp).unwrap_or_default(),
            )
            .ok(),
            duration: Duration::from_millis(checkpoint.end_to_end_duration),
            size: checkpoint.state_size,
        });
    }
    let ended_well = status.row.state == JobState::Finished.to_string();
    if !ended_well && let Ok(Failures { newest: Some(root), .. }) = flink.failures(id).await {
        status.root_exception = Some(root.first_line);
    }
    status
}

/// A recorded revision: the given one, or the one that runs.
pub async fn record(context: &Context, name: &str, revision: Option<u32>) -> Result<Record, Failure> {
    crate::release::check_name(name)?;
    let history = context.store.history(name).await.refused()?;
    let deployed = history.iter().filter(|s| s.status == Status::Deployed).map(|s| s.revision).max();
    let Some(last) = history.iter().map(|summary| summary.revision).max() else {
        return Err(not_found(&context.namespace, name));
    };
    let wanted = revision.or(deployed).unwrap_or(last);
    if !history.iter().any(|summary| summary.revision == wanted) {
        let known = history.iter().map(|s| s.revision.to_string()).collect::<Vec<_>>().join(", ");
        return Err(Failure::refused(Cause::NoRevision { name: name.to_owned(), revision: wanted, known })
            .next([NextStep::flink(["history", name])]));
    }
    let mut record = context.store.get(name, wanted).await.refused()?;
    // Its objects name the job's id and state, which were not known yet when the manifest was
    // stored.
    if record.jobs.iter().any(|job| job.mode.starts_with_pods()) {
        record.manifest = to_manifest(&objects_of(&record).refused()?);
    }
    Ok(record)
}

/// The savepoints of a recorded job. Stable: `-o json` prints it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JobSavepoints {
    pub job: String,
    /// The savepoint or checkpoint that it was restored from.
    pub restored_from: Option<String>,
    /// The one that ended it.
    pub ended_by: Option<String>,
    /// Those that there are of it, in the order in which they were recorded.
    pub savepoints: Vec<Savepoint>,
}

/// The savepoints of a recorded revision's jobs.
pub async fn savepoints(context: &Context, record: &Record) -> Result<Vec<JobSavepoints>, Failure> {
    let known = context.store.savepoints(&record.name).await.refused()?;
    let of_job = |job: &JobRecord| JobSavepoints {
        job: job.name.clone(),
        restored_from: job.restored_from.clone(),
        ended_by: job.ended_by.clone(),
        savepoints: known.of_revision(record.revision).filter(|one| one.job == job.name).cloned().collect(),
    };
    Ok(record.jobs.iter().map(of_job).collect())
}
