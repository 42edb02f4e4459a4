//! The engine in a world that goes wrong: every fault at every transition, and a hundred thousand
//! histories of several.
//!
//! The engine, the state machine and the protocols above Flink's REST API are the real ones; Flink,
//! the API server and the clock are models. In each history each job must end running exactly once,
//! or stopped with a savepoint that the release knows; never two of it at a time, never from older
//! state than the plan said. The same seed gives the same histories.

#![expect(clippy::cast_possible_truncation, reason = "the numbers of a model are small")]

mod bugs;
mod faults;
mod flink;
mod world;

use std::cell::RefCell;
use std::io::Write;
use std::rc::Rc;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use self::bugs::Bug;
use self::faults::{Dice, Fault, Visits};
use self::flink::{Assigns, Fate, Flink, KEPT, StopFate, request};
use self::world::{BEFORE, Fortune, Model, Operation, Outside, Process, Records};
use super::Engine;
use crate::failure::Cause;
use crate::id::Id;
use crate::layout::control::ControlKind;
use crate::operation::{
    ControlTraits, Decided, JobDecision, JobMove, Journal, Kind, Outcome, Pods, SavepointFormat, Start,
    StartId, StateFrom, Stop, Strategy, Trigger,
};

/// Every request of an operation that changes something.
const TRANSITIONS: [&str; 19] = [
    "halt",
    "withdraw",
    "record",
    "apply new",
    "apply old",
    "plan",
    "stop",
    "cancel old",
    "cancel new",
    "run new",
    "run back",
    "switch",
    "shut down old",
    "shut down new",
    "delete old",
    "delete new",
    "prune",
    "delete all",
    "close",
];

/// Returns what is not tried.
///
/// A request to the API server alone does not meet a JobManager.
///
/// A proxy repeats what is idempotent (RFC 9110, 9.2.2): of Flink's requests its DELETE, not POST,
/// nor the PATCH that cancels. What changes objects is idempotent here whatever its method, and the
/// journal's own PUT is known again by its epoch. Of what is left out the ends are known: a stop
/// whose trigger was forgotten between the two, by a JobManager that restarted or in time, is
/// answered as that of a job that is not there; a cancel that meets no JobManager the second time
/// counts as not sent; and where the job result store forgets, a job that has failed is run twice.
///
/// And a gap: a run that is suspended while it cancels the new job on its revert, and goes on when
/// another run has left that job in charge, because it had completed a checkpoint by then, ends it;
/// nothing in Flink fences a cancel, and the rule of the first checkpoint forbids to bring the old
/// one back. Its state is in its latest checkpoint (`upgrade --from-checkpoint PATH`).
fn is_possible(transition: &str, fault: Fault) -> bool {
    let by_post_or_patch = ["plan", "stop", "cancel old", "cancel new", "run new", "run back"];
    let of_flink =
        by_post_or_patch.contains(&transition) || ["shut down old", "shut down new"].contains(&transition);
    match fault {
        Fault::RestartsBefore | Fault::RestartsAfter => of_flink,
        Fault::Repeated => !by_post_or_patch.contains(&transition),
        Fault::Suspended => transition != "cancel new",
        _ => true,
    }
}

/// After how long without a sign of life an operation may be taken over: more than any request
/// takes to arrive.
const LOCK: Duration = Duration::from_mins(1);
/// How long Flink's world goes on without a look while nobody is there: less than what happens in
/// it by itself takes.
const TICK: Duration = Duration::from_secs(2);
/// Until what could not happen yet is tried again.
const SOON: Duration = Duration::from_millis(100);
/// For how long the old jobs have run.
const OLD: Duration = Duration::from_secs(50);
/// When they were started, as Flink writes it.
const OLD_SINCE: u64 = (BEFORE.as_secs() - OLD.as_secs()) * 1000;
/// How often the user runs the command again.
const RUNS: u32 = 8;

/// What is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scene {
    Warm,
    WarmTwoJobs,
    /// As `WarmTwoJobs`, with `--keep-going`.
    KeepGoing,
    /// One of two jobs runs in a generation that an earlier operation left.
    PartlyMigrated,
    WarmFromCheckpoint,
    WarmFromRecorded,
    WarmStateless,
    WarmNoRevert,
    Recreate,
    /// The Pods start the job.
    Standalone,
    /// Another controller starts the jobs and assigns their ids, in two generations side by side.
    Assigned,
    /// As `Assigned`, in one and the same generation.
    AssignedInPlace,
    SamePods,
    SamePodsTwoJobs,
    Install,
    StopOne,
    Uninstall,
    /// A session without a job of the release.
    NoJob,
}

