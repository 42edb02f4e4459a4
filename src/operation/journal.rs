//! What an operation has decided to do and what has happened so far: the content of the operation object.

use serde::{Deserialize, Serialize};

use super::step::{Outcome, Step, Target};
use crate::id::{JobId, TriggerId};

/// Which command began the operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A first revision (or the first after an `uninstalled` one).
    Install,
    /// A new revision from a package and values.
    Upgrade,
    /// A new revision from a recorded one.
    Rollback,
    /// The end of the release.
    Uninstall,
    /// `job submit|stop|cancel`: a new revision with other jobs on the same generation.
    Jobs,
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Install => "Install",
            Self::Upgrade => "Upgrade",
            Self::Rollback => "Rollback",
            Self::Uninstall => "Uninstallation",
            Self::Jobs => "Change of jobs",
        })
    }
}

/// How an operation gets from one generation to the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// Both generations up, jobs move between them, the old one goes last.
    #[default]
    Warm,
    /// Stop, replace, start.
    Recreate,
}

impl std::fmt::Display for Strategy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Warm => "warm",
            Self::Recreate => "recreate",
        })
    }
}

/// What the change means for Pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pods {
    /// Other Pods: a new generation.
    New,
    /// The same generation; at most its number of TaskManagers changes.
    Same,
}

/// How a running job is ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stop {
    /// Stop with a savepoint; `format` is Flink's CANONICAL or NATIVE.
    Savepoint {
        /// Flink's name of the savepoint format.
        format: String,
        /// Windows are ended first: the job will never go on.
        #[serde(default)]
        drain: bool,
    },
    /// Cancel, then go on from the newest checkpoint that was retained.
    LatestCheckpoint,
    /// Cancel: the state since the last savepoint is given up.
    Cancel,
}

/// A savepoint trigger, written down before it is sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trigger {
    /// The id that we chose.
    pub id: TriggerId,
    /// The directory for this savepoint alone, so that it can be found when its path was never read.
    pub directory: String,
}

/// Where a job that is started takes its state from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StateFrom {
    /// From the start.
    Nothing,
    /// From the savepoint with which this operation stopped it, or the checkpoint that it left.
    ItsStop,
    /// From the checkpoint that it left when it was stopped; where it had completed none, from this path, or from the start.
    ItsStopOr(Option<String>),
    /// From this path.
    Path(String),
}

/// A start of a job on the new generation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Start {
    /// The id that the job will have: chosen here, so that asking again is safe.
    pub id: JobId,
    /// Where its state comes from.
    pub from: StateFrom,
}

/// One job in an operation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobMove {
    /// The job's name in the release.
    pub name: String,
    /// The running job that is stopped, if one runs.
    pub old: Option<JobId>,
    /// The number of the generation that it runs in, where that is not the one in charge: a part of an earlier operation that
    /// did not go back.
    #[serde(default)]
    pub source: Option<u32>,
    /// How it is stopped.
    pub stop: Option<Stop>,
    /// The start on the new generation, if there is one.
    pub start: Option<Start>,
    /// The start of the job as it was, should the operation fail.
    pub back: Option<Start>,
    /// The savepoint trigger; set from the beginning where `stop` takes one.
    pub trigger: Option<Trigger>,
    /// The id under which the new generation lists the job's jar, once it is known to have it.
    #[serde(default)]
    pub jar: Option<String>,
    /// `main()` ran on the new generation without starting the job.
    #[serde(default)]
    pub checked: bool,
    /// The request to stop may have been sent.
    #[serde(default)]
    pub stop_asked: bool,
    /// The path of the savepoint, written the moment it is known.
    #[serde(default)]
    pub savepoint: Option<String>,
    /// The old job was seen in a terminal state.
    #[serde(default)]
    pub stopped: bool,
    /// It finished by itself, before it could be stopped or after its stop had failed: it stays so, forward and on the way back.
    #[serde(default)]
    pub finished: bool,
    /// The request to start may have been sent.
    #[serde(default)]
    pub start_asked: bool,
    /// The new job is known to Flink.
    #[serde(default)]
    pub started: bool,
    /// The new job is past the health gate.
    #[serde(default)]
    pub healthy: bool,
    /// The new job completed a checkpoint, or may have: output is committed, nothing goes back by itself.
    #[serde(default)]
    pub checkpointed: bool,
    /// On the way back: the new job is terminal.
    #[serde(default)]
    pub ended: bool,
    /// The checkpoint that the new job left, where it completed one while it was being ended: newer than its savepoint.
    #[serde(default)]
    pub left: Option<String>,
    /// On the way back: the request to start it as it was may have been sent.
    #[serde(default)]
    pub back_asked: bool,
    /// On the way back: it runs as it was.
    #[serde(default)]
    pub back_started: bool,
    /// On the way back: all its tasks run.
    #[serde(default)]
    pub back_healthy: bool,
    /// It failed, and goes back while the others go on (`--keep-going`).
    #[serde(default)]
    pub failed: bool,
    /// On the way back: it could not be brought back, and the others are all the same.
    #[serde(default)]
    pub back_failed: bool,
}

