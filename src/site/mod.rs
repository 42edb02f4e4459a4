//! The real world of the [engine](crate::engine): a release's objects and records on Kubernetes,
//! its Flink by REST.

mod generation;
mod jobs;
mod kept;
mod operation;
mod records;
mod uninstall;
mod warm_up;

use std::collections::BTreeSet;

use crate::cluster::{apply, delete};
use crate::context::Context;
use crate::engine::{Recipe, Waits, World};
use crate::failure::Cause;
use crate::flink::{self, Client};
use crate::id::JobId;
use crate::layout::Descriptor;
use crate::layout::control::{Driver, RestControl, owned_kinds};
use crate::live::search::{has_finished, is_missing, search};
use crate::live::{Orphan, render_record, unmanaged};
use crate::operation::{Journal, Kind, Look, Outcome, Pods, Target, Trigger};
use crate::probe::warm_up::id as warm_up_id;
use crate::progress::{Cancellation, Observer, Progress};
use crate::release::operation::Pending;
use crate::release::{Lock, Status};
use crate::render::{Object, ObjectKey};

pub(crate) use kept::{keep_ends_of, savepoints_of};
pub use operation::{Operation, Settings};
pub(crate) use records::bring_back;

/// A release that an operation holds the lock of.
pub(crate) struct Site<'a> {
    /// Fenced: whatever it changes goes through [`crate::fence`].
    pub context: Context,
    pub lock: Lock,
    pub operation: Operation,
    /// The running revision's descriptor.
    old: Option<Descriptor>,
    new: Option<Descriptor>,
    /// The running revision's objects and descriptor in a generation of its own, for the revert.
    back: Option<(Vec<Object>, Option<Descriptor>)>,
    observer: &'a dyn Observer,
    cancellation: &'a Cancellation,
}

impl<'a> Site<'a> {
    /// The site of one release under its fence.
    pub fn new(
        context: &Context,
        lock: Lock,
        operation: Operation,
        observer: &'a dyn Observer,
        cancellation: &'a Cancellation,
    ) -> Result<Self, Cause> {
        let back = match (&operation.base, operation.journal.decided.revert) {
            (Some(base), Some(number)) => {
                let objects = render_record(base, number)?;
                let descriptor = Descriptor::find(&objects)?;
                Some((objects, descriptor))
            }
            _ => None,
        };
        Ok(Self {
            context: context.under(&lock),
            lock,
            old: Descriptor::find(&operation.old_objects)?,
            new: Descriptor::find(&operation.objects)?,
            back,
            operation,
            observer,
            cancellation,
        })
    }

    fn require(&self, target: Target) -> Result<Descriptor, Cause> {
        self.descriptor(target).cloned().ok_or_else(|| Cause::Step {
            step: "find the Flink cluster".to_owned(),
            reason: "the package's layout renders no descriptor".to_owned(),
        })
    }

    fn rest(&self, descriptor: &Descriptor) -> RestControl<Client> {
        RestControl::new(self.context.flink(descriptor), self.context.timeout)
    }

    /// Returns who an object is, with its namespace: a template may leave it out, and what lives
    /// has one.
    fn placed(&self, object: &Object) -> ObjectKey {
        let mut key = object.key();
        key.namespace.get_or_insert_with(|| self.context.namespace.clone());
        key
    }