const SCENES: [Scene; 18] = [
    Scene::Standalone,
    Scene::Assigned,
    Scene::AssignedInPlace,
    Scene::Warm,
    Scene::WarmTwoJobs,
    Scene::KeepGoing,
    Scene::PartlyMigrated,
    Scene::SamePodsTwoJobs,
    Scene::WarmFromCheckpoint,
    Scene::WarmFromRecorded,
    Scene::WarmStateless,
    Scene::WarmNoRevert,
    Scene::Recreate,
    Scene::SamePods,
    Scene::Install,
    Scene::StopOne,
    Scene::Uninstall,
    Scene::NoJob,
];

/// A history: what is tried, what comes of its jobs, and what goes wrong.
#[derive(Clone, Debug)]
struct History {
    scene: Scene,
    /// Of the first new job, unless it is spared.
    fate: Fate,
    /// The first new job has another fate than the others: it runs.
    spared: bool,
    /// How long after the beginning the old jobs come to their ends by themselves.
    old_finishes: Option<Duration>,
    stop: StopFate,
    faults: Vec<(u32, Fault)>,
    /// Seconds after the beginning at which the JobManager of a generation dies.
    restarts: Vec<(u64, u32)>,
    /// For how long Flink keeps the answers of operations that are over.
    kept: Duration,
    /// How long a controller that assigns ids takes to start a job; `None`: it never does.
    controller: Option<Duration>,
    /// Which ids it assigns.
    assigns: Assigns,
    forgetful: bool,
    noise: bool,
    /// An unmanaged job is submitted to the old generation in the middle.
    unmanaged: bool,
    /// How long after the beginning, at the earliest, the old generation's JobManager dies for
    /// good.
    lost: Option<Duration>,
    seed: u64,
}

impl History {
    fn plain(scene: Scene) -> Self {
        Self {
            scene,
            fate: Fate::Runs,
            spared: false,
            old_finishes: None,
            stop: StopFate::Ends(Duration::from_millis(600)),
            faults: Vec::new(),
            restarts: Vec::new(),
            kept: KEPT,
            controller: Some(Duration::from_secs(1)),
            assigns: Assigns::Another,
            forgetful: false,
            noise: false,
            unmanaged: false,
            lost: None,
            seed: 0,
        }
    }

    fn random(dice: &mut Dice) -> Self {
        let fates = [
            Fate::Runs,
            Fate::Runs,
            Fate::FailsAtRestore,
            Fate::CrashLoops,
            Fate::FailsLate,
            Fate::FailsOnceBack,
            Fate::Finishes(Duration::from_millis(500 + dice.below(6000))),
        ];
        let quick = StopFate::Ends(Duration::from_millis(200 + dice.below(3000)));
        let stops = [quick, quick, quick, StopFate::Fails, StopFate::FailsWhileStopping, StopFate::ComesBack];
        let faults: Vec<_> =
            (0..dice.below(4)).map(|_| (1 + dice.below(22) as u32, dice.one_of(&faults::ALL))).collect();
        let restarts: Vec<_> =
            (0..dice.below(3)).map(|_| (dice.below(45), 1 + dice.below(3) as u32)).collect();
        let restart = |fault: &Fault| matches!(fault, Fault::RestartsBefore | Fault::RestartsAfter);
        let steady = restarts.is_empty() && !faults.iter().any(|(_, fault)| restart(fault));
        let late = faults.iter().any(|(_, fault)| *fault == Fault::Suspended);
        let (fate, scene) = (dice.one_of(&fates), dice.one_of(&SCENES));
        // A gap: one run makes a job's resource late, and another one late the generation that it
        // names.
        let assigned = matches!(scene, Scene::Assigned | Scene::AssignedInPlace);
        let first = faults.iter().position(|(_, fault)| *fault == Fault::Suspended);
        let once = |(index, (_, fault)): &(usize, (u32, Fault))| {
            !assigned || *fault != Fault::Suspended || Some(*index) == first
        };
        let faults: Vec<_> = faults.into_iter().enumerate().filter(once).map(|(_, fault)| fault).collect();
        let old_finishes = (dice.below(8) == 0).then(|| Duration::from_millis(dice.below(40_000)));
        let by_itself = old_finishes.is_some()
            || matches!(fate, Fate::FailsLate | Fate::FailsOnceBack | Fate::Finishes(_));
        let spared = dice.below(2) == 0;
        let stop = dice.one_of(&stops);
        // A gap: Flink brings a job back though its savepoint is complete, it finishes by itself,
        // and its JobManager restarts before anybody has seen that. What is left is what a
        // savepoint that ended it leaves.
        let told = stop != StopFate::ComesBack || steady;
        Self {
            scene,
            fate,
            spared,
            old_finishes: old_finishes.filter(|_| told),
            stop,
            faults,
            restarts,
            kept: dice.one_of(&[KEPT, KEPT, Duration::from_secs(20), Duration::from_millis(400)]),
            controller: dice.one_of(&[
                Some(Duration::from_millis(200)),
                Some(Duration::from_secs(3)),
                Some(Duration::from_secs(20)),
                Some(Duration::from_secs(70)),
                None,
            ]),
            assigns: dice.one_of(&[Assigns::Another, Assigns::TheSame]),
            // The package keeps the job result store. Where another client lets it forget, a job
            // that ended by itself cannot be told from one that never ran once its JobManager
            // restarts, and nothing refuses a submission that comes late.
            forgetful: !late && (!by_itself || steady) && dice.below(2) == 0,
            noise: dice.below(3) == 0,
            unmanaged: dice.below(4) == 0,
            lost: None,
            seed: dice.next(),
        }
    }
}

