//! `savepoint dispose|prune`: deletes recorded savepoints. Flink deletes the files, then the
//! records say so.
//!
//! Never one that a running job may still need, nor the only state of a job that is stopped.
//! Nothing here decides which are worth keeping: the user names them, or how many.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

use crate::context::Context;
use crate::failure::{Cause, Failure, InPhase, NextStep};
use crate::flink::savepoint::{normal, same_path};
use crate::flink::{Client, FlinkError, Rest};
use crate::live::pending::held;
use crate::live::savepoints::{self, SavepointRow};
use crate::live::{Live, Situation};
use crate::plan::rights;
use crate::progress::{Observer, Progress};
use crate::release::operation::{Disposing, Pending};
use crate::release::{JobRecord, JobState, Lock, Record, Status};
use crate::run::journal_left;
use crate::run::savepoint::describe;

/// Between two looks at a disposal.
const POLL: Duration = Duration::from_millis(300);

/// Which savepoints go.
#[derive(Clone, Debug)]
pub enum Which {
    Paths(Vec<String>),
    /// All but the newest so many of each job.
    AllBut(usize),
    /// What an interrupted disposal has left of these.
    Rest(Vec<String>),
}

/// Savepoints that go and that stay. Stable: `-o json` prints it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    pub name: String,
    /// The savepoints that go, oldest first.
    pub dispose: Vec<SavepointRow>,
    /// Those that would go if they were not needed, with the reason.
    pub keep: Vec<(String, String)>,
    /// The request as given.
    #[serde(skip)]
    pub(crate) which: Which,
}

/// Says which savepoints go; changes nothing.
pub async fn plan(context: &Context, name: &str, which: &Which) -> Result<Plan, Failure> {
    crate::release::check_name(name)?;
    rights::check(context, rights::Verb::Jobs).await?;
    decide(context, name, which).await.map(|(plan, _)| plan)
}

/// Says which savepoints go that an interrupted disposal has left; changes nothing.
pub(crate) async fn plan_rest(context: &Context, name: &str, left: &Disposing) -> Result<Plan, Failure> {
    decide(context, name, &Which::Rest(left.paths.clone())).await.map(|(plan, _)| plan)
}

/// The plan, and the Flink that carries it out.
async fn decide(context: &Context, name: &str, which: &Which) -> Result<(Plan, Client), Failure> {
    let situation = Situation::read(context, name).await.refused()?;
    let base = situation.current(context, name)?;
    let Some(descriptor) = situation.descriptor.as_ref().filter(|_| base.status != Status::Uninstalled)
    else {
        return Err(Failure::refused(Cause::Precondition(format!(
            "release {name:?} runs no Flink cluster, and only Flink deletes savepoints"
        )))
        .next([NextStep::flink(["uninstall", name, "--purge"]).remark("all of them, with the volume")]));
    };
    let rows = savepoints::list(context, name).await?;
    let flink = context.flink(descriptor);
    // A JobManager that recovers lists no job either; one that cannot be reached says nothing.
    let silent = |job: &JobRecord| !matches!(situation.live_of(job), Live::Jobs(_) | Live::NoCluster);
    if !matches!(situation.live, Live::Jobs(_)) || base.jobs.iter().any(silent) {
        let doing = format!(
            "the JobManager of release {name:?} does not answer: which savepoints are needed is not known"
        );
        let mut lives =
            std::iter::once(&situation.live).chain(base.jobs.iter().map(|job| situation.live_of(job)));
        let cause = match lives.find_map(Live::unreachable).cloned() {
            Some(source) => Cause::Flink { doing, source },
            None => Cause::Precondition(doing),
        };
        return Err(Failure::refused(cause).next([NextStep::flink(["status", name])]));
    }
    let mut plan =
        Plan { name: name.to_owned(), dispose: Vec::new(), keep: Vec::new(), which: which.clone() };
    match which {
        Which::Paths(paths) => {
            for path in paths {
                let Some(row) = rows.iter().find(|row| same_path(&row.path, path)) else {
                    return Err(Failure::refused(Cause::Precondition(format!(
                        "release {name:?} knows no savepoint {path}"
                    )))
                    .next([NextStep::flink(["savepoint", "list", name])]));
                };
                if let Some(reason) = needed(context, &situation, base, &rows, row).await {
                    return Err(Failure::refused(Cause::Precondition(format!("{path} stays: {reason}")))
                        .next([NextStep::flink(["savepoint", "list", name])]));
                }
                plan.dispose.push(row.clone());
            }
        }
        Which::AllBut(keep) => {
            let newer = |index: usize, row: &SavepointRow| {
                rows[index + 1..].iter().filter(|newer| newer.job == row.job).take(*keep).count()
            };
            let old = rows.iter().enumerate().filter(|(index, row)| newer(*index, row) >= *keep);
            for (_, row) in old {
                plan.add(row, needed(context, &situation, base, &rows, row).await);
            }
        }
        Which::Rest(paths) => {
            let paths: BTreeSet<String> = paths.iter().map(|path| normal(path)).collect();
            for row in rows.iter().filter(|row| paths.contains(&normal(&row.path))) {
                plan.add(row, needed(context, &situation, base, &rows, row).await);
            }
        }
    }
    Ok((plan, flink))
}

