//! `job list|submit|stop|cancel`: each change is recorded as a revision, so that an upgrade can
//! start the job again.

use crate::context::Context;
use crate::digest::sha256;
use crate::failure::{Cause, Failure, InPhase, NextStep};
use crate::flink::{Content, FlinkError, JarRef};
use crate::id::JobId;
use crate::layout::Descriptor;
use crate::live::Situation;
use crate::live::jobs::{JobRow, all_rows, find_job, record_name, unknown};
use crate::operation::Kind;
use crate::package::Package;
use crate::plan::{self, ChangeOptions, Desired, Only, StateChoice, rights};
use crate::progress::{Cancellation, Observer, Progress};
use crate::release::{JobMode, JobRecord, JobState, Record};
use crate::run::{self, Report};
use crate::site::Operation;

/// A release's jobs.
pub struct Listing {
    pub rows: Vec<JobRow>,
    /// Why the `JobManager` in charge does not say what runs in it: the rows are what records and
    /// high availability know.
    pub silent: Option<String>,
}

/// Lists a release's jobs.
pub async fn list(context: &Context, name: &str) -> Result<Listing, Failure> {
    crate::release::check_name(name)?;
    let situation = Situation::read(context, name).await.refused()?;
    let base = situation.current(context, name)?;
    let silent = situation.live.unreachable().map(ToString::to_string);
    Ok(Listing { rows: all_rows(context, &situation, base).await, silent })
}

/// A job to submit.
#[derive(Clone)]
pub struct SubmitOptions {
    /// Options that every change has.
    pub change: ChangeOptions,
    /// The job's name in the release.
    pub job: String,
    /// The jar's file name.
    pub jar_name: String,
    pub jar: Vec<u8>,
    /// The class with `main()`.
    pub entry_class: Option<String>,
    pub args: Vec<String>,
    pub parallelism: Option<u32>,
}

impl SubmitOptions {
    /// Returns the job as it is recorded, but for the jar's id, which Flink chooses: until then
    /// there is its file's name.
    fn record(&self) -> JobRecord {
        JobRecord {
            name: self.job.clone(),
            id: None,
            jar: JarRef::Upload(self.jar_name.clone()),
            jar_sha256: Some(sha256(&self.jar)),
            entry_class: self.entry_class.clone(),
            args: self.args.clone(),
            parallelism: self.parallelism,
            allow_non_restored_state: self.change.allow_non_restored_state,
            mode: JobMode::default(),
            state: JobState::Running,
            elsewhere: None,
            restored_from: None,
            ended_by: None,
            declared: false,
        }
    }

    /// Uploads the jar; its id goes into the record before the job is started. Gives what is left
    /// in the cluster where the job is not started.
    async fn upload(
        &self,
        context: &Context,
        descriptor: &Descriptor,
        operation: &mut Operation,
        observer: &dyn Observer,
    ) -> Result<Vec<String>, Failure> {
        let size = self.jar.len() / 1024;
        observer.progress(Progress::Begun(format!("upload {} ({size} KiB)", self.jar_name)));
        let file = Content::Bytes(self.jar.clone().into());
        let uploaded = context.flink(descriptor).upload(&self.jar_name, file).await;
        let jar = uploaded.map_err(|source| {
            let refused = matches!(source, FlinkError::Refused { status: 400..=499, .. });
            let may_be_there = source.may_have_acted() && !refused;
            let doing = format!("{} could not be uploaded", self.jar_name);
            let cause = Cause::Flink { doing, source };
            if !may_be_there {
                return Failure::refused(cause);
            }
            let left = format!("perhaps {} in the cluster, which no job runs", self.jar_name);
            Failure::failed(cause, vec![left]).next([NextStep::again([])])
        })?;
        for job in operation.record.jobs.iter_mut().filter(|job| job.name == self.job) {
            job.jar = JarRef::Upload(jar.clone());
        }
        Ok(vec![format!("the uploaded jar {jar}, which no job runs")])
    }
}