impl JobMove {
    /// A job that nothing has happened to yet.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            old: None,
            source: None,
            stop: None,
            start: None,
            back: None,
            trigger: None,
            jar: None,
            checked: false,
            stop_asked: false,
            savepoint: None,
            stopped: false,
            finished: false,
            start_asked: false,
            started: false,
            healthy: false,
            checkpointed: false,
            ended: false,
            left: None,
            back_asked: false,
            back_started: false,
            back_healthy: false,
            failed: false,
            back_failed: false,
        }
    }

    /// The generation that it runs in when the operation begins.
    pub fn source(&self) -> Target {
        self.source.map_or(Target::Old, Target::Stray)
    }

    /// Whether it is not known how its stop ended.
    pub fn is_uncertain(&self) -> bool {
        self.stop_asked && !self.stopped
    }

    /// Whether it is stopped in such a way that its state is somewhere afterwards.
    pub fn leaves_state(&self) -> bool {
        matches!(self.stop, Some(Stop::Savepoint { .. } | Stop::LatestCheckpoint))
    }

    /// A job that was stopped can be started as it was only from state that is known.
    fn can_go_back(&self) -> bool {
        let known = |back: &Start| back.from != StateFrom::ItsStop || self.savepoint.is_some();
        !self.stopped || self.finished || self.back.as_ref().is_some_and(known)
    }

    /// Whether nothing takes it back: its new state counts by now, or there is none that it could go back to.
    pub(super) fn stays(&self) -> bool {
        self.checkpointed || !self.can_go_back()
    }

    /// Whether the state that it has when it is stopped is not what it is started from: it is there for the way back only.
    pub fn gives_up_its_state(&self) -> bool {
        self.start.as_ref().is_some_and(|start| matches!(start.from, StateFrom::Path(_)))
    }

    /// Returns the path that a start of it restores from; `None` for an empty state.
    pub fn restored_from(&self, from: &StateFrom) -> Option<String> {
        match from {
            StateFrom::Nothing => None,
            StateFrom::ItsStop => self.savepoint.clone(),
            StateFrom::ItsStopOr(before) => self.savepoint.clone().or_else(|| before.clone()),
            StateFrom::Path(path) => Some(path.clone()),
        }
    }

    /// Whether it runs, or may run, as the new revision has it.
    pub fn is_moved(&self) -> bool {
        self.start.is_some() && self.start_asked && !self.ended
    }

    /// Whether it runs where and as it did when the operation began, or runs so again, or may.
    pub fn is_as_it_was(&self) -> bool {
        self.old.is_some() && !self.finished && (!self.stopped || self.back_started || self.back_asked)
    }
}

/// Why an operation does not go forward any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setback {
    /// The job that failed, by its place in [`Journal::jobs`]; absent where it is not one job's failure.
    #[serde(default)]
    pub job: Option<usize>,
    /// The step that failed, in words.
    pub step: String,
    /// The reason, in words.
    pub reason: String,
}