impl Plan {
    /// Returns whether a savepoint stays because it is needed.
    pub(crate) fn keeps(&self, path: &str) -> bool {
        self.keep.iter().any(|(kept, _)| same_path(kept, path))
    }

    /// Adds a savepoint that goes, unless there is a reason why it is needed.
    fn add(&mut self, row: &SavepointRow, needed: Option<String>) {
        match needed {
            Some(reason) => self.keep.push((row.path.clone(), reason)),
            None => self.dispose.push(row.clone()),
        }
    }
}

/// Why a savepoint must stay.
async fn needed(
    context: &Context,
    situation: &Situation,
    base: &Record,
    rows: &[SavepointRow],
    row: &SavepointRow,
) -> Option<String> {
    // Of whatever job it is, another one may have been started from it.
    for job in base
        .jobs
        .iter()
        .filter(|job| job.restored_from.as_deref().is_some_and(|path| same_path(path, &row.path)))
    {
        if let Some(reason) = rests_on(context, situation, base, job).await {
            return Some(reason);
        }
    }
    let newest = rows.iter().rev().find(|other| other.job == row.job);
    if newest.is_none_or(|newest| newest.path != row.path) {
        return None;
    }
    match base.jobs.iter().find(|job| job.name == row.job) {
        None => Some(format!("it is the newest state of {}, which is no job any more", row.job)),
        Some(job) if situation.running(job).is_none() => {
            Some(format!("the job {} does not run, and this is its newest state", job.name))
        }
        Some(_) => None,
    }
}

/// Why a job still needs the savepoint that it was restored from.
async fn rests_on(
    context: &Context,
    situation: &Situation,
    base: &Record,
    job: &JobRecord,
) -> Option<String> {
    let Some(live) = situation.running(job) else {
        let ended = job.state != JobState::Running;
        return (!ended).then(|| format!("the job {} was restored from it, and does not run now", job.name));
    };
    let revision = base.revision;
    let flink = context.flink(situation.descriptor_of(job)?);
    match flink.checkpoints(live.id).await {
        // A savepoint is nothing that Flink goes back to by itself.
        Ok(checkpoints) if checkpoints.latest.completed.as_ref().is_some_and(|one| !one.is_savepoint) => None,
        Ok(_) => Some(format!(
            "revision {revision} was restored from it, and its job {} has completed no checkpoint",
            job.name
        )),
        Err(error) => Some(format!(
            "revision {revision} was restored from it, and whether its job {} has completed a checkpoint is not known ({error})",
            job.name
        )),
    }
}

/// Deletes what the plan names and what is not needed under the lock either, one after the other;
/// each is recorded as it goes. Gives what was deleted.
pub async fn execute(context: &Context, shown: &Plan, observer: &dyn Observer) -> Result<Plan, Failure> {
    let name = &shown.name;
    let paths = shown.dispose.iter().map(|row| row.path.clone()).collect();
    let pending = Pending::Dispose(Disposing { paths, asked: 0 });
    let lock = Lock::acquire(&context.store, name, &context.holder, &pending)
        .await
        .map_err(|error| held(name, error))?;
    match carry_out(context, &lock, shown, observer).await {
        Ok(done) => {
            lock.release().await.ok();
            Ok(done)
        }
        Err(Broken { failure, unfinished }) => {
            // The lock keeps the journal of what may be deleted in part, for the next command.
            if unfinished.is_none() {
                lock.release().await.ok();
            }
            Err(failure)
        }
    }
}