fn id(kind: u8, job: usize) -> Id {
    let mut bytes = [kind; 16];
    bytes[15] = job as u8;
    Id::from_bytes(bytes)
}

/// The number of the generation that an earlier operation left.
const PLACED_APART: u32 = 3;

const RECORDED: &str = "file:/s/1-recorded/savepoint-1";

fn job(scene: Scene, index: usize) -> JobMove {
    let assigned = matches!(scene, Scene::Assigned | Scene::AssignedInPlace);
    let start = |kind, from| {
        let id = id(kind, index);
        Some(Start { id: if assigned { StartId::Assigned(id) } else { StartId::Chosen(id) }, from })
    };
    let name = format!("job-{index}");
    if scene == Scene::Install {
        let decided = JobDecision { start: start(2, StateFrom::Nothing), ..JobDecision::default() };
        return JobMove { decided, ..JobMove::new(name) };
    }
    let stop = Stop::Savepoint { format: SavepointFormat::Canonical, drain: false };
    let with_savepoint = JobDecision {
        old: Some(id(1, index)),
        since: Some(OLD_SINCE),
        trigger: Some(Trigger { id: id(4, index), directory: format!("file:/s/2-{index}") }),
        stop: Some(stop),
        start: start(2, StateFrom::ItsStop),
        revert: start(3, StateFrom::ItsStop),
        ..JobDecision::default()
    };
    let decided = match scene {
        Scene::Uninstall | Scene::StopOne => JobDecision { start: None, ..with_savepoint },
        Scene::WarmFromCheckpoint | Scene::WarmFromRecorded => {
            let recorded = StateFrom::Path(RECORDED.to_owned());
            let from = if scene == Scene::WarmFromRecorded { recorded } else { StateFrom::ItsStop };
            let directory = format!("file:/c/{}", id(1, index));
            JobDecision {
                stop: Some(Stop::LatestCheckpoint),
                trigger: Some(Trigger { id: id(4, index), directory }),
                start: start(2, from),
                ..with_savepoint
            }
        }
        Scene::WarmStateless => JobDecision {
            stop: Some(Stop::Cancel),
            trigger: None,
            start: start(2, StateFrom::Nothing),
            revert: start(3, StateFrom::Nothing),
            ..with_savepoint
        },
        _ => with_savepoint,
    };
    JobMove { decided, ..JobMove::new(name) }
}

fn journal(scene: Scene) -> Journal {
    let two = [
        Scene::WarmTwoJobs,
        Scene::Assigned,
        Scene::KeepGoing,
        Scene::PartlyMigrated,
        Scene::SamePodsTwoJobs,
        Scene::Uninstall,
    ];
    let jobs = match scene {
        Scene::NoJob => 0,
        _ if two.contains(&scene) => 2,
        _ => 1,
    };
    let mut jobs: Vec<JobMove> = (0..jobs).map(|index| job(scene, index)).collect();
    if scene == Scene::PartlyMigrated {
        jobs[0].decided.source = Some(PLACED_APART);
    }
    let upgrade = Decided { from: Some(1), old: Some(1), new: 2, ..Decided::new(Kind::Upgrade, 2) };
    let warm = Decided { strategy: Strategy::Warm, pods: Pods::New, ..upgrade.clone() };
    let recreate = Decided { pods: Pods::New, revert: Some(3), ..upgrade.clone() };
    let pods = ControlTraits { starts_with_pods: true, ..ControlTraits::default() };
    // Those of the driver that `verbs::upgrade`'s tests plan with, and carry out over a mocked API
    // server.
    let assigned = ControlKind::Assigned.traits();
    let decided = match scene {
        Scene::Warm
        | Scene::NoJob
        | Scene::WarmTwoJobs
        | Scene::WarmFromCheckpoint
        | Scene::WarmFromRecorded
        | Scene::WarmStateless => warm,
        Scene::WarmNoRevert => Decided { rollback_on_failure: false, ..warm },
        Scene::Recreate => recreate,
        Scene::Standalone => Decided { source: pods, destination: pods, ..recreate },
        Scene::Assigned => Decided { source: assigned, destination: assigned, ..warm },
        Scene::AssignedInPlace => Decided { source: assigned, destination: assigned, new: 1, ..upgrade },
        Scene::KeepGoing => Decided { keep_going: true, ..warm },
        Scene::PartlyMigrated => Decided { orphans: vec![PLACED_APART], ..warm },
        Scene::SamePods | Scene::SamePodsTwoJobs => Decided { new: 1, ..upgrade },
        Scene::Install => {
            Decided { kind: Kind::Install, from: None, old: None, new: 1, to: 1, pods: Pods::New, ..upgrade }
        }
        Scene::StopOne => Decided { kind: Kind::Jobs, new: 1, ..upgrade },
        Scene::Uninstall => Decided { kind: Kind::Uninstall, new: 1, to: 1, ..upgrade },
    };
    Journal::of(decided, jobs)
}

