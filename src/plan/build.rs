//! Builds the plan of a change: for install, upgrade, rollback and changes of jobs alike.
//!
//! Reads, and has the API server check the objects by a dry run; changes nothing.

use std::collections::BTreeSet;

use serde_json::Value;

use super::capacity::Demand;
use super::jobs::{Decided, Moves};
use super::pods::{self, object_changes, same_pods};
use super::strategy::{choose_strategy, wanted_strategy};
use super::versions::{refuse_flink_version, refuse_versions};
use super::{ChangeOptions, Desired, ObjectChanges, Plan, StateChoice, StrategyChoice, Summary};
use crate::cluster::apply::{self, ApplyOptions};
use crate::context::Context;
use crate::failure::{Cause, Failure, InPhase, NextStep};
use crate::flink::JobState;
use crate::layout::{self, Descriptor};
use crate::live::{Live, Situation, objects_of, start_of};
use crate::operation::{self, ControlTraits, JobMove, Journal, Kind, Pods, Strategy};
use crate::release::{JobRecord, JobState as Recorded, PackageRef, Record, Status};
use crate::render::{self, Inputs, Object, ReleaseContext, SavepointContext};
use crate::site::Operation;

/// Decides a change of `situation` towards `desired`.
pub(crate) async fn build(
    context: &Context,
    kind: Kind,
    options: &ChangeOptions,
    situation: &Situation,
    desired: Desired,
) -> Result<Plan, Failure> {
    let revision = situation.next_revision();
    let draft = Draft { context, kind, options, situation, desired: &desired, revision };
    draft.refuse_inputs()?;
    let target = draft.render().await?;
    draft.refuse_target(&target)?;
    let demand = Demand::of(&target.objects, target.number);
    let wanted = wanted_strategy(options, &desired.values);
    let (strategy, strategy_reason) = draft.strategy(wanted, &target, &demand).await?;
    let decided = draft.jobs(&target, strategy).await?;
    refuse_start_without_pods(&target, &decided.moves)?;
    let record = draft.record(&target, decided.jobs)?;
    let objects = object_changes(&situation.objects, &target.objects);
    let unchanged = decided.moves.is_empty() && draft.is_unchanged(&target, &record, &objects);
    if options.server_dry_run && !unchanged {
        draft.dry_run(&target).await?;
    }
    let running = draft.running();
    let on_failure = on_failure(options, running.is_some(), strategy, target.pods, &decided.moves);
    let operation = Operation {
        journal: Journal::of(draft.decided(&target, strategy, &record), decided.moves),
        record,
        base: situation.base.clone(),
        objects: target.objects,
        old_objects: situation.objects.clone(),
        orphans: situation.orphans.clone(),
        settings: options.settings(),
    };
    let plan = Plan::new(operation, options, decided.changes, decided.choice_needed, running, on_failure);
    let to_revision = situation.base.as_ref().filter(|_| unchanged).map_or(revision, |base| base.revision);
    Ok(Plan {
        summary: Summary {
            to_revision,
            unchanged,
            new_pods: target.pods == Pods::New,
            strategy: (target.pods == Pods::New && running.is_some()).then_some(strategy),
            strategy_reason,
            meanwhile: (strategy == Strategy::Warm).then_some(demand),
            objects,
            ..plan.summary
        },
        returns_to: desired.returns_to.as_ref().map(|target| target.revision),
        may_recreate: wanted == StrategyChoice::Auto && strategy == Strategy::Warm,
        ..plan
    })
}

/// Where Pods start the job, a start without new ones would stop it and then wait in vain.
fn refuse_start_without_pods(target: &Rendered, moves: &[JobMove]) -> Result<(), Failure> {
    let starts_with_pods = target.traits().is_some_and(|traits| traits.starts_with_pods);
    let starting = moves.iter().find(|job| job.start().is_some());
    let Some(starting) = starting.filter(|_| starts_with_pods && target.pods == Pods::Same) else {
        return Ok(());
    };
    let reason = "only new Pods start it in this layout, and nothing that was asked for changes them";
    Err(Failure::refused(Cause::CannotStart { job: starting.name.clone(), reason: reason.to_owned() }).next(
        [NextStep::say("change in the same command what its Pods are made of: the image, job.jar, job.args")],
    ))
}