/// A disposal that broke off.
pub(crate) struct Broken {
    pub(crate) failure: Failure,
    /// The savepoint of which Flink may have deleted a part, or all.
    pub(crate) unfinished: Option<String>,
}

impl From<Failure> for Broken {
    fn from(failure: Failure) -> Self {
        Self { failure, unfinished: None }
    }
}

/// Deletes what the plan names under a lock that is held, and stays so.
pub(crate) async fn carry_out(
    context: &Context,
    lock: &Lock,
    shown: &Plan,
    observer: &dyn Observer,
) -> Result<Plan, Broken> {
    let (context, name) = (&context.under(lock), &shown.name);
    let (mut plan, flink) = decide(context, name, &shown.which).await?;
    let wanted: BTreeSet<&str> = shown.dispose.iter().map(|row| row.path.as_str()).collect();
    plan.dispose.retain(|row| wanted.contains(row.path.as_str()));
    let paths: Vec<String> = plan.dispose.iter().map(|row| row.path.clone()).collect();
    for (index, row) in plan.dispose.iter().enumerate() {
        observer.progress(Progress::Begun(format!("delete the savepoint {}", row.path)));
        let disposing = Pending::Dispose(Disposing { paths: paths.clone(), asked: index + 1 });
        lock.write(&disposing).await.map_err(|error| broken(name, error.into(), None))?;
        dispose(&flink, &row.path, context.timeout).await.map_err(|(source, asked)| {
            let doing = format!("the savepoint {} could not be deleted", row.path);
            broken(name, Cause::Flink { doing, source }, asked.then_some(row))
        })?;
        let recorded = async {
            context.store.dispose_savepoints(name, std::slice::from_ref(&row.path)).await?;
            describe(context, name, row.revision, &format!("a savepoint of {} was disposed of", row.job))
                .await
        };
        recorded.await.map_err(|cause| broken(name, cause, Some(row)))?;
    }
    Ok(plan)
}

fn broken(name: &str, cause: Cause, unfinished: Option<&SavepointRow>) -> Broken {
    let Some(row) = unfinished else {
        let failure = Failure::failed(cause, vec![])
            .next([NextStep::flink(["savepoint", "list", name]).remark("what is left"), NextStep::again([])]);
        return failure.into();
    };
    let left = format!("the savepoint {}, of which a part may be deleted", row.path);
    let failure = Failure::failed(cause, [vec![left], journal_left()].concat()).next([
        NextStep::flink(["recover", name]).remark("deletes it, and the rest"),
        NextStep::flink(["recover", name, "--abandon"]).remark("it counts as deleted, the rest stays"),
    ]);
    Broken { failure, unfinished: Some(row.path.clone()) }
}

/// One that is gone already is no error: an interrupted run may have deleted it. A JobManager that
/// restarted is asked again. An error says whether Flink may have begun.
async fn dispose(flink: &Client, path: &str, timeout: Duration) -> Result<(), (FlinkError, bool)> {
    let gone = |error: &FlinkError| error.to_string().contains("Cannot find checkpoint or savepoint");
    let begun = Instant::now();
    let mut request = flink.dispose(path).await.map_err(|error| {
        // An answer that is no request's id says that it was not begun, from whatever server.
        let unanswered = matches!(error, FlinkError::Deadline { .. } | FlinkError::Unreachable { .. });
        let may_have_begun = unanswered && error.may_have_acted();
        (error, may_have_begun)
    })?;
    loop {
        match flink.disposal(request).await {
            Ok(true) => return Ok(()),
            Err(error) if gone(&error) => return Ok(()),
            Err(error) if begun.elapsed() >= timeout => return Err((error, true)),
            Err(error) if error.is_not_found() => {
                request = flink.dispose(path).await.map_err(|error| (error, true))?;
            }
            Err(error) if !error.is_passing() => return Err((error, true)),
            Ok(false) | Err(_) => {}
        }
        tokio::time::sleep(POLL).await;
    }
}