/// Everything that an operation has decided and done.
///
/// Decisions (`kind` … `jobs`) are fixed when the operation begins; the rest is written by [`Journal::record`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Journal {
    /// Which command.
    pub kind: Kind,
    /// The revision that ran when the operation began.
    pub from: Option<u32>,
    /// The revision that the operation makes (for an uninstall: the one it ends).
    pub to: u32,
    /// How it gets from one generation to the next.
    pub strategy: Strategy,
    /// What the change means for Pods.
    pub pods: Pods,
    /// The number of the generation that runs when the operation begins.
    pub old: Option<u32>,
    /// The number of the generation that runs when it has succeeded.
    pub new: u32,
    /// The number kept for the way back in the classic order.
    pub back: Option<u32>,
    /// The old generation's Pods started its job as they started: it cannot be started there again.
    #[serde(default)]
    pub pods_start: bool,
    /// Whether a failure before the first completed checkpoint is undone.
    pub rollback_on_failure: bool,
    /// Of several jobs only those go back that fail; the others move on.
    #[serde(default)]
    pub keep_going: bool,
    /// Whether the operation waits for Pods and jobs.
    pub wait: bool,
    /// The jobs that are stopped or started.
    pub jobs: Vec<JobMove>,
    /// Uninstall: the records and the volume go too.
    #[serde(default)]
    pub purge: bool,
    /// It makes good what a run did that went on late: the jobs may run as they were already.
    #[serde(default)]
    pub late: bool,
    /// The plan is decided and may be carried out. Until then nothing has happened, and the lock may simply be taken over.
    #[serde(default)]
    pub begun: bool,
    /// Numbers of generations that earlier operations could not remove, and that go with this one.
    #[serde(default)]
    pub strays: Vec<u32>,
    /// The new revision is written as pending.
    #[serde(default)]
    pub recorded: bool,
    /// The old generation is gone, or going: nothing can be started in it any more.
    #[serde(default)]
    pub old_removed: bool,
    /// All of the old generation is gone.
    #[serde(default)]
    pub old_gone: bool,
    /// Applying the new objects has begun.
    #[serde(default)]
    pub apply_begun: bool,
    /// The new objects are applied.
    #[serde(default)]
    pub applied: bool,
    /// The new generation answers and has its TaskManagers.
    #[serde(default)]
    pub ready: bool,
    /// The stable Service leads to the new generation.
    #[serde(default)]
    pub switched: bool,
    /// The old generation is kept, because somebody's own job runs in it.
    #[serde(default)]
    pub old_kept: bool,
    /// Objects that the new revision does not have are gone.
    #[serde(default)]
    pub pruned: bool,
    /// What could not be cleaned up after the point of no return; the operation has succeeded all the same.
    #[serde(default)]
    pub leftover: Option<Setback>,
    /// Uninstall: the release's objects are gone.
    #[serde(default)]
    pub deleted: bool,
    /// The point of no return: the revision that is the release from now on.
    #[serde(default)]
    pub committed: Option<u32>,
    /// Why it does not go forward.
    #[serde(default)]
    pub setback: Option<Setback>,
    /// Why the way back does not go on either.
    #[serde(default)]
    pub back_setback: Option<Setback>,
    /// On the way back: the new generation is gone, or going.
    #[serde(default)]
    pub new_removed: bool,
    /// On the way back: all of the new generation is gone.
    #[serde(default)]
    pub new_gone: bool,
    /// On the way back: the old objects are applied again.
    #[serde(default)]
    pub back_applied: bool,
    /// On the way back: the old revision's generation is ready.
    #[serde(default)]
    pub back_ready: bool,
    /// On the way back: objects that only the new revision had are gone.
    #[serde(default)]
    pub back_pruned: bool,
    /// The records say how it ended.
    #[serde(default)]
    pub closed: Option<Outcome>,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The pending revision is stored.
    Recorded,
    /// The new generation has this job's jar, under this id.
    Jar(usize, String),
    /// `main()` of this job ran on the new generation without starting it.
    Checked(usize),
    /// The request to stop this job is about to be sent.
    StopAsked(usize),
    /// The path of this job's savepoint is known.
    Savepoint(usize, String),
    /// This job is terminal.
    Stopped(usize),
    /// Flink refused the stop or its savepoint failed, and the job runs on.
    StopFailed(usize),
    /// This job has finished by itself: there is nothing to stop, and nothing to start any more.
    Finished(usize),
    /// The removal of a generation has begun (and must go on).
    RemoveBegun(Target),
    /// All of a generation is gone.
    Removed(Target),
    /// Applying has begun.
    ApplyBegun(Target),
    /// The objects are applied.
    Applied(Target),
    /// The generation is ready.
    Ready(Target),
    /// The request to start this job is about to be sent.
    StartAsked(usize, Target),
    /// It is certain that this start did not start the job.
    StartFailed(usize, Target),
    /// Flink knows the job.
    Started(usize, Target),
    /// The job is past the gate.
    Healthy(usize, Target),
    /// The new job completed a checkpoint, or runs and takes none, or whether it did cannot be known.
    Checkpointed(usize),
    /// The new job is terminal, on the way back.
    Ended(usize),
    /// The new job completed a checkpoint while it was being ended, and left it here.
    Left(usize, String),
    /// The stable Service leads to the new generation.
    Switched,
    /// A generation stays: somebody's own job runs in it.
    Kept(Target),
    /// Objects that are not wanted any more are gone.
    Pruned(Target),
    /// The release's objects are gone.
    Deleted,
    /// The decision is written down.
    Committed,
    /// A step failed.
    Failed(Setback),
    /// The records say how it ended.
    Closed(Outcome),
}

