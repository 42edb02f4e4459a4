//! What a change means for jobs: which stop, which start, from which state, and for which the person must choose.
//!
//! Decides and refuses; it never changes anything.

use super::downtime::Downtime;
use super::{ChangeOptions, Desired, JobChange, StateChoice};
use crate::flink::{FlinkError, JobOverview, Rest, can_read};
use crate::id::JobId;
use crate::operation::{JobMove, Pods, Start, StateFrom, Stop, Trigger};
use crate::ops::descriptor::{DeclaredJob, Descriptor};
use crate::ops::preflight::savepoint_trigger;
use crate::ops::situation::{Live, Situation, newest_savepoint};
use crate::ops::{Cause, Context, Failure};
use crate::release::{JobRecord, JobState, Summary};

/// From how many failed checkpoints on, and none completed, a savepoint is not worth a try.
const FAILED: u64 = 3;

/// Decides what happens to each job.
pub(super) struct Moves<'a> {
    pub context: &'a Context,
    pub options: &'a ChangeOptions,
    pub situation: &'a Situation,
    pub desired: &'a Desired,
    pub descriptor: Option<&'a Descriptor>,
    pub pods: Pods,
    /// Claims that the old Pods mount and the new ones do not.
    pub claims_left: Vec<String>,
    /// The new Pods mount the claims of the old ones, at least one: what is in them stays within reach.
    pub keeps_volume: bool,
    /// The new Pods start while the jobs are down.
    pub starts_pods: bool,
    pub revision: u32,
    /// New Pods start the job, whoever wants it.
    pub starts_by_pods: bool,
}

