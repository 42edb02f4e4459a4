//! A savepoint of a job that goes on: the request, and its path into the record, whichever run gets to see it.

use std::time::Duration;

use crate::context::Context;
use crate::failure::{Cause, Failure, chain};
use crate::flink::savepoint::same_path;
use crate::flink::{StopError, StopRequest, savepoint};
use crate::layout::Descriptor;
use crate::live::Situation;
use crate::live::pending::{Taking, held};
use crate::live::savepoints::SavepointRow;
use crate::live::search::search;
use crate::operation::Trigger;
use crate::progress::{Observer, Progress, ticker};
use crate::release::{Lock, SavepointRef};

/// Takes the lock and then the savepoint, and records it.
pub(crate) async fn take(
    context: &Context,
    name: &str,
    descriptor: &Descriptor,
    taking: &Taking,
    observer: &dyn Observer,
) -> Result<SavepointRow, Failure> {
    let job = &taking.savepoint_of;
    let lock = Lock::acquire(&context.store, name, &context.holder, taking)
        .await
        .map_err(|error| held(name, error))?;
    let fenced = context.under(&lock);
    observer.progress(Progress::Begun(format!("take a savepoint of {job}")));
    let mut tick = taking.ticker(observer);
    let taken = savepoint::take(&fenced.flink(descriptor), taking.job, &taking.request(), &mut tick).await;
    drop(tick);
    let path = match taken {
        Ok(path) => path,
        Err(error @ (StopError::NotBegun(_) | StopError::Failed { .. })) => {
            lock.release().await.ok();
            let step = format!("the savepoint of {job} failed, the job runs on");
            return Err(Failure::failed(Cause::Step { step, reason: chain(&error) }, vec![])
                .next([format!("kubectl flink status {name}")]));
        }
        // Nothing is given back: the next command looks what became of it.
        Err(error) => {
            let step = format!("whether there is a savepoint of {job} is not known, the job runs on");
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

impl Taking {
    pub fn request(&self) -> StopRequest {
        let Trigger { id: trigger, directory } = self.trigger.clone();
        StopRequest { trigger, directory, format: self.format, drain: false }
    }

    pub fn ticker(&self, observer: &dyn Observer) -> impl FnMut(&savepoint::Waiting) {
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

    /// What became of one that an interrupted run asked for: Flink is asked, then its directory is looked into, for as long as a wait may
    /// take. `None`: there is none, or nobody can tell; the revision's description says then where it would be.
    pub async fn resolve(
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
