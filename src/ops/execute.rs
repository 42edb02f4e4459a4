//! Carries out a plan: takes the lock, plans again under it, has the [engine](super::engine) do it, and says how it ended.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;

use super::change::{ObjectChanges, Plan};
use super::engine::{Engine, World};
use super::world::Site;
use super::{Cause, Context, Failure, Observer, Phase, Progress, recover};
use crate::operation::{JobMove, Journal, Kind, Outcome};
use crate::release::{JobState, Lock, LockError, Record, Status};
use crate::render::generation_name;

/// A request to stop waiting (Ctrl-C). Steps that must finish do; waits end.
#[derive(Clone, Default)]
pub struct Cancellation(Arc<AtomicBool>);

impl Cancellation {
    /// Asks for it.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Whether it was asked for.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// What an operation did. Stable: `-o json` prints it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The release.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// The revision that is the release now.
    pub revision: u32,
    /// Its status.
    pub status: Status,
    /// `name-version` of its package.
    pub package: String,
    /// Its layout.
    pub layout: String,
    /// The generation that runs, by number.
    pub generation: u32,
    /// What the record says.
    pub description: String,
    /// Nothing had to be changed.
    pub unchanged: bool,
    /// The objects that changed.
    pub objects: ObjectChanges,
    /// The jobs, as they are now.
    pub jobs: Vec<JobReport>,
    /// The package's notes.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub notes: String,
}

/// A job in a report.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JobReport {
    /// Its name.
    pub name: String,
    /// Its id.
    pub id: Option<String>,
    /// Its state in the record.
    pub state: JobState,
    /// The savepoint that it was restored from.
    pub restored_from: Option<String>,
    /// The savepoint with which this operation stopped it.
    pub savepoint: Option<String>,
}

/// Takes the lock, plans again under it, and carries out what `shown` says.
pub async fn run(
    context: &Context,
    shown: &Plan,
    planner: impl AsyncFn() -> Result<Plan, Failure>,
    observer: &dyn Observer,
    cancellation: &Cancellation,
) -> Result<Report, Failure> {
    if shown.summary.unchanged {
        return Ok(report(shown, true, &shown.journal));
    }
    refuse_missing_choice(shown)?;
    let made_namespace = shown.options.create_namespace
        && context.cluster.create_namespace(&context.namespace).await.map_err(Cause::from)?;
    let name = &shown.options.name;
    let journal = Journal { begun: false, ..shown.journal.clone() };
    let acquired = Lock::acquire(&context.store, name, &context.holder, &journal).await;
    let lock = acquired.map_err(|error| held(name, error))?;
    let decided = async {
        let plan = planner().await?;
        if plan.summary.from_revision != shown.summary.from_revision
            || plan.summary.to_revision != shown.summary.to_revision
        {
            let text = |revision: Option<u32>| revision.map_or_else(|| "none".to_owned(), |r| r.to_string());
            return Err(Failure::refused(Cause::ChangedMeanwhile {
                release: name.clone(),
                now: text(plan.summary.from_revision),
                then: text(shown.summary.from_revision),
            })
            .next(["the same command again, which plans anew"]));
        }
        refuse_missing_choice(&plan)?;
        Ok(plan)
    }
    .await;
    let plan = match decided {
        Ok(plan) => plan,
        Err(failure) => {
            lock.release().await.ok();
            if made_namespace {
                context.cluster.delete_namespace(&context.namespace).await.ok();
            }
            return Err(failure);
        }
    };
    carry_out(context, lock, plan, observer, cancellation).await
}

fn refuse_missing_choice(plan: &Plan) -> Result<(), Failure> {
    if plan.summary.choice_needed.is_empty() {
        return Ok(());
    }
    let name = &plan.options.name;
    let with_savepoint = "--with-savepoint   # a new savepoint; nothing lost, nothing repeated";
    let stateless = "--stateless   # the state is dropped";
    let moved = |command: String| {
        vec![
            format!("{command} {with_savepoint}"),
            format!("{command} --from-savepoint recorded|PATH   # what came since is put out again"),
            format!("{command} --from-checkpoint latest   # for a job that can take no savepoint"),
            format!("{command} {stateless}"),
        ]
    };
    let jobs = plan.summary.choice_needed.join(", ");
    let (why, next) = match plan.summary.operation {
        Kind::Uninstall => {
            let command = format!("kubectl flink uninstall {name}");
            let next = vec![format!("{command} {with_savepoint}"), format!("{command} {stateless}")];
            (format!("the uninstall must stop {jobs}"), next)
        }
        Kind::Jobs => (
            format!("state of {jobs} is on record"),
            vec![
                format!(
                    "the same command with --from-savepoint recorded|PATH   # its name was used before in release {name}"
                ),
                "the same command with another --name   # it counts from the start".to_owned(),
            ],
        ),
        Kind::Install => {
            let command = format!("kubectl flink install {name} …");
            (
                format!("state of {jobs} is on record, from an uninstalled release of this name"),
                vec![
                    format!(
                        "{command} --from-savepoint recorded   # the state that the release of this name had"
                    ),
                    format!("{command} --stateless   # it counts from the start; what is recorded stays"),
                    format!("kubectl flink savepoint list {name}"),
                ],
            )
        }
        Kind::Rollback => {
            let revision = plan.returns_to.map(|revision| format!(" {revision}")).unwrap_or_default();
            (
                format!("the rollback must stop {jobs}"),
                moved(format!("kubectl flink rollback {name}{revision}")),
            )
        }
        Kind::Upgrade => {
            (format!("the upgrade must stop {jobs}"), moved(format!("kubectl flink upgrade {name} …")))
        }
    };
    Err(Failure::refused(Cause::ChoiceNeeded { why }).next(next))
}

