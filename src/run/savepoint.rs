//! A savepoint of a job that goes on: the request, and its path into the record, whichever run gets
//! to see it.

use std::time::Duration;

use crate::context::Context;
use crate::failure::{Cause, Failure, InPhase, NextStep, chain};
use crate::flink::{StopError, StopRequest, savepoint};
use crate::layout::Descriptor;
use crate::live::Situation;
use crate::live::pending::held;
use crate::live::savepoints::SavepointRow;
use crate::live::search::search;
use crate::operation::Trigger;
use crate::progress::{Observer, Progress, ticker};
use crate::release::operation::{Pending, Taking};
use crate::release::{Lock, Origin, Savepoint};

/// Takes the lock and then the savepoint, and records it.
pub(crate) async fn take(
    context: &Context,
    name: &str,
    descriptor: &Descriptor,
    taking: &Taking,
    observer: &dyn Observer,
) -> Result<SavepointRow, Failure> {
    let job = &taking.job;
    let lock = Lock::acquire(&context.store, name, &context.holder, &Pending::Savepoint(taking.clone()))
        .await
        .map_err(|error| held(name, error))?;
    let fenced = context.under(&lock);
    observer.progress(Progress::Begun(format!("take a savepoint of {job}")));
    let mut tick = tick_of(taking, observer);
    let taken = savepoint::take(&fenced.flink(descriptor), taking.id, &request(taking), &mut tick).await;
    drop(tick);
    let path = match taken {
        Ok(path) => path,
        Err(error @ (StopError::NotBegun(_) | StopError::Failed { .. })) => {
            lock.release().await.ok();
            let step = format!("the savepoint of {job} failed, the job runs on");
            return Err(Failure::failed(Cause::Step { step, reason: chain(&error) }, vec![])
                .next([NextStep::flink(["status", name])]));
        }
        // Nothing is given back: the next command looks what became of it.
        Err(error) => {
            let step = format!("whether there is a savepoint of {job} is not known, the job runs on");
            return Err(Failure::failed(
                Cause::Step { step, reason: chain(&error) },
                vec![taking.position()],
            )
            .next([NextStep::flink(["recover", name]).remark("looks for it")]));
        }
    };
    // Where that fails nothing is given back either.
    let row = record(taking, &fenced, name, path, &descriptor.flink_version).await?;
    lock.release().await.ok();
    Ok(row)
}

fn request(taking: &Taking) -> StopRequest {
    let Trigger { id: trigger, directory } = taking.trigger.clone();
    StopRequest { trigger, directory, format: taking.format, drain: false }
}

fn tick_of(taking: &Taking, observer: &dyn Observer) -> impl FnMut(&savepoint::Waiting) {
    let what = format!("the savepoint of {}", taking.job);
    ticker(what, Duration::from_secs(1), |progress| observer.progress(progress))
}

/// Records the savepoint as one of the revision whose job it is of.
pub(crate) async fn record(
    taking: &Taking,
    context: &Context,
    name: &str,
    path: String,
    flink_version: &str,
) -> Result<SavepointRow, Failure> {
    let savepoint = Savepoint {
        sequence: 0,
        job: taking.job.clone(),
        revision: taking.revision,
        path,
        trigger: Some(taking.trigger.id),
        format: taking.format.into(),
        flink_version: flink_version.to_owned(),
        taken_at: (context.now)(),
        drained: false,
        origin: Origin::Trigger,
        disposed: false,
    };
    let written = context.store.record_savepoints(name, std::slice::from_ref(&savepoint)).await;
    written.map_err(|error| {
        Failure::failed(error, vec![format!("the savepoint {}, which is not recorded", savepoint.path)])
    })?;
    Ok(SavepointRow::from(&savepoint))
}

/// Returns what became of one that an interrupted run asked for: Flink is asked, then its directory
/// is looked into, for as long as a wait may take. `None`: there is none, or nobody can tell; the
/// revision's description says then where it would be.
pub(crate) async fn resolve(
    taking: &Taking,
    context: &Context,
    name: &str,
    observer: &dyn Observer,
) -> Result<Option<SavepointRow>, Failure> {
    let situation = Situation::read(context, name).await.failed(|| vec![taking.position()])?;
    let jobs = situation.base.iter().flat_map(|base| &base.jobs);
    let found = jobs.into_iter().find(|job| job.id == Some(taking.id));
    if let Some(descriptor) = found.and_then(|job| situation.descriptor_of(job)) {
        let client = context.flink(descriptor);
        let (request, mut tick) = (request(taking), tick_of(taking, observer));
        let followed = savepoint::follow(&client, taking.id, &request, &mut tick);
        let path = match tokio::time::timeout(context.timeout, followed).await {
            Ok(Ok(path)) => Some(path),
            Ok(Err(StopError::NotBegun(_) | StopError::Failed { .. })) => return Ok(None),
            _ => search(context, descriptor, &taking.trigger.directory).await.found(),
        };
        if let Some(path) = path {
            return record(taking, context, name, path, &descriptor.flink_version).await.map(Some);
        }
    }
    let position = taking.position();
    describe(context, name, taking.revision, &position).await.failed(|| vec![position.clone()])?;
    Ok(None)
}

/// Adds to what is said of a revision, once.
pub(crate) async fn describe(context: &Context, name: &str, revision: u32, words: &str) -> Result<(), Cause> {
    let history = context.store.history(name).await?;
    let Some(summary) = history.iter().find(|summary| summary.revision == revision) else { return Ok(()) };
    if summary.description.contains(words) {
        return Ok(());
    }
    let description = format!("{}; {words}", summary.description);
    Ok(context.store.set_status(name, revision, summary.status, &description).await?)
}
