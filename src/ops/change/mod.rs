//! The plan of a change: which objects, whether new Pods, which jobs stop and where their state comes from.
//!
//! [`plan`] is the one place where this is decided, for install, upgrade, rollback and changes of jobs alike. It reads,
//! and has the API server check the objects by a dry run; it changes nothing.

pub mod capacity;
mod diff;
mod downtime;
mod moves;
mod pods;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use super::descriptor::{ClusterKind, Descriptor};
use super::situation::{Live, Situation, Stray, objects_of, start_of};
use super::{Cause, Context, Failure};
use crate::cluster::apply::{self, ApplyOptions};
use crate::flink::{Access, JobState};
use crate::operation::{JobMove, Journal, Kind, Pods, Strategy};
use crate::package::Package;
use crate::release::{JobRecord, JobState as Recorded, PackageRef, Record, Status};
use crate::render::{self, Capabilities, Object, SavepointContext, generation_name};
use capacity::Demand;
pub use diff::ObjectDiff;
pub use downtime::Downtime;
pub(super) use moves::leave;
use moves::{Decided, Moves};
use pods::{object_changes, same_pods};

/// Where the state of jobs that must be stopped comes from. There is no default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StateChoice {
    /// A new savepoint, with which each job is stopped.
    Savepoint,
    /// The recorded savepoint: of the revision that is returned to, or the newest.
    Recorded,
    /// Paths: for a job by name, or for the only job.
    Paths(Vec<(Option<String>, String)>),
    /// The newest checkpoint that is retained when the job is cancelled: for a job that can take no savepoint.
    LatestCheckpoint,
    /// None: jobs count from the start.
    Stateless,
}

/// Which strategy was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StrategyChoice {
    /// Two generations side by side.
    #[default]
    Warm,
    /// Stop, replace, start.
    Recreate,
    /// Warm where there is room for two generations, else the classic order.
    Auto,
}

/// What every change has in common.
#[derive(Clone, Debug)]
pub struct ChangeOptions {
    /// The release.
    pub name: String,
    /// Where state comes from, if the person has said so.
    pub choice: Option<StateChoice>,
    /// State that no operator takes may be dropped.
    pub allow_non_restored_state: bool,
    /// Flink's name of the savepoint format: CANONICAL or NATIVE.
    pub savepoint_format: String,
    /// A job that stops for good ends its windows first.
    pub drain: bool,
    /// Undo a failure before the first completed checkpoint.
    pub rollback_on_failure: bool,
    /// Of several jobs only those that fail go back.
    pub keep_going: bool,
    /// How new Pods take the place of old ones; where absent, `upgrade.strategy` of the values says.
    pub strategy: Option<StrategyChoice>,
    /// Wait for Pods and jobs.
    pub wait: bool,
    /// How long a moved job must run without a restart before it counts as healthy.
    pub gate_quiet: Duration,
    /// What the record says of the change.
    pub description: Option<String>,
    /// Have the API server check the objects.
    pub server_dry_run: bool,
    /// Take fields from other managers.
    pub force_conflicts: bool,
    /// Take objects from other owners.
    pub take_ownership: bool,
    /// Make the namespace if it is missing.
    pub create_namespace: bool,
    /// How many revisions are kept; 0: all. Set where the person can say it.
    pub history_max: u32,
    /// Layout `job` without durable state.
    pub accept_volatile: bool,
    /// Files for jobs whose jar the cluster does not keep: job name → content.
    pub jars: BTreeMap<String, Vec<u8>>,
}

impl ChangeOptions {
    /// The defaults for a release.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            choice: None,
            allow_non_restored_state: false,
            savepoint_format: "CANONICAL".to_owned(),
            drain: false,
            rollback_on_failure: true,
            keep_going: false,
            strategy: None,
            wait: true,
            gate_quiet: Duration::from_secs(30),
            description: None,
            server_dry_run: true,
            force_conflicts: false,
            take_ownership: false,
            create_namespace: false,
            history_max: 0,
            accept_volatile: false,
            jars: BTreeMap::new(),
        }
    }
}

