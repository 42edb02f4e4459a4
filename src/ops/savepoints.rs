//! `savepoint list|trigger`: the savepoints that the release knows, and a new one without stopping the job.

use std::time::Duration;

use serde::Serialize;

use super::execute::{chain, held};
use super::fence::Transitions;
use super::jobs::find_job;
use super::preflight::savepoint_trigger;
use super::progress::ticker;
use super::situation::Situation;
use super::{Cause, Context, Failure, Observer, Progress, rights, upgrade};
use crate::flink::{StopRequest, savepoint};
use crate::operation::{Journal, Kind};
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
        return Err(Failure::refused(Cause::NotFound {
            name: name.to_owned(),
            namespace: context.namespace.clone(),
        })
        .next(["kubectl flink list -A"]));
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
    let journal = Journal::begin(Kind::Jobs, base.revision);
    let lock = Lock::acquire(&context.store, name, &context.holder, &journal)
        .await
        .map_err(|error| held(name, error))?;
    let fenced = context.fenced(Transitions::new(lock.guard()));
    let request = StopRequest { trigger: trigger.id, directory: trigger.directory, format, drain: false };
    observer.progress(Progress::Begun(format!("take a savepoint of {job_name}")));
    let what = format!("the savepoint of {job_name}");
    let mut tick = ticker(what, Duration::from_secs(1), |progress| observer.progress(progress));
    let taken = savepoint::take(&fenced.flink(descriptor), live.id, &request, &mut tick).await;
    let path = match taken {
        Ok(path) => path,
        Err(error) => {
            lock.release().await.ok();
            let step = format!("the savepoint of {job_name} failed, the job runs on");
            return Err(Failure::failed(Cause::Step { step, reason: chain(&error) }, vec![])
                .next([format!("kubectl flink status {name}")]));
        }
    };
    let savepoint = SavepointRef {
        path: path.clone(),
        trigger: trigger.id,
        taken_at: (context.now)(),
        format: options.format.clone(),
        flink_version: descriptor.flink_version.clone(),
        drained: false,
    };
    let mut record = context.store.get(name, base.revision).await.map_err(Cause::from)?;
    for job in record.jobs.iter_mut().filter(|job| job.name == job_name) {
        job.taken.push(savepoint.clone());
    }
    let written = fenced.store.update(&record).await;
    lock.release().await.ok();
    written.map_err(|error| {
        Failure::failed(error, vec![format!("the savepoint {path}, which is not recorded")])
    })?;
    Ok(SavepointRow {
        revision: base.revision,
        job: job_name,
        origin: "trigger",
        taken_at: savepoint.taken_at,
        format: savepoint.format,
        flink_version: savepoint.flink_version,
        drained: false,
        path,
        restored_by: Vec::new(),
    })
}
