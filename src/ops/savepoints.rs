//! `savepoint list|trigger`: the savepoints that the release knows, and a new one without stopping the job.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::execute::{chain, held};
use super::fence::Transitions;
use super::jobs::find_job;
use super::preflight::savepoint_trigger;
use super::progress::ticker;
use super::query::not_found;
use super::situation::Situation;
use super::world::search;
use super::{Cause, Context, Failure, Observer, Progress, rights, upgrade};
use crate::flink::savepoint::same_path;
use crate::flink::{SavepointFormat, StopError, StopRequest, savepoint};
use crate::id::JobId;
use crate::operation::Trigger;
use crate::release::{Lock, SavepointRef};

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
    super::check_release_name(name)?;
    let history = context.store.history(name).await.map_err(Cause::from)?;
    if history.is_empty() {
        return Err(not_found(context, name));
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

/// What to take a savepoint of.
#[derive(Clone)]
pub struct TriggerOptions {
    /// The release.
    pub name: String,
    /// The job; the only one where absent.
    pub job: Option<String>,
    /// CANONICAL or NATIVE.
    pub format: String,
}

/// Takes a savepoint of a running job, which goes on, and records it in the running revision.
pub async fn trigger(
    context: &Context,
    options: &TriggerOptions,
    observer: &dyn Observer,
) -> Result<SavepointRow, Failure> {
    let name = &options.name;
    super::check_release_name(name)?;
    rights::check(context, rights::Verb::Jobs).await?;
    let situation = Situation::read(context, name).await?;
    let base = upgrade::base(context, &situation, name)?.clone();
    let running: Vec<_> = base.jobs.iter().filter(|job| situation.running(job).is_some()).collect();
    let job_name = match (&options.job, running.as_slice()) {
        (Some(job), _) => find_job(&situation, &base, job)?,
        (None, [only]) => only.name.clone(),
        (None, []) => {
            return Err(Failure::refused(Cause::Usage(format!("release {name:?} runs no job")))
                .next([format!("kubectl flink job list {name}")]));
        }
        (None, many) => {
            let names: Vec<_> = many.iter().map(|job| job.name.as_str()).collect();
            return Err(Failure::refused(Cause::Usage(format!(
                "release {name:?} runs {} jobs: {}",
                names.len(),
                names.join(", ")
            )))
            .next([format!("kubectl flink savepoint trigger {name} --job {}", names[0])]));
        }
    };
    let recorded = base.jobs.iter().find(|job| job.name == job_name);
    let Some((recorded, live)) = recorded.and_then(|job| Some((job, situation.running(job)?))) else {
        return Err(Failure::refused(Cause::NoSavepoint {
            job: job_name,
            reason: "it does not run".to_owned(),
        })
        .next([format!("kubectl flink job list {name}")]));
    };
    let Some(descriptor) = situation.descriptor_of(recorded) else {
        return Err(Failure::refused(Cause::Usage(format!("release {name:?} runs no Flink cluster"))));
    };
    let trigger = savepoint_trigger(context, Some(descriptor), live, base.revision).map_err(|reason| {
        Failure::refused(Cause::NoSavepoint { job: job_name.clone(), reason })
            .next([format!("kubectl flink status {name}")])
    })?;
    let format = options
        .format
        .parse()
        .map_err(|_| Cause::Usage(format!("{:?} is no savepoint format", options.format)))?;
    let taking =
        Taking { savepoint_of: job_name.clone(), job: live.id, revision: base.revision, trigger, format };
    let lock = Lock::acquire(&context.store, name, &context.holder, &taking)
        .await
        .map_err(|error| held(name, error))?;
    let fenced = context.fenced(Transitions::new(lock.guard()));
    observer.progress(Progress::Begun(format!("take a savepoint of {job_name}")));
    let mut tick = taking.ticker(observer);
    let taken = savepoint::take(&fenced.flink(descriptor), live.id, &taking.request(), &mut tick).await;
    drop(tick);
    let path = match taken {
        Ok(path) => path,
        Err(error @ (StopError::NotBegun(_) | StopError::Failed { .. })) => {
            lock.release().await.ok();
            let step = format!("the savepoint of {job_name} failed, the job runs on");
            return Err(Failure::failed(Cause::Step { step, reason: chain(&error) }, vec![])
                .next([format!("kubectl flink status {name}")]));
        }
        // Nothing is given back: the next command looks what became of it.
        Err(error) => {
            let step = format!("whether there is a savepoint of {job_name} is not known, the job runs on");
            return Err(Failure::failed(
                Cause::Step { step, reason: chain(&error) },
                vec![taking.position()],
            )
            .next([format!("kubectl flink recover {name}   # looks for it")]));
        }
    };
    // Where that fails nothing is given back either.
    let row = taking.record(&fenced, name, path, &descriptor.flink_version).await?;
    lock.release().await.ok();
    Ok(row)
}

/// A savepoint that is being taken of a job which goes on: what the operation object holds meanwhile, so that whoever finds it
/// knows where to look.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Taking {
    savepoint_of: String,
    job: JobId,
    revision: u32,
    trigger: Trigger,
    format: SavepointFormat,
}