/// Says who holds a lock, or what a dead run left.
pub(crate) fn held(name: &str, error: LockError) -> Failure {
    match error {
        LockError::LeftBehind(left) => {
            let (holder, since) = (left.holder, left.since);
            let mut position = recover::position(&left.journal);
            let journal: Option<Journal> = serde_json::from_value(left.journal).ok();
            let operation = journal.as_ref().map_or("operation", |journal| match journal.kind {
                Kind::Install => "install",
                Kind::Upgrade => "upgrade",
                Kind::Rollback => "rollback",
                Kind::Uninstall => "uninstall",
                Kind::Jobs => "job",
            });
            for job in journal.iter().flat_map(|journal| &journal.jobs) {
                if let Some(path) = &job.savepoint {
                    position
                        .push_str(&format!("; the job {} is stopped with the savepoint {path}", job.name));
                } else if let (true, Some(trigger)) = (job.stop_asked, &job.trigger) {
                    position.push_str(&format!(
                        "; a savepoint of the job {} may be in {}",
                        job.name, trigger.directory
                    ));
                }
            }
            Failure::refused(Cause::LeftBehind {
                operation: operation.to_owned(),
                holder,
                since: since.to_string(),
                position,
            })
            .next([
                format!("kubectl flink status {name}   # what runs now"),
                format!("kubectl flink recover {name}   # completes or undoes it"),
            ])
        }
        error => Failure::refused(error),
    }
}

/// Carries an operation out to its end, under its lock.
pub(super) async fn carry_out(
    context: &Context,
    lock: Lock,
    plan: Plan,
    observer: &dyn Observer,
    cancellation: &Cancellation,
) -> Result<Report, Failure> {
    let (mut lock, mut plan) = (lock, plan);
    let mut lost: Option<Cause> = None;
    loop {
        let journal = Journal { begun: true, ..plan.journal.clone() };
        let world = Site::new(context, lock, plan, observer, cancellation)?;
        world.write(&journal).await.map_err(Failure::refused)?;
        let mut engine = Engine::new(world, journal);
        let ended = engine.run().await;
        let Engine { world: Site { lock: held, plan: done, .. }, journal, cause, .. } = engine;
        let operation = Ended { plan: &done, journal: &journal };
        match ended {
            Ok(outcome) => {
                // What is uncertain keeps its journal, for `recover`.
                if !journal.is_uncertain() {
                    held.release().await.ok();
                }
                return operation.told(outcome, lost.or(cause));
            }
            Err(cause @ Cause::Lock(LockError::Lost { .. })) => {
                let late =
                    if lost.is_none() { belated(context, &done, &journal, observer).await } else { None };
                match late {
                    Some((again, late)) => (lock, plan, lost) = (again, late, Some(cause)),
                    None => return Err(operation.failure(cause, operation.left_behind())),
                }
            }
            Err(cause) => {
                let left = vec!["the operation's journal, for the next command".to_owned()];
                return Err(operation.failure(cause, left));
            }
        }
    }
}

