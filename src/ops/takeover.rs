//! `--take-over`: what a run that died left goes into the records, so that no savepoint is forgotten, then its lock is ours.
//!
//! It completes nothing by itself and asks Flink for nothing: what runs is seen by the plan that is made next.

use super::execute::held;
use super::preflight::savepoint_of;
use super::{Cause, Context, Failure, Observer, Progress};
use crate::operation::Journal;
use crate::release::operation::LeftBehind;
use crate::release::{JobState, Lock, LockError, Status};

/// Writes the journal's facts into the records, then takes the lock over exactly as it was seen.
pub(super) async fn take_over(
    context: &Context,
    name: &str,
    left: &LeftBehind,
    journal: &Journal,
    observer: &dyn Observer,
) -> Result<Lock, Failure> {
    // The lock first: whoever has it, and nobody else, writes the records. The old journal stays in it until they are written.
    let lock = Lock::take_over(&context.store, name, &context.holder, &left.claim, &left.journal)
        .await
        .map_err(|error| held(name, error))?;
    let Ok(dead) = serde_json::from_value::<Journal>(left.journal.clone()) else {
        return Err(held(name, LockError::LeftBehind(Box::new(left.clone()))));
    };
    observer.progress(Progress::Begun(format!(
        "write down what the run by {} left: {}",
        left.holder,
        dead.position()
    )));
    write_down(context, name, &dead).await?;
    lock.write(journal).await.map_err(|error| held(name, error))?;
    Ok(lock)
}

async fn write_down(context: &Context, name: &str, dead: &Journal) -> Result<(), Cause> {
    let now = (context.now)();
    let history = context.store.history(name).await?;
    let known = |revision: u32| history.iter().find(|summary| summary.revision == revision);
    if let Some(from) = dead.from.filter(|from| known(*from).is_some()) {
        let mut base = context.store.get(name, from).await?;
        let flink_version = base.package.flink_version.clone();
        for moved in &dead.jobs {
            let Some(savepoint) = savepoint_of(moved, &flink_version, now) else { continue };
            for job in base.jobs.iter_mut().filter(|job| job.name == moved.name) {
                job.ended_by = Some(savepoint.clone());
            }
        }
        if dead.back_applied
            && dead.old_removed
            && let Some(number) = dead.back
        {
            base.generation = number;
            for moved in dead.jobs.iter().filter(|moved| moved.back_asked) {
                for job in base.jobs.iter_mut().filter(|job| job.name == moved.name) {
                    job.id = moved.back.as_ref().map(|back| back.id);
                    job.state = JobState::Running;
                }
            }
        }
        context.store.update(&base).await?;
    }
    if known(dead.to).is_some_and(|summary| summary.status.is_pending()) {
        let (status, text) = match dead.committed {
            Some(_) => (Status::Deployed, "Completed; its run died while it closed the records".to_owned()),
            None => (Status::Failed, format!("its run died: {}", dead.position())),
        };
        context.store.set_status(name, dead.to, status, &text).await?;
        if dead.committed.is_some()
            && let Some(from) = dead.from.and_then(known)
            && from.status == Status::Deployed
        {
            context.store.set_status(name, from.revision, Status::Superseded, &from.description).await?;
        }
    }
    Ok(())
}
