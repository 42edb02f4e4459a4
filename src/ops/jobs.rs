//! `job list|submit|stop|cancel`: each change is recorded as a revision, so that an upgrade can start the job again.

use std::collections::BTreeSet;

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::change::{self, ChangeOptions, Desired, Only, StateChoice};
use super::descriptor::{ClusterKind, Descriptor};
use super::execute::{self, Cancellation, Report};
use super::situation::{Live, Situation};
use super::{Cause, Context, Failure, Observer, Progress, rights, strangers, upgrade};
use crate::flink::Content;
use crate::id::JobId;
use crate::operation::Kind;
use crate::package::Package;
use crate::release::{JobMode, JobRecord, JobState, Record};
use crate::render::generation_name;

/// What is recorded as the jar of a job that was submitted by hand.
const UNKNOWN_JAR: &str = "unknown";
/// Characters of a name that is made from Flink's.
const MAX_JOB_NAME: usize = 40;

/// The sha256 of a file as 64 hex digits.
pub(crate) fn sha256(content: &[u8]) -> String {
    Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A job of a release, as the record and Flink know it. Stable: `-o json` prints it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JobRow {
    /// Its name in the release; Flink's for a job that the release does not know.
    pub name: String,
    /// Its id.
    pub id: Option<String>,
    /// Flink's state, or the record's where Flink does not know it.
    pub state: String,
    /// Tasks that run.
    pub running_tasks: u32,
    /// All tasks.
    pub total_tasks: u32,
    /// Milliseconds since the epoch.
    pub started: Option<u64>,
    /// `declared`, `submitted`, or `unknown` to the release.
    pub origin: &'static str,
    /// The generation that it runs in, where that is not the release's: it stayed there when an upgrade was undone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generation: Option<String>,
    /// The savepoint that it was restored from.
    pub restored_from: Option<String>,
    /// Its jar.
    pub jar: Option<String>,
}

/// The state of a job that should run, where nobody says whether it does.
const UNKNOWN: &str = "UNKNOWN";

impl JobRow {
    /// The row of a job that the release does not know.
    fn stranger(id: JobId, name: String, state: impl ToString) -> Self {
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

/// A release's jobs.
pub struct Listing {
    /// A row each.
    pub rows: Vec<JobRow>,
    /// Why the `JobManager` in charge does not say what runs in it: the rows are what records and high availability know.
    pub silent: Option<String>,
}

/// Lists a release's jobs.
pub async fn list(context: &Context, name: &str) -> Result<Listing, Failure> {
    super::check_release_name(name)?;
    let situation = Situation::read(context, name).await?;
    let base = upgrade::base(context, &situation, name)?;
    let silent = situation.live.silence().map(ToString::to_string);
    Ok(Listing { rows: all_rows(context, &situation, base).await, silent })
}

/// The rows, and of a JobManager that does not answer the jobs too that only its high availability knows.
pub(crate) async fn all_rows(context: &Context, situation: &Situation, base: &Record) -> Vec<JobRow> {
    let mut rows = rows(situation, base);
    let (Some(_), Some(descriptor)) = (situation.live.silence(), &situation.descriptor) else { return rows };
    let known = base.jobs.iter().filter_map(|job| job.id).collect();
    match strangers::kept(context, &base.name, descriptor, known).await {
        Ok(kept) => {
            rows.extend(kept.iter().map(|kept| JobRow::stranger(kept.id, kept.id.to_string(), UNKNOWN)));
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
                jar: Some(job.jar.clone()),
            }
        })
        .collect();
    let live = situation.live_jobs();
    let strangers = live.values().filter(|seen| !base.jobs.iter().any(|job| job.id == Some(seen.id)));
    rows.extend(strangers.filter(|seen| !seen.state.is_terminal()).map(|seen| JobRow {
        running_tasks: seen.tasks.running,
        total_tasks: seen.tasks.total,
        started: seen.start_time,
        ..JobRow::stranger(seen.id, seen.name.clone(), seen.state)
    }));
    rows
}

/// What the record says, where Flink does not know the job; `UNKNOWN` where it should run.
fn recorded_state(job: &JobRecord, situation: &Situation) -> String {
    match (situation.live_of(job), job.state) {
        (_, JobState::Running) if job.ended_by.is_some() => "STOPPED".to_owned(),
        (Live::Jobs(_), JobState::Running) => "LOST".to_owned(),
        (_, JobState::Running) => UNKNOWN.to_owned(),
        (_, state) => state.to_string().to_uppercase(),
    }
}

/// A job to submit.
#[derive(Clone)]
pub struct SubmitOptions {
    /// What every change has in common.
    pub change: ChangeOptions,
    /// The job's name in the release.
    pub job: String,
    /// The jar's file name.
    pub jar_name: String,
    /// Its content.
    pub jar: Vec<u8>,
    /// The class with `main()`.
    pub entry_class: Option<String>,
    /// Its arguments.
    pub args: Vec<String>,
    /// Its parallelism.
    pub parallelism: Option<u32>,
}

/// Uploads a jar and starts it as a job of the release.
pub async fn submit(
    context: &Context,
    options: &SubmitOptions,
    observer: &dyn Observer,
    cancellation: &Cancellation,
) -> Result<Report, Failure> {
    let name = &options.change.name;
    super::check_release_name(name)?;
    rights::check(context, rights::Verb::Jobs).await?;
    let mut situation = Situation::read(context, name).await?;
    situation.await_recovery(context).await;
    let base = upgrade::base(context, &situation, name)?;
    let descriptor = require_session(&situation, base, "job submit")?;
    if situation_job_runs(&situation, &base.jobs, &options.job) {
        return Err(Failure::refused(Cause::Usage(format!(
            "release {name:?} already runs a job {:?}",
            options.job
        )))
        .next([format!("another --name, or: kubectl flink job stop {name} {}", options.job)]));
    }
    if base.jobs.iter().any(|job| job.name == options.job && job.declared) {
        return Err(Failure::refused(Cause::Usage(format!(
            "the job {:?} is declared by the release's values",
            options.job
        )))
        .next([format!("kubectl flink upgrade {name} --set …"), "another --name".to_owned()]));
    }
    if !descriptor.durable {
        observer.progress(Progress::Warning(
            "the release has no storage: the jar is lost with the JobManager's Pod, and an upgrade will ask for --jar".to_owned(),
        ));
    }
    observer.progress(Progress::Begun(format!(
        "upload {} ({} KiB)",
        options.jar_name,
        options.jar.len() / 1024
    )));
    let flink = context.flink(descriptor);
    let jar_id = flink.upload(&options.jar_name, Content::Bytes(options.jar.clone().into())).await.map_err(
        |source| Cause::Flink { doing: format!("{} could not be uploaded", options.jar_name), source },
    )?;
    let job = JobRecord {
        name: options.job.clone(),
        id: None,
        jar: format!("upload:{jar_id}"),
        jar_sha256: Some(sha256(&options.jar)),
        entry_class: options.entry_class.clone(),
        args: options.args.clone(),
        parallelism: options.parallelism,
        allow_non_restored_state: options.change.allow_non_restored_state,
        mode: JobMode::Cluster,
        state: JobState::Running,
        elsewhere: None,
        restored_from: None,
        ended_by: None,
        taken: Vec::new(),
        declared: false,
    };
    let planner = async || {
        let mut situation = Situation::read(context, name).await?;
        situation.await_recovery(context).await;
        let base = upgrade::base(context, &situation, name)?;
        let mut desired = as_recorded(base)?;
        desired.submitted.retain(|known| known.name != job.name);
        desired.submitted.push(job.clone());
        desired.only = Some(Only::Start(job.name.clone()));
        change::plan(context, Kind::Jobs, &options.change, &situation, desired).await
    };
    let shown = planner().await?;
    execute::run(context, &shown, planner, observer, cancellation).await
}

/// Stops jobs with a savepoint, or cancels them.
#[derive(Clone)]
pub struct StopOptions {
    /// What every change has in common; its choice says how.
    pub change: ChangeOptions,
    /// The job, by name or id.
    pub job: String,
}

/// Stops (choice: a savepoint) or cancels (choice: stateless) a job.
pub async fn stop(
    context: &Context,
    options: &StopOptions,
    observer: &dyn Observer,
    cancellation: &Cancellation,
) -> Result<Report, Failure> {
    let name = &options.change.name;
    super::check_release_name(name)?;
    rights::check(context, rights::Verb::Jobs).await?;
    let planner = async || {
        let mut situation = Situation::read(context, name).await?;
        situation.await_recovery(context).await;
        let base = upgrade::base(context, &situation, name)?;
        let mut desired = as_recorded(base)?;
        let job = match stranger(&situation, base, &options.job) {
            Some(stranger) => {
                desired.submitted.push(stranger.clone());
                stranger.name
            }
            None => find_job(&situation, base, &options.job)?,
        };
        if !situation_job_runs(&situation, &desired.submitted, &job)
            && !situation_job_runs(&situation, &base.jobs, &job)
        {
            return Err(Failure::refused(Cause::Usage(format!(
                "the job {job} of release {name:?} does not run"
            )))
            .next([format!("kubectl flink job list {name}")]));
        }
        desired.only = Some(Only::Stop(job));
        let mut change = options.change.clone();
        change.choice = change.choice.or(Some(StateChoice::Savepoint));
        change::plan(context, Kind::Jobs, &change, &situation, desired).await
    };
    let shown = planner().await?;
    execute::run(context, &shown, planner, observer, cancellation).await
}

/// The release as its running revision records it.
fn as_recorded(base: &Record) -> Result<Desired, Failure> {
    Ok(Desired {
        package: Package::from_archive(&base.archive)?,
        layout: base.layout.clone(),
        user_values: base.user_values.clone(),
        values: base.values.clone(),
        capabilities: base.capabilities.clone(),
        submitted: base.jobs.iter().filter(|job| !job.declared).cloned().collect(),
        returns_to: None,
        only: None,
    })
}

fn require_session<'a>(
    situation: &'a Situation,
    base: &Record,
    what: &str,
) -> Result<&'a Descriptor, Failure> {
    match &situation.descriptor {
        Some(descriptor) if descriptor.kind == ClusterKind::Session => Ok(descriptor),
        _ => Err(Failure::refused(Cause::Usage(format!(
            "{what} needs a session cluster; release {:?} has the layout {:?}, whose one job is declared in its values",
            base.name, base.layout
        )))
        .next([format!("kubectl flink upgrade {} --set job.…", base.name)])),
    }
}

