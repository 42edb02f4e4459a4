//! Which step comes next: forward, or on the way back.

use serde::{Deserialize, Serialize};

use super::journal::{Journal, Kind, Pods, StateFrom, Stop};

/// Which generation a step is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// The one that ran when the operation began.
    Old,
    /// The one that runs when it succeeds.
    New,
    /// The old revision's, made again on the way back.
    Back,
}

/// How an operation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The new revision is the release.
    Deployed,
    /// The release is gone.
    Uninstalled,
    /// It failed, and all is as it was before.
    Undone,
    /// It failed, and what it did is left as it is.
    Failed,
}

/// One thing to do. A job is named by its place in [`Journal::jobs`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// Store the new revision as pending.
    Record,
    /// Stop a job as its move says and wait until it is terminal.
    Stop(usize),
    /// Remove a generation in the safe order.
    Remove(Target),
    /// Apply the objects of a revision under a generation's number.
    Apply(Target),
    /// Wait until the generation answers and its TaskManagers have registered.
    AwaitReady(Target),
    /// Start a job.
    Start(usize, Target),
    /// Wait until a job is past the health gate.
    AwaitHealthy(usize, Target),
    /// End a new job and wait until it is terminal, on the way back.
    End(usize),
    /// Delete objects that the revision does not have.
    Prune(Target),
    /// Delete the release's objects.
    Delete,
    /// Write down the decision.
    Commit,
    /// Write into the records how it ended.
    Close(Outcome),
    /// Nothing is left to do.
    Done(Outcome),
}

impl Step {
    /// The step in words, for a person.
    pub fn describe(self, journal: &Journal) -> String {
        let job = |index: usize| journal.jobs.get(index).map_or("?", |job| job.name.as_str());
        let number = |target: Target| match target {
            Target::Old => journal.old.unwrap_or_default(),
            Target::New => journal.new,
            Target::Back => journal.back.unwrap_or_default(),
        };
        match self {
            Step::Record if journal.kind == Kind::Uninstall => {
                "write down that it is being uninstalled".to_owned()
            }
            Step::Record => format!("write revision {}", journal.to),
            Step::Stop(index) => match journal.jobs.get(index).and_then(|job| job.stop.as_ref()) {
                Some(Stop::Savepoint { .. }) => format!("stop the job {} with a savepoint", job(index)),
                _ => format!("cancel the job {}", job(index)),
            },
            Step::Remove(target) => format!("remove generation {}", number(target)),
            Step::Apply(target) => format!("apply the objects of generation {}", number(target)),
            Step::AwaitReady(target) => format!("wait for generation {}", number(target)),
            Step::Start(index, Target::New) => format!("start the job {}", job(index)),
            Step::Start(index, _) => format!("start the job {} again as it was", job(index)),
            Step::AwaitHealthy(index, _) => format!("wait for the job {} to be healthy", job(index)),
            Step::End(index) => format!("end the new job {}", job(index)),
            Step::Prune(_) => "delete objects that are not part of the release any more".to_owned(),
            Step::Delete => "delete the release's objects".to_owned(),
            Step::Commit => format!("commit revision {}", journal.to),
            Step::Close(_) | Step::Done(_) => "close the records".to_owned(),
        }
    }
}

/// The step that comes now.
pub fn next(journal: &Journal) -> Step {
    if let Some(outcome) = journal.closed {
        return Step::Done(outcome);
    }
    if journal.committed.is_some() {
        return Step::Close(if journal.kind == Kind::Uninstall {
            Outcome::Uninstalled
        } else {
            Outcome::Deployed
        });
    }
    if journal.setback.is_some() {
        return way_back(journal);
    }
    forward(journal)
}

/// The classic order: stop, replace, start.
fn forward(journal: &Journal) -> Step {
    if !journal.recorded {
        return Step::Record;
    }
    if let Some(index) = journal.jobs.iter().position(|job| job.old.is_some() && !job.stopped) {
        return Step::Stop(index);
    }
    if journal.kind == Kind::Uninstall {
        return match journal {
            _ if journal.old.is_some() && !journal.old_removed => Step::Remove(Target::Old),
            _ if !journal.deleted => Step::Delete,
            _ => Step::Commit,
        };
    }
    if journal.pods == Pods::New && journal.old.is_some() && !journal.old_removed {
        return Step::Remove(Target::Old);
    }
    if !journal.applied {
        return Step::Apply(Target::New);
    }
    // Jobs can only be started on a generation that answers, so they are waited for even where `wait` is off.
    let starts = journal.jobs.iter().any(|job| job.start.is_some());
    if !journal.ready && (journal.wait || starts) {
        return Step::AwaitReady(Target::New);
    }
    for (index, job) in journal.jobs.iter().enumerate().filter(|(_, job)| job.start.is_some()) {
        if !job.started {
            return Step::Start(index, Target::New);
        }
    }
    if journal.wait
        && let Some(index) = journal.jobs.iter().position(|job| job.start.is_some() && !job.healthy)
    {
        return Step::AwaitHealthy(index, Target::New);
    }
    if !journal.pruned {
        return Step::Prune(Target::New);
    }
    Step::Commit
}

/// Back to the revision that ran, under the rule of the first completed checkpoint.
fn way_back(journal: &Journal) -> Step {
    if journal.back_setback.is_some() {
        return Step::Close(Outcome::Failed);
    }
    // A stop of which nobody knows how it ended: triggering again, or starting anything, could run a job twice.
    if journal.jobs.iter().any(|job| job.stop_asked && !job.stopped) {
        return Step::Close(Outcome::Failed);
    }
    let stopped = journal.jobs.iter().any(|job| job.stopped);
    let touched = stopped || journal.old_removed || journal.apply_begun;
    if !touched {
        return Step::Close(Outcome::Undone);
    }
    let Some(old) = journal.old else {
        return Step::Close(Outcome::Failed); // An install: nothing to go back to.
    };
    if !journal.rollback_on_failure || journal.jobs.iter().any(|job| job.checkpointed || !can_go_back(job)) {
        return Step::Close(Outcome::Failed);
    }
    for (index, job) in journal.jobs.iter().enumerate() {
        if job.start_asked && !job.ended {
            return Step::End(index);
        }
    }
    let target = if journal.old_removed { Target::Back } else { Target::Old };
    if target == Target::Back {
        if journal.back.is_none() {
            return Step::Close(Outcome::Failed);
        }
        if journal.apply_begun && journal.new != old && !journal.new_removed {
            return Step::Remove(Target::New);
        }
    }
    if (target == Target::Back || journal.apply_begun) && !journal.back_applied {
        return Step::Apply(target);
    }
    if journal.back_applied && !journal.back_ready {
        return Step::AwaitReady(target);
    }
    for (index, job) in journal.jobs.iter().enumerate().filter(|(_, job)| job.stopped) {
        if !job.back_started {
            return Step::Start(index, target);
        }
    }
    if let Some(index) = journal.jobs.iter().position(|job| job.back_started && !job.back_healthy) {
        return Step::AwaitHealthy(index, target);
    }
    if journal.apply_begun && !journal.back_pruned {
        return Step::Prune(target);
    }
    Step::Close(Outcome::Undone)
}

/// A job that was stopped can be started as it was only from state that is known.
fn can_go_back(job: &super::JobMove) -> bool {
    !job.stopped
        || job.back.as_ref().is_some_and(|back| back.from != StateFrom::ItsStop || job.savepoint.is_some())
}
