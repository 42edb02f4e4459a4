//! Carries out a plan: takes the lock, plans again under it, has the [engine](crate::engine) do it,
//! and says how it ended.

mod choice;
mod late;
mod namespace;
mod outcome;
mod report;
pub(crate) mod savepoint;

pub use report::{JobReport, Report};

use choice::refuse_missing_choice;
use late::belated;
use outcome::Ended;

use crate::context::Context;
use crate::engine::{Engine, World};
use crate::failure::{Cause, Failure, NextStep, Phase};
use crate::live::pending::held;
use crate::operation::Journal;
use crate::plan::Plan;
use crate::progress::{Cancellation, Observer};
use crate::release::operation::Pending;
use crate::release::{Lock, LockError};
use crate::site::{Operation, Site};

/// Takes the lock, plans again under it, and carries out what `shown` says.
pub async fn run(
    context: &Context,
    shown: &Plan,
    planner: impl AsyncFn() -> Result<Plan, Failure>,
    observer: &dyn Observer,
    cancellation: &Cancellation,
) -> Result<Report, Failure> {
    let nothing = async |_: &Context, _: &mut Operation| Ok(Vec::new());
    run_prepared(context, shown, planner, nothing, observer, cancellation).await
}

/// Does the same; what the operation needs first is made ready under the lock, by requests through
/// the context that `prepare` is given, once it is decided that the plan is carried out. `prepare`
/// gives what it left, in words: with it, nothing that fails later has changed nothing.
pub(crate) async fn run_prepared(
    context: &Context,
    shown: &Plan,
    planner: impl AsyncFn() -> Result<Plan, Failure>,
    prepare: impl AsyncFn(&Context, &mut Operation) -> Result<Vec<String>, Failure>,
    observer: &dyn Observer,
    cancellation: &Cancellation,
) -> Result<Report, Failure> {
    if shown.summary.unchanged {
        return Ok(Report::unchanged(&shown.operation));
    }
    refuse_missing_choice(shown)?;
    namespace::within(context, shown.options.create_namespace, observer, async || {
        let (lock, plan, prepared) = plan_under_lock(context, shown, &planner, &prepare).await?;
        let changes = plan.summary.objects;
        let carried_out = carry_out(context, lock, plan.operation, observer, cancellation).await;
        let mut report = carried_out.map_err(|mut failure| {
            if failure.changed_nothing() && !prepared.is_empty() {
                failure.phase = Phase::Failed { left_behind: prepared };
            }
            failure
        })?;
        report.objects = changes;
        Ok(report)
    })
    .await
}

/// Takes the lock, plans again what was shown, and makes ready what that needs; refused where the
/// release has changed since.
async fn plan_under_lock(
    context: &Context,
    shown: &Plan,
    planner: impl AsyncFn() -> Result<Plan, Failure>,
    prepare: impl AsyncFn(&Context, &mut Operation) -> Result<Vec<String>, Failure>,
) -> Result<(Lock, Plan, Vec<String>), Failure> {
    let name = &shown.options.name;
    let journal = Journal { begun: false, ..shown.operation.journal.clone() };
    let acquired = Lock::acquire(&context.store, name, &context.holder, &Pending::from(&journal)).await;
    let lock = acquired.map_err(|error| held(name, error))?;
    let decided = async {
        let mut plan = planner().await?;
        if plan.summary.from_revision != shown.summary.from_revision
            || plan.summary.to_revision != shown.summary.to_revision
        {
            let text = |revision: Option<u32>| revision.map_or_else(|| "none".to_owned(), |r| r.to_string());
            return Err(Failure::refused(Cause::ChangedMeanwhile {
                release: name.clone(),
                now: text(plan.summary.from_revision),
                then: text(shown.summary.from_revision),
            })
            .next([NextStep::again([]).remark("plans anew")]));
        }
        refuse_missing_choice(&plan)?;
        let prepared = prepare(&context.under(&lock), &mut plan.operation).await?;
        Ok((plan, prepared))
    }
    .await;
    match decided {
        Ok((plan, prepared)) => Ok((lock, plan, prepared)),
        Err(failure) => {
            lock.release().await.ok();
            Err(failure)
        }
    }
}

/// Carries an operation out to its end, under its lock.
pub(crate) async fn carry_out(
    context: &Context,
    lock: Lock,
    operation: Operation,
    observer: &dyn Observer,
    cancellation: &Cancellation,
) -> Result<Report, Failure> {
    let (mut lock, mut operation) = (lock, operation);
    let mut lost: Option<Cause> = None;
    loop {
        let journal = Journal { begun: true, ..operation.journal.clone() };
        let name = operation.name().to_owned();
        // Of an operation that is resumed, or that comes late, something has changed before.
        let resumed = journal.forward.recorded;
        let unbegun = |cause: Cause| {
            let status = NextStep::flink(["status", &name]);
            if resumed {
                Failure::failed(cause, journal_left()).next([status])
            } else {
                Failure::refused(cause)
            }
        };
        let world = Site::new(context, lock, operation, observer, cancellation).map_err(unbegun)?;
        world.write(&journal).await.map_err(unbegun)?;
        let mut engine = Engine::new(world, journal);
        let outcome = engine.run().await;
        let Engine { world: Site { lock: held, operation: done, .. }, journal, cause, .. } = engine;
        let ended = Ended { operation: &done, journal: &journal };
        match outcome {
            Ok(outcome) => {
                // What is uncertain keeps its journal, for `recover`.
                if !journal.is_uncertain() {
                    held.release().await.ok();
                }
                return ended.told(outcome, lost.or(cause));
            }
            Err(cause @ Cause::Lock(LockError::Lost { .. })) => {
                let late =
                    if lost.is_none() { belated(context, &done, &journal, observer).await } else { None };
                match late {
                    Some((again, late)) => (lock, operation, lost) = (again, late, Some(cause)),
                    None => return Err(ended.failure(cause, ended.left_behind())),
                }
            }
            Err(cause) => {
                return Err(ended.failure(cause, journal_left()));
            }
        }
    }
}

/// What is left of an operation that goes on with the next command.
pub(crate) fn journal_left() -> Vec<String> {
    vec!["the operation's journal, for the next command".to_owned()]
}

#[cfg(test)]
mod tests;
