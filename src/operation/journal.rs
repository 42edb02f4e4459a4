//! What an operation has decided to do and what has happened so far: the content of the operation object.

use serde::{Deserialize, Serialize};

use super::control::ControlTraits;
use super::step::{Outcome, Step, Target};
use crate::id::{Id, JobId, TriggerId};

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

/// The id of a job that is to be started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StartId {
    /// Chosen when the operation was decided, so that asking again is safe.
    Chosen(JobId),
    /// Assigned by whoever starts the job, and learnt afterwards ([`Event::Identified`]). What was chosen is a nonce, by
    /// which the same submission is known again.
    Assigned(Id),
}

/// A start of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Start {
    /// The id that the job will have.
    pub id: StartId,
    /// Where its state comes from.
    pub from: StateFrom,
}

/// One job in an operation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobMove {
    /// The job's name in the release.
    pub name: String,
    /// What was decided: never changes after the operation has begun.
    pub decided: JobDecision,
    /// What has happened on the way to the new revision.
    #[serde(default)]
    pub forward: JobForward,
    /// What has happened on the way back to the revision that ran.
    #[serde(default)]
    pub revert: JobRevert,
}

/// What was decided about one job.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobDecision {
    /// The running job that is stopped, if one runs.
    pub old: Option<JobId>,
    /// When that job was started, milliseconds since 1970 by Flink's clock: an id that is assigned may be the same again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<u64>,
    /// The number of the generation that it runs in, where that is not the one in charge: a part of an earlier operation
    /// that was not reverted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<u32>,
    /// How it is stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop: Option<Stop>,
    /// The savepoint trigger; set from the beginning where `stop` takes one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trigger: Option<Trigger>,
    /// The start on the new generation, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<Start>,
    /// The start of the job as it was, should the operation fail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revert: Option<Start>,
}

/// What has happened to one job on the way to the new revision.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct JobForward {
    /// The id under which the new generation lists the job's jar, once it is known to have it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jar: Option<String>,
    /// `main()` ran on the new generation without starting the job.
    #[serde(skip_serializing_if = "not")]
    pub checked: bool,
    /// The request to stop may have been sent.
    #[serde(skip_serializing_if = "not")]
    pub stop_asked: bool,
    /// The path of the savepoint, recorded the moment it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub savepoint: Option<String>,
    /// The old job was seen in a terminal state.
    #[serde(skip_serializing_if = "not")]
    pub stopped: bool,
    /// The job finished by itself, before it could be stopped or after its stop had failed: it is started neither on the new
    /// generation nor again as it was.
    #[serde(skip_serializing_if = "not")]
    pub finished: bool,
    /// The request to start may have been sent.
    #[serde(skip_serializing_if = "not")]
    pub start_asked: bool,
    /// The id that the new job was assigned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<JobId>,
    /// When that job was started, milliseconds since 1970 by Flink's clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<u64>,
    /// The new job is known to Flink.
    #[serde(skip_serializing_if = "not")]
    pub started: bool,
    /// The new job is past the health gate.
    #[serde(skip_serializing_if = "not")]
    pub healthy: bool,
    /// The new job completed a checkpoint, or may have: output is committed, nothing is reverted by itself.
    #[serde(skip_serializing_if = "not")]
    pub checkpointed: bool,
    /// The job failed, and is reverted while the others go on (`--keep-going`).
    #[serde(skip_serializing_if = "not")]
    pub failed: bool,
}

/// What has happened to one job on the way back to the revision that ran.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct JobRevert {
    /// The new job is terminal.
    #[serde(skip_serializing_if = "not")]
    pub ended: bool,
    /// The checkpoint that the new job left, where it completed one while it was being ended: newer than its savepoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left: Option<String>,
    /// The request to start it as it was may have been sent.
    #[serde(skip_serializing_if = "not")]
    pub asked: bool,
    /// The id that it was assigned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<JobId>,
    /// It runs as it was.
    #[serde(skip_serializing_if = "not")]
    pub started: bool,
    /// All its tasks run.
    #[serde(skip_serializing_if = "not")]
    pub healthy: bool,
    /// It could not be started as it was, and the others are all the same.
    #[serde(skip_serializing_if = "not")]
    pub failed: bool,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn not(flag: &bool) -> bool {
    !flag
}