/// This run was suspended in the middle of a stop or a start, and another has taken the operation over and undone it; then the
/// request arrived after all. Waits for the lock, and gives what must be done now; `None` where the release has gone on since,
/// or the lock is not to be had.
async fn belated(
    context: &Context,
    plan: &Plan,
    journal: &Journal,
    observer: &dyn Observer,
) -> Option<(Lock, Plan)> {
    let (mut late, from) = (journal.belated()?, journal.from?);
    let name = &plan.options.name;
    observer.progress(Progress::Warning(
        "another run has taken this operation over; what this one asked for last may have happened all the same: it is looked after"
            .to_owned(),
    ));
    let begun = tokio::time::Instant::now();
    let lock = loop {
        match Lock::acquire(&context.store, name, &context.holder, &late).await {
            Ok(lock) => break lock,
            Err(LockError::Held { .. } | LockError::Release(_)) if begun.elapsed() < context.timeout => {
                tokio::time::sleep(super::engine::POLL).await;
            }
            Err(error) => {
                observer.progress(Progress::Warning(chain(&error)));
                return None;
            }
        }
    };
    match still_in_charge(context, plan, &mut late, from).await {
        Ok(Some((base, record))) => {
            Some((lock, Plan { journal: late, base: Some(base), record, ..plan.clone() }))
        }
        other => {
            if let Err(error) = other {
                observer.progress(Progress::Warning(chain(&error)));
            }
            lock.release().await.ok();
            None
        }
    }
}

/// The records of the revision that ran when the operation began, and of the one that it made; `None` where that revision is in
/// charge no more, or its jobs are others than those that this operation knows, as they were or as it would bring them back.
/// Those that the other run left as the new revision has them are written into the journal.
async fn still_in_charge(
    context: &Context,
    plan: &Plan,
    late: &mut Journal,
    from: u32,
) -> Result<Option<(Record, Record)>, Cause> {
    let name = &plan.options.name;
    let base = context.store.get(name, from).await?;
    let record = context.store.get(name, plan.record.revision).await?;
    let history = context.store.history(name).await?;
    let newer = history.iter().any(|one| one.revision > from && one.status == Status::Deployed);
    let over = matches!(base.status, Status::Superseded | Status::Uninstalled);
    let known = |moved: &JobMove| {
        let ids =
            [moved.old, moved.back.as_ref().map(|back| back.id), moved.start.as_ref().map(|new| new.id)];
        // A job that was submitted by hand is in no record but the new one.
        base.jobs.iter().find(|job| job.name == moved.name).is_none_or(|job| ids.contains(&job.id))
    };
    let all_known = late.jobs.iter().all(|moved| moved.old.is_none() || known(moved));
    let recorded: Vec<_> = base.jobs.iter().chain(&record.jobs).filter_map(|job| job.id).collect();
    let stays = |moved: &JobMove| moved.start.as_ref().is_some_and(|new| recorded.contains(&new.id));
    let stay: Vec<_> = (0..late.jobs.len()).filter(|index| stays(&late.jobs[*index])).collect();
    for index in stay {
        late.stay(index);
    }
    Ok((!newer && !over && all_known).then_some((base, record)))
}

/// An operation that is at its end.
struct Ended<'a> {
    plan: &'a Plan,
    journal: &'a Journal,
}

