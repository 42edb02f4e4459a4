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
use super::{ChangeOptions, Desired, Plan, StateChoice, StrategyChoice, Summary};
use crate::cluster::apply::{self, ApplyOptions};
use crate::context::Context;
use crate::failure::{Cause, Failure};
use crate::flink::JobState;
use crate::layout::{ClusterKind, Descriptor};
use crate::live::{Live, Situation, objects_of, start_of};
use crate::operation::{JobMove, Journal, Kind, Pods, Strategy};
use crate::release::{JobRecord, JobState as Recorded, PackageRef, Record, Status};
use crate::render::{self, SavepointContext, generation_name};
use crate::site::Operation;

/// Decides a change of `situation` towards `desired`.
pub(crate) async fn build(
    context: &Context,
    kind: Kind,
    options: &ChangeOptions,
    situation: &Situation,
    desired: Desired,
) -> Result<Plan, Failure> {
    desired
        .package
        .check_values(&desired.values)
        .map_err(|source| Cause::Schema { package: desired.package.metadata.name.clone(), source })?;
    refuse_versions(&desired)?;
    let revision = situation.next_revision();
    let highest = context.store.max_generation(&options.name).await.map_err(Cause::from)?;
    let fresh = highest.max(situation.generations.last().copied().unwrap_or(0)) + 1;

    let running = situation.descriptor.as_ref().filter(|d| situation.generations.contains(&d.generation));
    let mut number = fresh;
    let mut pods = Pods::New;
    let unknown = || (Value::Null, None);
    let mut rendered = render_desired(options, context, &desired, revision, kind, fresh, unknown())?;
    if let Some(descriptor) = running {
        let now = start_of(situation.base.as_ref().map_or(&[], |base| &base.jobs));
        let same = render_desired(options, context, &desired, revision, kind, descriptor.generation, now)?;
        let starts = descriptor.is_standalone() && starts_again(options, situation, kind);
        if same_pods(&same.objects, &situation.objects) && !starts {
            (number, pods, rendered) = (descriptor.generation, Pods::Same, same);
        }
    }
    if kind == Kind::Jobs && pods == Pods::Same {
        // Jobs that an upgrade which was undone in part has left on these Pods need the room that it made.
        for left in left_on_these_pods(context, situation).await? {
            pods::at_least_the_task_managers_of(&objects_of(&left)?, &mut rendered.objects);
        }
    }
    let descriptor = Descriptor::find(&rendered.objects)?;
    // The start of a standalone job is no part of what is recorded: it is another each time.
    let manifest = if pods == Pods::Same && descriptor.as_ref().is_some_and(Descriptor::is_standalone) {
        render_desired(options, context, &desired, revision, kind, number, unknown())?.objects
    } else {
        rendered.objects.clone()
    };
    if let Some(descriptor) = &descriptor {
        refuse_flink_version(&desired, &descriptor.flink_version)?;
    }
    if let Some(descriptor) = &descriptor
        && descriptor.kind == ClusterKind::Job
        && !descriptor.durable
        && !options.accept_volatile
    {
        return Err(Failure::refused(Cause::Volatile(
            "a job of its own would lose its state with its Pods".to_owned(),
        ))
        .next(["add --accept-volatile to run it all the same, or set storage.type"]));
    }

    let demand = Demand::of(&rendered.objects, number);
    let wanted = wanted_strategy(options, &desired.values);
    let (strategy, strategy_reason) = if pods == Pods::New && running.is_some() {
        let standalone = [Some(running), Some(descriptor.as_ref())];
        let standalone = standalone.into_iter().flatten().flatten().any(Descriptor::is_standalone);
        choose_strategy(context, options, situation, wanted, &demand, standalone).await?
    } else {
        (Strategy::Recreate, None)
    };
    let (old_claims, new_claims) = (pods::claims(&situation.objects), pods::claims(&rendered.objects));
    let moves = Moves {
        claims_left: old_claims.difference(&new_claims).map(|claim| (*claim).to_owned()).collect(),
        keeps_volume: !old_claims.is_empty() && old_claims.is_subset(&new_claims),
        context,
        options,
        situation,
        desired: &desired,
        descriptor: descriptor.as_ref(),
        pods,
        starts_pods: pods == Pods::New && strategy == Strategy::Recreate,
        revision,
        starts_by_pods: pods == Pods::New && descriptor.as_ref().is_some_and(Descriptor::is_standalone),
    };
    let Decided { moves, jobs, changes, choice_needed } = moves.decide().await?;

    let record = Record {
        name: options.name.clone(),
        namespace: context.namespace.clone(),
        revision,
        status: match kind {
            Kind::Install => Status::PendingInstall,
            Kind::Rollback => Status::PendingRollback,
            _ => Status::PendingUpgrade,
        },
        description: options.description.clone().unwrap_or_else(|| describe(kind, &desired)),
        created: (context.now)(),
        updated: (context.now)(),
        package: PackageRef {
            name: desired.package.metadata.name.clone(),
            version: desired.package.metadata.version.to_string(),
            digest: desired.package.digest().map_err(Cause::from)?,
            flink_version: descriptor
                .as_ref()
                .map_or_else(|| desired.package.metadata.flink_version.clone(), |d| d.flink_version.clone()),
        },
        archive: desired.package.to_archive().map_err(Cause::from)?,
        layout: desired.layout.clone(),
        user_values: desired.user_values.clone(),
        values: desired.values.clone(),
        capabilities: desired.capabilities.clone(),
        manifest: render::to_manifest(&manifest),
        notes: rendered.notes,
        generation: if descriptor.is_some() { number } else { 0 },
        jobs,
        operation: operation_name(kind).to_owned(),
    };
    let hosts: Vec<u32> = record
        .jobs
        .iter()
        .filter(|job| job.state == Recorded::Running)
        .filter_map(|job| job.elsewhere)
        .map(|place| place.generation)
        .collect();
    let objects = object_changes(&situation.objects, &rendered.objects);
    let unchanged = situation.base.as_ref().is_some_and(|base| {
        moves.is_empty()
            && base.status == Status::Deployed
            && pods == Pods::Same
            && objects.create.is_empty()
            && objects.change.is_empty()
            && objects.delete.is_empty()
            && base.package.digest == record.package.digest
            && base.layout == record.layout
            && base.user_values == record.user_values
            && base.jobs == record.jobs
    });
    let summary = Summary {
        operation: kind,
        release: options.name.clone(),
        namespace: context.namespace.clone(),
        from_revision: situation.base.as_ref().map(|base| base.revision),
        to_revision: if unchanged { revision - 1 } else { revision },
        package: format!("{}-{}", record.package.name, record.package.version),
        layout: record.layout.clone(),
        unchanged,
        new_pods: pods == Pods::New,
        strategy: (pods == Pods::New && running.is_some()).then_some(strategy),
        strategy_reason,
        meanwhile: (strategy == Strategy::Warm).then_some(demand),
        from_generation: running.map(|descriptor| descriptor.name.clone()),
        to_generation: generation_name(&options.name, number),
        objects,
        on_failure: on_failure(options, running.is_some(), strategy, pods, &moves),
        jobs: changes,
        choice_needed,
        diff: None,
    };
    let journal = Journal {
        kind,
        from: situation.base.as_ref().map(|base| base.revision),
        to: revision,
        strategy,
        pods,
        old: running.map(|descriptor| descriptor.generation),
        new: number,
        // With two generations the way back is the old one itself.
        back: (pods == Pods::New && running.is_some() && strategy == Strategy::Recreate)
            .then_some(number + 1),
        pods_start: running.is_some_and(Descriptor::is_standalone),
        rollback_on_failure: options.rollback_on_failure,
        keep_going: options.keep_going,
        wait: options.wait,
        jobs: moves,
        strays: situation
            .strays
            .iter()
            .map(|stray| stray.number)
            .filter(|number| !hosts.contains(number))
            .collect(),
        ..Journal::begin(kind, revision)
    };
    if options.server_dry_run && !unchanged {
        let apply_options = ApplyOptions {
            namespace: context.namespace.clone(),
            release: options.name.clone(),
            dry_run: true,
            force_conflicts: options.force_conflicts,
            take_ownership: options.take_ownership,
        };
        apply::apply(&context.cluster, &rendered.objects, &apply_options, &mut |_, _| {})
            .await
            .map_err(Cause::from)?;
    }
    Ok(Plan {
        summary,
        operation: Operation {
            journal,
            record,
            base: situation.base.clone(),
            objects: rendered.objects,
            old_objects: situation.objects.clone(),
            strays: situation.strays.clone(),
            settings: options.settings(),
        },
        options: options.clone(),
        returns_to: desired.returns_to.as_ref().map(|target| target.revision),
        may_recreate: wanted == StrategyChoice::Auto && strategy == Strategy::Warm,
    })
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

/// Whether a standalone job, which only new Pods can start, is to start again though nothing else changes: from state that was
/// named, or because it has failed.
fn starts_again(options: &ChangeOptions, situation: &Situation, kind: Kind) -> bool {
    let named = !matches!(options.choice, None | Some(StateChoice::Savepoint));
    let failed = |job: &JobRecord| {
        let finished = situation.seen(job).is_some_and(|seen| seen.state == JobState::Finished);
        job.state == Recorded::Running && situation.running(job).is_none() && !finished
    };
    let answers = matches!(situation.live, Live::Jobs(_));
    let any_failed = situation.base.iter().flat_map(|base| &base.jobs).any(failed);
    kind != Kind::Jobs && (named || answers && any_failed)
}

fn operation_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Install => "install",
        Kind::Upgrade => "upgrade",
        Kind::Rollback => "rollback",
        Kind::Uninstall => "uninstall",
        Kind::Jobs => "job",
    }
}

