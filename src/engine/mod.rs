//! The engine that moves jobs between generations: does what the state machine says, step by step,
//! until it is done.
//!
//! Every fact goes into the journal the moment it is known, and what may be asked of Flink is
//! recorded before it is asked. What it talks to is a [`World`]: the real one ([`crate::site`]), or
//! a model of it, in which every order of events is tried. Nothing here knows Kubernetes or the
//! records.

mod check;
mod end;
mod health;
mod remove;
#[cfg(test)]
mod simulation;
mod start;
mod stop;
mod submission;

use std::collections::BTreeSet;
use std::time::Duration;

use crate::failure::{Cause, chain};
use crate::flink::{Plan, Program};
use crate::id::JobId;
use crate::layout::control::JobControl;
use crate::operation::{Event, Journal, Look, Outcome, Setback, Step, Target, Trigger};
use crate::progress::Progress;
use crate::release::LockError;

/// Between two looks at something that is awaited.
pub(crate) const POLL: Duration = Duration::from_millis(500);

/// How a job is started.
pub(crate) struct Recipe {
    pub program: Program,
    pub allow_non_restored_state: bool,
    /// `main()` is an application of its own.
    pub application: bool,
}

/// How long waits may take.
#[derive(Clone, Copy)]
pub(crate) struct Waits {
    /// A single wait (`--timeout`).
    pub timeout: Duration,
    /// Without a restart, until a job that moved has proved itself (`--stability-period`).
    pub quiet: Duration,
}

/// All that an operation touches besides its journal in memory. A method that changes something
/// outside passes the fence.
pub(crate) trait World {
    /// The control over a generation's jobs.
    type Control: JobControl;

    /// Writes the journal into the operation object, if that is still this run's.
    async fn write(&self, journal: &Journal) -> Result<(), Cause>;
    /// The control over a generation's jobs; an error where the layout renders no Flink.
    fn control(&self, target: Target) -> Result<Self::Control, Cause>;
    /// Returns whether there is a Flink in it: not where the layout has none.
    fn has_flink(&self, target: Target) -> bool;
    /// Returns what a generation is called.
    fn name(&self, target: Target) -> String;
    /// How a job is started there.
    fn recipe(&self, job: &str, target: Target) -> Result<Recipe, Cause>;
    /// The id under which a generation lists a job's jar; uploads it where it comes from a file.
    async fn jar(&self, job: &str, target: Target) -> Result<String, Cause>;
    /// Waits until Pods that were unsuspended are up.
    async fn await_pods(&mut self, target: Target) -> Result<(), Cause>;
    /// An error where the new generation has too few slots for a job.
    fn fits(&self, job: &str, plan: &Plan) -> Result<(), Cause>;
    /// The savepoint in a trigger's directory, or the newest checkpoint in a job's, as a
    /// generation's Pods see it.
    async fn find_savepoint(&self, target: Target, trigger: &Trigger) -> Look;
    /// Returns what a job left in a generation whose Flink cannot be asked, or does not know it any
    /// more: its newest checkpoint, or the word that it has finished.
    async fn find_left(&self, target: Target, job: JobId) -> Look;
    /// Returns whether a generation's Pods see that there is no savepoint or checkpoint at a path.
    /// Where nobody can look: `false`.
    async fn is_missing(&self, target: Target, path: &str) -> bool;
    /// How long waits may take.
    fn waits(&self) -> Waits;

    /// Stores the new revision as pending; for an uninstall, says so in the record.
    async fn begin(&mut self, journal: &Journal) -> Result<(), Cause>;
    /// Applies the objects of a revision under a generation's number. The words are shown as what
    /// was done.
    async fn apply(&mut self, target: Target, journal: &Journal) -> Result<Option<String>, Cause>;
    /// Waits until a generation answers and its TaskManagers have registered; warms up where jobs
    /// will move to it.
    async fn await_ready(&mut self, target: Target) -> Result<Option<String>, Cause>;
    /// The id of a generation's warm-up job, a job of ours that is no job of the release.
    fn warm_up(&self, target: Target) -> Option<JobId>;
    /// The jobs that a generation's high availability would bring back, but for those of the
    /// release's revisions and `known` ones.
    async fn unmanaged(&self, target: Target, known: BTreeSet<JobId>) -> Result<Vec<JobId>, Cause>;
    /// Has what leads to the generation in charge lead to the new one.
    async fn switch(&mut self) -> Result<(), Cause>;
    /// Deletes a generation whose Flink is shut down: its objects, then, when its Pods are gone,
    /// its HA data.
    async fn clear(&mut self, target: Target) -> Result<(), Cause>;
    /// Deletes what the target's revision does not have.
    async fn prune(&mut self, target: Target) -> Result<Option<String>, Cause>;
    /// Deletes the release's objects.
    async fn delete(&mut self, journal: &Journal) -> Result<(), Cause>;
    /// Writes into the records how it ended.
    async fn close(&mut self, outcome: Outcome, journal: &Journal) -> Result<(), Cause>;

    /// Tells the user.
    fn tell(&self, progress: Progress);
    /// Returns whether the user asked for the waiting to end.
    fn is_cancelled(&self) -> bool;
}

