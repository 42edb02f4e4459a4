//! `recover`: completes or undoes an interrupted operation; every command that changes a release
//! does it first.
//!
//! The journal says what was decided and what may have been asked for; this goes on from there,
//! with the same ids. What only the user can know (where a savepoint is whose path was never read)
//! is asked for, not guessed.

use serde::Serialize;

use crate::context::Context;
use crate::failure::{Cause, Failure, InPhase, NextStep, Phase, chain, not_found};
use crate::flink::Access;
use crate::live::pending::{held, operation_in_progress};
use crate::live::{objects_of, orphans_of};
use crate::operation::{Event, JobMove, Journal, Kind};
use crate::plan::{ChangeOptions, rights};
use crate::progress::{Cancellation, Observer, Progress};
use crate::release::operation::{Disposing, LeftBehind, Pending, Taking};
use crate::release::{JobState, Lock, LockError, Record, ReleaseError, Status};
use crate::run::{self, Report};
use crate::site::{Operation, bring_back, keep_ends_of, savepoints_of};
use crate::verbs::dispose;

/// Options of `recover`: the operation, and what the user knows about it.
#[derive(Clone)]
pub struct Options {
    /// Options that every change has.
    pub change: ChangeOptions,
    /// Savepoints that were found: for a job by name, or for the only job.
    pub savepoints: Vec<(Option<String>, String)>,
    /// Go on with nothing: write what is known into the records, and release the lock.
    pub abandon: bool,
}

/// The outcome of an interrupted operation. Stable: `-o json` prints it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase", tag = "outcome")]
pub enum Recovered {
    /// There was nothing, or nothing had changed yet.
    Nothing,
    /// Carried out to its end; with `abandon`, recorded.
    Completed(Box<Report>),
    /// A savepoint was being taken, which is recorded now.
    Savepoint { path: String },
    /// Savepoints were being deleted, and these were left.
    Disposed { paths: Vec<String> },
    /// Records were being deleted, and the rest of them is now: the release is gone.
    Purged,
    /// Undone: the release is as it was before that run.
    Undone { reason: String },
}

/// The operation on the release that is on record, going on or left behind, in words. Where that
/// cannot be read for any other reason than that the cluster is away, the command itself says more.
pub async fn in_the_way(context: &Context, name: &str) -> Result<Option<String>, Failure> {
    match operation_in_progress(context, name).await {
        Err(failure) if failure.phase != Phase::Unreachable => Ok(None),
        found => found,
    }
}

/// Returns what is in the way, and what [`recover`] would do next, in words. Changes nothing.
pub async fn left(context: &Context, name: &str) -> Result<Option<String>, Failure> {
    crate::release::check_name(name)?;
    let left = operation_in_progress(context, name).await?;
    if left.is_none() && context.store.history(name).await.refused()?.is_empty() {
        return Err(not_found(&context.namespace, name));
    }
    Ok(left)
}

