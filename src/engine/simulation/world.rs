//! A world for the engine: the model of Flink, a model of the operation object and the records, and
//! faults at transitions.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::future::pending;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use super::bugs::Bug;
use super::faults::{Dice, Fault, Visits};
use super::flink::{Flink, Job, Resource, request, unknown, unreachable};
use crate::engine::{Recipe, Waits, World};
use crate::failure::Cause;
use crate::flink::{
    Application, CheckpointConfig, CheckpointCounts, Checkpoints, CompletedCheckpoint, Config, Failures,
    Features, FlinkError, JobDetail, JobOverview, JobState, LatestCheckpoints, Overview, Plan, PlanNode,
    Program, Rest, RestoredFrom, RunRequest, SavepointStatus, StopRequest, Vertex,
};
use crate::id::{Id, JobId, TriggerId};
use crate::layout::control::{Found, JobControl, RestControl, Sighting, Submission};
use crate::operation::{JobMove, Journal, Look, Outcome, Target, Trigger};
use crate::progress::Progress;
use crate::release::LockError;

/// From the sending of a request to its arrival.
const WAY: Duration = Duration::from_millis(20);
/// How long a sender waits for an answer.
pub(super) const DEADLINE: Duration = Duration::from_secs(10);
/// When what is late arrives: within the time after which another run may take over.
const LATE: Duration = Duration::from_secs(14);
/// Within what time a proxy repeats a request: the sender still waits for its answer.
const REPEATED: Duration = Duration::from_secs(9);
/// The model's clock has begun so long before its first moment: old jobs have run for a while.
pub(super) const BEFORE: Duration = Duration::from_hours(1);
/// For how long nobody comes where it is long: more than Flink keeps an answer.
const AWAY: Duration = Duration::from_mins(6);

/// The operation object.
pub(super) struct Operation {
    pub holder: u32,
    pub journal: Journal,
}

/// What the records say.
#[derive(Default)]
pub(super) struct Records {
    /// The new revision is stored.
    pub pending: bool,
    /// Savepoints that the release knows, with their jobs.
    pub savepoints: Vec<(String, String)>,
    /// Jobs that run as the new revision has them though it failed, by their places.
    pub moved: Vec<usize>,
    /// The ids of the new jobs, by their places.
    pub new_ids: Vec<Option<JobId>>,
    pub closed: Option<Outcome>,
}

/// Everything outside of the process.
pub(super) struct Outside {
    pub flink: Flink,
    pub operation: Option<Operation>,
    pub records: Records,
    pub dice: Dice,
    pub visits: Visits,
    /// Which transitions go wrong, counted over all runs from 1.
    pub planned: Vec<(u32, Fault)>,
    pub transitions: u32,
    /// Reads fail now and then.
    pub noise: bool,
    pub bug: Option<Bug>,
    /// JobManagers that die, and when.
    pub restarts: Vec<(Instant, u32)>,
    /// Requests that arrive late.
    pub late: Vec<(Instant, Effect)>,
    /// For how much longer than needed nobody takes over.
    pub away: Duration,
}

/// What a request does when it arrives.
pub(super) type Effect = Box<dyn FnOnce(&mut Outside)>;

impl Outside {
    /// Lets happen what happens by itself.
    pub fn advance(&mut self) {
        let now = Instant::now();
        self.restarts.sort_by_key(|(at, _)| *at);
        while let Some((at, number)) = self.restarts.first().copied().filter(|(at, _)| *at <= now) {
            self.restarts.remove(0);
            self.flink.advance(at);
            self.flink.restart_job_manager(number, at);
        }
        while let Some(index) = self.late.iter().position(|(at, _)| *at <= now) {
            let (_, effect) = self.late.swap_remove(index);
            self.flink.advance(now);
            effect(self);
        }
        self.flink.advance(now);
    }

    fn is(&self, bug: Bug) -> bool {
        self.bug == Some(bug)
    }

