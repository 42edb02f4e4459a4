//! One job in an operation: what was decided about it, and what has happened to it.

use serde::{Deserialize, Serialize};

use super::decision::{JobDecision, Start, StartId, StateFrom, Stop};
use super::target::Target;
use crate::id::JobId;

/// One job in an operation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobMove {
    /// The job's name in the release.
    pub name: String,
    /// Decisions: they never change after the operation has begun.
    pub decided: JobDecision,
    /// Events on the way to the new revision.
    #[serde(default)]
    pub forward: JobForward,
    /// Events on a revert to the revision that ran.
    #[serde(default)]
    pub revert: JobRevert,
}

/// Events of one job on the way to the new revision.
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
    /// The job finished by itself, before it could be stopped or after its stop had failed: it is
    /// started neither on the new generation nor again as it was.
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
    /// The new job completed a checkpoint, or may have: output is committed, nothing is reverted by
    /// itself.
    #[serde(skip_serializing_if = "not")]
    pub checkpointed: bool,
    /// The job failed, and is reverted while the others go on (`--keep-going`).
    #[serde(skip_serializing_if = "not")]
    pub failed: bool,
}

/// Events of one job on a revert to the revision that ran.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct JobRevert {
    /// The new job is terminal.
    #[serde(skip_serializing_if = "not")]
    pub ended: bool,
    /// The checkpoint that the new job left, where it completed one while it was being ended: newer
    /// than its savepoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left: Option<String>,
    /// The request to start it as it was may have been sent.
    #[serde(skip_serializing_if = "not")]
    pub asked: bool,
    /// The id that it was assigned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<JobId>,
    /// Runs as it was.
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
        self.decided.source.map_or(Target::Old, Target::Orphan)
    }

    /// Returns its start on the new generation; `None` for one that is not started, or has finished
    /// by itself.
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

    /// Returns whether it is not known how its stop ended.
    pub fn is_uncertain(&self) -> bool {
        self.forward.stop_asked && !self.forward.stopped
    }

    /// Returns whether it is stopped in such a way that its state is somewhere afterwards.
    pub fn leaves_state(&self) -> bool {
        matches!(self.decided.stop, Some(Stop::Savepoint { .. } | Stop::LatestCheckpoint))
    }

    /// A job that was stopped can be started as it was only from state that is known.
    fn can_be_reverted(&self) -> bool {
        let known = |start: &Start| start.from != StateFrom::ItsStop || self.forward.savepoint.is_some();
        !self.forward.stopped || self.forward.finished || self.revert_start().is_some_and(known)
    }

    /// Returns whether nothing reverts it: its new state counts by now, or there is none that it
    /// could be started from.
    pub(super) fn stays(&self) -> bool {
        self.forward.checkpointed || !self.can_be_reverted()
    }

    /// Returns whether the state that it has when it is stopped is not what it is started from: it
    /// is there for a revert only.
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

    /// Returns whether it runs, or may run, as the new revision has it.
    pub fn is_moved(&self) -> bool {
        self.start().is_some() && self.forward.start_asked && !self.revert.ended
    }

    /// Returns whether it runs where and as it did when the operation began, or runs so again, or
    /// may.
    pub fn is_as_it_was(&self) -> bool {
        let runs = !self.forward.stopped || self.revert.started || self.revert.asked;
        self.decided.old.is_some() && !self.forward.finished && runs
    }
}