/// A plan in the making.
struct Draft<'a> {
    context: &'a Context,
    kind: Kind,
    options: &'a ChangeOptions,
    situation: &'a Situation,
    desired: &'a Desired,
    revision: u32,
}

/// The target, rendered under the generation that will run it.
struct Rendered {
    number: u32,
    pods: Pods,
    objects: Vec<Object>,
    /// As it is recorded: a start that Pods make is no part of it, it is another each time.
    manifest: String,
    notes: String,
    descriptor: Option<Descriptor>,
}

impl Rendered {
    fn traits(&self) -> Option<ControlTraits> {
        self.descriptor.as_ref().map(Descriptor::traits)
    }
}

impl Draft<'_> {
    /// The descriptor of the generation that runs, if one does.
    fn running(&self) -> Option<&Descriptor> {
        let Situation { descriptor, generations, .. } = self.situation;
        descriptor.as_ref().filter(|descriptor| generations.contains(&descriptor.generation))
    }

    /// The release's part of a path on a storage that several clusters may share: chosen once, for
    /// as long as any revision is on record.
    fn storage_id(&self) -> String {
        let recorded = self.situation.history.last().map(|summary| summary.storage_id.clone());
        recorded.unwrap_or_else(|| self.context.new_storage_id())
    }

    fn refuse_inputs(&self) -> Result<(), Failure> {
        let package = &self.desired.package;
        package
            .check_values(&self.desired.values)
            .map_err(|source| Cause::Schema { package: package.metadata.name.clone(), source })
            .refused()?;
        refuse_versions(self.desired)
    }

    /// Renders under the running generation's number; where that means other Pods, under the next
    /// one.
    async fn render(&self) -> Result<Rendered, Failure> {
        let highest = self.context.store.max_generation(&self.options.name).await.refused()?;
        let fresh = highest.max(self.situation.generations.last().copied().unwrap_or(0)) + 1;
        let unknown = || (Value::Null, None);
        let (mut number, mut pods) = (fresh, Pods::New);
        let mut rendered = self.render_under(fresh, unknown()).refused()?;
        let running = self.running();
        if let Some(descriptor) = running {
            let now = start_of(self.situation.base.as_ref().map_or(&[], |base| &base.jobs));
            let same = self.render_under(descriptor.generation, now).refused()?;
            let starts = descriptor.traits().starts_with_pods
                && (self.starts_again() || self.has_another_job(&same.objects).refused()?);
            if same_pods(&same.objects, &self.situation.objects) && !starts {
                (number, pods, rendered) = (descriptor.generation, Pods::Same, same);
            }
        }
        if self.kind == Kind::Jobs && pods == Pods::Same {
            // Jobs that an upgrade which was undone in part has left on these Pods need the room
            // that it made.
            for left in left_on_these_pods(self.context, self.situation).await.refused()? {
                pods::at_least_the_task_managers_of(&objects_of(&left).refused()?, &mut rendered.objects);
            }
        }
        let (layout, found) = self.desired.package.layout(Some(&self.desired.layout))?;
        let descriptor = layout::descriptor_of(layout, found.kind, &rendered.objects).refused()?;
        let starts = descriptor.as_ref().is_some_and(|descriptor| descriptor.traits().starts_with_pods);
        let manifest = if pods == Pods::Same && starts {
            render::to_manifest(&self.render_under(number, unknown()).refused()?.objects)
        } else {
            render::to_manifest(&rendered.objects)
        };
        let render::Rendered { objects, notes, .. } = rendered;
        Ok(Rendered { number, pods, objects, manifest, notes, descriptor })
    }

    fn render_under(
        &self,
        number: u32,
        start: (Value, Option<SavepointContext>),
    ) -> Result<render::Rendered, Cause> {
        let Desired { layout, values, capabilities, package, .. } = self.desired;
        let (name, namespace) = (&self.options.name, &self.context.namespace);
        let is_install = self.kind == Kind::Install;
        let release = ReleaseContext::new(name, namespace, self.revision, self.storage_id(), is_install);
        let inputs = Inputs::new(release, number, layout, values, capabilities).starting(start);
        Ok(render::render(package, &inputs)?)
    }

    /// Returns whether a job that only new Pods can start is to start again though nothing else
    /// changes: from state that was named, or because it has failed.
    fn starts_again(&self) -> bool {
        let situation = self.situation;
        let named = !matches!(self.options.choice, None | Some(StateChoice::Savepoint));
        let failed = |job: &JobRecord| {
            let finished = situation.seen(job).is_some_and(|seen| seen.state == JobState::Finished);
            job.state == Recorded::Running && situation.running(job).is_none() && !finished
        };
        let answers = matches!(situation.live, Live::Jobs(_));
        let any_failed = situation.base.iter().flat_map(|base| &base.jobs).any(failed);
        self.kind != Kind::Jobs && (named || answers && any_failed)
    }

    /// Returns whether objects declare a job that the running revision does not know: its name is
    /// in no Pod, and yet it is started by a new one.
    fn has_another_job(&self, objects: &[Object]) -> Result<bool, Cause> {
        let known: Vec<_> = self.situation.base.iter().flat_map(|base| &base.jobs).collect();
        let declared = Descriptor::find(objects)?.map_or_else(Vec::new, |descriptor| descriptor.jobs);
        Ok(declared.iter().any(|job| !known.iter().any(|known| known.name == job.name)))
    }

    fn refuse_target(&self, target: &Rendered) -> Result<(), Failure> {
        let Some(descriptor) = &target.descriptor else { return Ok(()) };
        refuse_flink_version(self.desired, &descriptor.flink_version)?;
        if descriptor.is_of_one_job() && !descriptor.durable && !self.options.accept_volatile {
            return Err(Failure::refused(Cause::Volatile(
                "a job of its own would lose its state with its Pods".to_owned(),
            ))
            .next([
                NextStep::again(["--accept-volatile"]).remark("to run it all the same; or set storage.type")
            ]));
        }
        Ok(())
    }

    async fn strategy(
        &self,
        wanted: StrategyChoice,
        target: &Rendered,
        demand: &Demand,
    ) -> Result<(Strategy, Option<String>), Failure> {
        let Some(running) = self.running().filter(|_| target.pods == Pods::New) else {
            return Ok((Strategy::Recreate, None));
        };
        let traits = [Some(running.traits()), target.traits()];
        let side_by_side = traits.into_iter().flatten().all(|traits| traits.side_by_side);
        choose_strategy(self.context, self.options, self.situation, wanted, demand, side_by_side).await
    }

    async fn jobs(&self, target: &Rendered, strategy: Strategy) -> Result<Decided, Failure> {
        let (old_claims, new_claims) = (pods::claims(&self.situation.objects), pods::claims(&target.objects));
        let new_pods = target.pods == Pods::New;
        let starts_with_pods = target.traits().is_some_and(|traits| traits.starts_with_pods);
        let moves = Moves {
            claims_left: old_claims.difference(&new_claims).map(|claim| (*claim).to_owned()).collect(),
            keeps_volume: !old_claims.is_empty() && old_claims.is_subset(&new_claims),
            context: self.context,
            options: self.options,
            situation: self.situation,
            desired: self.desired,
            descriptor: target.descriptor.as_ref(),
            pods: target.pods,
            starts_pods: new_pods && strategy == Strategy::Recreate,
            revision: self.revision,
            starts_with_pods: new_pods && starts_with_pods,
        };
        moves.decide().await
    }

    fn record(&self, target: &Rendered, jobs: Vec<JobRecord>) -> Result<Record, Failure> {
        let Desired { package, layout, user_values, values, capabilities, .. } = self.desired;
        let now = (self.context.now)();
        let flink_version = target.descriptor.as_ref().map(|descriptor| descriptor.flink_version.clone());
        Ok(Record {
            name: self.options.name.clone(),
            namespace: self.context.namespace.clone(),
            storage_id: self.storage_id(),
            revision: self.revision,
            status: match self.kind {
                Kind::Install => Status::PendingInstall,
                Kind::Rollback => Status::PendingRollback,
                _ => Status::PendingUpgrade,
            },
            description: self
                .options
                .description
                .clone()
                .unwrap_or_else(|| describe(self.kind, self.desired)),
            created: now,
            updated: now,
            package: PackageRef {
                name: package.metadata.name.clone(),
                version: package.metadata.version.to_string(),
                digest: package.digest().refused()?,
                flink_version: flink_version.unwrap_or_else(|| package.metadata.flink_version.clone()),
            },
            archive: package.to_archive().refused()?,
            layout: layout.clone(),
            user_values: user_values.clone(),
            values: values.clone(),
            capabilities: capabilities.clone(),
            manifest: target.manifest.clone(),
            notes: target.notes.clone(),
            generation: if target.descriptor.is_some() { target.number } else { 0 },
            jobs,
            operation: self.kind.verb().to_owned(),
        })
    }

    /// Returns whether the release is as it is asked for, but for its jobs.
    fn is_unchanged(&self, target: &Rendered, record: &Record, objects: &ObjectChanges) -> bool {
        let ObjectChanges { create, change, delete } = objects;
        self.situation.base.as_ref().is_some_and(|base| {
            base.status == Status::Deployed
                && target.pods == Pods::Same
                && create.is_empty()
                && change.is_empty()
                && delete.is_empty()
                && base.package.digest == record.package.digest
                && base.layout == record.layout
                && base.user_values == record.user_values
                && base.jobs == record.jobs
        })
    }

    fn decided(&self, target: &Rendered, strategy: Strategy, record: &Record) -> operation::Decided {
        let running = self.running();
        let hosts: Vec<u32> = record
            .jobs
            .iter()
            .filter(|job| job.state == Recorded::Running)
            .filter_map(|job| job.elsewhere)
            .map(|place| place.generation)
            .collect();
        let orphans = self.situation.orphans.iter().map(|orphan| orphan.number);
        operation::Decided {
            from: self.situation.base.as_ref().map(|base| base.revision),
            strategy,
            pods: target.pods,
            old: running.map(|descriptor| descriptor.generation),
            new: target.number,
            // With two generations a revert goes back to the old one itself.
            revert: (target.pods == Pods::New && running.is_some() && strategy == Strategy::Recreate)
                .then_some(target.number + 1),
            source: running.map(Descriptor::traits).unwrap_or_default(),
            destination: target.traits().unwrap_or_default(),
            rollback_on_failure: self.options.rollback_on_failure,
            keep_going: self.options.keep_going,
            wait: self.options.wait,
            orphans: orphans.filter(|number| !hosts.contains(number)).collect(),
            ..operation::Decided::new(self.kind, self.revision)
        }
    }

    async fn dry_run(&self, target: &Rendered) -> Result<(), Failure> {
        let apply_options = ApplyOptions {
            namespace: self.context.namespace.clone(),
            release: self.options.name.clone(),
            dry_run: true,
            force_conflicts: self.options.force_conflicts,
            take_ownership: self.options.take_ownership,
        };
        apply::apply(&self.context.cluster, &target.objects, &apply_options, &mut |_, _| {})
            .await
            .refused()?;
        Ok(())
    }
}