    /// Returns whether a run cannot look into the storage just now. The user comes again until one
    /// can.
    fn is_blind(&mut self, run: u32) -> bool {
        self.noise && run <= 4 && self.dice.below(3) == 0
    }
}

/// What happens to a process.
#[derive(Default)]
pub(super) struct Fortune {
    pub died: Notify,
    pub suspended: Notify,
    pub resume: Notify,
}

/// One run of the program.
#[derive(Clone)]
pub(super) struct Process {
    pub outside: Rc<RefCell<Outside>>,
    pub number: u32,
    pub fortune: Rc<Fortune>,
}

impl Process {
    /// A transition: the fence, then the request, with what may happen to it on its way. `Err`:
    /// what the sender sees.
    async fn transition<T: 'static>(
        &self,
        name: &'static str,
        generation: Option<u32>,
        effect: impl FnOnce(&mut Outside) -> T + 'static,
        late: impl FnOnce(&mut Outside) + 'static,
    ) -> Result<T, Broken> {
        let fault = {
            let mut outside = self.outside.borrow_mut();
            outside.advance();
            let ours = outside.operation.as_ref().is_some_and(|operation| operation.holder == self.number);
            if !ours && !outside.is(Bug::NoFence) && !outside.is(Bug::NoCompareAndSwap) {
                return Err(Broken::Fenced);
            }
            outside.transitions += 1;
            let number = outside.transitions;
            let fault = outside.planned.iter().find(|(at, _)| *at == number).map(|(_, fault)| *fault);
            let fault = fault.filter(|fault| super::is_possible(name, *fault));
            if let Some(fault) = fault {
                outside.visits.count(name, fault);
            }
            fault
        };
        match fault {
            Some(Fault::DiesBefore) => {
                self.fortune.died.notify_one();
                pending::<()>().await;
            }
            Some(Fault::Suspended) => {
                self.fortune.suspended.notify_one();
                self.fortune.resume.notified().await;
            }
            _ => {}
        }
        sleep(WAY).await;
        let restart = |which: Fault| {
            if fault == Some(which)
                && let Some(generation) = generation
            {
                self.outside.borrow_mut().flink.restart_job_manager(generation, Instant::now());
            }
        };
        self.outside.borrow_mut().advance();
        match fault {
            Some(Fault::RequestLost) => {
                sleep(DEADLINE).await;
                return Err(Broken::Silence);
            }
            Some(Fault::Late) => {
                self.outside.borrow_mut().late.push((Instant::now() + LATE, Box::new(late)));
                sleep(DEADLINE).await;
                return Err(Broken::Silence);
            }
            Some(Fault::Repeated) => {
                late(&mut self.outside.borrow_mut());
                let pause = self.outside.borrow_mut().dice.below(REPEATED.as_millis() as u64);
                sleep(Duration::from_millis(pause)).await;
                self.outside.borrow_mut().advance();
            }
            _ => {}
        }
        restart(Fault::RestartsBefore);
        let answer = effect(&mut self.outside.borrow_mut());
        restart(Fault::RestartsAfter);
        match fault {
            Some(Fault::DiesAfter | Fault::DiesForLong) => {
                if fault == Some(Fault::DiesForLong) {
                    self.outside.borrow_mut().away = AWAY;
                }
                self.fortune.died.notify_one();
                pending().await
            }
            Some(Fault::AnswerLost | Fault::RestartsAfter) => Err(Broken::Silence),
            _ => Ok(answer),
        }
    }

    /// A look at Flink.
    fn read<T>(
        &self,
        look: impl FnOnce(&mut Flink, Instant) -> Result<T, FlinkError>,
    ) -> Result<T, FlinkError> {
        let mut outside = self.outside.borrow_mut();
        outside.advance();
        if outside.noise && outside.dice.below(12) == 0 {
            return Err(unreachable(false));
        }
        look(&mut outside.flink, Instant::now())
    }
}