impl Journal {
    /// A journal in which nothing is decided but which command it is and which revision it is about.
    pub fn begin(kind: Kind, to: u32) -> Self {
        Self {
            kind,
            from: None,
            to,
            strategy: Strategy::Recreate, // the classic order is right for whatever has one generation only
            pods: Pods::Same,
            old: None,
            new: 0,
            back: None,
            pods_start: false,
            rollback_on_failure: true,
            keep_going: false,
            wait: true,
            jobs: Vec::new(),
            purge: false,
            late: false,
            begun: false,
            strays: Vec::new(),
            recorded: false,
            old_removed: false,
            old_gone: false,
            apply_begun: false,
            applied: false,
            ready: false,
            switched: false,
            old_kept: false,
            pruned: false,
            leftover: None,
            deleted: false,
            committed: None,
            setback: None,
            back_setback: None,
            new_removed: false,
            new_gone: false,
            back_applied: false,
            back_ready: false,
            back_pruned: false,
            closed: None,
        }
    }

    /// Writes down what happened.
    pub fn record(&mut self, event: Event) {
        match event {
            Event::Recorded => self.recorded = true,
            Event::Jar(job, id) => self.jobs[job].jar = Some(id),
            Event::Checked(job) => self.jobs[job].checked = true,
            Event::StopAsked(job) => self.jobs[job].stop_asked = true,
            Event::Savepoint(job, path) => self.jobs[job].savepoint = Some(path),
            Event::Stopped(job) => self.jobs[job].stopped = true,
            Event::StopFailed(job) => self.jobs[job].stop_asked = false,
            Event::Finished(job) => {
                let job = &mut self.jobs[job];
                (job.stop_asked, job.stopped, job.finished) = (false, true, true);
                (job.start, job.back) = (None, None);
            }
            Event::RemoveBegun(Target::Old) => self.old_removed = true,
            Event::RemoveBegun(Target::Stray(_)) => {}
            Event::RemoveBegun(_) => self.new_removed = true,
            Event::Removed(Target::Old) => self.old_gone = true,
            Event::Removed(Target::Stray(number)) => self.strays.retain(|stray| *stray != number),
            Event::Removed(_) => self.new_gone = true,
            Event::ApplyBegun(Target::New) => self.apply_begun = true,
            Event::ApplyBegun(_) => {}
            Event::Applied(Target::New) => self.applied = true,
            Event::Applied(_) => self.back_applied = true,
            Event::Ready(Target::New) => self.ready = true,
            Event::Ready(_) => self.back_ready = true,
            Event::StartAsked(job, Target::New) => self.jobs[job].start_asked = true,
            Event::StartAsked(job, _) => self.jobs[job].back_asked = true,
            Event::StartFailed(job, Target::New) => self.jobs[job].start_asked = false,
            Event::StartFailed(job, _) => self.jobs[job].back_asked = false,
            Event::Started(job, Target::New) => self.jobs[job].started = true,
            Event::Started(job, _) => self.jobs[job].back_started = true,
            Event::Healthy(job, Target::New) => self.jobs[job].healthy = true,
            Event::Healthy(job, _) => self.jobs[job].back_healthy = true,
            Event::Checkpointed(job) => self.jobs[job].checkpointed = true,
            Event::Ended(job) => self.jobs[job].ended = true,
            Event::Left(job, path) => self.jobs[job].left = Some(path),
            Event::Switched => self.switched = true,
            Event::Kept(Target::Stray(number)) => self.strays.retain(|stray| *stray != number),
            Event::Kept(_) => self.old_kept = true,
            Event::Pruned(Target::New) => self.pruned = true,
            Event::Pruned(_) => self.back_pruned = true,
            Event::Deleted => self.deleted = true,
            Event::Committed => self.committed = Some(self.to),
            Event::Failed(setback) => self.fail(setback),
            Event::Closed(outcome) => self.closed = Some(outcome),
        }
    }