/// What the release shall be.
pub(crate) struct Desired {
    pub package: Package,
    pub layout: String,
    pub user_values: Value,
    pub values: Value,
    pub capabilities: Capabilities,
    /// Jobs beside the declared ones: those that were submitted.
    pub submitted: Vec<JobRecord>,
    /// The revision that is returned to.
    pub returns_to: Option<Record>,
    /// The one job that is meant, if not all are; the others stay as they are.
    pub only: Option<Only>,
}

/// What happens to one job of a release.
pub(crate) enum Only {
    /// It is started (`job submit`).
    Start(String),
    /// It is stopped and not started (`job stop`, `job cancel`).
    Stop(String),
}

impl Desired {
    /// Whether a job is stopped and not started.
    fn stops(&self, job: &str) -> bool {
        matches!(&self.only, Some(Only::Stop(name)) if name == job)
    }

    /// Whether a job is none of those that are meant.
    fn leaves(&self, job: &str) -> bool {
        matches!(&self.only, Some(Only::Start(name) | Only::Stop(name)) if name != job)
    }
}

/// A change, decided but not begun.
#[derive(Clone)]
pub struct Plan {
    /// What a person reads and a program parses.
    pub summary: Summary,
    /// The machine's input.
    pub journal: Journal,
    /// The new revision's record.
    pub record: Record,
    /// The revision that runs.
    pub base: Option<Record>,
    /// The new objects, in apply order.
    pub objects: Vec<Object>,
    /// The running revision's objects.
    pub old_objects: Vec<Object>,
    /// The options it was made with.
    pub options: ChangeOptions,
    /// The revision that a rollback returns to.
    pub returns_to: Option<u32>,
    /// The classic order may be proposed where there is no room for two generations.
    pub may_recreate: bool,
    pub(crate) purge: bool,
    pub(crate) strays: Vec<Stray>,
}

/// A plan as it is shown; stable, `-o json` prints it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Which command.
    pub operation: Kind,
    /// The release.
    pub release: String,
    /// Its namespace.
    pub namespace: String,
    /// The revision that runs.
    pub from_revision: Option<u32>,
    /// The revision that is made.
    pub to_revision: u32,
    /// `name-version` of the package.
    pub package: String,
    /// The layout.
    pub layout: String,
    /// Nothing would change.
    pub unchanged: bool,
    /// Whether Pods are replaced.
    pub new_pods: bool,
    /// How new Pods take the place of old ones; absent where none do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strategy: Option<Strategy>,
    /// Why it is not the strategy that is the default, or was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strategy_reason: Option<String>,
    /// What the second generation asks of the cluster while both are up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meanwhile: Option<Demand>,
    /// The generation that runs, by name.
    pub from_generation: Option<String>,
    /// The generation that will run, by name.
    pub to_generation: String,
    /// Objects that are made, changed and deleted.
    pub objects: ObjectChanges,
    /// What happens to jobs.
    pub jobs: Vec<JobChange>,
    /// A choice about state is missing; the jobs that need it.
    pub choice_needed: Vec<String>,
    /// What happens if it fails.
    pub on_failure: String,
    /// How each object changes, where it was asked for (`--diff`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub diff: Option<Vec<ObjectDiff>>,
}

/// Objects by what happens to them.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ObjectChanges {
    /// Made.
    pub create: Vec<String>,
    /// Changed in place.
    pub change: Vec<String>,
    /// Deleted.
    pub delete: Vec<String>,
}

/// What happens to a job.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JobChange {
    /// Its name.
    pub name: String,
    /// Its id now, if it runs.
    pub id: Option<String>,
    /// In words: `stop with a savepoint, then start from it`.
    pub action: String,
    /// From when the state is and what is repeated, where that is not "now" and "nothing".
    pub state: Option<String>,
    /// For how long it is expected to be down; absent where it does not run now, or is not started again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub downtime: Option<Downtime>,
}

