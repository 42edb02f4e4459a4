//! Which step comes next: forward, or on a revert.

use super::decision::{Kind, Pods, Stop};
use super::journal::Journal;
use super::moves::JobMove;
use super::target::{Outcome, Target};

/// One thing to do. A job is named by its place in [`Journal::jobs`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// Store the new revision as pending.
    Record,
    /// Have the new generation run `main()` of a job without starting it, before anything is
    /// stopped.
    Check(usize),
    /// Stop a job as its move says and wait until it is terminal.
    Stop(usize),
    /// Find out how a stop ended of which that is not known; nothing is asked for again.
    ResolveStop(usize),
    /// Switch the Service to the new generation.
    Switch,
    /// Remove a generation in the safe order.
    Remove(Target),
    /// Apply the objects of a revision under a generation's number.
    Apply(Target),
    /// Wait until the generation answers and its TaskManagers have registered.
    AwaitReady(Target),
    Start(usize, Target),
    /// Wait until a job is past the health gate.
    AwaitHealthy(usize, Target),
    /// End a new job and wait until it is terminal, on a revert.
    End(usize),
    /// Delete objects that the revision does not have.
    Prune(Target),
    /// Delete the release's objects.
    Delete,
    Commit,
    /// Write into the records how it ended.
    Close(Outcome),
    /// Nothing is left to do.
    Done(Outcome),
}

impl Step {
    /// The step in words, for the user.
    pub fn describe(self, journal: &Journal) -> String {
        let job = |index: usize| journal.jobs.get(index).map_or("?", |job| job.name.as_str());
        let number = |target: Target| match target {
            Target::Old => journal.decided.old.unwrap_or_default(),
            Target::New => journal.decided.new,
            Target::Revert => journal.decided.revert.unwrap_or_default(),
            Target::Orphan(number) => number,
        };
        match self {
            Step::Record if journal.decided.kind == Kind::Uninstall => {
                "record that it is being uninstalled".to_owned()
            }
            Step::Record => format!("write revision {}", journal.decided.to),
            Step::Stop(index) => match journal.jobs.get(index).and_then(|job| job.decided.stop.as_ref()) {
                Some(Stop::Savepoint { .. }) => format!("stop the job {} with a savepoint", job(index)),
                Some(Stop::LatestCheckpoint) => {
                    format!("cancel the job {}, and find its latest checkpoint", job(index))
                }
                _ => format!("cancel the job {}", job(index)),
            },
            Step::Check(index) => {
                format!("check the job {} on generation {}", job(index), journal.decided.new)
            }
            Step::ResolveStop(index) => format!("find out whether the job {} was stopped", job(index)),
            Step::Switch => format!("switch the Service to generation {}", journal.decided.new),
            Step::Remove(target) => format!("remove generation {}", number(target)),
            Step::Apply(target) => format!("apply the objects of generation {}", number(target)),
            Step::AwaitReady(target) => format!("wait for generation {}", number(target)),
            Step::Start(index, Target::New) => format!("start the job {}", job(index)),
            Step::Start(index, _) => format!("start the job {} again as it was", job(index)),
            Step::AwaitHealthy(index, _) => format!("wait for the job {} to be healthy", job(index)),
            Step::End(index) => format!("end the new job {}", job(index)),
            Step::Prune(_) => "delete objects that are not part of the release any more".to_owned(),
            Step::Delete => "delete the release's objects".to_owned(),
            Step::Commit => format!("commit revision {}", journal.decided.to),
            Step::Close(_) | Step::Done(_) => "close the records".to_owned(),
        }
    }
}

impl Journal {
    /// Returns what the operation was doing, in words, for who finds the journal of an interrupted
    /// run.
    pub fn position(&self) -> String {
        match next(self) {
            Step::Done(_) => "it had ended and only its own object was left".to_owned(),
            step => format!("its next step: {}", step.describe(self)),
        }
    }
}

/// The step that comes now.
pub fn next(journal: &Journal) -> Step {
    if let Some(outcome) = journal.closed {
        return Step::Done(outcome);
    }
    if journal.forward.committed.is_some() {
        return clean_up(journal);
    }
    if journal.goes_back() {
        return revert(journal);
    }
    if !journal.forward.recorded {
        return Step::Record;
    }
    // A run died after it may have asked for a stop: asking again could take a second savepoint.
    if let Some(index) = to_resolve(journal) {
        return Step::ResolveStop(index);
    }
    if let Some(step) = revert_failed(journal) {
        return step;
    }
    let step = match journal {
        _ if journal.decided.kind == Kind::Uninstall => uninstall(journal),
        _ if journal.is_warm() => warm(journal),
        _ => recreate(journal),
    };
    // Some jobs failed and are back, the others have arrived.
    if journal.forward.setback.is_some() && matches!(step, Step::Switch | Step::Commit) {
        return revert(journal);
    }
    step
}