impl JobMove {
    /// Returns a job that nothing is decided of but its name.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            decided: JobDecision::default(),
            forward: JobForward::default(),
            revert: JobRevert::default(),
        }
    }

    /// Returns the generation that it runs in when the operation begins.
    pub fn source(&self) -> Target {
        self.decided.source.map_or(Target::Old, Target::Stray)
    }

    /// Returns its start on the new generation; `None` for one that is not started, or has finished by itself.
    pub fn start(&self) -> Option<&Start> {
        self.decided.start.as_ref().filter(|_| !self.forward.finished)
    }

    /// Returns its start as it was; `None` for one that cannot be, or has finished by itself.
    pub fn revert_start(&self) -> Option<&Start> {
        self.decided.revert.as_ref().filter(|_| !self.forward.finished)
    }

    /// Returns the start in a generation: the new one, or that of the revision that ran.
    pub fn start_in(&self, target: Target) -> Option<&Start> {
        if target == Target::New { self.start() } else { self.revert_start() }
    }

    /// Returns the id of the job that is started in a generation, once it is known.
    pub fn id_in(&self, target: Target) -> Option<JobId> {
        match self.start_in(target)?.id {
            StartId::Chosen(id) => Some(id),
            StartId::Assigned(_) if target == Target::New => self.forward.id,
            StartId::Assigned(_) => self.revert.id,
        }
    }

    /// Returns the id of the new job, once it is known.
    pub fn new_id(&self) -> Option<JobId> {
        self.id_in(Target::New)
    }

    /// Returns the id of the job that is started as it was, once it is known.
    pub fn reverted_id(&self) -> Option<JobId> {
        self.id_in(Target::Old)
    }

    /// Returns every id that is known of it: as it was, new, and as it was again.
    pub fn ids(&self) -> impl Iterator<Item = JobId> {
        [self.decided.old, self.new_id(), self.reverted_id()].into_iter().flatten()
    }

    /// Whether it is not known how its stop ended.
    pub fn is_uncertain(&self) -> bool {
        self.forward.stop_asked && !self.forward.stopped
    }

    /// Whether it is stopped in such a way that its state is somewhere afterwards.
    pub fn leaves_state(&self) -> bool {
        matches!(self.decided.stop, Some(Stop::Savepoint { .. } | Stop::LatestCheckpoint))
    }

    /// A job that was stopped can be started as it was only from state that is known.
    fn can_be_reverted(&self) -> bool {
        let known = |start: &Start| start.from != StateFrom::ItsStop || self.forward.savepoint.is_some();
        !self.forward.stopped || self.forward.finished || self.revert_start().is_some_and(known)
    }

    /// Whether nothing reverts it: its new state counts by now, or there is none that it could be started from.
    pub(super) fn stays(&self) -> bool {
        self.forward.checkpointed || !self.can_be_reverted()
    }

    /// Whether the state that it has when it is stopped is not what it is started from: it is there for a revert only.
    pub fn gives_up_its_state(&self) -> bool {
        self.start().is_some_and(|start| matches!(start.from, StateFrom::Path(_)))
    }

    /// Returns the path that a start of it restores from; `None` for an empty state.
    pub fn restored_from(&self, from: &StateFrom) -> Option<String> {
        match from {
            StateFrom::Nothing => None,
            StateFrom::ItsStop => self.forward.savepoint.clone(),
            StateFrom::ItsStopOr(before) => self.forward.savepoint.clone().or_else(|| before.clone()),
            StateFrom::Path(path) => Some(path.clone()),
        }
    }

    /// Whether it runs, or may run, as the new revision has it.
    pub fn is_moved(&self) -> bool {
        self.start().is_some() && self.forward.start_asked && !self.revert.ended
    }

    /// Whether it runs where and as it did when the operation began, or runs so again, or may.
    pub fn is_as_it_was(&self) -> bool {
        let runs = !self.forward.stopped || self.revert.started || self.revert.asked;
        self.decided.old.is_some() && !self.forward.finished && runs
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Journal {
    /// The plan is decided and may be carried out. Until then nothing has happened, and the lock may simply be taken over.
    #[serde(default)]
    pub begun: bool,
    /// What was decided: never changes after the operation has begun.
    pub decided: Decided,
    /// The jobs that are stopped or started.
    pub jobs: Vec<JobMove>,
    /// What has happened on the way to the new revision.
    #[serde(default)]
    pub forward: Forward,
    /// What has happened on the way back to the revision that ran.
    #[serde(default)]
    pub revert: Revert,
    /// The records say how it ended.
    #[serde(default)]
    pub closed: Option<Outcome>,
}

/// What was decided about an operation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decided {
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
    /// The number kept for the revision that ran, made again by a revert after its generation was removed.
    pub revert: Option<u32>,
    /// What may be counted on in the generation that runs.
    #[serde(default)]
    pub source: ControlTraits,
    /// What may be counted on in the new one.
    #[serde(default)]
    pub destination: ControlTraits,
    /// Whether a failure before the first completed checkpoint is undone.
    pub rollback_on_failure: bool,
    /// Of several jobs only those are reverted that fail; the others move on.
    #[serde(default)]
    pub keep_going: bool,
    /// Whether the operation waits for Pods and jobs.
    pub wait: bool,
    /// Uninstall: the records and the volume go too.
    #[serde(default)]
    pub purge: bool,
    /// It makes good what a run did that went on late: the jobs may run as they were already.
    #[serde(default)]
    pub late: bool,
    /// Numbers of generations that earlier operations could not remove, and that go with this one.
    #[serde(default)]
    pub strays: Vec<u32>,
}