/// One run of the machine.
pub(crate) struct Engine<W> {
    pub world: W,
    pub journal: Journal,
    /// Why it went wrong first.
    pub cause: Option<Cause>,
    /// Jobs whose start an earlier run may have asked for, by their places: what they did then
    /// nobody has seen.
    unseen: Vec<bool>,
    /// The state machine; a test may give a wrong one, which must be found out.
    next: fn(&Journal) -> Step,
}

impl<W: World> Engine<W> {
    /// An engine at the step that the journal names.
    pub fn new(world: W, journal: Journal) -> Self {
        let unseen = journal.jobs.iter().map(|job| job.forward.start_asked).collect();
        Self { world, journal, cause: None, unseen, next: crate::operation::next }
    }

    /// Carries the operation out to its end. An error: the lock is lost, or the records cannot be
    /// written; the journal stays for the next run.
    pub async fn run(&mut self) -> Result<Outcome, Cause> {
        loop {
            let step = (self.next)(&self.journal);
            if let Step::Done(outcome) = step {
                return Ok(outcome);
            }
            let words = step.describe(&self.journal);
            if !matches!(step, Step::Record | Step::Prune(_) | Step::Commit | Step::Close(_)) {
                self.world.tell(Progress::Begun(words.clone()));
            }
            // Nothing is stopped yet that would have to come back: here a user's Ctrl-C is in time.
            let spares =
                matches!(step, Step::Stop(_)) && !self.journal.jobs.iter().any(|job| job.forward.stopped);
            let done = if spares && self.journal.forward.setback.is_none() && self.world.is_cancelled() {
                Err(Cause::Interrupted)
            } else {
                self.perform(step).await
            };
            match done {
                Ok(done) => {
                    if let Some(done) = done {
                        self.world.tell(Progress::Done(done));
                    }
                }
                Err(cause) if matches!(cause, Cause::Lock(_)) || matches!(step, Step::Close(_)) => {
                    return Err(cause);
                }
                Err(cause) => self.set_back(step, words, cause).await?,
            }
        }
    }

    /// Records that a step failed.
    async fn set_back(&mut self, step: Step, words: String, cause: Cause) -> Result<(), Cause> {
        let reason = chain(&cause);
        let warning = format!("{words}: {reason}");
        let job = match step {
            // What the user wants to end is the operation.
            _ if matches!(cause, Cause::Interrupted) && !self.journal.goes_back() => None,
            Step::Stop(index)
            | Step::ResolveStop(index)
            | Step::Start(index, _)
            | Step::AwaitHealthy(index, _)
            | Step::End(index) => Some(index),
            _ => None,
        };
        if self.cause.is_none() {
            self.cause = Some(cause);
        }
        let committed = self.journal.forward.committed.is_some();
        self.record(Event::Failed(Setback { job, step: words, reason })).await?;
        if committed {
            let left = format!("{warning}; the next upgrade tries again");
            self.world.tell(Progress::Warning(left));
        } else if !matches!((self.next)(&self.journal), Step::Close(_) | Step::Done(_)) {
            // Where nothing follows, the error at the end says the same.
            self.world.tell(Progress::Warning(warning));
        }
        Ok(())
    }

    /// Writes an event into the journal and the journal into the operation object. Where that is
    /// another's by now, what this run knows stays as it was written last, but for savepoints: it
    /// says what it was in the middle of.
    async fn record(&mut self, event: Event) -> Result<(), Cause> {
        let before = self.journal.clone();
        self.journal.record(event);
        let written = self.world.write(&self.journal).await;
        if matches!(written, Err(Cause::Lock(LockError::Lost { .. }))) {
            let known = std::mem::replace(&mut self.journal, before);
            for (job, known) in self.journal.jobs.iter_mut().zip(known.jobs) {
                job.forward.savepoint = known.forward.savepoint;
            }
        }
        written
    }

    /// Carries out one step. The words that come back are shown as what was done.
    async fn perform(&mut self, step: Step) -> Result<Option<String>, Cause> {
        let (done, event) = match step {
            Step::Check(index) => return self.check(index).await,
            Step::Stop(index) => return self.stop(index).await,
            Step::ResolveStop(index) => return self.resolve(index).await,
            Step::Remove(target) => return self.remove(target).await,
            Step::Start(index, target) => return self.start(index, target).await,
            Step::AwaitHealthy(index, target) => return self.await_healthy(index, target).await,
            Step::End(index) => return self.end(index).await,
            Step::Done(_) => return Ok(None),
            Step::Record => {
                self.world.begin(&self.journal).await?;
                (None, Event::Recorded)
            }
            Step::Apply(target) => {
                self.record(Event::ApplyBegun(target)).await?;
                (self.world.apply(target, &self.journal).await?, Event::Applied(target))
            }
            Step::AwaitReady(target) => (self.world.await_ready(target).await?, Event::Ready(target)),
            Step::Switch => {
                self.world.switch().await?;
                (None, Event::Switched)
            }
            Step::Prune(target) => (self.world.prune(target).await?, Event::Pruned(target)),
            Step::Delete => {
                self.world.delete(&self.journal).await?;
                (None, Event::Deleted)
            }
            Step::Commit => (None, Event::Committed),
            Step::Close(outcome) => {
                self.world.close(outcome, &self.journal).await?;
                (None, Event::Closed(outcome))
            }
        };
        self.record(event).await?;
        Ok(done)
    }
}
