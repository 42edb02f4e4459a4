//! A model of Flink: its clusters, their jobs, savepoints and checkpoints, as far as the engine can
//! see them, with the habits that real ones have shown. Time is tokio's, which the simulation lets
//! jump.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

use crate::flink::{FlinkError, Program, Refusal, RunRequest, StopRequest};
use crate::flink::{JobState, SavepointStatus, Tasks};
use crate::id::{Id, JobId, TriggerId};
use crate::layout::control::Submission;
use crate::operation::Look;

/// Between two checkpoints.
const CHECKPOINT: Duration = Duration::from_secs(2);
/// From a job's start until all its tasks run.
const DEPLOYING: Duration = Duration::from_millis(700);
/// From the first answer of a standalone JobManager until its `main()` has submitted the job.
const SUBMITTING: Duration = Duration::from_secs(1);
/// From when a controller begins with a job until Flink has it.
const LAUNCHING: Duration = Duration::from_millis(800);
/// Longer than any history.
const NEVER: Duration = Duration::from_hours(10_000);
/// From a savepoint to the end of the job that it stops.
const FINISHING: Duration = Duration::from_millis(300);
/// For how long Flink keeps the answer of an operation that is over, where nobody sets it
/// otherwise.
pub(super) const KEPT: Duration = Duration::from_mins(5);

/// What comes of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Runs,
    /// Its state does not fit: it fails as it restores.
    FailsAtRestore,
    /// It restarts again and again and completes no checkpoint.
    CrashLoops,
    /// It fails after its first checkpoint.
    FailsLate,
    /// It runs, until its JobManager restarts: it cannot restore its own checkpoint.
    FailsOnceBack,
    /// It has come to its end after so long, before or after its first checkpoint.
    Finishes(Duration),
}

/// Which id a controller gives a job that it starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Assigns {
    /// One that no job had before.
    Another,
    /// That of the job which it replaces.
    TheSame,
}

/// A job's resource at a controller that assigns ids.
#[derive(Clone, Debug, Default)]
pub(super) struct Resource {
    pub version: u64,
    /// What shall run; `None`: nothing, or nothing any more.
    pub wanted: Option<Submission>,
    /// The submissions that were carried out, or begun, by their nonces.
    done: BTreeSet<Id>,
    /// When the controller will begin with it; it takes its time.
    due: Option<Instant>,
    /// What it has begun: the job comes, whatever is asked for meanwhile.
    begun: Option<(Instant, Submission)>,
    /// The last change that the controller has taken in.
    taken_in: u64,
}

impl Resource {
    /// The same submission again changes nothing.
    pub fn submit(&mut self, submission: &Submission) {
        if self.wanted.as_ref().is_none_or(|wanted| wanted.nonce != submission.nonce) {
            (self.wanted, self.due) = (Some(submission.clone()), None);
        }
    }

    pub fn withdraw(&mut self) {
        (self.wanted, self.due) = (None, None);
    }
}

/// What comes of a stop with a savepoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StopFate {
    /// The savepoint is written in this time, and the job ends.
    Ends(Duration),
    /// Flink cannot take it; the job runs on.
    Fails,
    /// It is written, then the job fails on its way to the end.
    FailsWhileStopping,
    /// It is written, then the job fails, and Flink brings it back from its latest checkpoint.
    ComesBack,
}

/// A savepoint or a checkpoint in the storage.
#[derive(Clone, Debug)]
pub(super) struct Saved {
    pub job: String,
    /// How far the job was, in milliseconds of its running.
    pub position: u64,
}