/// The revisions whose jobs run in the generation of the revision in charge.
async fn left_on_these_pods(context: &Context, situation: &Situation) -> Result<Vec<Record>, Cause> {
    let Some(base) = &situation.base else { return Ok(Vec::new()) };
    let places = base.jobs.iter().filter(|job| base.place_of(job).is_none()).filter_map(|job| job.elsewhere);
    let revisions: BTreeSet<u32> = places.map(|place| place.revision).collect();
    let mut records = Vec::new();
    for revision in revisions {
        records.push(context.store.get(&base.name, revision).await?);
    }
    Ok(records)
}

fn describe(kind: Kind, desired: &Desired) -> String {
    match (kind, &desired.returns_to) {
        (Kind::Install, _) => "Install complete".to_owned(),
        (Kind::Rollback, Some(target)) => format!("Rollback to {}", target.revision),
        (Kind::Jobs, _) => "Jobs changed".to_owned(),
        _ => "Upgrade complete".to_owned(),
    }
}

fn on_failure(
    options: &ChangeOptions,
    replaces: bool,
    strategy: Strategy,
    pods: Pods,
    moves: &[JobMove],
) -> String {
    if !replaces {
        return "what was made is kept for inspection, the revision is failed".to_owned();
    }
    let warm = if strategy == Strategy::Warm {
        "before a job is stopped: the new generation is removed, nothing else happens; then "
    } else {
        ""
    };
    if !options.rollback_on_failure {
        return format!(
            "{warm}the new revision is left as it is, failed; the command that rolls back is printed"
        );
    }
    let state = if moves.iter().any(JobMove::gives_up_its_state) {
        "its own latest checkpoint"
    } else {
        "the state named above"
    };
    let one_by_one = strategy == Strategy::Warm || pods == Pods::Same;
    if one_by_one && moves.iter().filter(|job| job.decided.stop.is_some()).count() > 1 {
        let which = if options.keep_going {
            "the job that fails is rolled back"
        } else {
            "each job that has completed no checkpoint by then is rolled back"
        };
        return format!(
            "{warm}{which} to the revision that runs now, from {state}; the others stay, and are named"
        );
    }
    if moves.iter().any(|job| job.decided.stop.is_some()) {
        return format!(
            "{warm}before the new job's first completed checkpoint: back to the revision that runs now, from {state}; \
             after it nothing is rolled back automatically"
        );
    }
    "back to the revision that runs now".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Id;
    use crate::operation::{Start, StartId, StateFrom};

    /// Expected: refused where the stop would come and no Pod would ever be told of the start.
    #[test]
    fn a_job_that_pods_start_is_never_stopped_without_new_ones() {
        let rendered = |pods, starts_with_pods| Rendered {
            number: 1,
            pods,
            objects: Vec::new(),
            manifest: String::new(),
            notes: String::new(),
            descriptor: Some(descriptor(starts_with_pods)),
        };
        let mut moved = JobMove::new("orders");
        moved.decided.old = Some(Id::from_bytes([1; 16]));
        let stopped = [moved.clone()];
        moved.decided.start =
            Some(Start { id: StartId::Chosen(Id::from_bytes([2; 16])), from: StateFrom::ItsStop });
        let started = [moved];
        let refused = |pods, starts, moves: &[JobMove]| {
            refuse_start_without_pods(&rendered(pods, starts), moves).is_err()
        };
        assert!(refused(Pods::Same, true, &started));
        assert!(!refused(Pods::New, true, &started));
        assert!(!refused(Pods::Same, false, &started), "a request starts it");
        assert!(!refused(Pods::Same, true, &stopped), "it is not to run again");
    }

    fn descriptor(starts_with_pods: bool) -> Descriptor {
        let control = if starts_with_pods { "pods" } else { "rest" };
        let text = format!(
            "{{generation: 1, name: demo-g1, kind: job, control: {control}, service: {{name: a, port: 8081}}, \
             stableService: {{name: b, port: 8081}}, jobManagerSelector: a, taskManagerSelector: b, \
             haSelector: c, taskManagers: 1, slotsPerTaskManager: 1, flinkVersion: 2.3.0, durable: true, \
             highAvailability: true}}"
        );
        crate::yaml::from_str(&text, "the test").unwrap()
    }
}
