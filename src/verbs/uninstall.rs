//! `uninstall`: stops the jobs, says and records where their state is, and deletes what it may.

use std::collections::BTreeSet;

use crate::cluster::RELEASE_LABEL;
use crate::context::Context;
use crate::failure::{Cause, Failure, InPhase, NextStep};
use crate::flink::{self, JobOverview, Rest};
use crate::layout::Descriptor;
use crate::live::jobs::record_name;
use crate::live::{Live, Situation, unmanaged};
use crate::operation::{Decided, JobDecision, JobMove, Journal, Kind, Start, StateFrom, Stop};
use crate::plan::savepoint::savepoint_trigger;
use crate::plan::{ChangeOptions, JobChange, Plan, StateChoice, leave, rights};
use crate::progress::{Cancellation, Observer};
use crate::release::{JobRecord, JobState, Record, Status};
use crate::render::GENERATION_LABEL;
use crate::run::{self, Report};
use crate::site::Operation;
use crate::source;

/// Options of `uninstall`.
#[derive(Clone)]
pub struct Options {
    /// Options that every change has; its choice is a savepoint or stateless.
    pub change: ChangeOptions,
    /// Delete the records and the volume too.
    pub purge: bool,
}

/// State that an uninstall is about to lose, for the user to see.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    /// Recorded savepoints: (revision, job, path).
    pub savepoints: Vec<(u32, String, String)>,
    /// The claim that holds state.
    pub claim: Option<String>,
    /// The commands that bring the release back, and its jobs, from what is recorded.
    pub ways_to_restore: Vec<NextStep>,
}

/// The plan of an uninstall. Reads only.
pub async fn plan(context: &Context, options: &Options) -> Result<(Plan, Kept), Failure> {
    let name = &options.change.name;
    crate::release::check_name(name)?;
    rights::check(context, rights::Verb::Uninstall).await?;
    let mut situation = Situation::read(context, name).await.refused()?;
    situation.await_recovery(context).await;
    let known = situation.savepoints.iter();
    let mut kept = Kept {
        savepoints: known.map(|one| (one.revision, one.job.clone(), one.path.clone())).collect(),
        ..Kept::default()
    };
    let base = match (&situation.base, situation.history.last()) {
        (Some(base), _) => base.clone(),
        (None, Some(last)) => context.store.get(name, last.revision).await.refused()?,
        (None, None) => situation.current(context, name)?.clone(),
    };
    let objects = if situation.objects.is_empty() {
        crate::live::objects_of(&base).refused()?
    } else {
        situation.objects.clone()
    };
    kept.claim =
        crate::layout::Descriptor::find(&objects).refused()?.and_then(|descriptor| descriptor.storage_claim);
    let with_savepoint = options.change.choice == Some(StateChoice::Savepoint);
    let claim = objects.iter().find(|object| object.key().is_claim());
    if let Some(claim) = claim.filter(|_| options.purge && with_savepoint) {
        let why =
            format!("--purge deletes {}, and with it the savepoint that --with-savepoint takes", claim.key());
        return Err(Failure::refused(Cause::Precondition(why)).next([
            NextStep::flink(["uninstall", name, "--with-savepoint"]).remark("record and volume are kept"),
            NextStep::flink(["uninstall", name, "--stateless", "--purge"]).remark("all of it goes"),
        ]));
    }
    let keeps_claims = !options.purge && (with_savepoint || !kept.savepoints.is_empty());
    kept.ways_to_restore = ways_to_restore(&base, &kept, with_savepoint);
    situation.refuse_kept(context, name).await?;
    refuse_jobs_elsewhere(context, &situation, name).await?;
    let running = situation.descriptor.as_ref().filter(|d| situation.generations.contains(&d.generation));
    let (moves, changes, choice_needed) = moves(context, options, &situation, base.revision).await?;
    let decided = Decided {
        from: Some(base.revision),
        old: running.map(|d| d.generation),
        new: base.generation,
        source: running.map(Descriptor::traits).unwrap_or_default(),
        purge: options.purge,
        orphans: situation.orphans.iter().map(|orphan| orphan.number).collect(),
        ..Decided::new(Kind::Uninstall, base.revision)
    };
    let unchanged = base.status == Status::Uninstalled && !options.purge;
    let goes = objects.iter().filter(|object| !(keeps_claims && object.key().is_claim()));
    let delete = goes.map(|object| object.key().to_string()).collect();
    let operation = Operation {
        journal: Journal::of(decided, moves),
        record: base.clone(),
        base: Some(base),
        old_objects: objects.clone(),
        objects,
        orphans: situation.orphans.clone(),
        settings: options.change.settings(),
    };
    let on_failure =
        "jobs that are stopped with a savepoint are started again if the cluster is still there".to_owned();
    let mut plan = Plan::new(operation, &options.change, changes, choice_needed, running, on_failure);
    plan.summary.unchanged = unchanged;
    plan.summary.objects.delete = delete;
    Ok((plan, kept))
}