/// Why there is no answer.
enum Broken {
    Fenced,
    Silence,
}

/// A generation's REST API.
#[derive(Clone)]
pub(super) struct Api {
    process: Process,
    number: u32,
    journal: Rc<Journal>,
}

impl Api {
    async fn change(
        &self,
        name: &'static str,
        effect: impl Fn(&mut Flink) -> Result<(), FlinkError> + Clone + 'static,
    ) -> Result<(), FlinkError> {
        let late = effect.clone();
        let (now, late) = (
            move |all: &mut Outside| effect(&mut all.flink),
            move |all: &mut Outside| drop(late(&mut all.flink)),
        );
        match self.process.transition(name, Some(self.number), now, late).await {
            Ok(answer) => answer,
            Err(Broken::Fenced) => Err(FlinkError::Fenced {
                request: name.to_owned(),
                message: "the lock is another's".to_owned(),
            }),
            Err(Broken::Silence) => {
                Err(FlinkError::Deadline { request: name.to_owned(), after: DEADLINE, may_have_acted: true })
            }
        }
    }

    fn is(&self, bug: Bug) -> bool {
        self.process.outside.borrow().is(bug)
    }

    fn is_new(&self) -> bool {
        self.journal.decided.new == self.number
    }

    /// One job of this generation.
    fn of<T>(&self, id: JobId, look: impl FnOnce(&Job, Instant) -> T) -> Result<T, FlinkError> {
        self.process.read(|flink, now| {
            let generation = flink.answering(self.number, now)?;
            let job = generation.jobs.iter().find(|job| job.id == id);
            job.map(|job| look(job, now)).ok_or_else(|| unknown("the job"))
        })
    }
}

impl Rest for Api {
    async fn overview(&self) -> Result<Overview, FlinkError> {
        self.process.read(|flink, now| {
            flink.answering(self.number, now)?;
            Ok(Overview {
                taskmanagers: 1,
                slots_total: 2,
                slots_available: 2,
                flink_version: "2.3.0".to_owned(),
            })
        })
    }

    async fn config(&self) -> Result<Config, FlinkError> {
        self.process.read(|flink, now| {
            flink.answering(self.number, now)?;
            let features = Features::default();
            Ok(Config { flink_version: "2.3.0".to_owned(), refresh_interval: 3000, features })
        })
    }

    async fn jobs(&self) -> Result<Vec<JobOverview>, FlinkError> {
        let sees_none = self.is(Bug::JobListTakenForEmpty);
        let begun = self.process.outside.borrow().flink.begun;
        self.process.read(|flink, now| {
            // What is shut down shows nobody anything.
            if let Some(generation) = flink.generations.get_mut(&self.number).filter(|one| !one.shut_down) {
                generation.looked_at = Some(now);
            }
            // While it recovers the list may be empty.
            if flink.lists_none(self.number, now) {
                return Ok(Vec::new());
            }
            let generation = flink.answering(self.number, now)?;
            let jobs = generation.jobs.iter().filter(|_| !sees_none);
            Ok(jobs
                .map(|job| JobOverview {
                    id: job.id,
                    name: job.name.clone(),
                    state: job.state,
                    tasks: job.tasks(now),
                    start_time: Some(timestamp(begun, job.shown_since)),
                    end_time: None,
                })
                .collect())
        })
    }

    async fn job(&self, job: JobId) -> Result<JobDetail, FlinkError> {
        self.of(job, |job, _| JobDetail {
            id: job.id,
            name: job.name.clone(),
            state: job.state,
            start_time: None,
            end_time: None,
            vertices: vec![Vertex {
                id: String::new(),
                name: String::new(),
                parallelism: 2,
                max_parallelism: 128,
                slot_sharing_group: None,
                status: String::new(),
            }],
        })
    }

