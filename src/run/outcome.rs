//! How an operation ended: the report, or the failure with what is left behind and what to type
//! next.

use super::Report;
use crate::failure::{Cause, Failure, NextStep, Phase};
use crate::operation::{JobMove, Journal, Kind, Outcome};
use crate::render::generation_name;
use crate::site::Operation;

/// An operation that is at its end.
pub(super) struct Ended<'a> {
    pub operation: &'a Operation,
    pub journal: &'a Journal,
}

impl Ended<'_> {
    /// The failure that names what was left behind.
    pub fn failure(&self, cause: Cause, left_behind: Vec<String>) -> Failure {
        Failure {
            phase: Phase::Failed { left_behind },
            cause: Box::new(cause),
            next: vec![NextStep::flink(["status", self.operation.name()])],
        }
    }

    /// The report of an outcome, or the failure with its cause.
    pub fn told(&self, outcome: Outcome, cause: Option<Cause>) -> Result<Report, Failure> {
        let cause = || {
            cause.unwrap_or_else(|| match &self.journal.forward.setback {
                Some(setback) => Cause::Step { step: setback.step.clone(), reason: setback.reason.clone() },
                None => Cause::Step { step: "the operation".to_owned(), reason: "failed".to_owned() },
            })
        };
        match outcome {
            Outcome::Deployed | Outcome::Uninstalled => Ok(Report::of(self.operation, self.journal)),
            Outcome::Undone => Err(Failure {
                phase: Phase::Undone,
                cause: Box::new(cause()),
                next: vec![NextStep::flink(["history", self.operation.name()])],
            }),
            Outcome::Failed => {
                let mut failure = self.failure(cause(), self.left_behind());
                failure.next.extend(self.ways_on());
                Err(failure)
            }
        }
    }

    /// Returns what is left after a failure that was not undone, in words.
    pub fn left_behind(&self) -> Vec<String> {
        let mut left = Vec::new();
        if let Some(setback) = &self.journal.revert.setback {
            left.push(format!("the rollback stopped as well, at: {} ({})", setback.step, setback.reason));
        }
        let split = self.journal.stays_with_old();
        for job in &self.journal.jobs {
            let ended = job.revert.left.as_ref().filter(|_| job.is_moved());
            match (&job.forward.savepoint, &job.decided.trigger) {
                _ if let Some(path) = ended => left.push(format!(
                    "the job {} has ended as revision {} had it; its state is in {path}",
                    job.name, self.journal.decided.to
                )),
                _ if job.is_moved() && (split || job.forward.checkpointed) => left.push(format!(
                    "the job {} stays as revision {} has it, in generation {}",
                    job.name,
                    self.journal.decided.to,
                    generation_name(self.operation.name(), self.journal.decided.new)
                )),
                (Some(savepoint), _) if job.revert.asked && !job.revert.started => left.push(format!(
                    "whether the job {} was started again is not known; its state is in {savepoint}",
                    job.name
                )),
                (Some(savepoint), _) if !job.revert.started && !job.forward.finished => {
                    let path = job.revert.left.as_ref().unwrap_or(savepoint);
                    left.push(format!("the job {} is stopped; its state is in {path}", job.name));
                }
                (None, Some(trigger)) if job.forward.stop_asked => left.push(format!(
                    "whether the job {} has stopped is not known; its savepoint, if there is one, is in {}",
                    job.name, trigger.directory
                )),
                _ => {}
            }
            if job.forward.checkpointed {
                left.push(format!("the new job {} completed a checkpoint, or may have, or takes none: its output is committed, so it is not rolled back automatically", job.name));
            }
        }
        if self.journal.forward.apply_begun
            && !self.journal.revert.new_gone
            && !self.journal.jobs.iter().any(JobMove::is_moved)
        {
            left.push(format!("the objects of revision {}, kept for inspection", self.journal.decided.to));
        }
        left
    }

    fn ways_on(&self) -> Vec<NextStep> {
        let name = self.operation.name();
        let upgrade = || NextStep::flink(["upgrade", name]).placeholder("…");
        let mended = "what failed, mended";
        match self.journal.decided.from {
            _ if self.journal.is_uncertain() => vec![
                NextStep::flink(["recover", name])
                    .remark("goes on from here; with --savepoint PATH if you found it"),
            ],
            Some(from) if self.journal.stays_with_old() && self.journal.decided.kind != Kind::Uninstall => {
                // A job that does not run can take no savepoint.
                let failed = |(index, job): (usize, &JobMove)| {
                    let why = self.journal.forward.setback.as_ref().and_then(|setback| setback.job);
                    job.is_moved() && why == Some(index)
                        || !job.is_moved() && !job.is_as_it_was() && !job.forward.finished
                };
                let down = self.journal.jobs.iter().enumerate().any(failed);
                let state: &[_] = if down { &["--from-checkpoint", "latest"] } else { &["--with-savepoint"] };
                let back = NextStep::flink(["rollback", name, &from.to_string()]);
                vec![
                    upgrade().args(state.iter().copied()).remark(mended),
                    back.args(state.iter().copied()).remark("the rest is rolled back too"),
                ]
            }
            Some(from) if self.journal.decided.kind != Kind::Uninstall => {
                let back = NextStep::flink(["rollback", name, &from.to_string()]);
                let recorded = ["--from-savepoint", "recorded"];
                let got_to = "from where the new job has got to";
                // From a savepoint before them it would commit what its checkpoints have committed
                // once more.
                let gone_on = |job: &&JobMove| job.forward.checkpointed && job.is_moved();
                let gone_on: Vec<_> = self.journal.jobs.iter().filter(gone_on).collect();
                // What they left is recorded, and the newest that is.
                if !gone_on.is_empty() && gone_on.iter().all(|job| job.revert.left.is_some()) {
                    return vec![upgrade().args(recorded).remark(mended), back.args(recorded).remark(got_to)];
                }
                if !gone_on.is_empty() {
                    return vec![
                        back.clone().args(["--from-checkpoint", "latest"]).remark(got_to),
                        back.args(recorded).remark("records since then are reprocessed"),
                    ];
                }
                let stopped = self.journal.jobs.iter().any(|job| job.forward.savepoint.is_some());
                vec![if stopped { back.args(recorded) } else { back.args(["--stateless"]) }]
            }
            _ => vec![upgrade().remark(mended), NextStep::flink(["uninstall", name])],
        }
    }
}
