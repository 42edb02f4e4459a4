//! Carries out a plan: takes the lock, plans again under it, then does what the state machine says, step by step.
//!
//! Every fact goes into the journal the moment it is known, and what may be asked of Flink is written down before it is
//! asked. The steps themselves are in [`super::steps`]; how it ended is written into the records here.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;

use super::change::{ObjectChanges, Plan};
use super::descriptor::Descriptor;
use super::preflight::savepoint_of;
use super::situation::Stray;
use super::{Cause, Context, Failure, Observer, Phase, Progress};
use crate::cluster::apply;
use crate::operation::{Event, Journal, Kind, Outcome, Setback, Step, Target, next};
use crate::release::{JobRecord, JobState, Lock, LockError, Record, Status};
use crate::render::Object;

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

/// Takes the lock, plans again under it, and carries the plan out.
pub(crate) async fn run(
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
    let mut executor = Executor::new(context, lock, plan, observer, cancellation)?;
    executor.run().await
}

fn refuse_missing_choice(plan: &Plan) -> Result<(), Failure> {
    if plan.summary.choice_needed.is_empty() {
        return Ok(());
    }
    let (what, command) = match plan.summary.operation {
        Kind::Uninstall => ("the uninstall", format!("kubectl flink uninstall {}", plan.options.name)),
        Kind::Jobs => {
            let again = format!(
                "the same command with --from-savepoint recorded|PATH   (its name was used before in release {})",
                plan.options.name
            );
            return Err(Failure::refused(Cause::ChoiceNeeded {
                what: "the job".to_owned(),
                jobs: plan.summary.choice_needed.join(", "),
            })
            .next([again, "the same command with another --name   (it counts from the start)".to_owned()]));
        }
        Kind::Rollback => {
            let revision = plan.returns_to.map(|revision| format!(" {revision}")).unwrap_or_default();
            ("the rollback", format!("kubectl flink rollback {}{revision}", plan.options.name))
        }
        _ => ("the upgrade", format!("kubectl flink upgrade {} …", plan.options.name)),
    };
    let mut next =
        vec![format!("{command} --with-savepoint   (a new savepoint; nothing lost, nothing repeated)")];
    if plan.summary.operation != Kind::Uninstall {
        next.push(format!("{command} --from-savepoint recorded|PATH   (what came since is put out again)"));
    }
    if plan.summary.operation != Kind::Uninstall {
        next.push(format!("{command} --from-checkpoint latest   (for a job that can take no savepoint)"));
    }
    next.push(format!("{command} --stateless   (the state is dropped)"));
    Err(Failure::refused(Cause::ChoiceNeeded {
        what: what.to_owned(),
        jobs: plan.summary.choice_needed.join(", "),
    })
    .next(next))
}

/// Says who holds a lock, or what a dead run left.
pub(crate) fn held(name: &str, error: LockError) -> Failure {
    match error {
        LockError::LeftBehind(left) => {
            let (holder, since) = (left.holder, left.since);
            let journal: Option<Journal> = serde_json::from_value(left.journal).ok();
            let operation = journal.as_ref().map_or("operation", |journal| match journal.kind {
                Kind::Install => "install",
                Kind::Upgrade => "upgrade",
                Kind::Rollback => "rollback",
                Kind::Uninstall => "uninstall",
                Kind::Jobs => "job",
            });
            let mut position =
                journal.as_ref().map_or_else(|| "its journal cannot be read".to_owned(), Journal::position);
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
                format!("kubectl flink status {name}   (what runs now)"),
                format!("kubectl flink recover {name}   (completes or undoes it)"),
            ])
        }
        error => Failure::refused(error),
    }
}

/// One run of the machine.
pub(crate) struct Executor<'a> {
    /// Fenced: whatever it changes goes through [`super::fence`].
    pub context: Context,
    lock: Option<Lock>,
    pub journal: Journal,
    pub plan: Plan,
    /// The running revision's descriptor.
    pub old: Option<Descriptor>,
    /// The new revision's.
    pub new: Option<Descriptor>,
    /// The running revision's objects and descriptor in a generation of its own, for the way back.
    pub back: Option<(Vec<Object>, Option<Descriptor>)>,
    pub observer: &'a dyn Observer,
    pub cancellation: &'a Cancellation,
    /// Why it went wrong first.
    cause: Option<Cause>,
}