/// An install takes values from the user alone, and knows of no job that was submitted.
/// `with_savepoint`: the jobs that run leave one.
fn ways_to_restore(base: &Record, kept: &Kept, with_savepoint: bool) -> Vec<NextStep> {
    let Record { name, revision, layout, .. } = base;
    let bundled = source::is_embedded(&base.package.name);
    let package = if bundled { base.package.name.as_str() } else { "PACKAGE" };
    let leaves_state = |job: &&JobRecord| {
        with_savepoint && job.state == JobState::Running
            || kept.savepoints.iter().any(|(_, known, _)| *known == job.name)
    };
    let (declared, submitted): (Vec<_>, Vec<_>) = base.jobs.iter().partition(|job| job.declared);
    let mut install = NextStep::flink(["get", "values", name, "--revision", &revision.to_string()])
        .piped_to(["install", name, package, "--layout", layout, "-f", "-"]);
    if !declared.is_empty() && declared.iter().all(leaves_state) {
        install = install.args(["--from-savepoint", "recorded"]);
    }
    let submit = |job: &JobRecord| {
        let mut submit = NextStep::flink(["job", "submit", name]).placeholder("JAR").args([
            "--name",
            &job.name,
            "--from-savepoint",
            "recorded",
        ]);
        if let Some(class) = &job.entry_class {
            submit = submit.args(["--class", class]);
        }
        if let Some(parallelism) = job.parallelism {
            submit = submit.args(["--parallelism", &parallelism.to_string()]);
        }
        if job.allow_non_restored_state {
            submit = submit.args(["--allow-non-restored-state"]);
        }
        if !job.args.is_empty() {
            submit = submit.args(["--"]).args(job.args.iter().map(String::as_str));
        }
        submit
    };
    let mut ways = vec![install];
    ways.extend(submitted.into_iter().filter(|job| leaves_state(job)).map(submit));
    ways
}

/// A generation that was kept, because an unmanaged job runs in it or would come back, is not taken
/// away under that job.
async fn refuse_jobs_elsewhere(
    context: &Context,
    situation: &Situation,
    release: &str,
) -> Result<(), Failure> {
    for orphan in &situation.orphans {
        let Some(descriptor) = &orphan.descriptor else {
            let reason = format!(
                "generation {} of release {release:?} is still there, and no revision on record says whether jobs run in it",
                orphan.number
            );
            let labels = format!("{RELEASE_LABEL}={release},{GENERATION_LABEL}={}", orphan.number);
            return Err(Failure::refused(Cause::Precondition(reason)).next([
                NextStep::kubectl(["get", "all", "-l", &labels]).remark("what it has"),
                NextStep::kubectl(["delete", "deployment,statefulset,job,service,configmap", "-l", &labels])
                    .remark("once no job of it is needed"),
            ]));
        };
        let jobs = context.flink(descriptor).jobs().await.ok();
        unmanaged::refuse(context, release, descriptor, jobs.as_deref()).await?;
        let jobs = jobs.unwrap_or_default();
        let recorded = situation.base.iter().flat_map(|base| &base.jobs).filter_map(|job| job.id);
        let ours: Vec<_> = recorded.collect();
        let theirs = |job: &&JobOverview| !job.state.is_terminal() && !ours.contains(&job.id);
        if let Some(job) = jobs.iter().find(theirs) {
            let service = format!("service/{}", descriptor.service.name);
            let port = descriptor.service.port.to_string();
            return Err(Failure::refused(Cause::UnknownJob {
                job: job.name.clone(),
                id: job.id.to_string(),
            })
            .next([NextStep::kubectl(["port-forward", &service, &port])
                .remark(format!("stop or cancel it there, in generation {}", descriptor.name))]));
        }
    }
    Ok(())
}