impl Taking {
    /// In words, for whoever finds it.
    pub fn position(&self) -> String {
        let (job, directory) = (&self.savepoint_of, &self.trigger.directory);
        format!("a savepoint of {job} was asked for; if it was written it is in {directory}")
    }

    /// The revision whose job it is of.
    pub fn revision(&self) -> u32 {
        self.revision
    }

    fn request(&self) -> StopRequest {
        let Trigger { id: trigger, directory } = self.trigger.clone();
        StopRequest { trigger, directory, format: self.format, drain: false }
    }

    fn ticker(&self, observer: &dyn Observer) -> impl FnMut(&savepoint::Waiting) {
        let what = format!("the savepoint of {}", self.savepoint_of);
        ticker(what, Duration::from_secs(1), |progress| observer.progress(progress))
    }

    /// Writes its path into the revision whose job it is of.
    pub async fn record(
        &self,
        context: &Context,
        name: &str,
        path: String,
        flink_version: &str,
    ) -> Result<SavepointRow, Failure> {
        let savepoint = SavepointRef {
            path: path.clone(),
            trigger: self.trigger.id,
            taken_at: (context.now)(),
            format: self.format.to_string(),
            flink_version: flink_version.to_owned(),
            drained: false,
        };
        let written = async {
            let mut record = context.store.get(name, self.revision).await?;
            for job in record.jobs.iter_mut().filter(|job| job.name == self.savepoint_of) {
                if !job.taken.iter().any(|known| same_path(&known.path, &path)) {
                    job.taken.push(savepoint.clone());
                }
            }
            context.store.update(&record).await
        };
        written.await.map_err(|error| {
            Failure::failed(error, vec![format!("the savepoint {path}, which is not recorded")])
        })?;
        Ok(SavepointRow {
            revision: self.revision,
            job: self.savepoint_of.clone(),
            origin: "trigger",
            taken_at: savepoint.taken_at,
            format: savepoint.format,
            flink_version: savepoint.flink_version,
            drained: false,
            path,
            restored_by: Vec::new(),
        })
    }

    /// What became of one that a dead run asked for: Flink is asked, then its directory is looked into, for as long as a wait may
    /// take. `None`: there is none, or nobody can tell; the revision's description says then where it would be.
    pub async fn settle(
        &self,
        context: &Context,
        name: &str,
        observer: &dyn Observer,
    ) -> Result<Option<SavepointRow>, Failure> {
        let situation = Situation::read(context, name).await?;
        let jobs = situation.base.iter().flat_map(|base| &base.jobs);
        let found = jobs.into_iter().find(|job| job.id == Some(self.job));
        if let Some(descriptor) = found.and_then(|job| situation.descriptor_of(job)) {
            let client = context.flink(descriptor);
            let (request, mut tick) = (self.request(), self.ticker(observer));
            let followed = savepoint::follow(&client, self.job, &request, &mut tick);
            let path = match tokio::time::timeout(context.timeout, followed).await {
                Ok(Ok(path)) => Some(path),
                Ok(Err(StopError::NotBegun(_) | StopError::Failed { .. })) => return Ok(None),
                _ => search(context, descriptor, &self.trigger.directory).await.found(),
            };
            if let Some(path) = path {
                return self.record(context, name, path, &descriptor.flink_version).await.map(Some);
            }
        }
        let mut record = context.store.get(name, self.revision).await.map_err(Cause::from)?;
        record.description.push_str(&format!("; {}", self.position()));
        context.store.update(&record).await.map_err(Cause::from)?;
        Ok(None)
    }
}