impl<'a> Executor<'a> {
    pub(super) fn new(
        context: &Context,
        lock: Lock,
        plan: Plan,
        observer: &'a dyn Observer,
        cancellation: &'a Cancellation,
    ) -> Result<Self, Failure> {
        let old = Descriptor::find(&plan.old_objects)?;
        let new = Descriptor::find(&plan.objects)?;
        let back = match (&plan.base, plan.journal.back) {
            (Some(base), Some(number)) => {
                let objects = super::situation::render_record(base, number)?;
                let descriptor = Descriptor::find(&objects)?;
                Some((objects, descriptor))
            }
            _ => None,
        };
        let journal = plan.journal.clone();
        Ok(Self {
            context: context.fenced(super::fence::Transitions::new(lock.guard())),
            lock: Some(lock),
            journal,
            plan,
            old,
            new,
            back,
            observer,
            cancellation,
            cause: None,
        })
    }

    pub(super) async fn run(&mut self) -> Result<Report, Failure> {
        self.journal.begun = true;
        self.lock_write().await.map_err(Failure::refused)?;
        let outcome = loop {
            let step = next(&self.journal);
            if let Step::Done(outcome) = step {
                break outcome;
            }
            let words = step.describe(&self.journal);
            if !matches!(step, Step::Record | Step::Prune(_) | Step::Commit | Step::Close(_)) {
                self.observer.progress(Progress::Begun(words.clone()));
            }
            match self.perform(step).await {
                Ok(done) => {
                    if let Some(done) = done {
                        self.observer.progress(Progress::Done(done));
                    }
                }
                Err(cause) if matches!(cause, Cause::Lock(_)) || matches!(step, Step::Close(_)) => {
                    // The lock is lost, or the records cannot be written: the journal stays for the next run.
                    return Err(
                        self.failure(cause, vec!["the operation's journal, for the next command".to_owned()])
                    );
                }
                Err(cause) => {
                    let reason = chain(&cause);
                    let warning = format!("{words}: {reason}");
                    if self.cause.is_none() {
                        self.cause = Some(cause);
                    }
                    let committed = self.journal.committed.is_some();
                    let setback = Event::Failed(Setback { step: words, reason });
                    self.record(setback).await.map_err(|cause| self.failure(cause, vec![]))?;
                    if committed {
                        let left = format!("{warning}; the next upgrade tries again");
                        self.observer.progress(Progress::Warning(left));
                        continue;
                    }
                    // Where nothing follows, the error at the end says the same.
                    if !matches!(next(&self.journal), Step::Close(_) | Step::Done(_)) {
                        self.observer.progress(Progress::Warning(warning));
                    }
                }
            }
        };
        if !self.journal.is_uncertain() {
            // What is uncertain keeps its journal, for `recover`.
            if let Some(lock) = self.lock.take() {
                lock.release().await.ok();
            }
        }
        self.finish(outcome)
    }

    /// Writes an event into the journal and the journal into the operation object.
    pub async fn record(&mut self, event: Event) -> Result<(), Cause> {
        self.journal.record(event);
        self.lock_write().await
    }

    async fn lock_write(&mut self) -> Result<(), Cause> {
        match &self.lock {
            Some(lock) => lock.write(&self.journal).await.map_err(Cause::from),
            None => Err(Cause::Step {
                step: "the journal".to_owned(),
                reason: "the lock was given back".to_owned(),
            }),
        }
    }

    fn failure(&self, cause: Cause, left_behind: Vec<String>) -> Failure {
        Failure {
            phase: Phase::Failed { left_behind },
            cause: Box::new(cause),
            next: vec![format!("kubectl flink status {}", self.plan.options.name)],
        }
    }

