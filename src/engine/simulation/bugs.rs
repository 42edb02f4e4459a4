//! Deliberate bugs. A simulation that does not find each of them proves nothing.

use crate::operation::{Journal, Outcome, Step, Target, next};

/// A mistake that could be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bug {
    /// A second submission is sent without looking whether the first one came through.
    NoLookUp,
    /// Each submission has an id of its own, not the journal's.
    AnotherIdForEachTry,
    /// A run that takes over starts the job under a new id.
    AnotherIdForEachRun,
    /// A run that takes over triggers the savepoint under a new id and in a new directory.
    AnotherTriggerForEachRun,
    /// The operation object is written who holds it.
    NoCompareAndSwap,
    /// Requests are sent without a look whether the operation is still this run's.
    NoFence,
    /// What a recovering JobManager does not list is taken for gone.
    EmptyJobListBelieved,
    /// A generation is removed without regard to the jobs in it.
    JobListTakenForEmpty,
    /// The next job is started while the stopped one is still on its way to its end.
    EndNotAwaited,
    /// A savepoint that takes its time counts as failed.
    SavepointGivenUp,
    /// COMPLETED counts as success, whatever the cause that comes with it.
    FailureTakenForSuccess,
    /// The journal does not say that a stop may have been asked for.
    StopNotRecordedFirst,
    /// The path of a savepoint is kept in memory only.
    SavepointNotRecorded,
    /// An interrupted run's stop is asked for again, not followed.
    StopAskedAgain,
    /// The revert does not end the new job first.
    NewJobNotEnded,
    /// The revert is taken although the new job completed a checkpoint.
    CheckpointForgotten,
    /// The revert ends without starting the job again, and without a word in the records.
    NotBroughtBack,
    /// A run that goes on late does not look at what the run that took over left in charge.
    RecordsNotRead,
    /// A JobManager that restarted counts from zero: that is taken for a job that never completed a
    /// checkpoint.
    CountsTrusted,
    /// Pods that started a job for an interrupted run: what it left is not looked for.
    CheckpointNotLookedFor,
    /// Where nobody could look, that is taken for nothing.
    NoLookTakenForNothing,
    /// The same Pods: whether their job has finished is not looked for.
    ResultNotLookedFor,
    /// A job that Flink brought back after its stop had failed, and that has finished, is taken for
    /// one that has failed.
    FinishTakenForFailure,
    /// What an unreachable JobManager would bring back is not looked for when its generation is
    /// removed.
    UnmanagedNotLookedFor,
    /// The resource of a job whose id is assigned is changed whatever has become of it meanwhile.
    ResourceNotVersioned,
    /// A job under the name of a submission is taken for the new one, whenever it was started and
    /// from whatever state.
    IdBelieved,
}

pub(super) const ALL: [Bug; 26] = [
    Bug::NoLookUp,
    Bug::AnotherIdForEachTry,
    Bug::AnotherIdForEachRun,
    Bug::AnotherTriggerForEachRun,
    Bug::NoCompareAndSwap,
    Bug::NoFence,
    Bug::EmptyJobListBelieved,
    Bug::JobListTakenForEmpty,
    Bug::EndNotAwaited,
    Bug::SavepointGivenUp,
    Bug::FailureTakenForSuccess,
    Bug::StopNotRecordedFirst,
    Bug::SavepointNotRecorded,
    Bug::StopAskedAgain,
    Bug::NewJobNotEnded,
    Bug::CheckpointForgotten,
    Bug::NotBroughtBack,
    Bug::RecordsNotRead,
    Bug::CountsTrusted,
    Bug::CheckpointNotLookedFor,
    Bug::NoLookTakenForNothing,
    Bug::ResultNotLookedFor,
    Bug::FinishTakenForFailure,
    Bug::UnmanagedNotLookedFor,
    Bug::ResourceNotVersioned,
    Bug::IdBelieved,
];

impl Bug {
    /// The state machine with this bug in it.
    pub fn machine(bug: Option<Bug>) -> fn(&Journal) -> Step {
        match bug {
            Some(Bug::StopAskedAgain) => |journal| match next(journal) {
                Step::ResolveStop(index) => Step::Stop(index),
                step => step,
            },
            Some(Bug::NewJobNotEnded) => |journal| match next(journal) {
                Step::End(_) => {
                    let mut wrong = journal.clone();
                    wrong.jobs.iter_mut().for_each(|job| job.revert.ended = true);
                    next(&wrong)
                }
                step => step,
            },
            Some(Bug::CheckpointForgotten) => |journal| {
                let mut wrong = journal.clone();
                wrong.jobs.iter_mut().for_each(|job| {
                    job.revert.ended |= job.forward.checkpointed;
                    job.forward.checkpointed = false;
                });
                next(&wrong)
            },
            Some(Bug::NotBroughtBack) => |journal| match next(journal) {
                Step::Start(_, Target::Old | Target::Revert) => Step::Done(Outcome::Undone),
                step => step,
            },
            _ => next,
        }
    }
}