/// Uninstalls as `shown` says.
pub async fn execute(
    context: &Context,
    options: &Options,
    shown: &Plan,
    observer: &dyn Observer,
    cancellation: &Cancellation,
) -> Result<Report, Failure> {
    let planner = async || plan(context, options).await.map(|(plan, _)| plan);
    run::run(context, shown, planner, observer, cancellation).await
}

/// Moves, what a plan says of them, and the jobs for which a choice is missing.
type Moves = (Vec<JobMove>, Vec<JobChange>, Vec<String>);

async fn moves(
    context: &Context,
    options: &Options,
    situation: &Situation,
    revision: u32,
) -> Result<Moves, Failure> {
    let (mut moves, mut changes, mut choice_needed) = (Vec::new(), Vec::new(), Vec::new());
    let name = &options.change.name;
    let recorded: &[_] = situation.base.as_ref().map_or(&[], |base| &base.jobs);
    for job in recorded.iter().filter(|job| job.state == JobState::Running) {
        let Some(error) = situation.live_of(job).unreachable() else { continue };
        match options.change.choice {
            Some(StateChoice::Stateless) => {}
            Some(_) => {
                return Err(Failure::refused(Cause::NoSavepoint {
                    job: job.name.clone(),
                    reason: format!("the JobManager does not answer ({error})"),
                })
                .next([
                    NextStep::flink(["status", name]),
                    NextStep::flink(["uninstall", name, "--stateless"]),
                ]));
            }
            None => choice_needed.push(job.name.clone()),
        }
    }
    for job in recorded {
        let Some(reason) = gone_with_state(context, situation, job).await else { continue };
        match options.change.choice {
            Some(StateChoice::Stateless) => {}
            Some(_) => {
                return Err(Failure::refused(Cause::NoSavepoint { job: job.name.clone(), reason }).next([
                    NextStep::flink(["status", name]),
                    NextStep::flink(["upgrade", name, "--from-checkpoint", "latest"])
                        .remark("it goes on, and can be stopped"),
                    NextStep::flink(["uninstall", name, "--stateless"]).remark("its state is dropped"),
                ]));
            }
            None => choice_needed.push(job.name.clone()),
        }
    }
    let ours = recorded.iter().filter_map(|job| {
        let live = situation.running(job)?;
        Some((leave(situation, job, live), live, situation.descriptor_of(job)))
    });
    let unmanaged_jobs = situation
        .live_jobs()
        .into_values()
        .filter(|live| !live.state.is_terminal() && !recorded.iter().any(|job| job.id == Some(live.id)));
    // Each under a name of its own: the release may have a job of that name.
    let mut names: BTreeSet<String> = recorded.iter().map(|job| job.name.clone()).collect();
    let unmanaged_jobs: Vec<_> = unmanaged_jobs
        .map(|live| {
            let name = record_name(&live.name, live.id, &names);
            names.insert(name.clone());
            let decided =
                JobDecision { old: Some(live.id), since: live.start_time, ..JobDecision::default() };
            let job = JobMove { decided, ..JobMove::new(&name) };
            (job, live, situation.descriptor.as_ref())
        })
        .collect();
    for (mut job, live, descriptor) in ours.chain(unmanaged_jobs) {
        let job_name = job.name.clone();
        let action = match options.change.choice {
            Some(StateChoice::Savepoint) => {
                let trigger = savepoint_trigger(context, descriptor, live, revision).map_err(|reason| {
                    Failure::refused(Cause::NoSavepoint { job: job_name.clone(), reason }).next([
                        NextStep::flink(["status", name]),
                        NextStep::flink(["uninstall", name, "--stateless"]).remark("its state is dropped"),
                    ])
                })?;
                job.decided.trigger = Some(trigger);
                // Only a job of the release can be started again.
                let startable =
                    |record: &&JobRecord| record.id == job.decided.old && !record.mode.starts_with_pods();
                let known = recorded.iter().any(|record| startable(&record));
                let start =
                    |at: &Descriptor| Start { id: at.start_id((context.new_id)()), from: StateFrom::ItsStop };
                job.decided.revert = descriptor.filter(|_| known).map(start);
                job.decided.stop = Some(Stop::Savepoint {
                    format: options.change.savepoint_format,
                    drain: options.change.drain,
                });
                if options.change.drain { "drain, stop with a savepoint" } else { "stop with a savepoint" }
            }
            Some(_) => {
                job.decided.stop = Some(Stop::Cancel);
                "cancel; its state is dropped"
            }
            None => {
                choice_needed.push(job_name.clone());
                "must stop: say what happens to its state"
            }
        };
        changes.push(JobChange {
            name: job_name,
            id: Some(live.id.to_string()),
            action: action.to_owned(),
            state: None,
            downtime: None,
        });
        moves.push(job);
    }
    Ok((moves, changes, choice_needed))
}