    async fn job_state(&self, job: JobId) -> Result<JobState, FlinkError> {
        if self.is(Bug::EmptyJobListBelieved) && !self.is_new() {
            let now = Instant::now();
            if self.process.outside.borrow().flink.recovers(self.number, now) {
                return Err(unknown("the job"));
            }
        }
        let believed = self.is(Bug::EndNotAwaited) && !self.is_new();
        let blind = self.is(Bug::NoLookUp) && self.is_new();
        let state = self.of(job, |job, _| job.state)?;
        if self.is(Bug::FinishTakenForFailure) && !self.is_new() && state == JobState::Finished {
            return Ok(JobState::Failed);
        }
        if blind && (state == JobState::Initializing || state.is_terminal()) {
            return Err(unknown("the job"));
        }
        Ok(if believed && state == JobState::Running { JobState::Finished } else { state })
    }

    async fn checkpoints(&self, job: JobId) -> Result<Checkpoints, FlinkError> {
        let trusted = self.is(Bug::CountsTrusted);
        let begun = self.process.outside.borrow().flink.begun;
        let timestamp = move |at: Instant| timestamp(begun, at);
        self.of(job, |job, _| {
            let restored = if trusted { &job.origin } else { &job.restored };
            let restored = restored.clone().map(|path| RestoredFrom {
                id: 1,
                restore_timestamp: timestamp(job.restored_at),
                is_savepoint: !path.contains("/chk-"),
                external_path: Some(path),
            });
            let whole = |path: String, is_savepoint, at| CompletedCheckpoint {
                id: 1,
                external_path: Some(path),
                is_savepoint,
                trigger_timestamp: at,
                latest_ack_timestamp: 0,
                state_size: 0,
                checkpointed_size: None,
                end_to_end_duration: 0,
                discarded: false,
            };
            let completed = job.latest_checkpoint().map(|path| whole(path, false, 0));
            let savepoint = job.savepoint.clone().map(|(path, at)| whole(path, true, timestamp(at)));
            Checkpoints {
                counts: CheckpointCounts {
                    restored: job.restores,
                    total: job.completed,
                    in_progress: 0,
                    completed: job.completed,
                    failed: 0,
                },
                latest: LatestCheckpoints { completed, savepoint, failed: None, restored },
                history: Vec::new(),
            }
        })
    }

    async fn checkpoint_config(&self, job: JobId) -> Result<CheckpointConfig, FlinkError> {
        self.of(job, |_, _| CheckpointConfig {
            enabled: true,
            interval_ms: Some(2000),
            timeout_ms: 60_000,
            retained: true,
        })
    }

    async fn failures(&self, job: JobId) -> Result<Failures, FlinkError> {
        self.of(job, |job, _| Failures { count: job.restarts.min(16), newest: None })
    }

    async fn restarts(&self, job: JobId) -> Result<Option<u64>, FlinkError> {
        self.of(job, |job, _| Some(job.restarts))
    }

    async fn stop(&self, job: JobId, request: &StopRequest) -> Result<(), FlinkError> {
        let (number, request) = (self.number, request.clone());
        self.change("stop", move |flink| flink.stop(number, job, &request, Instant::now())).await
    }

    async fn trigger_savepoint(&self, _: JobId, _: &StopRequest) -> Result<(), FlinkError> {
        Err(unreachable(false)) // no operation takes one beside a running job
    }

    async fn savepoint(&self, _: JobId, trigger: TriggerId) -> Result<SavepointStatus, FlinkError> {
        let number = self.number;
        let status = self.process.read(|flink, now| flink.savepoint(number, trigger, now))?;
        let cause = "given up".to_owned();
        Ok(match status {
            SavepointStatus::InProgress if self.is(Bug::SavepointGivenUp) => {
                SavepointStatus::Failed { cause, location: None }
            }
            SavepointStatus::Failed { location: None, .. } if self.is(Bug::FailureTakenForSuccess) => {
                SavepointStatus::Completed { location: "file:/s/nowhere/savepoint-x".to_owned() }
            }
            status => status,
        })
    }