pub(super) struct Job {
    pub id: JobId,
    pub name: String,
    pub state: JobState,
    fate: Fate,
    /// When it was started.
    since: Instant,
    /// The same as Flink shows it: since this JobManager has it.
    pub shown_since: Instant,
    /// From where it goes on counting.
    base: u64,
    /// How far it is when it has come to its end by itself.
    goal: u64,
    /// Since when all its tasks run; in the future while they are deployed.
    runs_from: Instant,
    /// What it was started from.
    pub origin: Option<String>,
    pub restored: Option<String>,
    pub restores: u64,
    /// Since this JobManager has it, as are the two that follow.
    pub completed: u64,
    pub restarts: u64,
    /// And when it was written.
    pub savepoint: Option<(String, Instant)>,
    pub restored_at: Instant,
    checkpoints: u64,
    next_checkpoint: Instant,
    /// The newest completed checkpoint or the savepoint that it came from.
    latest: Option<(String, u64)>,
    /// From when it emits nothing any more, because it is stopped.
    still_from: Option<Instant>,
    /// When it is terminal, how, and up to where its output is committed then.
    ends: Option<(Instant, JobState, u64)>,
}

impl Job {
    pub fn is_live(&self) -> bool {
        !self.state.is_terminal()
    }

    fn position(&self, now: Instant) -> u64 {
        self.base + now.saturating_duration_since(self.runs_from).as_millis() as u64
    }

    pub fn all_run(&self, now: Instant) -> bool {
        self.state == JobState::Running && now >= self.runs_from
    }

    pub fn tasks(&self, now: Instant) -> Tasks {
        if self.all_run(now) {
            Tasks { total: 2, running: 2, ..Tasks::default() }
        } else if self.is_live() {
            Tasks { total: 2, deploying: 2, ..Tasks::default() }
        } else {
            Tasks { total: 2, finished: 2, ..Tasks::default() }
        }
    }

    pub fn latest_checkpoint(&self) -> Option<String> {
        self.latest.as_ref().map(|(path, _)| path.clone())
    }
}

struct Stopping {
    job: JobId,
    directory: String,
    written_at: Instant,
    fate: StopFate,
    status: SavepointStatus,
}

impl Stopping {
    /// Returns whether Flink has forgotten what became of it: an answer is kept for so long.
    fn is_forgotten(&self, kept: Duration, now: Instant) -> bool {
        self.status != SavepointStatus::InProgress && now >= self.written_at + kept
    }
}

/// A generation's JobManager and its TaskManagers.
pub(super) struct Generation {
    answers_from: Instant,
    recovering_until: Instant,
    pub jobs: Vec<Job>,
    stopping: BTreeMap<TriggerId, Stopping>,
    /// The job result store.
    ended: BTreeSet<JobId>,
    /// What its Pods start, and the job's name.
    application: Option<(RunRequest, String)>,
    /// Its JobManager was deleted.
    halted: bool,
    pub shut_down: bool,
    /// When its jobs were listed last: what comes between that and its end nobody can know of.
    pub looked_at: Option<Instant>,
}

impl Generation {
    /// Jobs that run in it, and that who ends it could have seen when it looked.
    fn dropped(&self, looked_at: Option<Instant>) -> Vec<String> {
        let seen = |job: &&Job| looked_at.is_none_or(|at| job.since <= at);
        self.jobs.iter().filter(|job| job.is_live()).filter(seen).map(|job| job.name.clone()).collect()
    }
}