    /// Gives what was deleted, in words.
    async fn delete_not_wanted(&self, target: Target) -> Result<Option<String>, Cause> {
        let keys = self.not_wanted(target).await?;
        let (cluster, namespace) = (&self.context.cluster, &self.context.namespace);
        delete::delete(cluster, namespace, self.operation.name(), &keys, &mut |_, _| {})
            .await
            .map_err(Cause::not_deleted)?;
        Ok((!keys.is_empty()).then(|| {
            format!("deleted {}", keys.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
        }))
    }

    /// Returns what is the release's and not part of the target: what the records of the other side
    /// name, and what lives with the release's label (attempts that failed left it). Claims hold
    /// state and stay; a generation goes by [`Step::Remove`].
    async fn not_wanted(&self, target: Target) -> Result<Vec<ObjectKey>, Cause> {
        let placed = |object: &Object| self.placed(object);
        let wanted: BTreeSet<ObjectKey> = self.objects(target).iter().map(placed).collect();
        let (cluster, namespace) = (&self.context.cluster, &self.context.namespace);
        let owned = delete::list_owned(cluster, namespace, self.operation.name(), &owned_kinds()).await?;
        let recorded = self.operation.objects.iter().chain(&self.operation.old_objects);
        let known: BTreeSet<ObjectKey> =
            recorded.filter(|object| object.generation().is_none()).map(placed).collect();
        let orphans = owned.objects.iter().filter(|object| object.generation().is_none()).map(placed);
        let gone = known.into_iter().chain(orphans).filter(|key| !key.is_claim());
        let gone: BTreeSet<ObjectKey> = gone.filter(|key| !wanted.contains(key)).collect();
        Ok(gone.into_iter().collect())
    }

    pub(super) fn orphan(&self, number: u32) -> Option<&Orphan> {
        self.operation.orphans.iter().find(|orphan| orphan.number == number)
    }

    /// The objects of a target.
    pub fn objects(&self, target: Target) -> &[Object] {
        match target {
            Target::New => &self.operation.objects,
            Target::Old => &self.operation.old_objects,
            Target::Revert => self.back.as_ref().map_or(&[], |(objects, _)| objects),
            Target::Orphan(number) => self.orphan(number).map_or(&[], |orphan| &orphan.objects),
        }
    }

    /// The descriptor of a target.
    pub fn descriptor(&self, target: Target) -> Option<&Descriptor> {
        match target {
            Target::New => self.new.as_ref(),
            Target::Old => self.old.as_ref(),
            Target::Revert => self.back.as_ref().and_then(|(_, descriptor)| descriptor.as_ref()),
            Target::Orphan(number) => self.orphan(number).and_then(|orphan| orphan.descriptor.as_ref()),
        }
    }

    /// Options for applying this release's objects for real.
    pub fn apply_options(&self) -> apply::ApplyOptions {
        apply::ApplyOptions {
            namespace: self.context.namespace.clone(),
            release: self.operation.name().to_owned(),
            dry_run: false,
            force_conflicts: self.operation.settings.force_conflicts,
            take_ownership: self.operation.settings.take_ownership,
        }
    }
}

impl World for Site<'_> {
    type Control = Driver;

    async fn write(&self, journal: &Journal) -> Result<(), Cause> {
        Ok(self.lock.write(&Pending::from(journal)).await?)
    }

    fn control(&self, target: Target) -> Result<Driver, Cause> {
        let descriptor = self.require(target)?;
        Ok(Driver::of(&self.context, self.operation.name(), &descriptor, self.objects(target)))
    }

    fn has_flink(&self, target: Target) -> bool {
        self.descriptor(target).is_some()
    }

    fn name(&self, target: Target) -> String {
        self.descriptor(target).map_or_else(|| "?".to_owned(), |descriptor| descriptor.name.clone())
    }

    fn recipe(&self, job: &str, target: Target) -> Result<Recipe, Cause> {
        let record = self.job_record(job, target)?;
        Ok(Recipe {
            program: self.program(&record, target),
            allow_non_restored_state: record.allow_non_restored_state,
            application: record.mode.is_application(),
        })
    }

    async fn jar(&self, job: &str, target: Target) -> Result<String, Cause> {
        self.jar_id(&self.job_record(job, target)?, target).await
    }

    async fn await_pods(&mut self, target: Target) -> Result<(), Cause> {
        self.await_generation(target).await.map(drop)
    }

    fn fits(&self, job: &str, plan: &flink::Plan) -> Result<(), Cause> {
        self.refuse_too_few_slots(job, plan)
    }

