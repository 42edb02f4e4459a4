//! What an operation has decided to do and what has happened so far: the content of the operation
//! object.

use serde::{Deserialize, Serialize};

use super::control::ControlTraits;
use super::decision::{Decided, Kind, Pods, Strategy};
use super::event::{Event, Setback};
use super::moves::{JobForward, JobMove, JobRevert};
use super::target::{Outcome, Target};

/// Everything that an operation has decided and done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Journal {
    /// The plan is decided and may be carried out. Until then nothing has happened, and the lock
    /// may simply be taken over.
    #[serde(default)]
    pub begun: bool,
    /// Decisions: they never change after the operation has begun.
    pub decided: Decided,
    /// The jobs that are stopped or started.
    pub jobs: Vec<JobMove>,
    /// Events on the way to the new revision.
    #[serde(default)]
    pub forward: Forward,
    /// Events on a revert to the revision that ran.
    #[serde(default)]
    pub revert: Revert,
    /// The records say how it ended.
    #[serde(default)]
    pub closed: Option<Outcome>,
}

/// Events on the way to the new revision.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Forward {
    /// The new revision is stored as pending.
    pub recorded: bool,
    /// The old generation is gone, or going: nothing can be started in it any more.
    pub old_removed: bool,
    /// All of the old generation is gone.
    pub old_gone: bool,
    /// Applying the new objects has begun.
    pub apply_begun: bool,
    /// The new objects are applied.
    pub applied: bool,
    /// The new generation answers and has its TaskManagers.
    pub ready: bool,
    /// The Service is switched to the new generation.
    pub switched: bool,
    /// The old generation is kept, because an unmanaged job runs in it.
    pub old_kept: bool,
    /// Numbers of those of [`Decided::orphans`] that are gone, or kept because an unmanaged job
    /// runs in them.
    pub orphans_done: Vec<u32>,
    /// Objects that the new revision does not have are gone.
    pub pruned: bool,
    /// Leftovers that could not be cleaned up after the point of no return; the operation has
    /// succeeded all the same.
    pub leftover: Option<Setback>,
    /// Uninstall: the release's objects are gone.
    pub deleted: bool,
    /// The point of no return: the revision that is the release from now on.
    pub committed: Option<u32>,
    /// Why it does not go forward, or which job failed first.
    pub setback: Option<Setback>,
    /// A step failed that is not one job's alone: no job goes on.
    pub halted: bool,
}

/// Events on a revert to the revision that ran.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Revert {
    /// The new generation is gone, or going.
    pub new_removed: bool,
    /// All of the new generation is gone.
    pub new_gone: bool,
    /// The old objects are applied again.
    pub applied: bool,
    /// The old revision's generation is ready.
    pub ready: bool,
    /// Objects that only the new revision had are gone.
    pub pruned: bool,
    /// Why the revert does not go on either.
    pub setback: Option<Setback>,
}

impl Journal {
    /// Returns a journal in which nothing is decided but which command it is and which revision it
    /// is about.
    pub fn begin(kind: Kind, to: u32) -> Self {
        Self::of(Decided::new(kind, to), Vec::new())
    }

    /// Returns the journal of an operation that is decided and not begun.
    pub fn of(decided: Decided, jobs: Vec<JobMove>) -> Self {
        let (forward, revert) = (Forward::default(), Revert::default());
        Self { begun: false, decided, jobs, forward, revert, closed: None }
    }

