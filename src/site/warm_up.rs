//! Has a new generation's JVMs load what the start of a job needs, while the old generation's jobs
//! still run.
//!
//! The first job that a Flink cluster runs takes about a second longer to start than the next one:
//! classes are loaded. So a small job of ours (`src/probe/warm_up/WarmUp.java`, its jar is in the
//! binary) runs through once in all slots before anything is stopped. It reads and writes nothing
//! and is no part of the release: its id follows from the generation's name, so that every run
//! knows it. Where it cannot run the upgrade goes on without; it never goes on while it holds a
//! slot.

use std::time::{Duration, Instant};

use super::Site;
use crate::failure::Cause;
use crate::flink::{Content, FlinkError, JobState, Program, Rest, RunRequest, StartError};
use crate::id::JobId;
use crate::layout::Descriptor;
use crate::operation::Target;
use crate::probe::warm_up::{JAR, NAME, id};

/// How long it may take, and once more until it has ended after it was cancelled.
const LIMIT: Duration = Duration::from_secs(30);
/// Between two looks.
const POLL: Duration = Duration::from_millis(200);

impl Site<'_> {
    /// Returns whether jobs will move to a generation that has just come up, jars can be run there,
    /// and nobody has switched warm-ups off.
    pub(super) fn wants_warm_up(&self, target: Target) -> bool {
        let journal = &self.operation.journal;
        let off = self.operation.record.values.pointer("/upgrade/warmUp") == Some(&false.into());
        let moves = journal.jobs.iter().any(|job| job.decided.old.is_some() && job.start().is_some());
        let runs_jars = journal.decided.destination.preflight;
        target == Target::New && journal.is_warm() && runs_jars && moves && !off
    }

    /// Warms up; what came of it, in words. An error: it may hold slots still, or the user asked
    /// for the end.
    pub(super) async fn run_warm_up(&self, target: Target) -> Result<String, Cause> {
        let descriptor = self.require(target)?;
        let Some(job) = id(&descriptor.name) else { return Ok("not warmed up".to_owned()) };
        let begun = Instant::now();
        let told = self.begin_warm_up(&descriptor, job).await;
        let mut end = self.warm_up_ended(&descriptor, job).await;
        let in_time = end.is_some();
        if !in_time {
            self.rest(&descriptor).cancel(job).await.ok();
            end = self.warm_up_ended(&descriptor, job).await;
        }
        if let Ok(jar) | Err((Some(jar), _)) = &told {
            self.context.flink(&descriptor).delete_jar(jar).await.ok();
        }
        if self.cancellation.is_cancelled() {
            return Err(Cause::Interrupted);
        }
        let Some(end) = end else {
            let reason = "Flink does not say that it has ended, so it may hold slots; upgrade.warmUp=false leaves it out";
            let step = format!("the warm-up job ({job}) does not end");
            return Err(Cause::Step { step, reason: reason.to_owned() });
        };
        Ok(match (told, end) {
            (Ok(_), JobState::Finished) => format!("warmed up in {:.1} s", begun.elapsed().as_secs_f32()),
            (Ok(_), _) if !in_time => format!("not warmed up: it took more than {} s", LIMIT.as_secs()),
            (Ok(_), state) => format!("not warmed up: the warm-up job is {state}"),
            (Err((_, error)), _) => format!("not warmed up: {error}"),
        })
    }

    /// Gives the id of its jar; also beside an error, where it is there.
    async fn begin_warm_up(
        &self,
        descriptor: &Descriptor,
        job: JobId,
    ) -> Result<String, (Option<String>, String)> {
        let content = Content::Bytes(JAR.into());
        let uploaded = self.context.flink(descriptor).upload(NAME, content).await;
        let jar = uploaded.map_err(|error: FlinkError| (None, error.to_string()))?;
        let program = Program {
            parallelism: Some(descriptor.task_managers * descriptor.slots_per_task_manager),
            ..Program::default()
        };
        let request =
            RunRequest { job, program, savepoint: None, allow_non_restored_state: false, application: false };
        match self.rest(descriptor).start(&jar, &request).await {
            // An interrupted run had warmed up.
            Ok(_) | Err(StartError::IdUsed { .. }) => Ok(jar),
            Err(error) => Err((Some(jar), error.to_string())),
        }
    }

    /// Waits until it has ended, which it has too where Flink does not know it; `None` where it has
    /// not in time, or nobody says.
    async fn warm_up_ended(&self, descriptor: &Descriptor, job: JobId) -> Option<JobState> {
        let client = self.context.flink(descriptor);
        let begun = Instant::now();
        while begun.elapsed() < LIMIT {
            match client.job_state(job).await {
                Ok(state) if state.is_terminal() => return Some(state),
                Err(error) if error.is_not_found() => return Some(JobState::Unknown),
                _ => tokio::time::sleep(POLL).await,
            }
        }
        None
    }
}