/// The world before the operation.
fn outside(history: &History, bug: Option<Bug>) -> Outside {
    let mut flink = Flink::new();
    let begin = Instant::now();
    let plan = journal(history.scene);
    (flink.forgetful, flink.kept) = (history.forgetful, history.kept);
    (flink.controller_delay, flink.assigns) = (history.controller, history.assigns);
    flink.older_is_planned = matches!(history.scene, Scene::WarmFromRecorded | Scene::WarmStateless);
    let saved = flink::Saved { job: "job-0".to_owned(), position: 1 };
    flink.storage.insert(RECORDED.to_owned(), saved);
    if plan.decided.old.is_some() {
        flink.create(1, false, begin - Duration::from_mins(1));
        for source in plan.jobs.iter().filter_map(|job| job.decided.source) {
            flink.create(source, false, begin - Duration::from_mins(1));
        }
        for job in &plan.jobs {
            let Some(id) = job.decided.old else { continue };
            if let Some(after) = history.old_finishes {
                flink.fates.insert(id, Fate::Finishes(OLD + after));
            }
            let source = job.decided.source.unwrap_or(1);
            let _ = flink.run(source, &request(id, None), &job.name, begin - OLD);
        }
    }
    for (index, job) in plan.jobs.iter().enumerate() {
        let Some(start) = job.start() else { continue };
        let spared = history.spared && index == 0 && plan.jobs.len() > 1;
        let (StartId::Chosen(id) | StartId::Assigned(id)) = start.id;
        flink.fates.insert(id, if spared { Fate::Runs } else { history.fate });
    }
    flink.stop_fate = history.stop;
    let restarts = history.restarts.iter();
    Outside {
        flink,
        operation: Some(Operation { holder: 1, journal: Journal { begun: true, ..plan } }),
        records: Records::default(),
        dice: Dice::new(history.seed),
        visits: Visits::default(),
        planned: history.faults.clone(),
        transitions: 0,
        noise: history.noise,
        bug,
        restarts: restarts.map(|(at, number)| (begin + Duration::from_secs(*at), *number)).collect(),
        late: Vec::new(),
        away: Duration::ZERO,
    }
}

/// How a history ended.
struct Told {
    broken: Vec<String>,
    visits: Visits,
    transitions: u32,
}

type Running = std::pin::Pin<Box<dyn Future<Output = (Result<Outcome, Cause>, Journal)>>>;

fn begin(process: &Process, journal: Journal, bug: Option<Bug>) -> Running {
    let world = Model::new(process.clone(), &journal);
    let mut engine = Engine::new(world, journal);
    engine.next = Bug::machine(bug);
    Box::pin(async move {
        let ended = engine.run().await;
        (ended, engine.journal)
    })
}

/// Takes over an interrupted operation, as `recover` does. `None`: there is nothing to go on with.
fn take_over(outside: &Rc<RefCell<Outside>>, number: u32, bug: Option<Bug>) -> Option<Journal> {
    let mut outside = outside.borrow_mut();
    outside.advance();
    let pending = outside.records.pending;
    let operation = outside.operation.as_mut()?;
    let mut journal = operation.journal.clone();
    if !pending && journal.decided.kind != Kind::Uninstall {
        outside.operation = None; // it died before it wrote its revision: nothing had changed
        return None;
    }
    journal.forward.recorded |= journal.decided.kind != Kind::Uninstall;
    operation.holder = number;
    journal.reopen();
    for (index, job) in journal.jobs.iter_mut().enumerate() {
        match bug {
            Some(Bug::AnotherIdForEachRun) => {
                for start in [&mut job.decided.start, &mut job.decided.revert].into_iter().flatten() {
                    start.id = StartId::Chosen(id(100 + number as u8, index));
                }
            }
            Some(Bug::AnotherTriggerForEachRun) => {
                if let Some(trigger) = &mut job.decided.trigger {
                    trigger.id = id(50 + number as u8, index);
                    trigger.directory = format!("file:/s/2-{index}-{number}");
                }
            }
            _ => {}
        }
    }
    Some(journal)
}

