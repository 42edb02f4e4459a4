//! A run that went on late: what it asked for last may have happened after another run had ended
//! the operation.

use crate::context::Context;
use crate::engine;
use crate::failure::{Cause, chain};
use crate::operation::{JobMove, Journal};
use crate::progress::{Observer, Progress};
use crate::release::operation::Pending;
use crate::release::{Lock, LockError, Record, Status};
use crate::site::Operation;

/// This run was suspended in the middle of a stop or a start, and another has taken the operation
/// over and undone it; then the request arrived after all. Waits for the lock, and gives what must
/// be done now; `None` where the release has gone on since, or the lock is not to be had.
pub(super) async fn belated(
    context: &Context,
    operation: &Operation,
    journal: &Journal,
    observer: &dyn Observer,
) -> Option<(Lock, Operation)> {
    let (mut late, from) = (journal.belated()?, journal.decided.from?);
    let name = operation.name();
    observer.progress(Progress::Warning(
        "another run has taken this operation over; what this one asked for last may have happened all the same: it is looked after"
            .to_owned(),
    ));
    let begun = tokio::time::Instant::now();
    let lock = loop {
        match Lock::acquire(&context.store, name, &context.holder, &Pending::from(&late)).await {
            Ok(lock) => break lock,
            Err(LockError::Held { .. } | LockError::Release(_)) if begun.elapsed() < context.timeout => {
                tokio::time::sleep(engine::POLL).await;
            }
            Err(error) => {
                observer.progress(Progress::Warning(chain(&error)));
                return None;
            }
        }
    };
    match still_in_charge(context, operation, &mut late, from).await {
        Ok(Some((base, record))) => {
            Some((lock, Operation { journal: late, base: Some(base), record, ..operation.clone() }))
        }
        other => {
            if let Err(error) = other {
                observer.progress(Progress::Warning(chain(&error)));
            }
            lock.release().await.ok();
            None
        }
    }
}

/// The records of the revision that ran when the operation began, and of the one that it made;
/// `None` where that revision is in charge no more, or its jobs are others than those that this
/// operation knows, as they were or as it would bring them back. Those that the other run left as
/// the new revision has them are written into the journal.
async fn still_in_charge(
    context: &Context,
    operation: &Operation,
    late: &mut Journal,
    from: u32,
) -> Result<Option<(Record, Record)>, Cause> {
    let name = operation.name();
    let base = context.store.get(name, from).await?;
    let record = context.store.get(name, operation.record.revision).await?;
    let history = context.store.history(name).await?;
    let newer = history.iter().any(|one| one.revision > from && one.status == Status::Deployed);
    let over = matches!(base.status, Status::Superseded | Status::Uninstalled);
    let known = |moved: &JobMove| {
        let ids = [moved.decided.old, moved.reverted_id(), moved.new_id()];
        // A job that was submitted by hand is in no record but the new one.
        base.jobs.iter().find(|job| job.name == moved.name).is_none_or(|job| ids.contains(&job.id))
    };
    let all_known = late.jobs.iter().all(|moved| moved.decided.old.is_none() || known(moved));
    let recorded: Vec<_> = base.jobs.iter().chain(&record.jobs).filter_map(|job| job.id).collect();
    let stays = |moved: &JobMove| moved.new_id().is_some_and(|id| recorded.contains(&id));
    let stay: Vec<_> = (0..late.jobs.len()).filter(|index| stays(&late.jobs[*index])).collect();
    for index in stay {
        late.stay(index);
    }
    Ok((!newer && !over && all_known).then_some((base, record)))
}