/// Completes or undoes an interrupted operation.
pub async fn recover(
    context: &Context,
    options: &Options,
    observer: &dyn Observer,
    cancellation: &Cancellation,
) -> Result<Recovered, Failure> {
    let name = &options.change.name;
    crate::release::check_name(name)?;
    rights::check(context, rights::Verb::Upgrade).await?;
    if left(context, name).await?.is_none() {
        refuse_other_savepoints(&options.savepoints, None)?;
        return Ok(Recovered::Nothing);
    }
    let idle = Pending::from(&Journal::begin(Kind::Upgrade, 0));
    let left = match Lock::acquire(&context.store, name, &context.holder, &idle).await {
        // That run had decided nothing yet.
        Ok(lock) => {
            lock.release().await.refused()?;
            return Ok(Recovered::Nothing);
        }
        Err(LockError::LeftBehind(left)) => left,
        Err(error) => return Err(held(name, error)),
    };
    let mut journal = match &left.pending {
        Some(Pending::Change(journal)) => Journal::clone(journal),
        Some(Pending::Savepoint(taking)) => {
            refuse_other_savepoints(&options.savepoints, Some(&taking.job))?;
            return recover_savepoint(context, options, &left, taking, observer).await;
        }
        Some(Pending::Dispose(disposing)) => {
            refuse_other_savepoints(&options.savepoints, None)?;
            return recover_disposal(context, options, &left, disposing, observer).await;
        }
        None => return Err(held(name, LockError::LeftBehind(left))),
    };
    if matches!(context.access, Access::Direct(_))
        && (journal.is_warm() || journal.orphans_left().next().is_some())
    {
        let why = "one --flink-url cannot lead to two generations, and the operation was between them";
        return Err(Failure::refused(Cause::Precondition(why.to_owned()))
            .next([NextStep::flink(["recover", name]).remark("without --flink-url")]));
    }
    for (job, path) in &options.savepoints {
        tell_savepoint(&mut journal, job.as_deref(), path)?;
    }
    if options.abandon && journal.decided.kind == Kind::Uninstall && journal.forward.committed.is_some() {
        let step = "the release is gone already: there is nothing to abandon".to_owned();
        return Err(Failure::refused(Cause::Step { step, reason: journal.position() })
            .next([NextStep::flink(["recover", name]).remark("closes the records")]));
    }
    let operation = operation_of(context, &options.change, &journal).await?;
    // The journal stays in the lock until it has been carried out.
    let lock = Lock::take_over(&context.store, name, &context.holder, &left.claim, &Pending::from(&journal))
        .await
        .map_err(|error| held(name, error))?;
    let Some(mut operation) = operation else {
        let purged = journal.decided.kind == Kind::Uninstall && journal.forward.committed.is_some();
        if purged {
            context.under(&lock).store.delete_release(name).await.failed(run::journal_left)?;
        }
        lock.release().await.failed(Vec::new)?;
        // Else it died before it wrote its revision: nothing had changed.
        return Ok(if purged { Recovered::Purged } else { Recovered::Nothing });
    };
    observer.progress(Progress::Begun(go_on(&left, &journal)));
    if options.abandon {
        // By now some of it may be in the records.
        let midway = |cause: Cause| {
            let left = "the records, with a part of what is known; the rest is in the operation's journal";
            Failure::failed(cause, vec![left.to_owned()]).next([NextStep::flink([
                "recover",
                name,
                "--abandon",
            ])])
        };
        let revision = operation.record.revision;
        record_known(&context.under(&lock), name, &journal, &operation).await.map_err(midway)?;
        operation.record = context.store.get(name, revision).await.map_err(|error| midway(error.into()))?;
        lock.release().await.map_err(|error| midway(error.into()))?;
        return Ok(Recovered::Completed(Box::new(Report::of(&operation, &journal))));
    }
    journal.reopen();
    operation.journal = journal;
    match run::carry_out(context, lock, operation, observer, cancellation).await {
        Ok(report) => Ok(Recovered::Completed(Box::new(report))),
        Err(Failure { phase: Phase::Undone, cause, .. }) => Ok(Recovered::Undone { reason: chain(&*cause) }),
        Err(failure) => Err(failure),
    }
}

/// A savepoint was being taken of a job that goes on: its path is found out and recorded.
async fn recover_savepoint(
    context: &Context,
    options: &Options,
    left: &LeftBehind,
    taking: &Taking,
    observer: &dyn Observer,
) -> Result<Recovered, Failure> {
    let name = &options.change.name;
    let pending = Pending::Savepoint(taking.clone());
    let lock = Lock::take_over(&context.store, name, &context.holder, &left.claim, &pending)
        .await
        .map_err(|error| held(name, error))?;
    observer.progress(Progress::Begun(format!("resume the interrupted operation by {}", left.holder)));
    let fenced = context.under(&lock);
    let resolved = match options.savepoints.as_slice() {
        [(_, path)] => {
            let revision = fenced.store.get(name, taking.revision).await;
            let version = revision.failed(|| vec![taking.position()])?.package.flink_version;
            run::savepoint::record(taking, &fenced, name, path.clone(), &version).await.map(Some)
        }
        _ => run::savepoint::resolve(taking, &fenced, name, observer).await,
    };
    // What could not be recorded stays where the next run finds it, unless the user has enough of
    // it.
    if resolved.is_ok() || options.abandon {
        lock.release().await.ok();
    }
    Ok(resolved?.map_or_else(
        || Recovered::Undone { reason: taking.position() },
        |row| Recovered::Savepoint { path: row.path },
    ))
}