/// Why a job that should run does not, where it has state that no savepoint holds: a `JobManager`
/// has not brought it back yet, or has lost it, or it has failed, or another client cancelled it.
/// That would go without a word.
async fn gone_with_state(context: &Context, situation: &Situation, job: &JobRecord) -> Option<String> {
    let id = job.id.filter(|_| job.state == JobState::Running && job.ended_by.is_none())?;
    let descriptor = situation.descriptor_of(job).filter(|descriptor| descriptor.durable)?;
    if !matches!(situation.live_of(job), Live::Jobs(_)) {
        return None;
    }
    let Some(seen) = situation.seen(job) else {
        return Some("its JobManager does not list it".to_owned());
    };
    if !matches!(seen.state, flink::JobState::Failed | flink::JobState::Canceled) {
        return None;
    }
    let reason = format!("it is {}: its state is its latest checkpoint", seen.state);
    match context.flink(descriptor).checkpoints(id).await {
        Ok(known) if known.latest.completed.is_none() && job.restored_from.is_none() => None,
        _ => Some(reason),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::jobs::unknown;
    use crate::release::testing::record;

    /// Expected: the job comes back as it was started, with its class, parallelism and arguments.
    #[test]
    fn a_submitted_job_comes_back_as_it_ran() {
        let job = JobRecord {
            entry_class: Some("com.example.Orders".to_owned()),
            parallelism: Some(4),
            args: vec!["--topic".to_owned(), "a b".to_owned()],
            allow_non_restored_state: true,
            ..unknown("orders".to_owned(), crate::id::Id::from_bytes([1; 16]))
        };
        let base = Record { jobs: vec![JobRecord { state: JobState::Running, ..job }], ..record(1) };
        let ways = ways_to_restore(&base, &Kept::default(), true);
        let expected = NextStep::flink(["job", "submit", "demo"]).placeholder("JAR").args([
            "--name",
            "orders",
            "--from-savepoint",
            "recorded",
            "--class",
            "com.example.Orders",
            "--parallelism",
            "4",
            "--allow-non-restored-state",
            "--",
            "--topic",
            "a b",
        ]);
        assert_eq!(ways.last(), Some(&expected));
    }
}
