//! Starts that another controller carries out: it assigns the job's id, which is learnt late, or
//! never.
//!
//! The id proves nothing: it may be that of the job which was stopped. Old and new are told apart
//! by when they were started and by what they were restored from.

use tokio::time::Instant;

use super::health::is_own;
use super::{Engine, POLL, World};
use crate::failure::Cause;
use crate::flink::FlinkError;
use crate::flink::savepoint::same_path;
use crate::id::{Id, JobId};
use crate::layout::control::{Found, JobControl, Sighting, Submission};
use crate::operation::{Event, JobMove, Start, StartId, StateFrom, Target};
use crate::progress::Progress;

impl<W: World> Engine<W> {
    pub(super) async fn start_by_submission(
        &mut self,
        control: &W::Control,
        index: usize,
        target: Target,
        start: &Start,
        nonce: Id,
    ) -> Result<Option<String>, Cause> {
        let change = self.journal.jobs[index].clone();
        let submission = self.submission(&change, target, start, nonce)?;
        let asked = if target == Target::New { change.forward.start_asked } else { change.revert.asked };
        self.record(Event::StartAsked(index, target)).await?;
        if let Err(source) = control.submit(&submission).await {
            // A run that was interrupted may have asked before: what this one could not send says
            // nothing about that.
            if !asked && !source.may_have_acted() {
                self.record(Event::StartFailed(index, target)).await?;
            }
            let doing = format!("the job {} could not be submitted", change.name);
            return Err(Cause::Flink { doing, source });
        }
        let id = self.await_id(control, index, target, &submission).await?;
        self.record(Event::Started(index, target)).await?;
        Ok(Some(match &submission.savepoint {
            Some(path) => format!("started {} ({id}) from {path}", change.name),
            None => format!("started {} ({id})", change.name),
        }))
    }

    fn submission(
        &self,
        change: &JobMove,
        target: Target,
        start: &Start,
        nonce: Id,
    ) -> Result<Submission, Cause> {
        let savepoint = change.restored_from(&start.from);
        if savepoint.is_none() && start.from == StateFrom::ItsStop {
            let reason = "the path of its savepoint is not known".to_owned();
            return Err(Cause::CannotStart { job: change.name.clone(), reason });
        }
        let allow_non_restored_state = self.world.recipe(&change.name, target)?.allow_non_restored_state;
        Ok(Submission { job: change.name.clone(), savepoint, allow_non_restored_state, nonce })
    }