fn situation_job_runs(situation: &Situation, jobs: &[JobRecord], job: &str) -> bool {
    jobs.iter().any(|record| record.name == job && situation.running(record).is_some())
}

/// A running job that no record names, by its id: somebody submitted it by hand. As a record: its jar is not known, so the
/// release can stop it and keep its savepoint, but never start it.
fn stranger(situation: &Situation, base: &Record, wanted: &str) -> Option<JobRecord> {
    let id: JobId = wanted.parse().ok()?;
    if base.jobs.iter().any(|job| job.id == Some(id)) {
        return None;
    }
    let live = situation.live_jobs().get(&id).copied().filter(|live| !live.state.is_terminal())?;
    let taken = base.jobs.iter().map(|job| job.name.clone()).collect();
    Some(unknown(record_name(&live.name, id, &taken), id))
}

/// The record of a job that somebody submitted by hand.
pub(crate) fn unknown(name: String, id: JobId) -> JobRecord {
    JobRecord {
        name,
        id: Some(id),
        jar: UNKNOWN_JAR.to_owned(),
        jar_sha256: None,
        entry_class: None,
        args: Vec::new(),
        parallelism: None,
        allow_non_restored_state: false,
        mode: JobMode::Cluster,
        state: JobState::Running,
        elsewhere: None,
        restored_from: None,
        ended_by: None,
        taken: Vec::new(),
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
    .next([format!("kubectl flink job list {}", base.name)]))
}
