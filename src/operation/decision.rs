//! What is decided before an operation begins, and never changes afterwards.

use serde::{Deserialize, Serialize};

use super::control::ControlTraits;
use super::format::SavepointFormat;
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

impl Kind {
    /// Returns the verb that begins it.
    pub fn verb(self) -> &'static str {
        match self {
            Self::Install => "install",
            Self::Upgrade => "upgrade",
            Self::Rollback => "rollback",
            Self::Uninstall => "uninstall",
            Self::Jobs => "job",
        }
    }
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

/// The change, seen from the Pods.
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
    /// Stop with a savepoint.
    Savepoint {
        /// How it is written.
        format: SavepointFormat,
        /// Windows are ended first: the job will never go on.
        #[serde(default)]
        drain: bool,
    },
    /// Cancel, then go on from the newest checkpoint that was retained.
    LatestCheckpoint,
    /// Cancel: the state since the last savepoint is given up.
    Cancel,
}

/// A savepoint trigger, recorded before it is sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trigger {
    /// The id that we chose.
    pub id: TriggerId,
    /// The directory for this savepoint alone, so that it can be found when its path was never
    /// read.
    pub directory: String,
}

/// Where a job that is started takes its state from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StateFrom {
    Nothing,
    /// From the savepoint with which this operation stopped it, or the checkpoint that it left.
    ItsStop,
    /// From the checkpoint that it left when it was stopped; where it had completed none, from this
    /// path, or from the start.
    ItsStopOr(Option<String>),
    Path(String),
}

/// The id of a job that is to be started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StartId {
    /// Chosen when the operation was decided, so that asking again is safe.
    Chosen(JobId),
    /// Assigned by who starts the job, and learnt afterwards ([`Event::Identified`]). What was
    /// chosen is a nonce, by which the same submission is known again.
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

/// Decisions about an operation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decided {
    pub kind: Kind,
    /// The revision that ran when the operation began.
    pub from: Option<u32>,
    /// The revision that the operation makes (for an uninstall: the one it ends).
    pub to: u32,
    /// How it gets from one generation to the next.
    pub strategy: Strategy,
    /// The change, seen from the Pods.
    pub pods: Pods,
    /// The number of the generation that runs when the operation begins.
    pub old: Option<u32>,
    /// The number of the generation that runs when it has succeeded.
    pub new: u32,
    /// The number kept for the revision that ran, made again by a revert after its generation was
    /// removed.
    pub revert: Option<u32>,
    /// Traits of the generation that runs.
    #[serde(default)]
    pub source: ControlTraits,
    /// Traits of the new one.
    #[serde(default)]
    pub destination: ControlTraits,
    /// A failure before the first completed checkpoint is undone.
    pub rollback_on_failure: bool,
    /// Of several jobs only those are reverted that fail; the others move on.
    #[serde(default)]
    pub keep_going: bool,
    /// The operation waits for Pods and jobs.
    pub wait: bool,
    /// Uninstall: the records and the volume go too.
    #[serde(default)]
    pub purge: bool,
    /// It makes good what a run did that went on late: the jobs may run as they were already.
    #[serde(default)]
    pub late: bool,
    /// Numbers of generations that earlier operations could not remove, and that go with this one.
    #[serde(default)]
    pub orphans: Vec<u32>,
}

impl Decided {
    /// Returns decisions of which only the command and the revision are made; right for whatever
    /// has one generation.
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
            orphans: Vec::new(),
        }
    }
}

/// Decisions about one job.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobDecision {
    /// The running job that is stopped, if one runs.
    pub old: Option<JobId>,
    /// When that job was started, milliseconds since 1970 by Flink's clock: an id that is assigned
    /// may be the same again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<u64>,
    /// The number of the generation that it runs in, where that is not the one in charge: a part of
    /// an earlier operation that was not reverted.
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
    /// SHA-256, hex, of the jar that was given for the new job; under which id the new generation
    /// lists it is a fact ([`JobForward::jar`](super::JobForward::jar)).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jar_sha256: Option<String>,
}