    async fn find_savepoint(&self, target: Target, trigger: &Trigger) -> Look {
        match self.descriptor(target) {
            Some(descriptor) => search(&self.context, descriptor, &trigger.directory).await,
            None => Look::Unknown,
        }
    }

    async fn find_left(&self, target: Target, job: JobId) -> Look {
        let Some(descriptor) = self.descriptor(target) else { return Look::Unknown };
        let (Some(checkpoints), Some(results)) =
            (&descriptor.checkpoint_directory, &descriptor.job_result_directory)
        else {
            return Look::Unknown;
        };
        let of_job = |directory: &str| format!("{}/{job}", directory.trim_end_matches('/'));
        match has_finished(&self.context, descriptor, &of_job(results)).await {
            Some(true) => Look::Finished,
            Some(false) => search(&self.context, descriptor, &of_job(checkpoints)).await,
            None => Look::Unknown,
        }
    }

    async fn is_missing(&self, target: Target, path: &str) -> bool {
        let Some(descriptor) = self.descriptor(target) else { return false };
        is_missing(&self.context, descriptor, path).await
    }

    fn waits(&self) -> Waits {
        Waits { timeout: self.context.timeout, quiet: self.operation.settings.stability_period }
    }

    async fn begin(&mut self, journal: &Journal) -> Result<(), Cause> {
        let store = &self.context.store;
        if journal.decided.kind == Kind::Uninstall {
            let (name, text) = (self.operation.name(), "Uninstallation in progress");
            store.set_status(name, journal.decided.to, Status::Uninstalling, text).await?;
        } else {
            let mut pending = self.operation.record.clone();
            // The user's own words are there from the start: who recovers this run has no others.
            if self.operation.settings.description.is_none() {
                pending.description = format!("{} in progress", self.operation.journal.decided.kind);
            }
            store.create(&pending).await?;
        }
        Ok(())
    }

    async fn apply(&mut self, target: Target, journal: &Journal) -> Result<Option<String>, Cause> {
        self.apply_objects(target, journal).await
    }

    async fn await_ready(&mut self, target: Target) -> Result<Option<String>, Cause> {
        if self.operation.journal.traits(target).starts_with_pods
            && self.operation.journal.decided.pods == Pods::New
        {
            return Ok(Some("it starts with its job".to_owned()));
        }
        let ready = self.await_generation(target).await?;
        if !self.wants_warm_up(target) {
            return Ok(Some(ready));
        }
        Ok(Some(format!("{ready}, {}", self.run_warm_up(target).await?)))
    }

    fn warm_up(&self, target: Target) -> Option<JobId> {
        warm_up_id(&self.descriptor(target)?.name)
    }

    async fn unmanaged(&self, target: Target, mut known: BTreeSet<JobId>) -> Result<Vec<JobId>, Cause> {
        let Some(descriptor) = self.descriptor(target) else { return Ok(Vec::new()) };
        let records = self.operation.base.iter().chain([&self.operation.record]);
        known.extend(records.flat_map(|record| &record.jobs).filter_map(|job| job.id));
        let kept = unmanaged::kept(&self.context, self.operation.name(), descriptor, known).await?;
        Ok(kept.into_iter().map(|job| job.id).collect())
    }

    async fn switch(&mut self) -> Result<(), Cause> {
        self.switch_services().await
    }

    async fn clear(&mut self, target: Target) -> Result<(), Cause> {
        self.clear_generation(target).await
    }

    async fn prune(&mut self, target: Target) -> Result<Option<String>, Cause> {
        self.delete_not_wanted(target).await
    }

    async fn delete(&mut self, journal: &Journal) -> Result<(), Cause> {
        self.delete_objects(journal).await
    }

    async fn close(&mut self, outcome: Outcome, journal: &Journal) -> Result<(), Cause> {
        self.close_records(outcome, journal).await
    }

    fn tell(&self, progress: Progress) {
        self.observer.progress(progress);
    }

    fn is_cancelled(&self) -> bool {
        self.cancellation.is_cancelled()
    }
}