    /// Writes down that a step failed: one job's alone, or the operation's.
    fn fail(&mut self, setback: Setback) {
        if self.committed.is_some() {
            self.leftover = Some(setback);
            return;
        }
        let goes_back = self.goes_back();
        match setback.job.and_then(|index| self.jobs.get_mut(index)) {
            Some(job) if goes_back || job.failed => {
                job.back_failed = true;
                self.back_setback.get_or_insert(setback);
            }
            Some(job) => {
                job.failed = true;
                self.setback.get_or_insert(setback);
            }
            None if goes_back => self.back_setback = Some(setback),
            None => {
                self.keep_going = false;
                self.setback.get_or_insert(setback);
            }
        }
    }

    /// Each job has a way back of its own: what it goes back to is still there, whatever the others do.
    pub(super) fn is_job_by_job(&self) -> bool {
        self.is_warm() || self.pods == Pods::Same
    }

    /// Whether the jobs that did not fail go on.
    pub(super) fn keeps_going(&self) -> bool {
        self.keep_going && self.rollback_on_failure && self.is_job_by_job()
    }

    /// Whether what was done is undone from here on.
    pub fn goes_back(&self) -> bool {
        self.setback.is_some() && !self.keeps_going()
    }

    /// Both generations are up at once, and jobs move from the one to the other.
    pub fn is_warm(&self) -> bool {
        self.strategy == Strategy::Warm && self.pods == Pods::New && self.old.is_some()
    }

    /// Whether it is not known how a stop ended.
    pub fn is_uncertain(&self) -> bool {
        self.jobs.iter().any(JobMove::is_uncertain)
    }

    /// For another run to go on with: what could not be found out or brought back is tried again.
    pub fn reopen(&mut self) {
        if matches!(self.closed, Some(Outcome::Failed)) && self.is_uncertain() {
            self.closed = None;
        }
        self.back_setback = None;
        for job in &mut self.jobs {
            job.back_failed = false;
        }
    }

    /// For a run that went on late and finds its lock lost: its last request may have reached Flink after another run had
    /// made good what this one left. The operation that makes that good in its turn: back to the revision that ran, with
    /// the same ids, so that what is as it should be already stays so. `None`: it was not in the middle of a stop or a start.
    ///
    /// What the other run did meanwhile is in the records, not here: see [`Journal::stay`].
    pub fn belated(&self) -> Option<Self> {
        let open = |job: &JobMove| job.is_uncertain() || job.start_asked && !job.started;
        if self.committed.is_some() || !self.jobs.iter().any(open) {
            return None;
        }
        let reason = "this run went on late, after another had taken the operation over".to_owned();
        let mut late = Self {
            setback: Some(Setback { job: None, step: "the lock was lost".to_owned(), reason }),
            late: true,
            rollback_on_failure: true,
            keep_going: false,
            back_setback: None,
            new_removed: false,
            new_gone: false,
            back_applied: false,
            back_ready: false,
            back_pruned: false,
            closed: None,
            ..self.clone()
        };
        for job in &mut late.jobs {
            job.ended = false;
            job.back_asked = false;
            job.back_started = false;
            job.back_healthy = false;
            job.failed = false;
            job.back_failed = false;
        }
        Some(late)
    }

    /// Writes down that another run left a job as the new revision has it: nothing of it is undone.
    pub fn stay(&mut self, index: usize) {
        let job = &mut self.jobs[index];
        (job.stop_asked, job.stopped) = (true, true);
        (job.start_asked, job.started, job.checkpointed) = (true, true, true);
    }

    /// Whether the generation that ran when the operation began is still the one in charge: nothing was started beside it.
    pub fn leaves_old_in_charge(&self) -> bool {
        self.committed.is_none()
            && self.old.is_some_and(|old| old != self.new)
            && !self.old_removed
            && !self.jobs.iter().any(JobMove::is_moved)
    }

    /// Whether the revision that ran when a failed operation began stays in charge: each job that was stopped runs again as it
    /// did, or at least one job does. Where others run as the new revision has them, the old one's record says where.
    pub fn stays_with_old(&self) -> bool {
        let returned = |job: &JobMove| !job.stopped || job.back_started || job.finished;
        self.committed.is_none()
            && self.old.is_some()
            && !self.old_removed
            && (self.jobs.iter().all(returned) || self.jobs.iter().any(JobMove::is_as_it_was))
    }

    /// What the operation was doing, in words, for whoever finds the journal of a run that died.
    pub fn position(&self) -> String {
        match super::next(self) {
            Step::Done(_) => "it had ended and only its own object was left".to_owned(),
            step => format!("its next step: {}", step.describe(self)),
        }
    }
}
