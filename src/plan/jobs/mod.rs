//! What a change means for jobs: which stop, which start, from which state, and for which the user
//! must choose.
//!
//! Decides and refuses; it never changes anything.

mod refused;
mod state;

use self::state::path_given;
use super::savepoint::savepoint_trigger;
use super::{ChangeOptions, Desired, Downtime, JobChange, StateChoice};
use crate::context::Context;
use crate::digest::sha256;
use crate::failure::{Cause, Failure, NextStep};
use crate::flink::{JarRef, JobOverview, Rest};
use crate::id::JobId;
use crate::layout::{DeclaredJob, Descriptor};
use crate::live::{Live, Situation};
use crate::operation::{JobDecision, JobMove, Pods, Start, StartId, StateFrom, Stop};
use crate::release::{JobRecord, JobState};

/// Decides what happens to each job.
pub(in crate::plan) struct Moves<'a> {
    pub context: &'a Context,
    pub options: &'a ChangeOptions,
    pub situation: &'a Situation,
    pub desired: &'a Desired,
    pub descriptor: Option<&'a Descriptor>,
    pub pods: Pods,
    /// Claims that the old Pods mount and the new ones do not.
    pub claims_left: Vec<String>,
    /// The new Pods mount the claims of the old ones, at least one: what is in them stays within
    /// reach.
    pub keeps_volume: bool,
    /// The new Pods start while the jobs are down.
    pub starts_pods: bool,
    pub revision: u32,
    /// New Pods start the job, who wants it.
    pub starts_with_pods: bool,
}

pub(in crate::plan) struct Decided {
    pub moves: Vec<JobMove>,
    pub jobs: Vec<JobRecord>,
    pub changes: Vec<JobChange>,
    pub choice_needed: Vec<String>,
}