    async fn cancel(&self, job: JobId) -> Result<(), FlinkError> {
        let number = self.number;
        // Under an id that is assigned again it is the new job, once the old one has ended.
        let journal = self.process.outside.borrow().operation.as_ref().map(|one| one.journal.clone());
        let jobs = journal.as_ref().unwrap_or(&self.journal).jobs.iter();
        let old = jobs.clone().any(|moved| moved.decided.old == Some(job) && !moved.forward.stopped);
        let name = if old { "cancel old" } else { "cancel new" };
        self.change(name, move |flink| flink.cancel(number, job, Instant::now())).await
    }

    async fn delete_cluster(&self) -> Result<(), FlinkError> {
        let number = self.number;
        let name = if self.is_new() { "shut down new" } else { "shut down old" };
        let looked_at = {
            let outside = self.process.outside.borrow();
            outside.flink.generations.get(&number).and_then(|generation| generation.looked_at)
        };
        self.change(name, move |flink| flink.shut_down(number, looked_at, Instant::now())).await
    }

    async fn plan(&self, _: &str, _: &Program) -> Result<Plan, FlinkError> {
        let number = self.number;
        self.change("plan", move |flink| flink.answering(number, Instant::now()).map(drop)).await?;
        let node = PlanNode { id: String::new(), parallelism: 2, description: String::new() };
        Ok(Plan { name: String::new(), nodes: vec![node] })
    }

    async fn application(&self, _: JobId) -> Result<Option<Application>, FlinkError> {
        Ok(None)
    }

    async fn application_failure(&self, _: JobId) -> Result<Option<String>, FlinkError> {
        Ok(None)
    }

    async fn run(&self, jar: &str, request: &RunRequest) -> Result<(), FlinkError> {
        let (number, mut request, name) = (self.number, request.clone(), jar.to_owned());
        if self.is(Bug::AnotherIdForEachTry) {
            let mut bytes = [0; 16];
            bytes[..8].copy_from_slice(&self.process.outside.borrow_mut().dice.next().to_be_bytes());
            request.job = Id::from_bytes(bytes);
        }
        let back = self.journal.jobs.iter().any(|job| job.reverted_id() == Some(request.job));
        let transition = if back { "run back" } else { "run new" };
        self.change(transition, move |flink| flink.run(number, &request, &name, Instant::now())).await
    }
}

/// The control over one generation: Flink's REST API, the API server for Pods that start a job, and
/// for jobs whose ids are assigned a controller with a resource for each.
pub(super) struct Control {
    api: Api,
    rest: RestControl<Api>,
    target: Target,
}

impl Control {
    async fn on_the_api_server<T: 'static>(
        &self,
        name: &'static str,
        effect: impl Fn(&mut Outside) -> T + Clone + 'static,
    ) -> Result<T, Cause> {
        let late = effect.clone();
        let late = move |all: &mut Outside| drop(late(all));
        self.api.process.transition(name, None, effect, late).await.map_err(|broken| match broken {
            Broken::Fenced => lost(),
            Broken::Silence => step("the API server", "no answer"),
        })
    }

    /// A change of a job's resource, which is refused where it is another than it was when it was
    /// read.
    async fn change_resource(
        &self,
        name: &'static str,
        job: &str,
        change: impl Fn(&mut Resource) + Clone + 'static,
    ) -> Result<(), FlinkError> {
        let key = (self.api.number, job.to_owned());
        let read = self.api.process.outside.borrow().flink.resources.get(&key).map_or(0, |one| one.version);
        let unversioned = self.api.is(Bug::ResourceNotVersioned);
        let change = move |all: &mut Outside| {
            let resource = all.flink.resources.entry(key.clone()).or_default();
            if resource.version == read || unversioned {
                change(resource);
                resource.version += 1;
            }
        };
        let request = name.to_owned();
        match self.api.process.transition(name, None, change.clone(), change).await {
            Ok(()) => Ok(()),
            Err(Broken::Fenced) => {
                Err(FlinkError::Fenced { request, message: "the lock is another's".to_owned() })
            }
            Err(Broken::Silence) => {
                Err(FlinkError::Deadline { request, after: DEADLINE, may_have_acted: true })
            }
        }
    }
}