/// All generations, the storage, and what has gone wrong.
pub(super) struct Flink {
    pub generations: BTreeMap<u32, Generation>,
    pub storage: BTreeMap<String, Saved>,
    /// Up to where each job's output is committed.
    pub committed: BTreeMap<String, u64>,
    /// Jobs whose plan says that they go on from older state.
    pub older_is_planned: bool,
    /// What comes of jobs, by id; of the others: they run.
    pub fates: BTreeMap<JobId, Fate>,
    /// What comes of stops.
    pub stop_fate: StopFate,
    /// For how long the answer of an operation that is over is kept (`rest.async.store-duration`).
    pub kept: Duration,
    /// The job result store forgets: an id that has ended runs again.
    pub forgetful: bool,
    /// Jobs that failed for good after they had gone on: nothing brings them back by itself.
    pub failed_late: BTreeSet<String>,
    /// Jobs that have come to their end by themselves, with their names: nothing is left to do.
    pub finished: BTreeMap<JobId, String>,
    /// Jobs that the job result store has as SUCCEEDED: those, and whatever a savepoint has ended.
    pub succeeded: BTreeSet<(u32, JobId)>,
    /// What a controller that assigns ids has been asked for, by generation and job.
    pub resources: BTreeMap<(u32, String), Resource>,
    /// Which ids it assigns.
    pub assigns: Assigns,
    /// How long the controller takes; `None`: it never comes to it.
    pub controller_delay: Option<Duration>,
    /// The ids that jobs of generations that are gone had.
    last_ids: BTreeMap<String, JobId>,
    /// When the model began.
    pub begun: Instant,
    /// A promise was broken.
    pub broken: Vec<String>,
    checkpoints: u64,
}

/// A request for a job that needs nothing else.
pub(super) fn request(job: JobId, savepoint: Option<String>) -> RunRequest {
    let program = Program { entry_class: None, args: Vec::new(), parallelism: None };
    RunRequest { job, program, savepoint, allow_non_restored_state: false, application: false }
}

fn refused(message: &str, kind: Refusal) -> FlinkError {
    FlinkError::Refused { request: "POST".to_owned(), status: 400, message: message.to_owned(), kind }
}

pub(super) fn unknown(what: &str) -> FlinkError {
    FlinkError::NotFound { request: "GET".to_owned(), message: what.to_owned() }
}

pub(super) fn unreachable(may_have_acted: bool) -> FlinkError {
    FlinkError::Unreachable { via: "the model".to_owned(), message: "broken".to_owned(), may_have_acted }
}

impl Flink {
    pub fn new() -> Self {
        Self {
            generations: BTreeMap::new(),
            storage: BTreeMap::new(),
            committed: BTreeMap::new(),
            older_is_planned: false,
            fates: BTreeMap::new(),
            stop_fate: StopFate::Ends(Duration::from_millis(600)),
            kept: KEPT,
            forgetful: false,
            failed_late: BTreeSet::new(),
            finished: BTreeMap::new(),
            succeeded: BTreeSet::new(),
            resources: BTreeMap::new(),
            assigns: Assigns::Another,
            controller_delay: Some(Duration::from_secs(1)),
            last_ids: BTreeMap::new(),
            begun: Instant::now(),
            broken: Vec::new(),
            checkpoints: 0,
        }
    }

    /// A generation whose Pods have just been made, or are suspended; where it is there already
    /// nothing happens.
    pub fn create(&mut self, number: u32, held: bool, now: Instant) {
        let after = if held { NEVER } else { Duration::from_secs(3) };
        let generation = self.generations.entry(number).or_insert_with(|| Generation {
            answers_from: now + after,
            recovering_until: now,
            jobs: Vec::new(),
            stopping: BTreeMap::new(),
            ended: BTreeSet::new(),
            application: None,
            halted: false,
            shut_down: false,
            looked_at: None,
        });
        generation.halted = false;
    }

    /// The Pods that start a job begin; a JobManager that takes the place of one that was deleted
    /// brings its job back.
    pub fn unsuspend(&mut self, number: u32, request: &RunRequest, name: &str, now: Instant) {
        let Some(generation) = self.generations.get_mut(&number) else { return };
        if generation.halted || generation.answers_from < now + NEVER / 2 {
            return; // deleted, or begun before
        }
        generation.application = Some((request.clone(), name.to_owned()));
        generation.answers_from = now + Duration::from_secs(3);
        let from = generation.answers_from;
        generation.jobs.iter_mut().filter(|job| job.is_live()).for_each(|job| come_back(job, from));
    }