fn to_resolve(journal: &Journal) -> Option<usize> {
    journal.jobs.iter().position(|job| job.is_uncertain() && !job.revert.failed)
}

/// With `--keep-going`: the revert of a job that failed, before the next one moves.
fn revert_failed(journal: &Journal) -> Option<Step> {
    let (index, job) = journal
        .jobs
        .iter()
        .enumerate()
        .find(|(_, job)| job.forward.failed && !job.revert.failed && !is_reverted(job))?;
    Some(match job {
        _ if job.is_moved() => Step::End(index),
        _ if !job.revert.started => Step::Start(index, job.source()),
        _ => Step::AwaitHealthy(index, job.source()),
    })
}

/// Returns whether nothing is left to do on a job's revert.
fn is_reverted(job: &JobMove) -> bool {
    if job.stays() {
        return true; // it stays where it is
    }
    !job.is_moved() && (!job.forward.stopped || job.forward.finished || job.revert.healthy)
}

fn uninstall(journal: &Journal) -> Step {
    match journal {
        _ if let Some(index) = to_stop(journal) => Step::Stop(index),
        _ if journal.decided.old.is_some() && !journal.forward.old_gone => Step::Remove(Target::Old),
        _ if let Some(orphan) = journal.orphans_left().next() => Step::Remove(Target::Orphan(orphan)),
        _ if !journal.forward.deleted => Step::Delete,
        _ => Step::Commit,
    }
}

/// Stop, replace, start.
fn recreate(journal: &Journal) -> Step {
    // Where the Pods stay they can be asked beforehand whether the changed job would start.
    if journal.decided.pods == Pods::Same
        && let Some(index) = to_check(journal)
    {
        return Step::Check(index);
    }
    if let Some(index) = to_stop(journal) {
        return Step::Stop(index);
    }
    if journal.decided.pods == Pods::New && journal.decided.old.is_some() && !journal.forward.old_gone {
        return Step::Remove(Target::Old);
    }
    if !journal.forward.applied {
        return Step::Apply(Target::New);
    }
    // Jobs can only be started on a generation that answers, so they are waited for even where
    // `wait` is off.
    let starts = journal.jobs.iter().any(|job| job.start().is_some());
    if !journal.forward.ready && (journal.decided.wait || starts) {
        return Step::AwaitReady(Target::New);
    }
    let to_start = |job: &JobMove| job.start().is_some() && !job.forward.started && !job.forward.failed;
    if let Some(index) = journal.jobs.iter().position(to_start) {
        return gone_before(journal, &journal.jobs[index]).unwrap_or(Step::Start(index, Target::New));
    }
    await_health(journal).unwrap_or(Step::Commit)
}

/// The new generation first, up and checked; then job by job; the old one goes when all have proved
/// themselves.
fn warm(journal: &Journal) -> Step {
    if !journal.forward.applied {
        return Step::Apply(Target::New);
    }
    if !journal.forward.ready {
        return Step::AwaitReady(Target::New);
    }
    if let Some(index) = to_check(journal) {
        return Step::Check(index);
    }
    for (index, job) in journal.jobs.iter().enumerate().filter(|(_, job)| !job.forward.failed) {
        if job.decided.old.is_some() && !job.forward.stopped {
            return Step::Stop(index);
        }
        if job.start().is_some() && !job.forward.started {
            return gone_before(journal, job).unwrap_or(Step::Start(index, Target::New));
        }
    }
    match await_health(journal) {
        Some(step) => step,
        None if !journal.forward.switched => Step::Switch,
        None => Step::Commit,
    }
}

/// A job that could not be asked to stop, in a generation that an earlier operation left: that one
/// goes before it is started.
fn gone_before(journal: &Journal, job: &JobMove) -> Option<Step> {
    let number = job
        .decided
        .source
        .filter(|number| job.decided.old.is_none() && journal.orphans_left().any(|left| left == *number))?;
    Some(Step::Remove(Target::Orphan(number)))
}

fn to_stop(journal: &Journal) -> Option<usize> {
    journal
        .jobs
        .iter()
        .position(|job| job.decided.old.is_some() && !job.forward.stopped && !job.forward.failed)
}

/// Only a job that must be stopped for it is worth a trial: for the others the start itself shows
/// as much.
fn to_check(journal: &Journal) -> Option<usize> {
    if !journal.decided.destination.preflight {
        return None;
    }
    journal
        .jobs
        .iter()
        .position(|job| job.decided.old.is_some() && job.start().is_some() && !job.forward.checked)
}

fn await_health(journal: &Journal) -> Option<Step> {
    let waits = journal.decided.wait || journal.is_warm();
    let awaited =
        |job: &JobMove| waits && job.start().is_some() && !job.forward.healthy && !job.forward.failed;
    let index = journal.jobs.iter().position(awaited)?;
    Some(Step::AwaitHealthy(index, Target::New))
}