impl JobControl for Control {
    type Rest = Api;

    fn rest(&self) -> &RestControl<Api> {
        &self.rest
    }

    async fn unsuspend(&self) -> Result<(), Cause> {
        let (number, target) = (self.api.number, self.target);
        let journal = self.api.process.outside.borrow().operation.as_ref().map(|one| one.journal.clone());
        let Some(job) = journal.as_ref().and_then(|journal| journal.jobs.first()) else { return Err(lost()) };
        let name = if target == Target::New { "run new" } else { "run back" };
        let (Some(start), Some(id)) = (job.start_in(target), job.id_in(target)) else {
            return Err(step("its Pods", "would start a job that does not run"));
        };
        let request = request(id, job.restored_from(&start.from));
        let job = job.name.clone();
        self.on_the_api_server(name, move |all| all.flink.unsuspend(number, &request, &job, Instant::now()))
            .await
    }

    async fn halt(&self, job: JobId) -> Result<Option<bool>, Cause> {
        let number = self.api.number;
        self.on_the_api_server("halt", move |all| all.flink.halt(number, job, Instant::now())).await
    }

    async fn submit(&self, submission: &Submission) -> Result<(), FlinkError> {
        let name = if self.target == Target::New { "run new" } else { "run back" };
        let wanted = submission.clone();
        self.change_resource(name, &submission.job, move |resource| resource.submit(&wanted)).await
    }

    async fn withdraw(&self, submission: &Submission) -> Result<(), FlinkError> {
        self.change_resource("withdraw", &submission.job, Resource::withdraw).await
    }

    async fn identify(&self, submission: &Submission) -> Result<Found, FlinkError> {
        let begun = self.api.process.outside.borrow().flink.begun;
        let number = self.api.number;
        // With this bug each job under the name looks like the new one.
        let believed = self.api.is(Bug::IdBelieved).then(|| (u64::MAX, submission.savepoint.clone()));
        self.api.process.read(|flink, now| {
            flink.answering(number, now)?;
            let settled = flink.is_settled(number, &submission.job);
            let generation = flink.answering(number, now)?;
            let job = generation.jobs.iter().rev().find(|job| job.name == submission.job);
            let job = job.map(|job| {
                let (since, restored) =
                    believed.unwrap_or_else(|| (timestamp(begun, job.shown_since), job.restored.clone()));
                Sighting { id: job.id, since, restored, ended: !job.is_live() }
            });
            let launched = flink.has_launched(number, submission);
            Ok(Found { job, settled, launched })
        })
    }
}

/// A moment as Flink writes it, in milliseconds.
fn timestamp(begun: Instant, at: Instant) -> u64 {
    (at + BEFORE).saturating_duration_since(begun).as_millis() as u64
}

/// The world of one run.
pub(super) struct Model {
    pub process: Process,
    journal: Rc<Journal>,
}

impl Model {
    pub fn new(process: Process, journal: &Journal) -> Self {
        Self { process, journal: Rc::new(journal.clone()) }
    }

    fn number(&self, target: Target) -> u32 {
        match target {
            Target::Old => self.journal.decided.old.unwrap_or_default(),
            Target::New => self.journal.decided.new,
            Target::Revert => self.journal.decided.revert.unwrap_or_default(),
            Target::Orphan(number) => number,
        }
    }