fn describe(kind: Kind, desired: &Desired) -> String {
    match (kind, &desired.returns_to) {
        (Kind::Install, _) => "Install complete".to_owned(),
        (Kind::Rollback, Some(target)) => format!("Rollback to {}", target.revision),
        (Kind::Jobs, _) => "Jobs changed".to_owned(),
        _ => "Upgrade complete".to_owned(),
    }
}

fn render_desired(
    options: &ChangeOptions,
    context: &Context,
    desired: &Desired,
    revision: u32,
    kind: Kind,
    number: u32,
    start: (Value, Option<SavepointContext>),
) -> Result<render::Rendered, Cause> {
    let (job, savepoint) = start;
    let inputs = render::Inputs {
        values: &desired.values,
        release: render::ReleaseContext {
            name: options.name.clone(),
            namespace: context.namespace.clone(),
            revision,
            is_install: kind == Kind::Install,
            is_upgrade: kind != Kind::Install,
        },
        layout: &desired.layout,
        capabilities: &desired.capabilities,
        savepoint,
        cluster: render::ClusterContext { name: generation_name(&options.name, number), number },
        job,
    };
    Ok(render::render(&desired.package, &inputs)?)
}

fn on_failure(
    options: &ChangeOptions,
    replaces: bool,
    strategy: Strategy,
    pods: Pods,
    moves: &[JobMove],
) -> String {
    if !replaces {
        return "what was made is left for a look, the revision is failed".to_owned();
    }
    let warm = if strategy == Strategy::Warm {
        "before a job is stopped: the new generation is removed, nothing else happens; then "
    } else {
        ""
    };
    if !options.rollback_on_failure {
        return format!(
            "{warm}the new revision is left as it is, failed; the command that goes back is printed"
        );
    }
    let state = if moves.iter().any(JobMove::gives_up_its_state) {
        "its own latest checkpoint"
    } else {
        "the state named above"
    };
    let one_by_one = strategy == Strategy::Warm || pods == Pods::Same;
    if one_by_one && moves.iter().filter(|job| job.stop.is_some()).count() > 1 {
        let which = if options.keep_going {
            "the job that fails goes back"
        } else {
            "each job that has completed no checkpoint by then goes back"
        };
        return format!(
            "{warm}{which} to the revision that runs now, from {state}; the others stay, and are named"
        );
    }
    if moves.iter().any(|job| job.stop.is_some()) {
        return format!(
            "{warm}before the new job's first completed checkpoint: back to the revision that runs now, from {state}; \
             after it nothing goes back by itself"
        );
    }
    "back to the revision that runs now".to_owned()
}