impl Decided {
    /// Returns decisions of which only the command and the revision are made; right for whatever has one generation.
    pub fn new(kind: Kind, to: u32) -> Self {
        Self {
            kind,
            from: None,
            to,
            strategy: Strategy::Recreate,
            pods: Pods::Same,
            old: None,
            new: 0,
            revert: None,
            source: ControlTraits::default(),
            destination: ControlTraits::default(),
            rollback_on_failure: true,
            keep_going: false,
            wait: true,
            purge: false,
            late: false,
            strays: Vec::new(),
        }
    }
}

/// What has happened on the way to the new revision.
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
    /// The stable Service leads to the new generation.
    pub switched: bool,
    /// The old generation is kept, because an unmanaged job runs in it.
    pub old_kept: bool,
    /// Numbers of those of [`Decided::strays`] that are gone, or kept because an unmanaged job runs in them.
    pub strays_done: Vec<u32>,
    /// Objects that the new revision does not have are gone.
    pub pruned: bool,
    /// What could not be cleaned up after the point of no return; the operation has succeeded all the same.
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

/// What has happened on the way back to the revision that ran.
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
    /// The id that a job was assigned is known, and when it was started (milliseconds since 1970).
    Identified(usize, Target, JobId, u64),
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
    /// Returns a journal in which nothing is decided but which command it is and which revision it is about.
    pub fn begin(kind: Kind, to: u32) -> Self {
        Self::of(Decided::new(kind, to), Vec::new())
    }

    /// Returns the journal of an operation that is decided and not begun.
    pub fn of(decided: Decided, jobs: Vec<JobMove>) -> Self {
        let (forward, revert) = (Forward::default(), Revert::default());
        Self { begun: false, decided, jobs, forward, revert, closed: None }
    }

    /// Writes down what happened.
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
            Event::RemoveBegun(Target::Stray(_)) => {}
            Event::RemoveBegun(_) => revert.new_removed = true,
            Event::Removed(Target::Old) => forward.old_gone = true,
            Event::Removed(Target::Stray(number)) | Event::Kept(Target::Stray(number)) => {
                forward.strays_done.push(number);
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

    /// Writes down that a step failed: one job's alone, or the operation's.
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

    /// Returns the numbers of the generations that earlier operations left, and that are still to go.
    pub fn strays_left(&self) -> impl Iterator<Item = u32> {
        self.decided.strays.iter().copied().filter(|number| !self.forward.strays_done.contains(number))
    }

    /// Each job can be reverted by itself: what it is started on is still there, whatever the others do.
    pub(super) fn is_job_by_job(&self) -> bool {
        self.is_warm() || self.decided.pods == Pods::Same
    }

    /// Whether the jobs that did not fail go on.
    pub(super) fn keeps_going(&self) -> bool {
        let decided = &self.decided;
        decided.keep_going && !self.forward.halted && decided.rollback_on_failure && self.is_job_by_job()
    }

    /// Whether what was done is undone from here on.
    pub fn goes_back(&self) -> bool {
        self.forward.setback.is_some() && !self.keeps_going()
    }

    /// Both generations are up at once, and jobs move from the one to the other.
    pub fn is_warm(&self) -> bool {
        let Decided { strategy, pods, old, .. } = &self.decided;
        *strategy == Strategy::Warm && *pods == Pods::New && old.is_some()
    }

    /// Whether it is not known how a stop ended.
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

    /// For a run that went on late and finds its lock lost: its last request may have reached Flink after another run had
    /// made good what this one left. The operation that makes that good in its turn: back to the revision that ran, with
    /// the same ids, so that what is as it should be already stays so. `None`: it was not in the middle of a stop or a start.
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

    /// Writes down that another run left a job as the new revision has it: nothing of it is undone.
    pub fn stay(&mut self, index: usize) {
        let job = &mut self.jobs[index].forward;
        (job.stop_asked, job.stopped) = (true, true);
        (job.start_asked, job.started, job.checkpointed) = (true, true, true);
    }

    /// Whether the generation that ran when the operation began is still the one in charge: nothing was started beside it.
    pub fn leaves_old_in_charge(&self) -> bool {
        self.forward.committed.is_none()
            && self.decided.old.is_some_and(|old| old != self.decided.new)
            && !self.forward.old_removed
            && !self.jobs.iter().any(JobMove::is_moved)
    }

    /// Whether the revision that ran when a failed operation began stays in charge: each job that was stopped runs again as it
    /// did, or at least one job does. Where others run as the new revision has them, the old one's record says where.
    pub fn stays_with_old(&self) -> bool {
        let returned = |job: &JobMove| !job.forward.stopped || job.revert.started || job.forward.finished;
        self.forward.committed.is_none()
            && self.decided.old.is_some()
            && !self.forward.old_removed
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