/// After the point of no return: what is not wanted any more goes. What cannot go is named, and
/// changes no outcome.
fn clean_up(journal: &Journal) -> Step {
    if journal.decided.kind == Kind::Uninstall {
        return Step::Close(Outcome::Uninstalled);
    }
    if journal.forward.leftover.is_none() {
        if journal.is_warm() && !journal.forward.old_gone && !journal.forward.old_kept {
            return Step::Remove(Target::Old);
        }
        if let Some(orphan) = journal.orphans_left().next() {
            return Step::Remove(Target::Orphan(orphan));
        }
        if !journal.forward.pruned {
            return Step::Prune(Target::New);
        }
    }
    Step::Close(Outcome::Deployed)
}

/// Back to the revision that ran, under the rule of the first completed checkpoint.
fn revert(journal: &Journal) -> Step {
    if journal.revert.setback.as_ref().is_some_and(|setback| setback.job.is_none()) {
        return Step::Close(Outcome::Failed);
    }
    // Of this job nothing is started, and nothing triggered again, while it is not known how its
    // stop ended.
    if let Some(index) = to_resolve(journal) {
        return Step::ResolveStop(index);
    }
    let lost = journal.jobs.iter().any(|job| job.revert.failed);
    let stopped = journal.jobs.iter().any(|job| job.forward.stopped);
    let touched = stopped || journal.forward.old_removed || journal.forward.apply_begun;
    if !touched {
        return Step::Close(if lost { Outcome::Failed } else { Outcome::Undone });
    }
    let Some(old) = journal.decided.old else {
        return Step::Close(Outcome::Failed); // An install: nothing to go back to.
    };
    // A new generation in which nothing was started is taken away in any case: the old job never
    // stopped.
    let asked = journal
        .jobs
        .iter()
        .any(|job| job.forward.stop_asked || job.forward.stopped || job.forward.start_asked);
    if !journal.decided.rollback_on_failure && (asked || !journal.is_warm()) {
        return Step::Close(Outcome::Failed);
    }
    let by_job = journal.is_job_by_job();
    if !by_job && journal.jobs.iter().any(JobMove::stays) {
        return Step::Close(Outcome::Failed);
    }
    // With `--keep-going` those that did not fail stay.
    let goes_back = |job: &JobMove| {
        !job.revert.failed
            && (!journal.keeps_going() || job.forward.failed)
            && !job.stays()
            && !job.forward.finished
    };
    if let Some(index) = journal.jobs.iter().position(|job| job.is_moved() && goes_back(job)) {
        return Step::End(index);
    }
    let target = if journal.forward.old_removed { Target::Revert } else { Target::Old };
    let ended = |job: &JobMove| job.forward.stopped && !job.forward.finished;
    let only_anew =
        target == Target::Old && journal.decided.source.starts_with_pods && journal.jobs.iter().any(ended);
    if journal.decided.revert.is_none() && (target == Target::Revert || only_anew) {
        return Step::Close(Outcome::Failed);
    }
    if only_anew {
        return Step::Remove(Target::Old);
    }
    // Where a part stays, its objects stay too.
    let partly_migrated = journal.jobs.iter().any(|job| job.is_moved() || job.stays());
    if partly_migrated && !by_job {
        return Step::Close(Outcome::Failed);
    }
    if !journal.is_warm() && !partly_migrated {
        if target == Target::Revert
            && journal.forward.apply_begun
            && journal.decided.new != old
            && !journal.revert.new_gone
        {
            return Step::Remove(Target::New);
        }
        if (target == Target::Revert || journal.forward.apply_begun) && !journal.revert.applied {
            return Step::Apply(target);
        }
        if journal.revert.applied && !journal.revert.ready {
            return Step::AwaitReady(target);
        }
    }
    let home = |index: usize| journal.jobs[index].decided.source.map_or(target, Target::Orphan);
    // With two generations the old one is up: its job runs again before anything is tidied.
    let to_start = |job: &JobMove| job.forward.stopped && !job.revert.started && goes_back(job);
    if let Some(index) = journal.jobs.iter().position(to_start) {
        return Step::Start(index, home(index));
    }
    let to_await = |job: &JobMove| job.revert.started && !job.revert.healthy && !job.revert.failed;
    if let Some(index) = journal.jobs.iter().position(to_await) {
        return Step::AwaitHealthy(index, home(index));
    }
    if lost || partly_migrated {
        return Step::Close(Outcome::Failed);
    }
    if journal.is_warm() && journal.forward.apply_begun {
        if !journal.revert.new_gone {
            return Step::Remove(Target::New);
        }
        if !journal.revert.applied {
            return Step::Apply(target); // what both share: accounts, roles, the stable Service
        }
    }
    if journal.forward.apply_begun && !journal.revert.pruned {
        return Step::Prune(target);
    }
    Step::Close(Outcome::Undone)
}