    /// A change on the API server: idempotent, each.
    async fn change(
        &self,
        name: &'static str,
        effect: impl Fn(&mut Outside) + Clone + 'static,
    ) -> Result<(), Cause> {
        let late = effect.clone();
        self.process.transition(name, None, effect, late).await.map_err(|broken| match broken {
            Broken::Fenced => lost(),
            Broken::Silence => step("the API server", "no answer"),
        })
    }
}

fn lost() -> Cause {
    Cause::Lock(LockError::Lost { release: "demo".to_owned(), holder: None })
}

fn step(step: &str, reason: &str) -> Cause {
    Cause::Step { step: step.to_owned(), reason: reason.to_owned() }
}

impl World for Model {
    type Control = Control;

    async fn write(&self, journal: &Journal) -> Result<(), Cause> {
        let mut outside = self.process.outside.borrow_mut();
        let unguarded = outside.is(Bug::NoCompareAndSwap);
        let forgets = outside.bug;
        match &mut outside.operation {
            Some(operation) if operation.holder == self.process.number || unguarded => {
                operation.journal = journal.clone();
                for job in &mut operation.journal.jobs {
                    match forgets {
                        Some(Bug::StopNotRecordedFirst) => job.forward.stop_asked &= job.forward.stopped,
                        Some(Bug::SavepointNotRecorded) => job.forward.savepoint = None,
                        _ => {}
                    }
                }
                Ok(())
            }
            _ => Err(lost()),
        }
    }

    fn control(&self, target: Target) -> Result<Control, Cause> {
        let number = self.number(target);
        let api = Api { process: self.process.clone(), number, journal: self.journal.clone() };
        let rest = RestControl::new(api.clone(), Duration::from_mins(1));
        Ok(Control { api, rest, target })
    }

    fn has_flink(&self, _: Target) -> bool {
        true
    }

    fn name(&self, target: Target) -> String {
        format!("demo-g{}", self.number(target))
    }

    fn recipe(&self, _: &str, _: Target) -> Result<Recipe, Cause> {
        let program = Program { entry_class: None, args: Vec::new(), parallelism: None };
        Ok(Recipe { program, allow_non_restored_state: false, application: false })
    }

    async fn await_pods(&mut self, _: Target) -> Result<(), Cause> {
        Ok(())
    }

    /// The model's jars are called as their jobs.
    async fn jar(&self, job: &str, target: Target) -> Result<String, Cause> {
        let number = self.number(target);
        let listed = self.process.read(|flink, now| flink.answering(number, now).map(drop));
        let doing = "the jars could not be listed".to_owned();
        listed.map(|()| job.to_owned()).map_err(|source| Cause::Flink { doing, source })
    }

    fn fits(&self, _: &str, _: &Plan) -> Result<(), Cause> {
        Ok(())
    }

    async fn find_savepoint(&self, target: Target, trigger: &Trigger) -> Look {
        let mut outside = self.process.outside.borrow_mut();
        outside.advance();
        let blind = outside.is_blind(self.process.number);
        if blind || !outside.flink.generations.contains_key(&self.number(target)) {
            return Look::Unknown;
        }
        outside.flink.find(&trigger.directory)
    }

    async fn find_left(&self, target: Target, job: JobId) -> Look {
        let mut outside = self.process.outside.borrow_mut();
        outside.advance();
        if outside.is(Bug::CheckpointNotLookedFor) {
            return Look::Nothing;
        }
        let blind = outside.is_blind(self.process.number);
        if blind || !outside.flink.generations.contains_key(&self.number(target)) {
            return if outside.is(Bug::NoLookTakenForNothing) { Look::Nothing } else { Look::Unknown };
        }
        if outside.flink.succeeded.contains(&(self.number(target), job))
            && !outside.is(Bug::ResultNotLookedFor)
        {
            return Look::Finished;
        }
        outside.flink.find(&format!("file:/c/{job}"))
    }

    async fn is_missing(&self, _: Target, path: &str) -> bool {
        !self.process.outside.borrow().flink.storage.contains_key(path)
    }