    fn finish(&mut self, outcome: Outcome) -> Result<Report, Failure> {
        let name = self.plan.options.name.clone();
        let cause = |this: &mut Self| {
            this.cause.take().unwrap_or_else(|| match &this.journal.setback {
                Some(setback) => Cause::Step { step: setback.step.clone(), reason: setback.reason.clone() },
                None => Cause::Step { step: "the operation".to_owned(), reason: "failed".to_owned() },
            })
        };
        match outcome {
            Outcome::Deployed | Outcome::Uninstalled => Ok(report(&self.plan, false, &self.journal)),
            Outcome::Undone => {
                let cause = cause(self);
                Err(Failure {
                    phase: Phase::Undone,
                    cause: Box::new(cause),
                    next: vec![format!("kubectl flink history {name}")],
                })
            }
            Outcome::Failed => {
                let cause = cause(self);
                let left = self.left_behind();
                let mut failure = self.failure(cause, left);
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
        for job in &self.journal.jobs {
            match (&job.savepoint, &job.trigger) {
                (Some(path), _) if !job.back_started => {
                    left.push(format!("the job {} is stopped; its state is in {path}", job.name));
                }
                (None, Some(trigger)) if job.stop_asked => left.push(format!(
                    "whether the job {} has stopped is not known; its savepoint, if there is one, is in {}",
                    job.name, trigger.directory
                )),
                _ => {}
            }
            if job.checkpointed {
                left.push(format!("the new job {} completed a checkpoint: its output is committed, so nothing goes back by itself", job.name));
            }
        }
        if self.journal.apply_begun && !self.journal.new_gone {
            left.push(format!("the objects of revision {}, for a look", self.journal.to));
        }
        left
    }

    fn ways_on(&self) -> Vec<String> {
        let name = &self.plan.options.name;
        match self.journal.from {
            _ if self.journal.is_uncertain() => vec![format!(
                "kubectl flink recover {name}   (goes on from here; with --savepoint PATH if you found it)"
            )],
            Some(from) if self.journal.kind != Kind::Uninstall => {
                let stopped = self.journal.jobs.iter().any(|job| job.savepoint.is_some());
                let state = if stopped { " --from-savepoint recorded" } else { " --stateless" };
                vec![format!("kubectl flink rollback {name} {from}{state}")]
            }
            _ => vec![format!("kubectl flink upgrade {name} …   or   kubectl flink uninstall {name}")],
        }
    }

    /// Writes into the records how it ended.
    pub(super) async fn close(&mut self, outcome: Outcome) -> Result<Option<String>, Cause> {
        let now = (self.context.now)();
        self.keep_savepoints(now);
        let mut record = self.plan.record.clone();
        record.updated = now;
        match outcome {
            Outcome::Deployed => {
                record.status = Status::Deployed;
                self.context.store.update(&record).await?;
                self.plan.record = record;
                if let Some(mut base) = self.plan.base.clone() {
                    base.status =
                        if base.status == Status::Deployed { Status::Superseded } else { base.status };
                    base.updated = now;
                    self.context.store.update(&base).await?;
                }
                self.supersede_others().await?;
                self.drop_old_revisions().await?;
            }
            Outcome::Uninstalled => super::uninstall::close(self, now).await?,
            Outcome::Undone | Outcome::Failed => {
                if self.journal.recorded && self.journal.kind != Kind::Uninstall {
                    record.status = Status::Failed;
                    self.forget_unstarted(&mut record);
                    record.description = self.journal.setback.as_ref().map_or_else(
                        || "failed".to_owned(),
                        |setback| format!("{}: {}", setback.step, setback.reason),
                    );
                    if self.journal.went_back() && self.journal.old.is_some() || outcome == Outcome::Undone {
                        record.generation = 0; // it runs nowhere, at most Pods of it are left
                        record.description.push_str(" (undone)");
                        for job in &mut record.jobs {
                            job.id = None;
                            job.restored_from = None;
                        }
                    }
                    self.context.store.update(&record).await?;
                }
                if let Some(mut base) = self.plan.base.clone() {
                    base.updated = now;
                    bring_back(&self.journal, &mut base);
                    self.context.store.update(&base).await?;
                }
            }
        }
        self.record(Event::Closed(outcome)).await?;
        Ok(None)
    }

    /// The base revision's record keeps the savepoints that ended its jobs.
    fn keep_savepoints(&mut self, now: jiff::Timestamp) {
        let flink_version =
            self.old.as_ref().map(|descriptor| descriptor.flink_version.clone()).unwrap_or_default();
        for job in &self.journal.jobs {
            let Some(savepoint) = savepoint_of(job, &flink_version, now) else { continue };
            if let Some(record) = &mut self.plan.base {
                for ended in record.jobs.iter_mut().filter(|record| record.name == job.name) {
                    if job.stopped {
                        ended.ended_by = Some(savepoint.clone());
                    } else {
                        ended.taken.push(savepoint.clone()); // it runs on, past that savepoint
                    }
                }
            }
            // A job that is only stopped keeps its savepoint in the new record too.
            for next in self.plan.record.jobs.iter_mut().filter(|record| record.name == job.name) {
                if job.start.is_none() {
                    next.ended_by = Some(savepoint.clone());
                } else if job
                    .start
                    .as_ref()
                    .is_some_and(|start| start.from == crate::operation::StateFrom::ItsStop)
                {
                    next.restored_from = Some(savepoint.path.clone());
                }
            }
        }
    }

    /// A job that was never started has no id: nothing of it is anywhere.
    fn forget_unstarted(&self, record: &mut Record) {
        for moved in self.journal.jobs.iter().filter(|moved| moved.start.is_some() && !moved.start_asked) {
            for job in record.jobs.iter_mut().filter(|job| job.name == moved.name) {
                job.id = None;
                job.state = JobState::Failed;
            }
        }
    }

    /// Where the running revision was a failed one, an older one still says `deployed`.
    async fn supersede_others(&self) -> Result<(), Cause> {
        let name = &self.plan.options.name;
        for summary in self.context.store.history(name).await? {
            if summary.status == Status::Deployed && summary.revision != self.plan.record.revision {
                self.context
                    .store
                    .set_status(name, summary.revision, Status::Superseded, &summary.description)
                    .await?;
            }
        }
        Ok(())
    }

    /// Keeps at most `history_max` revisions, but never drops one whose savepoint exists.
    async fn drop_old_revisions(&self) -> Result<(), Cause> {
        let max = self.plan.options.history_max as usize;
        if max == 0 {
            return Ok(());
        }
        let mut history = self.context.store.history(&self.plan.options.name).await?;
        history.sort_by_key(|summary| summary.revision);
        let surplus = history.len().saturating_sub(max);
        let droppable = history.iter().filter(|summary| {
            summary.savepoints.is_empty() && matches!(summary.status, Status::Superseded | Status::Failed)
        });
        for summary in droppable.take(surplus) {
            self.context.store.delete(&self.plan.options.name, summary.revision).await?;
        }
        Ok(())
    }

    fn stray(&self, number: u32) -> Option<&Stray> {
        self.plan.strays.iter().find(|stray| stray.number == number)
    }

    /// The objects of a target.
    pub fn objects(&self, target: Target) -> &[Object] {
        match target {
            Target::New => &self.plan.objects,
            Target::Old => &self.plan.old_objects,
            Target::Back => self.back.as_ref().map_or(&[], |(objects, _)| objects),
            Target::Stray(number) => self.stray(number).map_or(&[], |stray| &stray.objects),
        }
    }

    /// The descriptor of a target.
    pub fn descriptor(&self, target: Target) -> Option<&Descriptor> {
        match target {
            Target::New => self.new.as_ref(),
            Target::Old => self.old.as_ref(),
            Target::Back => self.back.as_ref().and_then(|(_, descriptor)| descriptor.as_ref()),
            Target::Stray(number) => self.stray(number).and_then(|stray| stray.descriptor.as_ref()),
        }
    }

    /// Options for applying this release's objects for real.
    pub fn apply_options(&self) -> apply::ApplyOptions {
        apply::ApplyOptions {
            namespace: self.context.namespace.clone(),
            release: self.plan.options.name.clone(),
            dry_run: false,
            force_conflicts: self.plan.options.force_conflicts,
            take_ownership: self.plan.options.take_ownership,
        }
    }
}

/// After a way back the base revision's jobs have new ids, and perhaps another generation.
pub(super) fn bring_back(journal: &Journal, base: &mut Record) {
    if journal.old_removed
        && journal.back_applied
        && let Some(number) = journal.back
    {
        base.generation = number;
    }
    for moved in journal.jobs.iter().filter(|job| job.back_started) {
        let Some(back) = &moved.back else { continue };
        for job in base.jobs.iter_mut().filter(|job| job.name == moved.name) {
            *job = JobRecord {
                id: Some(back.id),
                state: JobState::Running,
                restored_from: super::steps::path_for(moved, &back.from),
                // It runs again: the savepoint did not end it, but it is kept.
                taken: job.taken.iter().cloned().chain(job.ended_by.clone()).collect(),
                ended_by: None,
                ..job.clone()
            };
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
                    .find(|moved| moved.name == job.name)
                    .and_then(|moved| moved.savepoint.clone()),
            })
            .collect(),
        notes: record.notes.clone(),
    }
}