    /// Records what happened.
    pub fn record(&mut self, event: Event) {
        let (forward, revert) = (&mut self.forward, &mut self.revert);
        match event {
            Event::Recorded => forward.recorded = true,
            Event::Jar(job, id) => self.jobs[job].forward.jar = Some(id),
            Event::Checked(job) => self.jobs[job].forward.checked = true,
            Event::StopAsked(job) => self.jobs[job].forward.stop_asked = true,
            Event::Savepoint(job, path) => self.jobs[job].forward.savepoint = Some(path),
            Event::Stopped(job) => self.jobs[job].forward.stopped = true,
            Event::StopFailed(job) => self.jobs[job].forward.stop_asked = false,
            Event::Finished(job) => {
                let job = &mut self.jobs[job].forward;
                (job.stop_asked, job.stopped, job.finished) = (false, true, true);
            }
            Event::RemoveBegun(Target::Old) => forward.old_removed = true,
            Event::RemoveBegun(Target::Orphan(_)) => {}
            Event::RemoveBegun(_) => revert.new_removed = true,
            Event::Removed(Target::Old) => forward.old_gone = true,
            Event::Removed(Target::Orphan(number)) | Event::Kept(Target::Orphan(number)) => {
                forward.orphans_done.push(number);
            }
            Event::Removed(_) => revert.new_gone = true,
            Event::ApplyBegun(Target::New) => forward.apply_begun = true,
            Event::ApplyBegun(_) => {}
            Event::Applied(Target::New) => forward.applied = true,
            Event::Applied(_) => revert.applied = true,
            Event::Ready(Target::New) => forward.ready = true,
            Event::Ready(_) => revert.ready = true,
            Event::StartAsked(job, Target::New) => self.jobs[job].forward.start_asked = true,
            Event::StartAsked(job, _) => self.jobs[job].revert.asked = true,
            Event::StartFailed(job, Target::New) => self.jobs[job].forward.start_asked = false,
            Event::StartFailed(job, _) => self.jobs[job].revert.asked = false,
            Event::Identified(job, Target::New, id, since) => {
                let job = &mut self.jobs[job].forward;
                (job.id, job.since) = (Some(id), Some(since));
            }
            Event::Identified(job, _, id, _) => self.jobs[job].revert.id = Some(id),
            Event::Started(job, Target::New) => self.jobs[job].forward.started = true,
            Event::Started(job, _) => self.jobs[job].revert.started = true,
            Event::Healthy(job, Target::New) => self.jobs[job].forward.healthy = true,
            Event::Healthy(job, _) => self.jobs[job].revert.healthy = true,
            Event::Checkpointed(job) => self.jobs[job].forward.checkpointed = true,
            Event::Ended(job) => self.jobs[job].revert.ended = true,
            Event::Left(job, path) => self.jobs[job].revert.left = Some(path),
            Event::Switched => forward.switched = true,
            Event::Kept(_) => forward.old_kept = true,
            Event::Pruned(Target::New) => forward.pruned = true,
            Event::Pruned(_) => revert.pruned = true,
            Event::Deleted => forward.deleted = true,
            Event::Committed => forward.committed = Some(self.decided.to),
            Event::Failed(setback) => self.fail(setback),
            Event::Closed(outcome) => self.closed = Some(outcome),
        }
    }

    /// Records that a step failed: one job's alone, or the operation's.
    fn fail(&mut self, setback: Setback) {
        if self.forward.committed.is_some() {
            self.forward.leftover = Some(setback);
            return;
        }
        let goes_back = self.goes_back();
        match setback.job.and_then(|index| self.jobs.get_mut(index)) {
            Some(job) if goes_back || job.forward.failed => {
                job.revert.failed = true;
                self.revert.setback.get_or_insert(setback);
            }
            Some(job) => {
                job.forward.failed = true;
                self.forward.setback.get_or_insert(setback);
            }
            None if goes_back => self.revert.setback = Some(setback),
            None => {
                self.forward.halted = true;
                self.forward.setback.get_or_insert(setback);
            }
        }
    }

    /// Returns what may be counted on in a generation.
    pub fn traits(&self, target: Target) -> &ControlTraits {
        if target == Target::New { &self.decided.destination } else { &self.decided.source }
    }

    /// Returns the numbers of the generations that earlier operations left, and that are still to
    /// go.
    pub fn orphans_left(&self) -> impl Iterator<Item = u32> {
        self.decided.orphans.iter().copied().filter(|number| !self.forward.orphans_done.contains(number))
    }

    /// Each job can be reverted by itself: what it is started on is still there, whatever the
    /// others do.
    pub(super) fn is_job_by_job(&self) -> bool {
        self.is_warm() || self.decided.pods == Pods::Same
    }

