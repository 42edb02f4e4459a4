//! Where a started job's state comes from, and what a running one can give.

use super::Moves;
use crate::failure::{Cause, Failure, NextStep};
use crate::flink::{FlinkError, Rest};
use crate::id::JobId;
use crate::operation::{JobMove, Start, StateFrom, Stop, Trigger};
use crate::plan::StateChoice;
use crate::release::{JobRecord, Savepoint};

/// From how many failed checkpoints on, and none completed, a savepoint is not worth a try.
const FAILED: usize = 3;

impl Moves<'_> {
    /// The job is cancelled, and goes back to its newest checkpoint.
    pub(super) fn to_latest_checkpoint(&self, change: &mut JobMove, before: &JobRecord, path: &str) {
        // The job's own directory: there the newest is found where Flink has forgotten the job.
        let directory = path.rsplit_once('/').map_or("", |(directory, _)| directory).to_owned();
        change.decided.trigger = Some(Trigger { id: (self.context.new_id)(), directory });
        change.decided.stop = Some(Stop::LatestCheckpoint);
        change.decided.revert = Some(Start { id: self.old_start_id(before), from: StateFrom::ItsStop });
    }

    /// Returns whether a job has state that is newer than what it was restored from; so too where
    /// that is not known.
    pub(super) async fn has_completed_checkpoint(&self, job: &JobRecord, id: JobId) -> bool {
        let Some(descriptor) = self.situation.descriptor_of(job) else { return true };
        let checkpoints = self.context.flink(descriptor).checkpoints(id).await;
        checkpoints.map_or(true, |checkpoints| checkpoints.latest.completed.is_some())
    }

    /// A job whose checkpoints all fail: its savepoint would fail like them, and Flink, which stops
    /// the sources for it, would then start the job again from where it began. One or two say
    /// nothing. Counted are the last ones that Flink keeps (ten).
    pub(super) async fn checkpoints_fail(&self, job: &JobRecord, id: JobId) -> Option<String> {
        let client = self.context.flink(self.situation.descriptor_of(job)?);
        let checkpoints = client.checkpoints(id).await.ok()?;
        let failed = checkpoints.begun_and_failed();
        if checkpoints.counts.completed > 0 || failed < FAILED {
            return None;
        }
        let last = checkpoints.latest.failed.and_then(|last| last.failure_message);
        let last = last.map(|message| format!(", the last one: {message}")).unwrap_or_default();
        Some(format!("it has completed no checkpoint, {failed} have failed{last}"))
    }

    /// Where a started job's state comes from.
    pub(super) async fn state_for(
        &self,
        job: &JobRecord,
        had_state: bool,
        runs: bool,
    ) -> Result<StateFrom, Failure> {
        match &self.options.choice {
            Some(StateChoice::Savepoint) if had_state => Ok(StateFrom::ItsStop),
            Some(StateChoice::LatestCheckpoint) if runs => Ok(StateFrom::ItsStop),
            Some(StateChoice::LatestCheckpoint) if had_state => {
                let before = self
                    .situation
                    .base
                    .as_ref()
                    .and_then(|base| base.jobs.iter().find(|j| j.name == job.name));
                match before.and_then(|before| Some((before, before.id?))) {
                    Some((before, id)) => {
                        self.refuse_unreadable(&job.name, self.running_version(before))?;
                        self.latest_checkpoint(before, id).await.map(StateFrom::Path)
                    }
                    None => Ok(StateFrom::Nothing),
                }
            }
            Some(StateChoice::Recorded) => self.recorded(job).map(StateFrom::Path),
            Some(StateChoice::Paths(paths)) => match path_given(paths, &job.name) {
                Some(path) => Ok(StateFrom::Path(path.clone())),
                None if had_state => Err(Failure::refused(Cause::Precondition(format!(
                    "--from-savepoint names no path for the job {}",
                    job.name
                )))
                .next([NextStep::again(["--from-savepoint"]).prefixed(&format!("{}=", job.name), "PATH")])),
                None => Ok(StateFrom::Nothing),
            },
            _ => Ok(StateFrom::Nothing),
        }
    }

    /// The newest savepoint of a job on record: of the revision that a rollback returns to, or of
    /// any.
    pub(super) fn recorded(&self, job: &JobRecord) -> Result<String, Failure> {
        let Some(target) = &self.desired.returns_to else { return self.newest_recorded(job) };
        let known = &self.situation.savepoints;
        let before = target.jobs.iter().find(|before| before.name == job.name);
        let ended_by = before.and_then(|before| known.find(before.ended_by.as_deref()?));
        let newest = known.of_revision(target.revision).rfind(|savepoint| savepoint.job == job.name);
        self.readable(job, ended_by.or(newest), Some(target.revision))
    }

    pub(super) fn newest_recorded(&self, job: &JobRecord) -> Result<String, Failure> {
        self.readable(job, self.situation.savepoints.newest(&job.name), None)
    }

    fn readable(
        &self,
        job: &JobRecord,
        savepoint: Option<&Savepoint>,
        at: Option<u32>,
    ) -> Result<String, Failure> {
        let Some(savepoint) = savepoint else {
            return Err(Failure::refused(Cause::NothingRecorded { job: job.name.clone(), at })
                .next([NextStep::flink(["savepoint", "list", &self.options.name])]));
        };
        self.refuse_unreadable(&job.name, &savepoint.flink_version)?;
        Ok(savepoint.path.clone())
    }

    /// The newest completed checkpoint of a job that Flink knows, running or ended; refused where
    /// it would not outlive the job's end.
    pub(super) async fn latest_checkpoint(&self, job: &JobRecord, id: JobId) -> Result<String, Failure> {
        let name = &self.options.name;
        let refuse = |reason: String| {
            Failure::refused(Cause::NoCheckpoint { job: job.name.clone(), reason }).next([
                NextStep::again(["--from-checkpoint"])
                    .placeholder("PATH")
                    .remark(format!("look for {id}/chk-* in the release's checkpoint directory")),
                NextStep::flink(["savepoint", "list", name]).remark("and --from-savepoint recorded|PATH"),
            ])
        };
        let Some(descriptor) = self.situation.descriptor_of(job) else {
            return Err(refuse("no generation of the release runs".to_owned()));
        };
        let client = self.context.flink(descriptor);
        let silent = |error: FlinkError| refuse(format!("the JobManager does not tell ({error})"));
        let config = client.checkpoint_config(id).await.map_err(silent)?;
        if !config.retained {
            let option =
                "execution.checkpointing.externalized-checkpoint-retention is not RETAIN_ON_CANCELLATION";
            return Err(refuse(format!("its checkpoints go when it ends ({option})")));
        }
        let newest = client.checkpoints(id).await.map_err(silent)?.latest.completed;
        newest
            .and_then(|checkpoint| checkpoint.external_path)
            .ok_or_else(|| refuse("it has completed none".to_owned()))
    }

    /// The version of the Flink that runs a job now.
    pub(super) fn running_version(&self, job: &JobRecord) -> &str {
        self.situation.descriptor_of(job).map_or("", |descriptor| &descriptor.flink_version)
    }
}

/// The path that was given for a job: under its name, or for the only one.
pub(super) fn path_given<'a>(paths: &'a [(Option<String>, String)], job: &str) -> Option<&'a String> {
    let named = paths.iter().find(|(name, _)| name.as_deref() == Some(job));
    named.or_else(|| paths.iter().find(|(name, _)| name.is_none())).map(|(_, path)| path)
}