impl Moves<'_> {
    /// Every job of the release, one after the other.
    pub async fn decide(&self) -> Result<Decided, Failure> {
        let mut decided = Decided { moves: vec![], jobs: vec![], changes: vec![], choice_needed: vec![] };
        let base_jobs: &[JobRecord] = self.situation.base.as_ref().map_or(&[], |base| &base.jobs);
        self.refuse_unknown_jobs(base_jobs).await?;
        self.refuse_unused_choice()?;
        if let Some(error) = self.situation.live.unreachable()
            && self.pods == Pods::Same
        {
            return Err(Failure::refused(Cause::Flink {
                doing: "the JobManager does not answer".to_owned(),
                source: error.clone(),
            })
            .next([NextStep::flink(["status", &self.options.name])]));
        }
        self.refuse_other_pods(base_jobs)?;
        let mut wanted: Vec<JobRecord> = Vec::new();
        for declared in self.descriptor.map_or(&[][..], |descriptor| &descriptor.jobs) {
            wanted.push(self.declared(declared)?);
        }
        for submitted in &self.desired.submitted {
            if !wanted.iter().any(|job| job.name == submitted.name) {
                // Said for one start, not for good.
                let allow_non_restored_state = self.options.allow_non_restored_state;
                wanted.push(JobRecord { allow_non_restored_state, ..submitted.clone() });
            }
        }
        self.refuse_path_for_all(&wanted)?;
        self.refuse_jar_for_nobody(&wanted)?;
        for job in &wanted {
            let adopted = job.id.is_some().then_some(job); // an unmanaged job that is to be stopped
            let before = base_jobs.iter().find(|record| record.name == job.name).or(adopted);
            match before.filter(|before| self.desired.leaves(&before.name)) {
                Some(before) => decided.jobs.push(before.clone()),
                None => self.decide_job(job, before, &mut decided).await?,
            }
        }
        for before in base_jobs.iter().filter(|record| !wanted.iter().any(|job| job.name == record.name)) {
            if self.desired.leaves(&before.name) {
                decided.jobs.push(before.clone());
            } else {
                self.decide_removed(before, &mut decided).await?;
            }
        }
        Ok(decided)
    }

    fn is_unreachable(&self, before: Option<&JobRecord>) -> bool {
        let live = before.map_or(&self.situation.live, |before| self.situation.live_of(before));
        live.unreachable().is_some()
    }

    fn declared(&self, declared: &DeclaredJob) -> Result<JobRecord, Failure> {
        let mut jar_sha256 = None;
        if let JarRef::Package(path) = &declared.jar {
            let Some(content) = self.desired.package.file(path) else {
                return Err(Failure::refused(Cause::CannotStart {
                    job: declared.name.clone(),
                    reason: format!("the package has no file {path:?}"),
                }));
            };
            jar_sha256 = Some(sha256(content));
        }
        Ok(JobRecord {
            name: declared.name.clone(),
            id: None,
            jar: declared.jar.clone(),
            jar_sha256,
            entry_class: declared.entry_class.clone(),
            args: declared.args.clone(),
            parallelism: declared.parallelism,
            allow_non_restored_state: declared.allow_non_restored_state
                || self.options.allow_non_restored_state,
            mode: declared.mode,
            state: if declared.suspended { JobState::Suspended } else { JobState::Running },
            elsewhere: None,
            restored_from: None,
            ended_by: None,
            declared: true,
        })
    }

    /// Returns the SHA-256 of the jar that was given for a job.
    fn given_jar(&self, job: &str) -> Option<String> {
        self.options.jars.get(job).map(|file| sha256(file))
    }

    /// Returns whether a job is to start from other state than what it has, though nothing else of
    /// it changes.
    fn asks_for_state(&self, job: &str) -> bool {
        match &self.options.choice {
            None | Some(StateChoice::Savepoint) => false,
            Some(StateChoice::Paths(paths)) => path_given(paths, job).is_some(),
            Some(_) => true,
        }
    }

    /// Returns whether a job is to start from other state than what is on record for it.
    fn gives_up_state(&self, job: &str) -> bool {
        self.options.choice != Some(StateChoice::LatestCheckpoint) && self.asks_for_state(job)
    }

    async fn decide_job(
        &self,
        job: &JobRecord,
        before: Option<&JobRecord>,
        decided: &mut Decided,
    ) -> Result<(), Failure> {
        let live = before.and_then(|before| self.situation.running(before));
        // A revision in which a job was stopped on purpose keeps it stopped.
        let stop_only = self.desired.stops(&job.name) || job.state != JobState::Running;
        if let (Some(live), Some(before)) = (live, before) {
            let asked = self.asks_for_state(&job.name);
            let here = self.situation.place_of(before).is_none();
            let same = same_job(job, before) && !self.options.jars.contains_key(&job.name);
            let stays = self.pods == Pods::Same && here && same;
            if !stop_only && stays && !asked {
                decided.jobs.push(JobRecord { declared: job.declared, elsewhere: None, ..before.clone() });
                return Ok(());
            }
            let mut next =
                JobRecord { id: None, elsewhere: None, restored_from: None, ended_by: None, ..job.clone() };
            if !stop_only {
                self.refuse_lost_jar(job)?;
                self.refuse_other_storage(&job.name)?;
            }
            let mut change = leave(self.situation, before, live);
            self.plan_stop(&mut change, before, live, decided).await?;
            if stop_only {
                next.id = Some(live.id);
                next.restored_from.clone_from(&before.restored_from);
                next.state = match change.decided.stop {
                    Some(Stop::Savepoint { .. }) => JobState::Stopped,
                    _ => JobState::Canceled,
                };
            } else {
                let from = self.state_for(job, before.id.is_some(), true).await?;
                let id = self.new_start_id();
                next.id = chosen(id);
                next.state = JobState::Running;
                next.restored_from = path_of(&from);
                change.decided.start = Some(Start { id, from });
                change.decided.jar_sha256 = self.given_jar(&job.name);
            }
            let downtime = self.downtime(&change, before).await;
            decided.changes.push(JobChange { downtime, ..self.job_change(&change) });
            decided.moves.push(change);
            decided.jobs.push(next);
            return Ok(());
        }
        if stop_only {
            let state = if job.state == JobState::Running { JobState::Suspended } else { job.state };
            decided.jobs.push(JobRecord { state, elsewhere: None, ..before.unwrap_or(job).clone() });
            return Ok(());
        }
        if let Some(before) = before
            && !self.is_unreachable(Some(before))
            && same_job(job, before)
            && self.stays_ended(before)
            && !self.starts_with_pods
            && !self.asks_for_state(&job.name)
        {
            let state = self.ended_state(before);
            decided.jobs.push(JobRecord { state, elsewhere: None, ..before.clone() });
            return Ok(());
        }
        // Its start was decided and never sent: its state is what it was to be.
        let waiting =
            before.filter(|before| before.id.is_none()).and_then(|before| before.restored_from.clone());
        let had_state = before.is_some_and(|before| before.id.is_some());
        let is_known = before.is_none() && self.situation.savepoints.newest(&job.name).is_some();
        if (had_state || is_known) && self.options.choice.is_none() {
            decided.choice_needed.push(job.name.clone());
        }
        if had_state && self.options.choice == Some(StateChoice::Savepoint) {
            let live = before.map_or(&self.situation.live, |before| self.situation.live_of(before));
            let reason = match live {
                Live::Unreachable(error) => format!("the JobManager does not answer ({error})"),
                _ => "it does not run".to_owned(),
            };
            return Err(self.no_savepoint(&job.name, reason));
        }
        // What it has is on record: there is none to be taken of a job that does not run.
        let newest =
            matches!(self.options.choice, Some(StateChoice::Savepoint | StateChoice::LatestCheckpoint));
        let from = match waiting {
            Some(path) if !self.gives_up_state(&job.name) => StateFrom::Path(path),
            None if is_known && newest => StateFrom::Path(self.newest_recorded(job)?),
            _ => self.state_for(job, had_state || is_known, false).await?,
        };
        let id = self.new_start_id();
        let mut change = JobMove::new(&job.name);
        // It cannot be asked: that generation goes before the job is started.
        let silent = before.filter(|before| self.is_unreachable(Some(before)));
        change.decided.source = silent.and_then(|before| self.situation.place_of(before));
        decided.jobs.push(JobRecord {
            id: chosen(id),
            elsewhere: None,
            restored_from: path_of(&from),
            ended_by: None,
            state: JobState::Running,
            ..job.clone()
        });
        change.decided.start = Some(Start { id, from });
        change.decided.jar_sha256 = self.given_jar(&job.name);
        decided.changes.push(self.job_change(&change));
        decided.moves.push(change);
        Ok(())
    }

    async fn decide_removed(&self, before: &JobRecord, decided: &mut Decided) -> Result<(), Failure> {
        let Some(live) = self.situation.running(before) else {
            if self.is_unreachable(Some(before))
                && before.state == JobState::Running
                && self.options.choice.is_none()
            {
                decided.choice_needed.push(before.name.clone());
            }
            return Ok(());
        };
        let mut change = leave(self.situation, before, live);
        self.plan_stop(&mut change, before, live, decided).await?;
        decided.changes.push(self.job_change(&change));
        decided.moves.push(change);
        Ok(())
    }

    /// How a running job is stopped, and how it comes back if the operation fails.
    async fn plan_stop(
        &self,
        change: &mut JobMove,
        before: &JobRecord,
        live: &JobOverview,
        decided: &mut Decided,
    ) -> Result<(), Failure> {
        let revert = |from| Some(Start { id: self.old_start_id(before), from });
        match &self.options.choice {
            None => {
                decided.choice_needed.push(change.name.clone());
                change.decided.stop = Some(Stop::Cancel);
            }
            Some(StateChoice::Savepoint) => {
                self.refuse_unreadable(&change.name, self.running_version(before))?;
                let descriptor = self.situation.descriptor_of(before);
                let trigger = savepoint_trigger(self.context, descriptor, live, self.revision)
                    .map_err(|reason| self.no_savepoint(&change.name, reason))?;
                if let Some(reason) = self.checkpoints_fail(before, live.id).await {
                    return Err(self.no_savepoint(&change.name, reason));
                }
                change.decided.trigger = Some(trigger);
                change.decided.stop = Some(Stop::Savepoint {
                    format: self.options.savepoint_format,
                    drain: self.options.drain,
                });
                change.decided.revert = revert(StateFrom::ItsStop);
            }
            Some(StateChoice::LatestCheckpoint) => {
                self.refuse_unreadable(&change.name, self.running_version(before))?;
                let path = self.latest_checkpoint(before, live.id).await?;
                self.to_latest_checkpoint(change, before, &path);
            }
            Some(StateChoice::Stateless) => {
                change.decided.stop = Some(Stop::Cancel);
                change.decided.revert = revert(StateFrom::Nothing);
            }
            // Its newest state is given up, but it is what it goes back to.
            Some(StateChoice::Recorded | StateChoice::Paths(_)) => {
                if let Ok(path) = self.latest_checkpoint(before, live.id).await {
                    self.to_latest_checkpoint(change, before, &path);
                } else if self.has_completed_checkpoint(before, live.id).await {
                    change.decided.stop = Some(Stop::Cancel);
                } else {
                    // So Flink's statistics say; when it is stopped they are looked at again.
                    change.decided.stop = Some(Stop::LatestCheckpoint);
                    change.decided.revert = revert(StateFrom::ItsStopOr(before.restored_from.clone()));
                }
            }
        }
        Ok(())
    }

    /// The id of a start on the new generation.
    fn new_start_id(&self) -> StartId {
        self.start_id(self.descriptor)
    }

    /// The id of a start where a job runs now.
    pub(super) fn old_start_id(&self, before: &JobRecord) -> StartId {
        self.start_id(self.situation.descriptor_of(before))
    }

    fn start_id(&self, descriptor: Option<&Descriptor>) -> StartId {
        let id = (self.context.new_id)();
        descriptor.map_or(StartId::Chosen(id), |descriptor| descriptor.start_id(id))
    }

    /// A job that ended because another client wanted it, or by itself, is not started by an
    /// upgrade.
    fn stays_ended(&self, before: &JobRecord) -> bool {
        matches!(self.ended_state(before), JobState::Stopped | JobState::Canceled | JobState::Finished)
    }

    fn ended_state(&self, before: &JobRecord) -> JobState {
        match self.situation.seen(before) {
            Some(live)
                if live.state == crate::flink::JobState::Finished && before.state == JobState::Running =>
            {
                JobState::Finished
            }
            _ => before.state,
        }
    }

    fn job_change(&self, change: &JobMove) -> JobChange {
        let from = change.start().map(|start| &start.from);
        let action = match (&change.decided.stop, from) {
            _ if change.decided.old.is_some() && self.options.choice.is_none() => {
                "must stop: say what happens to its state".to_owned()
            }
            (Some(Stop::Savepoint { .. }), Some(_)) => "stop with a savepoint, start from it".to_owned(),
            (Some(Stop::LatestCheckpoint), Some(StateFrom::Path(path))) => {
                format!("cancel, start from {path}")
            }
            (Some(Stop::LatestCheckpoint), _) => "cancel, start from its latest checkpoint".to_owned(),
            (Some(Stop::Savepoint { .. }), None) => "stop with a savepoint".to_owned(),
            (Some(Stop::Cancel), Some(StateFrom::Path(path))) => format!("cancel, start from {path}"),
            (Some(Stop::Cancel), Some(_)) => "cancel, start without state".to_owned(),
            (Some(Stop::Cancel), None) => "cancel".to_owned(),
            (None, Some(StateFrom::Path(path))) => format!("start from {path}"),
            (None, _) => "start".to_owned(),
        };
        let state = match from {
            Some(StateFrom::ItsStop) if change.decided.stop == Some(Stop::LatestCheckpoint) => Some(
                "records since that checkpoint are reprocessed: output outside of transactions is repeated"
                    .to_owned(),
            ),
            Some(StateFrom::Path(_)) => {
                Some("records since that savepoint are reprocessed: their output is repeated".to_owned())
            }
            Some(StateFrom::Nothing) if change.decided.old.is_some() && self.options.choice.is_some() => {
                Some("its state is dropped: it starts with empty state".to_owned())
            }
            _ => None,
        };
        JobChange {
            name: change.name.clone(),
            id: change.decided.old.map(|id| id.to_string()),
            action,
            state,
            downtime: None,
        }
    }

    /// For how long a job that runs and goes on will be down.
    async fn downtime(&self, change: &JobMove, before: &JobRecord) -> Option<Downtime> {
        let (id, start) = (change.decided.old?, change.start()?);
        self.options.choice.as_ref()?;
        let client = self.context.flink(self.situation.descriptor_of(before)?);
        let (checkpoints, config) = tokio::join!(client.checkpoints(id), client.checkpoint_config(id));
        Some(Downtime::estimate(
            change.decided.stop.as_ref(),
            start.from != StateFrom::Nothing,
            checkpoints.ok().as_ref(),
            config.ok().as_ref(),
            self.starts_pods,
        ))
    }
}

/// A move of a running job.
pub(crate) fn leave(situation: &Situation, before: &JobRecord, live: &JobOverview) -> JobMove {
    let decided = JobDecision {
        old: Some(live.id),
        since: live.start_time,
        source: situation.place_of(before),
        ..JobDecision::default()
    };
    JobMove { decided, ..JobMove::new(&before.name) }
}

/// The id that a job is known to get.
fn chosen(id: StartId) -> Option<JobId> {
    match id {
        StartId::Chosen(id) => Some(id),
        StartId::Assigned(_) => None,
    }
}

fn path_of(from: &StateFrom) -> Option<String> {
    match from {
        StateFrom::Path(path) => Some(path.clone()),
        _ => None,
    }
}

/// Returns whether a job is to run as it runs.
fn same_job(a: &JobRecord, b: &JobRecord) -> bool {
    a.jar == b.jar
        && a.jar_sha256 == b.jar_sha256
        && a.entry_class == b.entry_class
        && a.args == b.args
        && a.parallelism == b.parallelism
        && a.mode == b.mode
}