/// Uploads a jar and starts it as a job of the release. What is refused leaves no jar in the
/// cluster.
pub async fn submit(
    context: &Context,
    options: &SubmitOptions,
    observer: &dyn Observer,
    cancellation: &Cancellation,
) -> Result<Report, Failure> {
    let name = &options.change.name;
    crate::release::check_name(name)?;
    rights::check(context, rights::Verb::Jobs).await?;
    let mut situation = Situation::read(context, name).await.refused()?;
    situation.await_recovery(context).await;
    let base = situation.current(context, name)?;
    let descriptor = require_session(&situation, base, "job submit")?;
    if situation_job_runs(&situation, &base.jobs, &options.job) {
        return Err(Failure::refused(Cause::Precondition(format!(
            "release {name:?} already runs a job {:?}",
            options.job
        )))
        .next([
            NextStep::again([]).placeholder("another --name"),
            NextStep::flink(["job", "stop", name, &options.job]),
        ]));
    }
    if base.jobs.iter().any(|job| job.name == options.job && job.declared) {
        return Err(Failure::refused(Cause::Precondition(format!(
            "the job {:?} is declared by the release's values",
            options.job
        )))
        .next([
            NextStep::flink(["upgrade", name, "--set"]).placeholder("…"),
            NextStep::again([]).placeholder("another --name"),
        ]));
    }
    if !descriptor.durable {
        observer.progress(Progress::Warning(
            "the release has no storage: the jar is lost with the JobManager's Pod, and an upgrade will ask for --jar".to_owned(),
        ));
    }
    let job = options.record();
    let planner = async || {
        let mut situation = Situation::read(context, name).await.refused()?;
        situation.await_recovery(context).await;
        let base = situation.current(context, name)?;
        let mut desired = as_recorded(base)?;
        desired.submitted.retain(|known| known.name != job.name);
        desired.submitted.push(job.clone());
        desired.only = Some(Only::Start(job.name.clone()));
        plan::build(context, Kind::Jobs, &options.change, &situation, desired).await
    };
    let upload = async |context: &Context, operation: &mut Operation| {
        options.upload(context, descriptor, operation, observer).await
    };
    let shown = planner().await?;
    run::run_prepared(context, &shown, planner, upload, observer, cancellation).await
}

/// Stops jobs with a savepoint, or cancels them.
#[derive(Clone)]
pub struct StopOptions {
    /// Options that every change has; its choice says how.
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
    crate::release::check_name(name)?;
    rights::check(context, rights::Verb::Jobs).await?;
    let planner = async || {
        let mut situation = Situation::read(context, name).await.refused()?;
        situation.await_recovery(context).await;
        let base = situation.current(context, name)?;
        let mut desired = as_recorded(base)?;
        let job = match unmanaged(&situation, base, &options.job) {
            Some(unmanaged) => {
                desired.submitted.push(unmanaged.clone());
                unmanaged.name
            }
            None => find_job(&situation, base, &options.job)?,
        };
        if !situation_job_runs(&situation, &desired.submitted, &job)
            && !situation_job_runs(&situation, &base.jobs, &job)
        {
            return Err(Failure::refused(Cause::Precondition(format!(
                "the job {job} of release {name:?} does not run"
            )))
            .next([NextStep::flink(["job", "list", name])]));
        }
        desired.only = Some(Only::Stop(job));
        let mut change = options.change.clone();
        change.choice = change.choice.or(Some(StateChoice::Savepoint));
        plan::build(context, Kind::Jobs, &change, &situation, desired).await
    };
    let shown = planner().await?;
    run::run(context, &shown, planner, observer, cancellation).await
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
        Some(descriptor) if descriptor.takes_submissions() => Ok(descriptor),
        _ => Err(Failure::refused(Cause::Precondition(format!(
            "{what} needs a session cluster; release {:?} has the layout {:?}, whose one job is declared in its values",
            base.name, base.layout
        )))
        .next([NextStep::flink(["upgrade", &base.name, "--set"]).prefixed("job.", "…")])),
    }
}

fn situation_job_runs(situation: &Situation, jobs: &[JobRecord], job: &str) -> bool {
    jobs.iter().any(|record| record.name == job && situation.running(record).is_some())
}

/// A running job that no record names, by its id: another client submitted it by hand. As a record:
/// its jar is not known, so the release can stop it and keep its savepoint, but never start it.
fn unmanaged(situation: &Situation, base: &Record, wanted: &str) -> Option<JobRecord> {
    let id: JobId = wanted.parse().ok()?;
    if base.jobs.iter().any(|job| job.id == Some(id)) {
        return None;
    }
    let live = situation.live_jobs().get(&id).copied().filter(|live| !live.state.is_terminal())?;
    let taken = base.jobs.iter().map(|job| job.name.clone()).collect();
    Some(unknown(record_name(&live.name, id, &taken), id))
}