/// A run that went on late takes the lock again where the operation was undone, as `execute` does.
fn make_good(
    outside: &Rc<RefCell<Outside>>,
    number: u32,
    journal: &Journal,
    bug: Option<Bug>,
) -> Option<Journal> {
    let mut outside = outside.borrow_mut();
    let undone = matches!(outside.records.closed, Some(Outcome::Undone | Outcome::Failed));
    if outside.operation.is_some() || !undone {
        return None;
    }
    let mut journal = journal.belated()?;
    for index in outside.records.moved.iter().filter(|_| bug != Some(Bug::RecordsNotRead)) {
        journal.stay(*index);
    }
    outside.operation = Some(Operation { holder: number, journal: journal.clone() });
    Some(journal)
}

type Asleep = std::collections::VecDeque<(Running, Rc<Fortune>)>;

/// Runs the operation, and after each death the next command, until nothing is left to do. Who is
/// suspended joins `asleep`.
async fn carry_out(
    outside: &Rc<RefCell<Outside>>,
    mut journal: Option<Journal>,
    number: &mut u32,
    asleep: &mut Asleep,
    bug: Option<Bug>,
) {
    let last = *number + RUNS;
    while let Some(plan) = journal.take().filter(|_| *number < last) {
        let fortune = Rc::new(Fortune::default());
        let process = Process { outside: outside.clone(), number: *number, fortune: fortune.clone() };
        let mut running = begin(&process, plan, bug);
        tokio::select! {
            biased;
            () = fortune.died.notified() => {}
            () = fortune.suspended.notified() => asleep.push_back((running, fortune.clone())),
            ended = timeout(Duration::from_hours(1), &mut running) => match ended {
                Ok((Ok(_), journal)) if !journal.is_uncertain() => {
                    let mut outside = outside.borrow_mut();
                    if outside.operation.as_ref().is_some_and(|operation| operation.holder == *number) {
                        outside.operation = None;
                    }
                }
                Ok(_) => {}
                Err(_) => outside.borrow_mut().flink.broken.push("it does not end".to_owned()),
            },
        }
        let away = std::mem::take(&mut outside.borrow_mut().away);
        let over = Instant::now() + LOCK + away;
        while Instant::now() < over {
            sleep(TICK).await;
            outside.borrow_mut().advance();
        }
        *number += 1;
        journal = take_over(outside, *number, bug);
    }
}

async fn play(history: &History, bug: Option<Bug>) -> Told {
    let outside = Rc::new(RefCell::new(outside(history, bug)));
    if history.unmanaged {
        let at = Instant::now() + Duration::from_secs(history.seed % 20);
        outside.borrow_mut().late.push((at, Box::new(|all| submit_by_hand(&mut all.flink))));
    }
    if let Some(after) = history.lost {
        outside.borrow_mut().late.push((Instant::now() + after, Box::new(lose_job_manager)));
    }
    let (mut number, mut asleep) = (1, Asleep::new());
    let plan = outside.borrow().operation.as_ref().map(|operation| operation.journal.clone());
    carry_out(&outside, plan, &mut number, &mut asleep, bug).await;
    while let Some((running, fortune)) = asleep.pop_front() {
        fortune.resume.notify_one();
        let ended = timeout(Duration::from_hours(1), running).await;
        if let Ok((Err(Cause::Lock(_)), journal)) = ended {
            number += 1;
            let belated = make_good(&outside, number, &journal, bug);
            carry_out(&outside, belated, &mut number, &mut asleep, bug).await;
        }
    }
    sleep(Duration::from_mins(1)).await;
    judge(history, &outside)
}

/// The old generation's JobManager dies for good, when it is known that no job of the release is
/// left in it: what became of a stop nobody would ever know.
fn lose_job_manager(all: &mut Outside) {
    let left = |job: &JobMove| job.decided.old.is_none() || job.forward.stopped;
    if all.operation.as_ref().is_none_or(|operation| operation.journal.jobs.iter().all(left)) {
        all.flink.lose_job_manager(1, Instant::now());
    } else {
        all.late.push((Instant::now() + SOON, Box::new(lose_job_manager)));
    }
}

/// A job of nobody's that the release knows, in the old generation.
fn submit_by_hand(flink: &mut Flink) {
    let _ = flink.run(1, &request(id(9, 9), None), "unmanaged", Instant::now());
}