/// Savepoints were being deleted: the rest of them is, but for what is needed by now. Where that
/// cannot be done, or is not wanted, those of which Flink may have been asked count as gone: their
/// files may be incomplete.
async fn recover_disposal(
    context: &Context,
    options: &Options,
    left: &LeftBehind,
    disposing: &Disposing,
    observer: &dyn Observer,
) -> Result<Recovered, Failure> {
    let name = &options.change.name;
    let rest = if options.abandon { None } else { Some(dispose::plan_rest(context, name, disposing).await) };
    let plan = match rest {
        Some(Err(failure)) if failure.phase == Phase::Unreachable => return Err(failure),
        Some(Err(failure)) => {
            let why = format!("the rest is not deleted: {}", chain(&*failure.cause));
            observer.progress(Progress::Warning(why));
            None
        }
        rest => rest.and_then(Result::ok),
    };
    let pending = Pending::Dispose(disposing.clone());
    let lock = Lock::take_over(&context.store, name, &context.holder, &left.claim, &pending)
        .await
        .map_err(|error| held(name, error))?;
    observer.progress(Progress::Begun(format!("resume the interrupted operation by {}", left.holder)));
    let mut asked = disposing.may_be_gone().to_vec();
    let fenced = context.under(&lock);
    let done = match &plan {
        None => None,
        Some(plan) => {
            // Those that are needed by now are not deleted again: the journal is about others next.
            let kept: Vec<String> = asked.iter().filter(|path| plan.keeps(path)).cloned().collect();
            fenced.store.dispose_savepoints(name, &kept).await.failed(run::journal_left)?;
            match dispose::carry_out(context, &lock, plan, observer).await {
                Ok(done) => Some(done),
                Err(broken) if matches!(*broken.failure.cause, Cause::Lock(_)) => return Err(broken.failure),
                // What cannot be asked now is not given up.
                Err(broken) if broken.failure.cause.is_unreachable() => {
                    let abandon = NextStep::flink(["recover", name, "--abandon"])
                        .remark("counts it as deleted, and leaves the rest");
                    let known = broken.unfinished.is_some(); // it is said already
                    return Err(broken.failure.next((!known).then_some(abandon)));
                }
                Err(broken) => {
                    let why = format!("the rest is not deleted: {}", chain(&*broken.failure.cause));
                    observer.progress(Progress::Warning(why));
                    asked.extend(broken.unfinished);
                    None
                }
            }
        }
    };
    fenced.store.dispose_savepoints(name, &asked).await.failed(run::journal_left)?;
    lock.release().await.failed(run::journal_left)?;
    if let Some(done) = done {
        let kept = plan.iter().flat_map(|plan| &plan.keep);
        for (path, reason) in kept.filter(|(kept, _)| asked.contains(kept)) {
            let warning = format!("{path} counts as deleted, though {reason}: a part may be gone");
            observer.progress(Progress::Warning(warning));
        }
        return Ok(Recovered::Disposed { paths: done.dispose.into_iter().map(|row| row.path).collect() });
    }
    let last = asked.last().map_or("none", String::as_str);
    let reason =
        format!("no more savepoints are deleted; one counts as deleted, and may still be there: {last}");
    Ok(Recovered::Undone { reason })
}

/// What is told of another job's savepoint than the one that was being taken has no place to go.
fn refuse_other_savepoints(told: &[(Option<String>, String)], job: Option<&str>) -> Result<(), Failure> {
    let fits =
        |(of, _): &(Option<String>, String)| job.is_some() && of.as_deref().is_none_or(|of| job == Some(of));
    let misfit = told.iter().find(|told| !fits(told));
    let Some((_, path)) = misfit.or(told.get(1)) else { return Ok(()) };
    let known = job.unwrap_or("none");
    Err(not_asked_for(path, known))
}

fn not_asked_for(path: &str, jobs: &str) -> Failure {
    let reason = format!("--savepoint {path}: jobs whose savepoint is not known: {jobs}");
    Failure::refused(Cause::Precondition(reason))
}

fn go_on(left: &LeftBehind, journal: &Journal) -> String {
    format!("resume the interrupted operation by {}; {}", left.holder, journal.position())
}

/// A savepoint that the user found goes to the job whose savepoint is missing.
fn tell_savepoint(journal: &mut Journal, job: Option<&str>, path: &str) -> Result<(), Failure> {
    let missing = |moved: &&(usize, String)| job.is_none_or(|job| moved.1 == job);
    let open: Vec<(usize, String)> = journal
        .jobs
        .iter()
        .enumerate()
        .filter(|(_, moved)| moved.is_uncertain() && moved.leaves_state())
        .map(|(index, moved)| (index, moved.name.clone()))
        .collect();
    if let [(index, _)] = open.iter().filter(missing).collect::<Vec<_>>().as_slice() {
        journal.record(Event::Savepoint(*index, path.to_owned()));
        return Ok(());
    }
    let names: Vec<_> = open.into_iter().map(|(_, name)| name).collect();
    let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    Err(not_asked_for(path, &names))
}