    /// Returns what a look into a directory finds: the newest checkpoint, or the only savepoint.
    pub fn find(&self, directory: &str) -> Look {
        let prefix = format!("{directory}/");
        let found: Vec<&String> = self.storage.keys().filter(|path| path.starts_with(&prefix)).collect();
        let newest = match found.as_slice() {
            [] => return Look::Nothing,
            [only] => Some((*only).clone()),
            many => {
                let number = |path: &&&String| path.rsplit_once("/chk-")?.1.parse::<u64>().ok();
                many.iter()
                    .filter(|path| number(path).is_some())
                    .max_by_key(number)
                    .map(|path| (*path).clone())
            }
        };
        newest.map_or(Look::Unknown, Look::Found)
    }

    /// Deletes a JobManager. Whether the job completed a checkpoint; `None`: nothing says so.
    pub fn halt(&mut self, number: u32, id: JobId, now: Instant) -> Option<bool> {
        let generation = self.generations.get_mut(&number)?;
        generation.halted = true;
        generation.answers_from = now + NEVER;
        // One that it has ended, not Flink: what high availability knows of it stays.
        let halted = |job: &Job| job.state == JobState::Canceled && job.ends.is_none();
        let job = generation.jobs.iter_mut().find(|job| job.id == id && (job.is_live() || halted(job)))?;
        let completed = job.checkpoints > 0;
        job.ends = None;
        if completed {
            (job.state, job.runs_from, job.next_checkpoint) =
                (JobState::Restarting, now + NEVER, now + NEVER);
        } else {
            job.state = JobState::Canceled;
        }
        Some(completed)
    }

    /// The jobs of standalone JobManagers that have come up.
    fn submit_by_pods(&mut self, now: Instant) {
        let due = |one: &Generation| {
            now >= one.answers_from + SUBMITTING
                && now >= one.recovering_until
                && !one.shut_down
                && !one.halted
        };
        let known = |one: &Generation, id| one.ended.contains(&id) || one.jobs.iter().any(|job| job.id == id);
        let all: Vec<_> = self
            .generations
            .iter()
            .filter(|(_, one)| due(one))
            .filter_map(|(number, one)| {
                let (request, name) = one.application.clone()?;
                (!known(one, request.job)).then_some((*number, request, name))
            })
            .collect();
        for (number, request, name) in all {
            let _ = self.run(number, &request, &name, now);
        }
    }

    /// The controller carries out what was submitted: late, or never.
    fn reconcile(&mut self, now: Instant) {
        let Some(delay) = self.controller_delay else { return };
        let keys: Vec<_> = self.resources.keys().cloned().collect();
        for (number, name) in keys {
            let up = self.answering(number, now).is_ok();
            let Some(resource) = self.resources.get_mut(&(number, name.clone())).filter(|_| up) else {
                continue;
            };
            if now < *resource.due.get_or_insert(now + delay) {
                continue;
            }
            if resource.begun.is_none() {
                resource.taken_in = resource.version;
                let open = resource.wanted.clone().filter(|wanted| resource.done.insert(wanted.nonce));
                resource.begun = open.map(|wanted| (now + LAUNCHING, wanted));
            }
            let Some((_, wanted)) = resource.begun.take_if(|(at, _)| *at <= now) else { continue };
            self.launch(number, &name, &wanted, now);
        }
    }

    fn launch(&mut self, number: u32, name: &str, wanted: &Submission, now: Instant) {
        let id = match self.assigns {
            Assigns::Another => wanted.nonce,
            Assigns::TheSame => self.last_id(name).unwrap_or(wanted.nonce),
        };
        let fate = self.fates.get(&wanted.nonce).copied().unwrap_or(Fate::Runs);
        self.fates.insert(id, fate);
        if let Some(generation) = self.generations.get_mut(&number) {
            generation.ended.remove(&id); // the controller deletes what high availability has of the job before
        }
        let _ = self.run(number, &request(id, wanted.savepoint.clone()), name, now);
    }