fn judge(history: &History, outside: &Rc<RefCell<Outside>>) -> Told {
    let mut outside = outside.borrow_mut();
    outside.advance();
    let mut broken = std::mem::take(&mut outside.flink.broken);
    if let Some(operation) = &outside.operation {
        broken.push(format!("it is left unfinished: {}", operation.journal.position()));
    }
    for (job, path) in &outside.records.savepoints {
        if !outside.flink.storage.contains_key(path) {
            broken.push(format!("the release knows a savepoint of {job} that does not exist: {path}"));
        }
    }
    for (index, job) in journal(history.scene).jobs.iter().enumerate() {
        let live = outside.flink.live(&job.name);
        if live != 1 && !is_over(history, &outside, job) {
            broken.push(format!("{} runs {live} times", job.name));
        }
        broken.extend(not_as_told(history, &outside, index, job));
    }
    Told { broken, visits: std::mem::take(&mut outside.visits), transitions: outside.transitions }
}

/// Returns what is not so of a job, where the records say that the new revision is the release.
fn not_as_told(history: &History, outside: &Outside, index: usize, job: &JobMove) -> Option<String> {
    if outside.records.closed != Some(Outcome::Deployed) || job.start().is_none() {
        return None;
    }
    let by_itself = outside.flink.finished.values().any(|name| *name == job.name)
        || matches!(history.fate, Fate::FailsLate | Fate::FailsOnceBack);
    let known = outside.records.new_ids.get(index).copied().flatten();
    match outside.flink.live_id(&job.name) {
        None if by_itself => None,
        None => Some(format!("{} does not run, and the revision is deployed", job.name)),
        Some(live) if known == Some(live) => None,
        Some(live) => Some(format!("{} runs as {live}, and the release knows it as {known:?}", job.name)),
    }
}

/// Returns whether a job may be stopped: its newest state is in a savepoint that the release knows,
/// or it never ran, or it failed by itself after it had gone on.
fn is_over(history: &History, outside: &Outside, job: &JobMove) -> bool {
    if outside.flink.live(&job.name) > 1 {
        return false;
    }
    let committed = outside.flink.committed.get(&job.name).copied().unwrap_or_default();
    let known = outside.records.savepoints.iter().filter(|(name, _)| *name == job.name);
    let newest =
        known.filter_map(|(_, path)| outside.flink.storage.get(path)).map(|saved| saved.position).max();
    let recorded = history.scene == Scene::WarmFromRecorded; // its savepoint is known from before
    // Its state is given up by choice; an operation that ends as failed says that the job is
    // stopped.
    let given_up = history.scene == Scene::WarmStateless && outside.records.closed == Some(Outcome::Failed);
    let failed_late = outside.flink.failed_late.contains(&job.name);
    let finished = outside.flink.finished.values().any(|name| *name == job.name);
    job.decided.old.is_none()
        || recorded
        || given_up
        || failed_late
        || finished
        || newest.is_some_and(|newest| newest >= committed)
}

/// Plays histories one after the other on a clock of their own.
fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap()
}

/// Every fault at every transition that a scene has when nothing else goes wrong.
fn single_faults() -> Vec<History> {
    let runtime = runtime();
    let mut histories = Vec::new();
    for scene in SCENES {
        for (fate, spared, forgetful) in [
            (Fate::Runs, false, false),
            (Fate::FailsAtRestore, false, false),
            (Fate::FailsAtRestore, true, false),
            (Fate::FailsLate, false, true),
            (Fate::Finishes(Duration::from_secs(1)), false, false),
        ] {
            let plain = History { fate, spared, forgetful, ..History::plain(scene) };
            if spared && journal(scene).jobs.len() < 2 {
                continue;
            }
            let transitions = runtime.block_on(play(&plain, None)).transitions;
            for at in 1..=transitions {
                // What a forgetful job result store cannot tell is said at `History::random`.
                let steady = [Fault::DiesBefore, Fault::DiesAfter, Fault::RequestLost, Fault::AnswerLost];
                for fault in faults::ALL.into_iter().filter(|fault| !forgetful || steady.contains(fault)) {
                    histories.push(History { faults: vec![(at, fault)], ..plain.clone() });
                }
            }
        }
    }
    histories.extend(without_an_answer());
    histories.extend(unseen());
    histories.extend(suspended());
    histories.extend(finishing());
    histories.extend(silent());
    histories.extend(assigned());
    histories
}

/// An unmanaged job in the old generation, whose JobManager dies for good once the release's jobs
/// have left it.
fn silent() -> impl Iterator<Item = History> {
    let scenes =
        [Scene::Warm, Scene::WarmTwoJobs, Scene::KeepGoing, Scene::WarmFromCheckpoint, Scene::WarmStateless];
    let at = scenes.into_iter().flat_map(|scene| (0..20).map(move |seed| (scene, seed)));
    let gone = at.flat_map(|(scene, seed)| {
        (0..40).map(move |after| History {
            unmanaged: true,
            lost: Some(Duration::from_millis(1000 * seed + 500 * after)),
            noise: after % 2 == 1,
            seed,
            ..History::plain(scene)
        })
    });
    // Or it restarts, and says for a while that it has no job.
    let restarts = (0..20).flat_map(|seed| {
        (0..20).map(move |at| History {
            unmanaged: true,
            restarts: vec![(at, 1)],
            seed,
            ..History::plain(Scene::NoJob)
        })
    });
    gone.chain(restarts)
}

