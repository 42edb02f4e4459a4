//! What can happen in an operation: each is written into the journal the moment it is known.

use serde::{Deserialize, Serialize};

use super::target::{Outcome, Target};
use crate::id::JobId;

/// An event.
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
    /// The new job completed a checkpoint, or runs and takes none, or whether it did cannot be
    /// known.
    Checkpointed(usize),
    /// The new job is terminal, on a revert.
    Ended(usize),
    /// The new job completed a checkpoint while it was being ended, and left it here.
    Left(usize, String),
    /// The Service is switched to the new generation.
    Switched,
    /// A generation stays: an unmanaged job runs in it.
    Kept(Target),
    /// Objects that are not wanted any more are gone.
    Pruned(Target),
    /// The release's objects are gone.
    Deleted,
    /// The decision is recorded.
    Committed,
    Failed(Setback),
    /// The records say how it ended.
    Closed(Outcome),
}

/// Why an operation does not go forward any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setback {
    /// The job that failed, by its place in [`Journal::jobs`]; absent where it is not one job's
    /// failure.
    #[serde(default)]
    pub job: Option<usize>,
    /// The step that failed, in words.
    pub step: String,
    /// The reason, in words.
    pub reason: String,
}