    /// Returns whether the controller has carried out the last change of a job's resource.
    pub fn is_settled(&self, number: u32, job: &str) -> bool {
        let resource = self.resources.get(&(number, job.to_owned()));
        resource.is_none_or(|one| one.taken_in == one.version && one.begun.is_none())
    }

    /// Returns whether the controller has begun with a submission: the job that Flink shows may be
    /// the one before it still.
    pub fn has_launched(&self, number: u32, submission: &Submission) -> bool {
        let resource = self.resources.get(&(number, submission.job.clone()));
        resource.is_some_and(|one| one.done.contains(&submission.nonce))
    }

    /// The id of the job of a name that was started last.
    fn last_id(&self, name: &str) -> Option<JobId> {
        let jobs = self.generations.values().flat_map(|generation| &generation.jobs);
        jobs.filter(|job| job.name == name)
            .max_by_key(|job| job.since)
            .map(|job| job.id)
            .or(self.last_ids.get(name).copied())
    }

    /// Its Pods are gone.
    pub fn clear(&mut self, number: u32, looked_at: Option<Instant>) {
        let Some(generation) = self.generations.remove(&number) else { return };
        self.resources.retain(|(of, _), _| *of != number);
        self.last_ids.extend(generation.jobs.iter().map(|job| (job.name.clone(), job.id)));
        for job in generation.dropped(looked_at) {
            self.broken.push(format!("generation {number} was removed while {job} ran in it"));
        }
    }

    /// The generation, if its JobManager answers.
    pub fn answering(&mut self, number: u32, now: Instant) -> Result<&mut Generation, FlinkError> {
        match self.generations.get_mut(&number) {
            Some(generation) if now >= generation.answers_from && !generation.shut_down => {
                if now < generation.recovering_until {
                    return Err(FlinkError::Recovering { message: "recovering".to_owned() });
                }
                Ok(generation)
            }
            _ => Err(unreachable(false)),
        }
    }

    /// Returns whether the JobManager recovers: it answers, and knows nothing.
    pub fn recovers(&self, number: u32, now: Instant) -> bool {
        let recovering = |one: &Generation| one.answers_from <= now && now < one.recovering_until;
        self.generations.get(&number).is_some_and(|one| !one.shut_down && recovering(one))
    }

    /// Returns whether it lists no job at the end of that, though it has some.
    pub fn lists_none(&self, number: u32, now: Instant) -> bool {
        let soon = |one: &Generation| one.recovering_until - now < Duration::from_secs(3);
        self.recovers(number, now) && self.generations.get(&number).is_some_and(soon)
    }

    /// Lets happen what happens by itself until `now`.
    pub fn advance(&mut self, now: Instant) {
        self.submit_by_pods(now);
        self.reconcile(now);
        let numbers: Vec<u32> = self.generations.keys().copied().collect();
        for number in numbers {
            let Some(mut generation) = self.generations.remove(&number) else { continue };
            // A stop ends what a job emits, so it comes before the checkpoints that would have
            // followed.
            self.advance_stops(&mut generation, now);
            for job in &mut generation.jobs {
                self.advance_job(job, now);
            }
            for job in &mut generation.jobs {
                if let Some((_, state, position)) = job.ends.filter(|(at, ..)| *at <= now && job.is_live()) {
                    job.state = state;
                    let late = matches!(job.fate, Fate::FailsLate | Fate::FailsOnceBack);
                    if late && job.checkpoints > 0 && state == JobState::Failed {
                        self.failed_late.insert(job.name.clone());
                    }
                    let by_itself = job.still_from.is_none();
                    if matches!(job.fate, Fate::Finishes(_)) && state == JobState::Finished && by_itself {
                        self.finished.insert(job.id, job.name.clone());
                    }
                    // Retained checkpoints of a job that has finished are deleted, who ended it.
                    if state == JobState::Finished {
                        let its_own = format!("file:/c/{}/", job.id);
                        self.storage.retain(|path, _| !path.starts_with(&its_own));
                    }
                    if state == JobState::Finished && !self.forgetful {
                        self.succeeded.insert((number, job.id));
                    }
                    generation.ended.insert(job.id);
                    self.commit(&job.name, position);
                }
            }
            self.generations.insert(number, generation);
        }
    }