impl Ended<'_> {
    fn failure(&self, cause: Cause, left_behind: Vec<String>) -> Failure {
        Failure {
            phase: Phase::Failed { left_behind },
            cause: Box::new(cause),
            next: vec![format!("kubectl flink status {}", self.plan.options.name)],
        }
    }

    fn told(&self, outcome: Outcome, cause: Option<Cause>) -> Result<Report, Failure> {
        let cause = || {
            cause.unwrap_or_else(|| match &self.journal.setback {
                Some(setback) => Cause::Step { step: setback.step.clone(), reason: setback.reason.clone() },
                None => Cause::Step { step: "the operation".to_owned(), reason: "failed".to_owned() },
            })
        };
        match outcome {
            Outcome::Deployed | Outcome::Uninstalled => Ok(report(self.plan, false, self.journal)),
            Outcome::Undone => Err(Failure {
                phase: Phase::Undone,
                cause: Box::new(cause()),
                next: vec![format!("kubectl flink history {}", self.plan.options.name)],
            }),
            Outcome::Failed => {
                let mut failure = self.failure(cause(), self.left_behind());
                failure.next.extend(self.ways_on());
                Err(failure)
            }
        }
    }

    /// What is left after a failure that was not undone, in words.
    fn left_behind(&self) -> Vec<String> {
        let mut left = Vec::new();
        if let Some(setback) = &self.journal.back_setback {
            left.push(format!("the way back stopped as well, at: {} ({})", setback.step, setback.reason));
        }
        let split = self.journal.stays_with_old();
        for job in &self.journal.jobs {
            let ended = job.left.as_ref().filter(|_| job.is_moved());
            match (&job.savepoint, &job.trigger) {
                _ if let Some(path) = ended => left.push(format!(
                    "the job {} has ended as revision {} had it; its state is in {path}",
                    job.name, self.journal.to
                )),
                _ if job.is_moved() && (split || job.checkpointed) => left.push(format!(
                    "the job {} stays as revision {} has it, in generation {}",
                    job.name,
                    self.journal.to,
                    generation_name(&self.plan.options.name, self.journal.new)
                )),
                (Some(savepoint), _) if job.back_asked && !job.back_started => left.push(format!(
                    "whether the job {} was started again is not known; its state is in {savepoint}",
                    job.name
                )),
                (Some(savepoint), _) if !job.back_started && !job.finished => {
                    let path = job.left.as_ref().unwrap_or(savepoint);
                    left.push(format!("the job {} is stopped; its state is in {path}", job.name));
                }
                (None, Some(trigger)) if job.stop_asked => left.push(format!(
                    "whether the job {} has stopped is not known; its savepoint, if there is one, is in {}",
                    job.name, trigger.directory
                )),
                _ => {}
            }
            if job.checkpointed {
                left.push(format!("the new job {} completed a checkpoint, or may have, or takes none: its output is committed, so it does not go back by itself", job.name));
            }
        }
        if self.journal.apply_begun
            && !self.journal.new_gone
            && !self.journal.jobs.iter().any(JobMove::is_moved)
        {
            left.push(format!("the objects of revision {}, for a look", self.journal.to));
        }
        left
    }

    fn ways_on(&self) -> Vec<String> {
        let name = &self.plan.options.name;
        match self.journal.from {
            _ if self.journal.is_uncertain() => vec![format!(
                "kubectl flink recover {name}   # goes on from here; with --savepoint PATH if you found it"
            )],
            Some(from) if self.journal.stays_with_old() && self.journal.kind != Kind::Uninstall => {
                // A job that does not run can take no savepoint.
                let failed = |(index, job): (usize, &JobMove)| {
                    let why = self.journal.setback.as_ref().and_then(|setback| setback.job);
                    job.is_moved() && why == Some(index)
                        || !job.is_moved() && !job.is_as_it_was() && !job.finished
                };
                let down = self.journal.jobs.iter().enumerate().any(failed);
                let state = if down { "--from-checkpoint latest" } else { "--with-savepoint" };
                vec![
                    format!("kubectl flink upgrade {name} … {state}   # what failed, mended"),
                    format!("kubectl flink rollback {name} {from} {state}   # the rest goes back too"),
                ]
            }
            Some(from) if self.journal.kind != Kind::Uninstall => {
                let back = format!("kubectl flink rollback {name} {from}");
                // From a savepoint before them it would commit what its checkpoints have committed once more.
                let gone_on = |job: &&JobMove| job.checkpointed && job.is_moved();
                let gone_on: Vec<_> = self.journal.jobs.iter().filter(gone_on).collect();
                // What they left is recorded, and the newest that is.
                if !gone_on.is_empty() && gone_on.iter().all(|job| job.left.is_some()) {
                    return vec![
                        format!(
                            "kubectl flink upgrade {name} … --from-savepoint recorded   # what failed, mended"
                        ),
                        format!("{back} --from-savepoint recorded   # from where the new job has got to"),
                    ];
                }
                if !gone_on.is_empty() {
                    return vec![
                        format!("{back} --from-checkpoint latest   # from where the new job has got to"),
                        format!("{back} --from-savepoint recorded   # what it has put out is put out again"),
                    ];
                }
                let stopped = self.journal.jobs.iter().any(|job| job.savepoint.is_some());
                vec![format!("{back} {}", if stopped { "--from-savepoint recorded" } else { "--stateless" })]
            }
            _ => vec![
                format!("kubectl flink upgrade {name} …   # what failed, mended"),
                format!("kubectl flink uninstall {name}"),
            ],
        }
    }
}

/// An error and its sources in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let next = error.to_string();
        if !text.contains(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        source = error.source();
    }
    text
}

pub(super) fn report(plan: &Plan, unchanged: bool, journal: &Journal) -> Report {
    let record = if unchanged { plan.base.as_ref().unwrap_or(&plan.record) } else { &plan.record };
    let status = match journal.closed {
        Some(Outcome::Uninstalled) => Status::Uninstalled,
        _ => record.status,
    };
    Report {
        name: record.name.clone(),
        namespace: record.namespace.clone(),
        revision: record.revision,
        status,
        package: format!("{}-{}", record.package.name, record.package.version),
        layout: record.layout.clone(),
        generation: record.generation,
        description: record.description.clone(),
        unchanged,
        objects: plan.summary.objects.clone(),
        jobs: record
            .jobs
            .iter()
            .map(|job| JobReport {
                name: job.name.clone(),
                id: job.id.map(|id| id.to_string()),
                state: job.state,
                restored_from: job.restored_from.clone(),
                savepoint: journal
                    .jobs
                    .iter()
                    .find(|moved| moved.name == job.name && !moved.finished)
                    .and_then(|moved| moved.savepoint.clone()),
            })
            .collect(),
        notes: record.notes.clone(),
    }
}