pub(super) struct Decided {
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
        self.refuse_unknown_jobs(base_jobs)?;
        self.refuse_unused_choice()?;
        if let Live::Silent(error) = &self.situation.live
            && self.pods == Pods::Same
        {
            return Err(Failure::refused(Cause::Step {
                step: "the JobManager does not answer".to_owned(),
                reason: error.to_string(),
            })
            .next([format!("kubectl flink status {}", self.options.name)]));
        }
        self.refuse_other_pods(base_jobs)?;
        let mut wanted: Vec<JobRecord> = Vec::new();
        for declared in self.descriptor.map_or(&[][..], |descriptor| &descriptor.jobs) {
            wanted.push(self.declared(declared)?);
        }
        for submitted in &self.desired.submitted {
            if !wanted.iter().any(|job| job.name == submitted.name) {
                wanted.push(submitted.clone());
            }
        }
        self.refuse_path_for_all(&wanted)?;
        for job in &wanted {
            let adopted = job.id.is_some().then_some(job); // a stranger that is to be stopped
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

    fn is_silent(&self, before: Option<&JobRecord>) -> bool {
        let live = before.map_or(&self.situation.live, |before| self.situation.live_of(before));
        matches!(live, Live::Silent(_))
    }

    /// State was named for a release in which nothing could take it: the person expects something that would not happen.
    fn refuse_unused_choice(&self) -> Result<(), Failure> {
        let name = &self.options.name;
        let recorded = self.situation.history.iter().any(|summary| !summary.savepoints.is_empty());
        let jobs = self.descriptor.is_some_and(|descriptor| !descriptor.jobs.is_empty())
            || !self.desired.submitted.is_empty();
        let cause = match self.options.choice {
            Some(StateChoice::Recorded) if !recorded => {
                format!("no savepoint is recorded for release {name:?}")
            }
            Some(StateChoice::Recorded | StateChoice::Paths(_)) if !jobs => {
                format!("--from-savepoint: no savepoint is of use to release {name:?}, it declares no job")
            }
            _ => return Ok(()),
        };
        Err(Failure::refused(Cause::Usage(cause)).next([
            format!("kubectl flink savepoint list {name}"),
            "for a job that is submitted: kubectl flink job submit NAME JAR --from-savepoint PATH".to_owned(),
        ]))
    }

    /// A change of one job replaces no Pods under the others.
    fn refuse_other_pods(&self, base_jobs: &[JobRecord]) -> Result<(), Failure> {
        if self.pods == Pods::Same {
            return Ok(());
        }
        let runs_beside =
            |job: &&JobRecord| self.desired.leaves(&job.name) && self.situation.running(job).is_some();
        let Some(other) = base_jobs.iter().find(runs_beside) else { return Ok(()) };
        let name = &self.options.name;
        Err(Failure::refused(Cause::Usage(format!(
            "the release's objects would become others: its Pods would be replaced, and the job {} runs in them",
            other.name
        )))
        .next([format!("kubectl flink plan upgrade {name}"), format!("kubectl flink upgrade {name} --with-savepoint")]))
    }

    /// One path is the state of one job.
    fn refuse_path_for_all(&self, wanted: &[JobRecord]) -> Result<(), Failure> {
        let Some(StateChoice::Paths(paths)) = &self.options.choice else { return Ok(()) };
        let is_started = |job: &&JobRecord| {
            job.state == JobState::Running
                && !self.desired.leaves(&job.name)
                && !self.desired.stops(&job.name)
        };
        let takers: Vec<_> = wanted.iter().filter(is_started).map(|job| job.name.as_str()).collect();
        for (job, path) in paths {
            let wrong = match job {
                None if takers.len() < 2 => continue,
                None => {
                    format!("{path}: which of the jobs {} it is the state of is not said", takers.join(", "))
                }
                Some(job) if takers.contains(&job.as_str()) => continue,
                Some(job) => format!("{job}={path}: no job {job} is started"),
            };
            let example = takers.first().map_or("JOB", |job| *job);
            return Err(Failure::refused(Cause::Usage(wrong)).next([
                format!("the same command with {example}={path}"),
                format!("kubectl flink job list {}", self.options.name),
            ]));
        }
        Ok(())
    }

    /// Somebody's own job, submitted by hand, would be lost with the generation.
    fn refuse_unknown_jobs(&self, known: &[JobRecord]) -> Result<(), Failure> {
        if self.pods == Pods::Same {
            return Ok(());
        }
        let stranger = self
            .situation
            .live_jobs()
            .into_values()
            .find(|live| !live.state.is_terminal() && !known.iter().any(|job| job.id == Some(live.id)));
        match stranger {
            None => Ok(()),
            Some(live) => {
                let name = &self.options.name;
                Err(Failure::refused(Cause::UnknownJob { job: live.name.clone(), id: live.id.to_string() }).next([
                    format!("kubectl flink job stop {name} {}   (with a savepoint), then", live.id),
                    format!("kubectl flink job submit {name} JAR --name JOB --from-savepoint recorded   (so that the release knows it)"),
                ]))
            }
        }
    }

    fn declared(&self, declared: &DeclaredJob) -> Result<JobRecord, Failure> {
        let mut jar_sha256 = None;
        if let Some(path) = declared.jar.strip_prefix("package:") {
            let Some(content) = self.desired.package.file(path) else {
                return Err(Failure::refused(Cause::CannotStart {
                    job: declared.name.clone(),
                    reason: format!("the package has no file {path:?}"),
                }));
            };
            jar_sha256 = Some(crate::ops::jobs::sha256(content));
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
            taken: Vec::new(),
            declared: true,
        })
    }