    fn advance_job(&mut self, job: &mut Job, now: Instant) {
        if !job.is_live() {
            return;
        }
        if matches!(job.state, JobState::Initializing | JobState::Restarting) && now >= job.runs_from {
            match job.fate {
                Fate::FailsOnceBack if job.state == JobState::Restarting => {
                    job.ends = Some((job.runs_from, JobState::Failed, 0));
                    return;
                }
                Fate::FailsAtRestore => {
                    job.ends = Some((job.runs_from, JobState::Failed, 0));
                    return;
                }
                Fate::CrashLoops => {
                    job.restarts += 1;
                    job.state = JobState::Restarting;
                    job.runs_from = now + DEPLOYING;
                    job.next_checkpoint = job.runs_from + CHECKPOINT;
                    return;
                }
                Fate::Runs | Fate::FailsLate | Fate::FailsOnceBack => job.state = JobState::Running,
                Fate::Finishes(_) => {
                    job.state = JobState::Running;
                    let left = Duration::from_millis(job.goal.saturating_sub(job.base));
                    job.ends = Some((job.runs_from + left, JobState::Finished, job.goal));
                }
            }
        }
        let until =
            [job.ends.map(|(at, ..)| at), job.still_from].into_iter().flatten().fold(now, Instant::min);
        while job.state == JobState::Running && job.next_checkpoint <= until {
            let position = job.position(job.next_checkpoint);
            self.checkpoints += 1;
            job.checkpoints += 1;
            job.completed += 1;
            job.next_checkpoint += CHECKPOINT;
            let path = format!("file:/c/{}/chk-{}", job.id, self.checkpoints);
            self.storage.insert(path.clone(), Saved { job: job.name.clone(), position });
            job.latest = Some((path, position));
            self.commit(&job.name, position);
            if job.fate == Fate::FailsLate && job.ends.is_none() {
                job.ends = Some((job.next_checkpoint - CHECKPOINT / 2, JobState::Failed, 0));
            }
        }
    }

    fn advance_stops(&mut self, generation: &mut Generation, now: Instant) {
        for (id, stop) in &mut generation.stopping {
            if stop.status != SavepointStatus::InProgress || stop.written_at > now {
                continue;
            }
            let Some(job) = generation.jobs.iter_mut().find(|job| job.id == stop.job && job.is_live()) else {
                stop.status =
                    SavepointStatus::Failed { cause: "the job has ended".to_owned(), location: None };
                continue;
            };
            let cause = "it failed".to_owned();
            if stop.fate == StopFate::Fails {
                stop.status = SavepointStatus::Failed { cause, location: None };
                continue;
            }
            if job.ends.is_some_and(|(at, ..)| at <= stop.written_at) {
                stop.status = SavepointStatus::Failed { cause, location: None };
                continue;
            }
            let position = job.position(stop.written_at);
            job.still_from = Some(stop.written_at);
            let location = format!("{}/savepoint-{id}", stop.directory);
            self.storage.insert(location.clone(), Saved { job: job.name.clone(), position });
            job.completed += 1;
            job.savepoint = Some((location.clone(), stop.written_at));
            let end = stop.written_at + FINISHING;
            match stop.fate {
                StopFate::Ends(_) => {
                    job.ends = Some((end, JobState::Finished, position));
                    stop.status = SavepointStatus::Completed { location };
                }
                StopFate::ComesBack => {
                    stop.status = SavepointStatus::Failed { cause, location: Some(location) };
                    come_back(job, end);
                }
                StopFate::FailsWhileStopping | StopFate::Fails => {
                    stop.status = SavepointStatus::Failed { cause, location: Some(location) };
                    job.ends = Some((end, JobState::Failed, 0));
                }
            }
        }
    }