/// The operation that the journal belongs to, from the records; `None` where its revision was never
/// written.
async fn operation_of(
    context: &Context,
    options: &ChangeOptions,
    journal: &Journal,
) -> Result<Option<Operation>, Failure> {
    let name = &options.name;
    let Some(record) = find(context, name, journal.decided.to).await? else { return Ok(None) };
    let base = match journal.decided.from {
        Some(from) => find(context, name, from).await?,
        None => None,
    };
    let objects = objects_of(&record).refused()?;
    let old_objects = base.as_ref().map(objects_of).transpose().refused()?.unwrap_or_default();
    let mut journal = journal.clone();
    journal.forward.recorded = true;
    let orphans = if journal.orphans_left().next().is_none()
        && journal.jobs.iter().all(|job| job.decided.source.is_none())
    {
        Vec::new()
    } else {
        let known = [Some(journal.decided.new), journal.decided.old, journal.decided.revert];
        let known: Vec<u32> = known.into_iter().flatten().collect();
        orphans_of(context, base.as_ref().unwrap_or(&record), &known).await.refused()?
    };
    let settings = options.settings();
    Ok(Some(Operation { journal, record, base, objects, old_objects, orphans, settings }))
}

async fn find(context: &Context, name: &str, revision: u32) -> Result<Option<Record>, Failure> {
    match context.store.get(name, revision).await {
        Ok(record) => Ok(Some(record)),
        Err(ReleaseError::NoRevision { .. }) => Ok(None),
        Err(error) => Err(Failure::refused(error)),
    }
}

/// Returns what is known of an interrupted run goes into the records, and nothing else is done.
async fn record_known(
    context: &Context,
    name: &str,
    dead: &Journal,
    operation: &Operation,
) -> Result<(), Cause> {
    let now = (context.now)();
    if let Some(from) = dead.decided.from {
        let mut base = context.store.get(name, from).await?;
        let flink_version = base.package.flink_version.clone();
        let mut savepoints = Vec::new();
        for moved in &dead.jobs {
            if moved.forward.finished {
                for job in base.jobs.iter_mut().filter(|job| job.name == moved.name) {
                    job.state = JobState::Finished;
                }
            }
            let orphan = moved
                .decided
                .source
                .and_then(|number| operation.orphans.iter().find(|one| one.number == number));
            let descriptor = orphan.and_then(|orphan| orphan.descriptor.as_ref());
            let source = descriptor.map_or(&flink_version, |descriptor| &descriptor.flink_version);
            if dead.forward.committed.is_some() && moved.gives_up_its_state() {
                continue;
            }
            let new = &operation.record.package.flink_version;
            savepoints.extend(savepoints_of(moved, from, source, new, now));
            keep_ends_of(moved, &mut base);
        }
        context.store.record_savepoints(name, &savepoints).await?;
        bring_back(dead, &mut base, &operation.record);
        context.store.update(&base).await?;
    }
    let open: String = dead.jobs.iter().filter_map(unread).collect();
    if dead.decided.kind == Kind::Uninstall {
        // What is left of it is the release still: its jobs, its generation, its state.
        let text = format!("Its uninstallation was abandoned; {}{open}", dead.position());
        context.store.set_status(name, dead.decided.to, Status::Deployed, &text).await?;
        return Ok(());
    }
    let history = context.store.history(name).await?;
    let known = |revision: u32| history.iter().find(|summary| summary.revision == revision);
    if known(dead.decided.to).is_some_and(|summary| summary.status.is_pending()) {
        // In one write: the revision is not pending any more, so nothing is added to it later.
        let mut record = context.store.get(name, dead.decided.to).await?;
        (record.status, record.description) = match dead.forward.committed {
            Some(_) => (Status::Deployed, "Completed; interrupted while the records were closed".to_owned()),
            None => (Status::Failed, format!("interrupted: {}{open}", dead.position())),
        };
        if dead.leaves_old_in_charge() || dead.stays_with_old() {
            record.generation = 0; // at most Pods of it are left, or jobs that the old one knows to be there
            for job in &mut record.jobs {
                (job.id, job.restored_from) = (None, None);
            }
        }
        context.store.update(&record).await?;
    }
    if dead.forward.committed.is_some()
        && let Some(from) = dead.decided.from.and_then(known)
        && from.status == Status::Deployed
    {
        context.store.set_status(name, from.revision, Status::Superseded, &from.description).await?;
    }
    Ok(())
}

/// Where the savepoint of a job is to be looked for that was asked for and never read.
fn unread(moved: &JobMove) -> Option<String> {
    let trigger = moved
        .decided
        .trigger
        .as_ref()
        .filter(|_| moved.is_uncertain() && moved.forward.savepoint.is_none())?;
    Some(format!("; if a savepoint of {} was written it is in {}", moved.name, trigger.directory))
}

#[cfg(test)]
mod tests;