    /// Returns whether the jobs that did not fail go on.
    pub(super) fn keeps_going(&self) -> bool {
        let decided = &self.decided;
        decided.keep_going && !self.forward.halted && decided.rollback_on_failure && self.is_job_by_job()
    }

    /// Returns whether what was done is undone from here on.
    pub fn goes_back(&self) -> bool {
        self.forward.setback.is_some() && !self.keeps_going()
    }

    /// Both generations are up at once, and jobs move from the one to the other.
    pub fn is_warm(&self) -> bool {
        let Decided { strategy, pods, old, .. } = &self.decided;
        *strategy == Strategy::Warm && *pods == Pods::New && old.is_some()
    }

    /// Returns whether it is not known how a stop ended.
    pub fn is_uncertain(&self) -> bool {
        self.jobs.iter().any(JobMove::is_uncertain)
    }

    /// For another run to go on with: what could not be found out or started again is tried again.
    pub fn reopen(&mut self) {
        if matches!(self.closed, Some(Outcome::Failed)) && self.is_uncertain() {
            self.closed = None;
        }
        self.revert.setback = None;
        for job in &mut self.jobs {
            job.revert.failed = false;
        }
    }

    /// For a run that went on late and finds its lock lost: its last request may have reached Flink
    /// after another run had made good what this one left. The operation that makes that good in
    /// its turn: back to the revision that ran, with the same ids, so that what is as it should be
    /// already stays so. `None`: it was not in the middle of a stop or a start.
    ///
    /// What the other run did meanwhile is in the records, not here: see [`Journal::stay`].
    pub fn belated(&self) -> Option<Self> {
        let open = |job: &JobMove| job.is_uncertain() || job.forward.start_asked && !job.forward.started;
        if self.forward.committed.is_some() || !self.jobs.iter().any(open) {
            return None;
        }
        let reason = "this run went on late, after another had taken the operation over".to_owned();
        let setback = Setback { job: None, step: "the lock was lost".to_owned(), reason };
        let forward = |job: &JobMove| JobForward { failed: false, ..job.forward.clone() };
        // Where the new job got to was found out, and stays so.
        let revert = |job: &JobMove| JobRevert { left: job.revert.left.clone(), ..JobRevert::default() };
        let again = |job: &JobMove| JobMove { forward: forward(job), revert: revert(job), ..job.clone() };
        let decided = Decided { late: true, rollback_on_failure: true, ..self.decided.clone() };
        Some(Self {
            begun: self.begun,
            decided: Decided { keep_going: false, ..decided },
            jobs: self.jobs.iter().map(again).collect(),
            forward: Forward { setback: Some(setback), ..self.forward.clone() },
            revert: Revert::default(),
            closed: None,
        })
    }

    /// Records that another run left a job as the new revision has it: nothing of it is undone.
    pub fn stay(&mut self, index: usize) {
        let job = &mut self.jobs[index].forward;
        (job.stop_asked, job.stopped) = (true, true);
        (job.start_asked, job.started, job.checkpointed) = (true, true, true);
    }

    /// Returns whether the generation that ran when the operation began is still the one in charge:
    /// nothing was started beside it.
    pub fn leaves_old_in_charge(&self) -> bool {
        self.forward.committed.is_none()
            && self.decided.old.is_some_and(|old| old != self.decided.new)
            && !self.forward.old_removed
            && !self.jobs.iter().any(JobMove::is_moved)
    }

    /// Returns whether the revision that ran when a failed operation began stays in charge: each
    /// job that was stopped runs again as it did, or at least one job does. Where others run as the
    /// new revision has them, the old one's record says where.
    pub fn stays_with_old(&self) -> bool {
        let returned = |job: &JobMove| !job.forward.stopped || job.revert.started || job.forward.finished;
        self.forward.committed.is_none()
            && self.decided.old.is_some()
            && !self.forward.old_removed
            && (self.jobs.iter().all(returned) || self.jobs.iter().any(JobMove::is_as_it_was))
    }
}