    fn commit(&mut self, job: &str, position: u64) {
        let committed = self.committed.entry(job.to_owned()).or_default();
        *committed = (*committed).max(position);
    }

    /// `jars/run`.
    pub fn run(
        &mut self,
        number: u32,
        request: &RunRequest,
        name: &str,
        now: Instant,
    ) -> Result<(), FlinkError> {
        let forgetful = self.forgetful;
        let generation = self.answering(number, now)?;
        let runs = generation.jobs.iter().any(|job| job.id == request.job && job.is_live());
        if runs || !forgetful && generation.ended.contains(&request.job) {
            return Err(refused("duplicate", Refusal::DuplicateId));
        }
        generation.jobs.retain(|job| job.id != request.job);
        let base = match &request.savepoint {
            None => 0,
            Some(path) => match self.storage.get(path) {
                Some(saved) if saved.job == name => saved.position,
                _ => return Err(refused("no such savepoint", Refusal::Other)),
            },
        };
        for (other, generation) in &self.generations {
            if generation.jobs.iter().any(|job| job.name == name && job.is_live()) {
                self.broken.push(format!("{name} is started in {number} while it runs in {other}"));
            }
        }
        let committed = self.committed.get(name).copied().unwrap_or_default();
        if base < committed && !self.older_is_planned {
            self.broken
                .push(format!("{name} is started at {base}, its output is committed up to {committed}"));
        }
        if self.older_is_planned {
            self.committed.insert(name.to_owned(), base);
        }
        let fate = self.fates.get(&request.job).copied().unwrap_or(Fate::Runs);
        let runs_for = if let Fate::Finishes(after) = fate { after } else { Duration::ZERO };
        let Some(generation) = self.generations.get_mut(&number) else { return Err(unreachable(false)) };
        let runs_from = now + DEPLOYING;
        generation.jobs.push(Job {
            id: request.job,
            name: name.to_owned(),
            state: JobState::Initializing,
            fate,
            since: now,
            shown_since: now,
            base,
            goal: base + runs_for.as_millis() as u64,
            runs_from,
            origin: request.savepoint.clone(),
            restored: request.savepoint.clone(),
            restores: u64::from(request.savepoint.is_some()),
            completed: 0,
            restarts: 0,
            savepoint: None,
            restored_at: now,
            checkpoints: 0,
            next_checkpoint: runs_from + CHECKPOINT,
            latest: None,
            still_from: None,
            ends: None,
        });
        Ok(())
    }

    /// `jobs/{id}/stop`.
    pub fn stop(
        &mut self,
        number: u32,
        job: JobId,
        request: &StopRequest,
        now: Instant,
    ) -> Result<(), FlinkError> {
        let (fate, kept) = (self.stop_fate, self.kept);
        let generation = self.answering(number, now)?;
        if generation.stopping.get(&request.trigger).is_some_and(|stop| !stop.is_forgotten(kept, now)) {
            return Ok(()); // the same trigger twice is one savepoint
        }
        let takes = if let StopFate::Ends(takes) = fate { takes } else { Duration::from_millis(600) };
        let mut stopping = Stopping {
            job,
            directory: request.directory.clone(),
            written_at: now + takes,
            fate,
            status: SavepointStatus::InProgress,
        };
        // Flink accepts this all the same, and says so under the trigger only.
        if !generation.jobs.iter().any(|one| one.id == job && one.all_run(now)) {
            let cause = "it is unknown, or not all its tasks run".to_owned();
            stopping.status = SavepointStatus::Failed { cause, location: None };
            stopping.written_at = now;
        }
        generation.stopping.insert(request.trigger, stopping);
        Ok(())
    }