/// Decides a change of `situation` towards `desired`.
pub(crate) async fn plan(
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
        journal,
        record,
        base: situation.base.clone(),
        objects: rendered.objects,
        old_objects: situation.objects.clone(),
        options: options.clone(),
        returns_to: desired.returns_to.as_ref().map(|target| target.revision),
        may_recreate: wanted == StrategyChoice::Auto && strategy == Strategy::Warm,
        purge: false,
        strays: situation.strays.clone(),
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

/// What the person asks for, now or by `upgrade.strategy`.
fn wanted_strategy(options: &ChangeOptions, values: &Value) -> StrategyChoice {
    options.strategy.unwrap_or(match values.pointer("/upgrade/strategy").and_then(Value::as_str) {
        Some("recreate") => StrategyChoice::Recreate,
        Some("auto") => StrategyChoice::Auto,
        _ => StrategyChoice::Warm,
    })
}

/// The strategy, and why it is another than the one that was asked for.
async fn choose_strategy(
    context: &Context,
    options: &ChangeOptions,
    situation: &Situation,
    wanted: StrategyChoice,
    demand: &Demand,
    standalone: bool,
) -> Result<(Strategy, Option<String>), Failure> {
    let name = &options.name;
    if wanted == StrategyChoice::Recreate {
        return Ok((Strategy::Recreate, None));
    }
    if standalone {
        let reason = "the Pods of a JobManager of kind Job start its job".to_owned();
        return Ok((Strategy::Recreate, Some(reason)));
    }
    if let Live::Silent(_) = situation.live {
        // Its jobs cannot be asked to stop: only without its Pods is it certain that they run no more.
        let reason = "the JobManager does not answer: its generation goes first".to_owned();
        return Ok((Strategy::Recreate, Some(reason)));
    }
    if let Access::Direct(_) = context.access {
        let reason = "one --flink-url cannot lead to two generations".to_owned();
        return Ok((Strategy::Recreate, Some(reason)));
    }
    match demand.exceeds_quota(context).await {
        None => Ok((Strategy::Warm, None)),
        Some(reason) if wanted == StrategyChoice::Auto => Ok((Strategy::Recreate, Some(reason))),
        Some(reason) => Err(Failure::refused(Cause::NoRoom { reason }).next([
            "the same command with --strategy recreate   # stop, replace, start: the job is down while Pods start"
                .to_owned(),
            format!("kubectl flink status {name}"),
        ])),
    }
}

/// Holds the package's `kubeVersion` range against the server; what Helm's charts mean by it.
fn refuse_versions(desired: &Desired) -> Result<(), Failure> {
    let Some(range) = &desired.package.metadata.kube_version else { return Ok(()) };
    let Ok(mut server) = crate::version::parse_version(&desired.capabilities.kube_version) else {
        return Ok(());
    };
    // A distribution's suffix (`v1.33.4-gke.1`) would make it a pre-release, which no range matches.
    server.pre = semver::Prerelease::EMPTY;
    server.build = semver::BuildMetadata::EMPTY;
    outside("Kubernetes", range, &server)
}

/// Holds the package's range of Flink versions against the one that is asked for.
fn refuse_flink_version(desired: &Desired, version: &str) -> Result<(), Failure> {
    let Some(range) = &desired.package.metadata.flink_version_range else { return Ok(()) };
    match crate::version::parse_version(version) {
        Ok(version) => outside("Flink", range, &version),
        Err(_) => Ok(()),
    }
}

fn outside(what: &str, range: &crate::version::Range, version: &semver::Version) -> Result<(), Failure> {
    if range.matches(version) {
        return Ok(());
    }
    Err(Failure::refused(Cause::Usage(format!("the package supports {what} {range}, this is {version}"))))
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