    /// Waits until the id of the submitted job is known.
    async fn await_id(
        &mut self,
        control: &W::Control,
        index: usize,
        target: Target,
        submission: &Submission,
    ) -> Result<JobId, Cause> {
        let name = &submission.job;
        let begun = Instant::now();
        let mut said = String::new();
        loop {
            let why = match self.identify(control, index, target, submission).await? {
                Ok(Some(id)) => return Ok(id),
                Ok(None) => "it has not been started yet".to_owned(),
                Err(error) if error.is_passing() => error.to_string(),
                Err(source) => {
                    let doing = format!("whether the job {name} has started is not known");
                    return Err(Cause::Flink { doing, source });
                }
            };
            if begun.elapsed() >= self.world.waits().timeout {
                let step = format!("the job {name} did not start in time");
                return Err(Cause::Step { step, reason: why });
            }
            if self.world.is_cancelled() {
                return Err(Cause::Interrupted);
            }
            if why != said {
                let what = format!("the job {name}");
                self.world.tell(Progress::Waiting { what, why: vec![why.clone()], since: begun.elapsed() });
                said = why;
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Takes one look for the submitted job, and records its id.
    async fn identify(
        &mut self,
        control: &W::Control,
        index: usize,
        target: Target,
        submission: &Submission,
    ) -> Result<Result<Option<JobId>, FlinkError>, Cause> {
        let found = match control.identify(submission).await {
            Ok(found) => found,
            Err(error) => return Ok(Err(error)),
        };
        let change = &self.journal.jobs[index];
        let job = found.job.filter(|_| found.launched);
        let new = job.filter(|seen| self.judge(change, target, submission, seen) == Verdict::New);
        if let Some(seen) = &new {
            self.record(Event::Identified(index, target, seen.id, seen.since)).await?;
        }
        Ok(Ok(new.map(|seen| seen.id)))
    }

    /// The id of a new job that may have been asked for. Where it was assigned and is not known the
    /// submission is taken back, so that no job comes of it any more; then it is looked for once
    /// more. `None`: there is no such job.
    pub(super) async fn id_of_new(
        &mut self,
        control: &W::Control,
        index: usize,
        start: &Start,
    ) -> Result<Option<JobId>, Cause> {
        let change = self.journal.jobs[index].clone();
        let StartId::Assigned(nonce) = start.id else { return Ok(change.new_id()) };
        if let Some(id) = change.new_id() {
            return Ok(Some(id));
        }
        let submission = self.submission(&change, Target::New, start, nonce)?;
        let name = &change.name;
        let failed = |doing: String| move |source| Cause::Flink { doing, source };
        control
            .withdraw(&submission)
            .await
            .map_err(failed(format!("the submission of {name} could not be taken back")))?;
        let begun = Instant::now();
        let reason = loop {
            let reason = match control.identify(&submission).await {
                Ok(Found { job, settled: true, launched }) => {
                    // What cannot be told apart counts as new: nothing is started beside it.
                    let verdict = |seen: &Sighting| self.judge(&change, Target::New, &submission, seen);
                    let new = job.filter(|seen| launched && verdict(seen) != Verdict::Old);
                    let told = match &new {
                        Some(seen) => Some(Event::Identified(index, Target::New, seen.id, seen.since)),
                        // It ran, and is forgotten: whether it completed a checkpoint cannot be
                        // known any more.
                        None => launched.then_some(Event::Checkpointed(index)),
                    };
                    if let Some(event) = told {
                        self.record(event).await?;
                    }
                    return Ok(new.map(|seen| seen.id));
                }
                Ok(Found { settled: false, .. }) => "its controller has not taken that in yet".to_owned(),
                Err(error) if error.is_passing() => error.to_string(),
                Err(source) => {
                    return Err(failed(format!("whether the new job {name} has started is not known"))(
                        source,
                    ));
                }
            };
            if begun.elapsed() >= self.world.waits().timeout {
                break reason;
            }
            tokio::time::sleep(POLL).await;
        };
        let step = format!("whether the new job {name} has started is not known");
        Err(Cause::Step { step, reason })
    }

    /// Which job a sighting is of.
    fn judge(&self, change: &JobMove, target: Target, submission: &Submission, seen: &Sighting) -> Verdict {
        let decided = &self.journal.decided;
        let apart = match target {
            Target::New => decided.old != Some(decided.new) || change.source() != Target::Old,
            Target::Revert => true,
            Target::Old | Target::Orphan(_) => false,
        };
        // In a generation that the old job has never been in there is no other.
        if apart { Verdict::New } else { judge_beside_the_old(change, submission, seen) }
    }
}

/// Which of the jobs under one name a sighting is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// The one that the submission has led to.
    New,
    /// The one that was there before.
    Old,
    /// One of the two.
    Unclear,
}

/// Of two jobs in one generation, the older of which has ended before the newer was asked for.
fn judge_beside_the_old(change: &JobMove, submission: &Submission, seen: &Sighting) -> Verdict {
    // On a revert the new job, which has ended, came after the old one.
    let before = change.decided.since.max(change.forward.since);
    let later = before.is_none_or(|since| seen.since > since);
    let known_id = change.ids().any(|id| id == seen.id);
    match (&submission.savepoint, &seen.restored) {
        _ if !later => Verdict::Old,
        (Some(wanted), Some(restored)) if same_path(wanted, restored) => Verdict::New,
        // Its JobManager has restarted since: that of the new job, or that of the old one before it
        // ended.
        (Some(_), Some(restored)) if is_own(restored, seen.id) => {
            if seen.ended && known_id {
                Verdict::Unclear
            } else {
                Verdict::New
            }
        }
        (Some(_), _) => Verdict::Old,
        (None, _) if seen.ended => Verdict::Unclear,
        (None, _) => Verdict::New,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::JobDecision;

    fn id(byte: u8) -> Id {
        Id::from_bytes([byte; 16])
    }

    fn verdict(seen: (u8, u64, Option<&str>, bool), savepoint: Option<&str>) -> Verdict {
        let decided = JobDecision { old: Some(id(1)), since: Some(100), ..JobDecision::default() };
        let change = JobMove { decided, ..JobMove::new("orders") };
        let submission = Submission {
            job: "orders".to_owned(),
            savepoint: savepoint.map(str::to_owned),
            allow_non_restored_state: false,
            nonce: id(7),
        };
        let (number, since, restored, ended) = seen;
        let seen = Sighting { id: id(number), since, restored: restored.map(str::to_owned), ended };
        judge_beside_the_old(&change, &submission, &seen)
    }

    #[test]
    fn old_and_new_are_told_apart_by_start_and_state_not_by_id() {
        let path = Some("file:/s/2/savepoint-1");
        let own = |number| format!("file:/c/{}/chk-3", id(number));
        let (own_of_old, own_of_new) = (own(1), own(2));
        for (seen, savepoint, expected) in [
            ((1, 100, None, true), path, Verdict::Old),
            ((1, 100, path, true), path, Verdict::Old),
            ((1, 200, path, false), path, Verdict::New),
            ((1, 200, path, true), path, Verdict::New),
            ((1, 200, Some(own_of_old.as_str()), false), path, Verdict::New),
            ((1, 200, Some(own_of_old.as_str()), true), path, Verdict::Unclear),
            ((2, 200, path, false), path, Verdict::New),
            ((2, 200, Some(own_of_new.as_str()), true), path, Verdict::New),
            ((2, 200, Some("file:/s/other/savepoint-9"), false), path, Verdict::Old),
            ((2, 200, None, false), path, Verdict::Old),
            ((1, 100, None, true), None, Verdict::Old),
            ((1, 200, None, false), None, Verdict::New),
            ((1, 200, None, true), None, Verdict::Unclear),
        ] {
            assert_eq!(verdict(seen, savepoint), expected, "{seen:?} {savepoint:?}");
        }
    }
}