    /// Returns what became of a trigger.
    pub fn savepoint(
        &mut self,
        number: u32,
        trigger: TriggerId,
        now: Instant,
    ) -> Result<SavepointStatus, FlinkError> {
        let kept = self.kept;
        let stop = self.answering(number, now)?.stopping.get(&trigger);
        let stop = stop.filter(|stop| !stop.is_forgotten(kept, now));
        stop.map(|stop| stop.status.clone()).ok_or_else(|| unknown("the trigger"))
    }

    /// `PATCH /jobs/{id}?mode=cancel`.
    pub fn cancel(&mut self, number: u32, job: JobId, now: Instant) -> Result<(), FlinkError> {
        let generation = self.answering(number, now)?;
        let Some(job) = generation.jobs.iter_mut().find(|one| one.id == job) else {
            return Err(unknown("the job"));
        };
        if job.is_live() && job.ends.is_none_or(|(at, ..)| at > now + FINISHING) {
            job.state = JobState::Cancelling;
            job.ends = Some((now + FINISHING, JobState::Canceled, 0));
        }
        Ok(())
    }

    /// `DELETE /cluster`.
    pub fn shut_down(
        &mut self,
        number: u32,
        looked_at: Option<Instant>,
        now: Instant,
    ) -> Result<(), FlinkError> {
        let generation = self.answering(number, now)?;
        generation.shut_down = true;
        for job in generation.dropped(looked_at) {
            self.broken
                .push(format!("the cluster of generation {number} was shut down while {job} ran in it"));
        }
        Ok(())
    }

    /// The JobManager's Pod dies and comes back: what is not in its stores is forgotten.
    pub fn restart_job_manager(&mut self, number: u32, now: Instant) {
        let Some(generation) = self.generations.get_mut(&number).filter(|one| !one.shut_down) else { return };
        if now < generation.answers_from {
            return;
        }
        generation.answers_from = now + Duration::from_secs(2);
        generation.recovering_until = generation.answers_from + Duration::from_secs(8);
        generation.stopping.clear();
        generation.jobs.retain(Job::is_live);
        let back = generation.recovering_until;
        for job in &mut generation.jobs {
            come_back(job, back);
            // Flink counts a job's time from when this JobManager has it.
            (job.completed, job.restarts, job.savepoint, job.shown_since) = (0, 0, None, back);
        }
    }

    /// The JobManager dies, and does not come up any more.
    pub fn lose_job_manager(&mut self, number: u32, now: Instant) {
        self.restart_job_manager(number, now);
        if let Some(generation) = self.generations.get_mut(&number).filter(|one| !one.shut_down) {
            generation.answers_from = now + NEVER;
            generation.recovering_until = now + NEVER;
            for job in &mut generation.jobs {
                (job.runs_from, job.next_checkpoint) = (now + NEVER, now + NEVER);
            }
        }
    }

    /// The id of the live job of a name, in any generation.
    pub fn live_id(&self, name: &str) -> Option<JobId> {
        let generations = self.generations.values().filter(|generation| !generation.shut_down);
        let mut jobs = generations.flat_map(|generation| &generation.jobs);
        jobs.find(|job| job.name == name && job.is_live()).map(|job| job.id)
    }

    /// Live jobs by name, over all generations.
    pub fn live(&self, name: &str) -> usize {
        self.generations
            .values()
            .filter(|generation| !generation.shut_down)
            .flat_map(|generation| &generation.jobs)
            .filter(|job| job.name == name && job.is_live())
            .count()
    }
}

/// Flink restarts a job: from its latest checkpoint, or from what it was started from.
fn come_back(job: &mut Job, from: Instant) {
    job.state = JobState::Restarting;
    (job.still_from, job.ends) = (None, None);
    job.runs_from = from + DEPLOYING;
    job.next_checkpoint = job.runs_from + CHECKPOINT;
    job.restarts += 1;
    if let Some((path, position)) = &job.latest {
        job.base = *position;
        job.restored = Some(path.clone());
        job.restored_at = from;
        job.restores += 1;
    }
}