    fn waits(&self) -> Waits {
        Waits { timeout: Duration::from_mins(1), quiet: Duration::from_secs(4) }
    }

    async fn begin(&mut self, _: &Journal) -> Result<(), Cause> {
        self.change("record", |all| all.records.pending = true).await
    }

    async fn apply(&mut self, target: Target, _: &Journal) -> Result<Option<String>, Cause> {
        let number = self.number(target);
        let name = if target == Target::New { "apply new" } else { "apply old" };
        let held = self.journal.traits(target).starts_with_pods;
        self.change(name, move |all| all.flink.create(number, held, Instant::now())).await?;
        Ok(None)
    }

    async fn await_ready(&mut self, target: Target) -> Result<Option<String>, Cause> {
        if self.journal.traits(target).starts_with_pods {
            return Ok(None);
        }
        let (number, begun) = (self.number(target), Instant::now());
        loop {
            match self.process.read(|flink, now| flink.answering(number, now).map(drop)) {
                Ok(()) => return Ok(None),
                Err(error) if begun.elapsed() > self.waits().timeout => {
                    return Err(step("not ready in time", &error.to_string()));
                }
                Err(_) => sleep(super::super::POLL).await,
            }
        }
    }

    fn warm_up(&self, _: Target) -> Option<JobId> {
        None
    }

    async fn unmanaged(&self, target: Target, known: BTreeSet<JobId>) -> Result<Vec<JobId>, Cause> {
        let mut outside = self.process.outside.borrow_mut();
        outside.advance();
        if outside.is(Bug::UnmanagedNotLookedFor) {
            return Ok(Vec::new());
        }
        if outside.is_blind(self.process.number) {
            return Err(step("the API server", "no answer"));
        }
        let generation = outside.flink.generations.get(&self.number(target));
        let live = generation.iter().flat_map(|one| one.jobs.iter().filter(|job| job.is_live()));
        Ok(live.map(|job| job.id).filter(|id| !known.contains(id)).collect())
    }

    async fn switch(&mut self) -> Result<(), Cause> {
        self.change("switch", |_| ()).await
    }

    async fn clear(&mut self, target: Target) -> Result<(), Cause> {
        let number = self.number(target);
        let name = if number == self.journal.decided.new { "delete new" } else { "delete old" };
        let looked_at = {
            let outside = self.process.outside.borrow();
            outside.flink.generations.get(&number).and_then(|generation| generation.looked_at)
        };
        self.change(name, move |all| all.flink.clear(number, looked_at)).await
    }

    async fn prune(&mut self, _: Target) -> Result<Option<String>, Cause> {
        self.change("prune", |_| ()).await.map(|()| None)
    }

    async fn delete(&mut self, _: &Journal) -> Result<(), Cause> {
        self.change("delete all", |all| {
            for number in all.flink.generations.keys().copied().collect::<Vec<_>>() {
                all.flink.clear(number, None);
            }
        })
        .await
    }

    async fn close(&mut self, outcome: Outcome, journal: &Journal) -> Result<(), Cause> {
        let known = journal.jobs.iter().flat_map(|job| {
            let paths = job.forward.savepoint.iter().chain(&job.revert.left).cloned();
            paths.map(|path| (job.name.clone(), path))
        });
        let known: Vec<_> = known.collect();
        let moved: Vec<_> = (0..journal.jobs.len()).filter(|index| journal.jobs[*index].is_moved()).collect();
        let new_ids: Vec<_> = journal.jobs.iter().map(JobMove::new_id).collect();
        self.change("close", move |all| {
            all.records.savepoints.extend(known.clone());
            all.records.moved.clone_from(&moved);
            all.records.new_ids.clone_from(&new_ids);
            all.records.closed = Some(outcome);
        })
        .await
    }

    fn tell(&self, _: Progress) {}

    fn is_cancelled(&self) -> bool {
        false
    }
}