    /// Whether a job is to start from other state than what it has, though nothing else of it changes.
    fn asks_for_state(&self, job: &str) -> bool {
        match &self.options.choice {
            None | Some(StateChoice::Savepoint) => false,
            Some(StateChoice::Paths(paths)) => path_given(paths, job).is_some(),
            Some(_) => true,
        }
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
            let stays = self.pods == Pods::Same && here && same_job(job, before);
            if !stop_only && stays && !asked {
                decided.jobs.push(JobRecord { declared: job.declared, elsewhere: None, ..before.clone() });
                return Ok(());
            }
            let mut next = JobRecord {
                id: None,
                elsewhere: None,
                restored_from: None,
                ended_by: None,
                taken: vec![],
                ..job.clone()
            };
            if !stop_only {
                self.refuse_lost_jar(job)?;
                self.refuse_other_storage(&job.name)?;
            }
            let mut change = leave(self.situation, before, live);
            self.plan_stop(&mut change, before, live, decided).await?;
            if stop_only {
                next.id = Some(live.id);
                next.restored_from.clone_from(&before.restored_from);
                next.state = match change.stop {
                    Some(Stop::Savepoint { .. }) => JobState::Stopped,
                    _ => JobState::Canceled,
                };
            } else {
                let from = self.state_for(job, before.id.is_some(), true).await?;
                let id = (self.context.new_id)();
                next.id = Some(id);
                next.state = JobState::Running;
                next.restored_from = path_of(&from);
                change.start = Some(Start { id, from });
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
            && !self.is_silent(Some(before))
            && same_job(job, before)
            && self.stays_ended(before)
            && !self.starts_by_pods
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
        let recorded =
            |summary: &Summary| summary.savepoints.iter().any(|savepoint| savepoint.job == job.name);
        let is_known = before.is_none() && self.situation.history.iter().any(recorded);
        if (had_state || is_known) && self.options.choice.is_none() {
            decided.choice_needed.push(job.name.clone());
        }
        if had_state && self.options.choice == Some(StateChoice::Savepoint) {
            let live = before.map_or(&self.situation.live, |before| self.situation.live_of(before));
            let reason = match live {
                Live::Silent(error) => format!("the JobManager does not answer ({error})"),
                _ => "it does not run".to_owned(),
            };
            return Err(self.no_savepoint(&job.name, reason));
        }
        let from = match waiting {
            Some(path) if self.options.choice.is_none_or_savepoint() => StateFrom::Path(path),
            None if is_known && self.options.choice == Some(StateChoice::Savepoint) => {
                StateFrom::Path(self.newest_recorded(job).await?)
            }
            _ => self.state_for(job, had_state, false).await?,
        };
        let id = (self.context.new_id)();
        let mut change = JobMove::new(&job.name);
        // It cannot be asked: that generation goes before the job is started.
        let silent = before.filter(|before| self.is_silent(Some(before)));
        change.source = silent.and_then(|before| self.situation.place_of(before));
        decided.jobs.push(JobRecord {
            id: Some(id),
            elsewhere: None,
            restored_from: path_of(&from),
            ended_by: None,
            taken: vec![],
            state: JobState::Running,
            ..job.clone()
        });
        change.start = Some(Start { id, from });
        decided.changes.push(self.job_change(&change));
        decided.moves.push(change);
        Ok(())
    }

    async fn decide_removed(&self, before: &JobRecord, decided: &mut Decided) -> Result<(), Failure> {
        let Some(live) = self.situation.running(before) else {
            if self.is_silent(Some(before))
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

    /// A jar that was uploaded into a Pod goes with the Pod.
    fn refuse_lost_jar(&self, job: &JobRecord) -> Result<(), Failure> {
        let kept = self.pods == Pods::Same || self.keeps_volume || self.options.jars.contains_key(&job.name);
        if kept || !job.jar.starts_with("upload:") {
            return Ok(());
        }
        Err(Failure::refused(Cause::CannotStart {
            job: job.name.clone(),
            reason: "its jar was uploaded into a Pod that will be replaced, and no volume keeps it"
                .to_owned(),
        })
        .next([format!("the same command with --jar {}=FILE", job.name)]))
    }

    /// State in a volume that the new Pods do not mount cannot be read by them.
    fn refuse_other_storage(&self, job: &str) -> Result<(), Failure> {
        let moves = matches!(
            self.options.choice,
            Some(StateChoice::Savepoint | StateChoice::LatestCheckpoint | StateChoice::Recorded)
        );
        let [claim, ..] = self.claims_left.as_slice() else { return Ok(()) };
        if self.pods == Pods::Same || !moves {
            return Ok(());
        }
        Err(Failure::refused(Cause::CannotStart {
            job: job.to_owned(),
            reason: format!("its state would be in the volume {claim}, which the new Pods do not mount"),
        })
        .next([
            "leave storage as it is in this change".to_owned(),
            "the same command with --from-savepoint PATH   (one that the new Pods can read)".to_owned(),
            "the same command with --stateless   (its state is dropped)".to_owned(),
        ]))
    }

    /// How a running job is stopped, and how it comes back if the operation fails.
    async fn plan_stop(
        &self,
        change: &mut JobMove,
        before: &JobRecord,
        live: &JobOverview,
        decided: &mut Decided,
    ) -> Result<(), Failure> {
        let stop_state = |from| Some(Start { id: (self.context.new_id)(), from });
        match &self.options.choice {
            None => {
                decided.choice_needed.push(change.name.clone());
                change.stop = Some(Stop::Cancel);
            }
            Some(StateChoice::Savepoint) => {
                self.refuse_unreadable(&change.name, self.running_version(before))?;
                let descriptor = self.situation.descriptor_of(before);
                let trigger = savepoint_trigger(self.context, descriptor, live, self.revision)
                    .map_err(|reason| self.no_savepoint(&change.name, reason))?;
                if let Some(reason) = self.checkpoints_fail(before, live.id).await {
                    return Err(self.no_savepoint(&change.name, reason));
                }
                change.trigger = Some(trigger);
                change.stop = Some(Stop::Savepoint {
                    format: self.options.savepoint_format.clone(),
                    drain: self.options.drain,
                });
                change.back = stop_state(StateFrom::ItsStop);
            }
            Some(StateChoice::LatestCheckpoint) => {
                self.refuse_unreadable(&change.name, self.running_version(before))?;
                let path = self.latest_checkpoint(before, live.id).await?;
                self.to_latest_checkpoint(change, &path);
            }
            Some(StateChoice::Stateless) => {
                change.stop = Some(Stop::Cancel);
                change.back = stop_state(StateFrom::Nothing);
            }
            // Its newest state is given up, but it is what it goes back to.
            Some(StateChoice::Recorded | StateChoice::Paths(_)) => {
                if let Ok(path) = self.latest_checkpoint(before, live.id).await {
                    self.to_latest_checkpoint(change, &path);
                } else if self.has_completed_checkpoint(before, live.id).await {
                    change.stop = Some(Stop::Cancel);
                } else {
                    // So Flink's statistics say; when it is stopped they are looked at again.
                    change.stop = Some(Stop::LatestCheckpoint);
                    change.back = stop_state(StateFrom::ItsStopOr(before.restored_from.clone()));
                }
            }
        }
        Ok(())
    }

    /// The job is cancelled, and goes back to its newest checkpoint.
    fn to_latest_checkpoint(&self, change: &mut JobMove, path: &str) {
        // The job's own directory: there the newest is found where Flink has forgotten the job.
        let directory = path.rsplit_once('/').map_or("", |(directory, _)| directory).to_owned();
        change.trigger = Some(Trigger { id: (self.context.new_id)(), directory });
        change.stop = Some(Stop::LatestCheckpoint);
        change.back = Some(Start { id: (self.context.new_id)(), from: StateFrom::ItsStop });
    }

    /// Whether a job has state that is newer than what it was restored from; so too where that is not known.
    async fn has_completed_checkpoint(&self, job: &JobRecord, id: JobId) -> bool {
        let Some(descriptor) = self.situation.descriptor_of(job) else { return true };
        let checkpoints = self.context.flink(descriptor).checkpoints(id).await;
        checkpoints.map_or(true, |checkpoints| checkpoints.latest.completed.is_some())
    }

    /// A job whose checkpoints all fail: its savepoint would fail like them, and Flink, which stops the sources for it, would
    /// then start the job again from where it began. A few in the beginning say nothing: they can come before all tasks run.
    async fn checkpoints_fail(&self, job: &JobRecord, id: JobId) -> Option<String> {
        let client = self.context.flink(self.situation.descriptor_of(job)?);
        let checkpoints = client.checkpoints(id).await.ok()?;
        let (failed, completed) = (checkpoints.counts.failed, checkpoints.counts.completed);
        if completed > 0 || failed < FAILED {
            return None;
        }
        let last = checkpoints.latest.failed.and_then(|last| last.failure_message);
        let last = last.map(|message| format!(", the last one: {message}")).unwrap_or_default();
        Some(format!("it has completed no checkpoint, {failed} have failed{last}"))
    }

    /// Where a started job's state comes from.
    async fn state_for(&self, job: &JobRecord, had_state: bool, runs: bool) -> Result<StateFrom, Failure> {
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
            Some(StateChoice::Recorded) => self.recorded(job).await.map(StateFrom::Path),
            Some(StateChoice::Paths(paths)) => match path_given(paths, &job.name) {
                Some(path) => Ok(StateFrom::Path(path.clone())),
                None if had_state => Err(Failure::refused(Cause::Usage(format!(
                    "--from-savepoint names no path for the job {}",
                    job.name
                )))
                .next([format!("add --from-savepoint {}=PATH", job.name)])),
                None => Ok(StateFrom::Nothing),
            },
            _ => Ok(StateFrom::Nothing),
        }
    }

    async fn recorded(&self, job: &JobRecord) -> Result<String, Failure> {
        if let Some(target) = &self.desired.returns_to {
            let newest = target.savepoints_of(&job.name).into_iter().max_by_key(|one| one.taken_at);
            let ended_by = target.jobs.iter().find(|before| before.name == job.name);
            let savepoint = ended_by.and_then(|before| before.ended_by.clone()).or(newest);
            if let Some(savepoint) = &savepoint {
                self.refuse_unreadable(&job.name, &savepoint.flink_version)?;
            }
            return savepoint.map(|savepoint| savepoint.path).ok_or_else(|| {
                Failure::refused(Cause::NothingRecorded { job: job.name.clone(), at: Some(target.revision) })
                    .next([format!("kubectl flink savepoint list {}", self.options.name)])
            });
        }
        self.newest_recorded(job).await
    }

    async fn newest_recorded(&self, job: &JobRecord) -> Result<String, Failure> {
        let newest =
            newest_savepoint(self.context, &self.options.name, &self.situation.history, &job.name).await?;
        if let Some((_, savepoint)) = &newest {
            self.refuse_unreadable(&job.name, &savepoint.flink_version)?;
        }
        newest.map(|(_, savepoint)| savepoint.path).ok_or_else(|| {
            Failure::refused(Cause::NothingRecorded { job: job.name.clone(), at: None })
                .next([format!("kubectl flink savepoint list {}", self.options.name)])
        })
    }

    /// The newest completed checkpoint of a job that Flink knows, running or ended; refused where it would not outlive the
    /// job's end.
    async fn latest_checkpoint(&self, job: &JobRecord, id: JobId) -> Result<String, Failure> {
        let name = &self.options.name;
        let refuse = |reason: String| {
            Failure::refused(Cause::NoCheckpoint { job: job.name.clone(), reason }).next([
                format!(
                    "the same command with --from-checkpoint PATH   (look for {id}/chk-* in the release's checkpoint directory)"
                ),
                format!("kubectl flink savepoint list {name}   (and --from-savepoint recorded|PATH)"),
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
    fn running_version(&self, job: &JobRecord) -> &str {
        self.situation.descriptor_of(job).map_or("", |descriptor| &descriptor.flink_version)
    }

    /// An older Flink does not read what a newer one wrote: known before anything stops.
    fn refuse_unreadable(&self, job: &str, writer: &str) -> Result<(), Failure> {
        let Some(reader) = self.descriptor.map(|descriptor| descriptor.flink_version.as_str()) else {
            return Ok(());
        };
        let starts = !self.desired.stops(job);
        if !starts || can_read(reader, writer) != Some(false) {
            return Ok(());
        }
        let name = &self.options.name;
        Err(Failure::refused(Cause::Unreadable {
            job: job.to_owned(),
            reader: reader.to_owned(),
            writer: writer.to_owned(),
        })
        .next([
            format!("kubectl flink savepoint list {name}   (which Flink wrote which savepoint)"),
            "the same command with --from-savepoint recorded|PATH   (one that the older Flink wrote; what came since is put out again)".to_owned(),
        ]))
    }

    fn no_savepoint(&self, job: &str, reason: String) -> Failure {
        Failure::refused(Cause::NoSavepoint { job: job.to_owned(), reason }).next([
            format!("kubectl flink status {}   (to see what is wrong)", self.options.name),
            "the same command with --from-savepoint recorded|PATH, or with --stateless".to_owned(),
        ])
    }

    /// A job that ended because somebody wanted it, or by itself, is not started by an upgrade.
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
        let from = change.start.as_ref().map(|start| &start.from);
        let action = match (&change.stop, from) {
            _ if change.old.is_some() && self.options.choice.is_none() => {
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
            Some(StateFrom::ItsStop) if change.stop == Some(Stop::LatestCheckpoint) => Some(
                "what it has put out since that checkpoint, but for transactions, is put out again"
                    .to_owned(),
            ),
            Some(StateFrom::Path(_)) => {
                Some("what it has put out since that savepoint was taken is put out again".to_owned())
            }
            Some(StateFrom::Nothing) if change.old.is_some() && self.options.choice.is_some() => {
                Some("its state is dropped: it counts from the start".to_owned())
            }
            _ => None,
        };
        JobChange {
            name: change.name.clone(),
            id: change.old.map(|id| id.to_string()),
            action,
            state,
            downtime: None,
        }
    }

    /// For how long a job that runs and goes on will be down.
    async fn downtime(&self, change: &JobMove, before: &JobRecord) -> Option<Downtime> {
        let (id, start) = (change.old?, change.start.as_ref()?);
        self.options.choice.as_ref()?;
        let client = self.context.flink(self.situation.descriptor_of(before)?);
        let (checkpoints, config) = tokio::join!(client.checkpoints(id), client.checkpoint_config(id));
        Some(Downtime::estimate(
            change.stop.as_ref(),
            start.from != StateFrom::Nothing,
            checkpoints.ok().as_ref(),
            config.ok().as_ref(),
            self.starts_pods,
        ))
    }
}

/// A move of a running job.
pub(in crate::ops) fn leave(situation: &Situation, before: &JobRecord, live: &JobOverview) -> JobMove {
    JobMove { old: Some(live.id), source: situation.place_of(before), ..JobMove::new(&before.name) }
}

/// The path that was given for a job: under its name, or for the only one.
fn path_given<'a>(paths: &'a [(Option<String>, String)], job: &str) -> Option<&'a String> {
    let named = paths.iter().find(|(name, _)| name.as_deref() == Some(job));
    named.or_else(|| paths.iter().find(|(name, _)| name.is_none())).map(|(_, path)| path)
}

fn path_of(from: &StateFrom) -> Option<String> {
    match from {
        StateFrom::Path(path) => Some(path.clone()),
        _ => None,
    }
}

/// Whether a job is to run as it runs.
fn same_job(a: &JobRecord, b: &JobRecord) -> bool {
    a.jar == b.jar
        && a.jar_sha256 == b.jar_sha256
        && a.entry_class == b.entry_class
        && a.args == b.args
        && a.parallelism == b.parallelism
        && a.mode == b.mode
}

/// Whether a choice leaves jobs alone that do not run.
trait LeavesAlone {
    fn is_none_or_savepoint(&self) -> bool;
}

impl LeavesAlone for Option<StateChoice> {
    fn is_none_or_savepoint(&self) -> bool {
        matches!(self, None | Some(StateChoice::Savepoint))
    }
}