/// Jobs whose ids another controller assigns: learnt late, never, the same as that of the stopped
/// job, another one.
fn assigned() -> impl Iterator<Item = History> {
    let scenes = [Scene::Assigned, Scene::AssignedInPlace];
    let controllers =
        [Some(Duration::from_secs(3)), Some(Duration::from_secs(20)), Some(Duration::from_secs(70)), None];
    let fates = [Fate::Runs, Fate::FailsAtRestore, Fate::FailsLate];
    let each = scenes.into_iter().flat_map(move |scene| controllers.map(|controller| (scene, controller)));
    let each = each.flat_map(|(scene, controller)| {
        [Assigns::Another, Assigns::TheSame].map(|assigns| (scene, controller, assigns))
    });
    let each = each.flat_map(move |(scene, controller, assigns)| {
        fates.map(|fate| History { fate, controller, assigns, ..History::plain(scene) })
    });
    each.flat_map(|plain| {
        let at = (1..=14).flat_map(|at| faults::ALL.map(|fault| vec![(at, fault)]));
        at.chain([Vec::new()]).map(move |faults| History { faults, ..plain.clone() })
    })
}

/// Old jobs that come to their ends by themselves around their stop, whatever comes of it.
fn finishing() -> impl Iterator<Item = History> {
    let scenes = [
        Scene::Warm,
        Scene::WarmFromCheckpoint,
        Scene::SamePods,
        Scene::Standalone,
        Scene::StopOne,
        Scene::Uninstall,
    ];
    let stops = [
        StopFate::Ends(Duration::from_millis(600)),
        StopFate::Fails,
        StopFate::FailsWhileStopping,
        StopFate::ComesBack,
    ];
    let faults = [Fault::DiesAfter, Fault::DiesForLong, Fault::RestartsAfter, Fault::AnswerLost];
    let at = scenes.into_iter().flat_map(move |scene| stops.map(|stop| (scene, stop)));
    at.flat_map(move |(scene, stop)| {
        (0..24).flat_map(move |after| {
            let fault = (1..=4).flat_map(move |at| faults.map(|fault| vec![(at, fault)]));
            fault.chain([Vec::new()]).map(move |faults| History {
                old_finishes: Some(Duration::from_millis(after * 300)),
                stop,
                faults,
                ..History::plain(scene)
            })
        })
    })
}

/// Pods of which it is not known whether they were unsuspended, and every fault at what follows:
/// their JobManager is ended.
fn without_an_answer() -> impl Iterator<Item = History> {
    let lost = [Fault::RequestLost, Fault::AnswerLost];
    let at = (1..=12).flat_map(move |at| lost.map(|first| (at, first)));
    let next = at.flat_map(|first| [1, 2].map(|later| (first, first.0 + later)));
    next.flat_map(|(first, at)| faults::ALL.map(|fault| vec![first, (at, fault)]))
        .map(|faults| History { faults, ..History::plain(Scene::Standalone) })
}

/// Pods that start a job after the run that let them go has died: it fails by itself, or finishes,
/// and its JobManager restarts before anybody has seen it.
fn unseen() -> impl Iterator<Item = History> {
    let died = (1..=12).flat_map(|at| [20, 40].map(|after| (at, after)));
    let seen = died.flat_map(|(at, after)| (0..20).map(move |seed| (at, after, seed)));
    let finishes = Fate::Finishes(Duration::from_secs(3));
    seen.flat_map(move |(at, after, seed)| {
        [Fate::FailsLate, finishes].map(|fate| History {
            fate,
            noise: seed > 0,
            seed,
            faults: vec![(at, Fault::DiesAfter)],
            restarts: vec![(after, 2)],
            ..History::plain(Scene::Standalone)
        })
    })
}

/// A run that is suspended; to the one that takes over a request is lost, so that one of two jobs
/// stays with the new revision and the other goes back; then the first one wakes up.
fn suspended() -> impl Iterator<Item = History> {
    let scenes = [Scene::WarmTwoJobs, Scene::KeepGoing, Scene::SamePodsTwoJobs];
    let at = scenes.into_iter().flat_map(|scene| (1..=12).map(move |at| (scene, at)));
    at.flat_map(|(scene, at)| {
        (at + 1..=at + 18).map(move |lost| History {
            fate: Fate::FailsLate,
            spared: true,
            faults: vec![(at, Fault::Suspended), (lost, Fault::RequestLost)],
            ..History::plain(scene)
        })
    })
}

#[test]
fn without_faults_every_scene_ends_well() {
    let runtime = runtime();
    for scene in SCENES {
        let told = runtime.block_on(play(&History::plain(scene), None));
        assert!(told.broken.is_empty(), "{scene:?}: {:?}", told.broken);
        assert!(told.transitions > 3, "{scene:?} has {} transitions", told.transitions);
    }
}

#[test]
fn every_fault_at_every_transition() {
    let histories = single_faults();
    let count = histories.len();
    let (failed, _) = play_all(histories, None);
    assert!(failed.is_empty(), "{} of {count}:\n{}", failed.len(), shown(&failed));
}

/// Of a history that goes wrong: the first few, in words.
fn shown(failed: &[(History, Vec<String>)]) -> String {
    let mut kinds = std::collections::BTreeMap::<String, u32>::new();
    for (history, broken) in failed {
        let words: String = broken.join("; ").chars().filter(|c| !c.is_ascii_digit()).collect();
        *kinds.entry(format!("{:?}: {words}", history.scene)).or_default() += 1;
    }
    let kinds: Vec<_> = kinds.iter().map(|(kind, count)| format!("{count:>6}  {kind}")).collect();
    let kinds = kinds.join("\n");
    let text =
        |(history, broken): &(History, Vec<String>)| format!("{history:?}\n    {}", broken.join("\n    "));
    let first: Vec<_> = failed.iter().take(12).map(text).collect();
    format!("{kinds}\n{}", first.join("\n"))
}

/// Plays on every core; gives what went wrong and what was visited.
fn play_all(histories: Vec<History>, bug: Option<Bug>) -> (Vec<(History, Vec<String>)>, Visits) {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let share = histories.len().div_ceil(cores).max(1);
    let mut all = (Vec::new(), Visits::default());
    std::thread::scope(|scope| {
        let play_some = |some: &[History]| {
            let runtime = runtime();
            let (mut failed, mut visits) = (Vec::new(), Visits::default());
            for history in some {
                let told = runtime.block_on(play(history, bug));
                visits.add(&told.visits);
                if !told.broken.is_empty() {
                    failed.push((history.clone(), told.broken));
                }
            }
            (failed, visits)
        };
        let running: Vec<_> =
            histories.chunks(share).map(|some| scope.spawn(move || play_some(some))).collect();
        for one in running {
            let (failed, visits) = one.join().unwrap();
            all.0.extend(failed);
            all.1.add(&visits);
        }
    });
    all
}

/// How many random histories are played.
const HISTORIES: usize = 100_000;
const SEED: u64 = 20_261_121;

/// How many random histories at most until a deliberate bug must have been found.
const PATIENCE: usize = 20_000;

#[test]
fn every_deliberate_bug_is_found() {
    let mut dice = Dice::new(SEED);
    let mut histories = single_faults();
    histories.extend((0..PATIENCE).map(|_| History::random(&mut dice)));
    let found = |bug: Bug| {
        let runtime = runtime();
        let first = histories.iter().position(|history| {
            let told = runtime.block_on(play(history, Some(bug)));
            !told.broken.is_empty()
        });
        (bug, first)
    };
    let found: Vec<(Bug, Option<usize>)> = std::thread::scope(|scope| {
        let (found, mut some) = (&found, bugs::ALL.chunks(bugs::ALL.len().div_ceil(2)));
        let mut begin = || {
            some.next()
                .map(|some| scope.spawn(move || some.iter().map(|bug| found(*bug)).collect::<Vec<_>>()))
        };
        [begin(), begin()].into_iter().flatten().flat_map(|one| one.join().unwrap()).collect()
    });
    let missed: Vec<_> = found.iter().filter(|(_, first)| first.is_none()).collect();
    assert!(missed.is_empty(), "not found: {missed:?}\nfound, after so many histories: {found:?}");
}

#[test]
fn a_hundred_thousand_histories() {
    let mut dice = Dice::new(SEED);
    let mut histories = single_faults();
    histories.extend((0..HISTORIES).map(|_| History::random(&mut dice)));
    let count = histories.len();
    let (failed, visits) = play_all(histories, None);
    let table = visits.table(&TRANSITIONS);
    assert!(failed.is_empty(), "{} of {count} histories:\n{}", failed.len(), shown(&failed));
    let pairs = TRANSITIONS.iter().flat_map(|transition| faults::ALL.map(|fault| (*transition, fault)));
    let odd: Vec<_> =
        pairs.filter(|pair| (visits.of(pair.0, pair.1) == 0) == is_possible(pair.0, pair.1)).collect();
    assert!(odd.is_empty(), "never tried, or thought impossible: {odd:?}\n{table}");
    // Past the test runner, which keeps to itself what a test that passes prints.
    let mut out = std::io::stderr().lock();
    writeln!(out, "{count} histories (seed {SEED}); how often each transition met each fault:\n{table}")
        .unwrap();
    writeln!(out, "0: not possible, or left out with the reason at `is_possible`").unwrap();
}
