//! What a release is right now: its records, the generation that runs, and the jobs that Flink
//! knows.
//!
//! Reads only. Nothing here decides what should be, and nothing changes it.

pub(crate) mod jobs;
mod orphans;
pub(crate) mod pending;
mod render;
pub(crate) mod savepoints;
pub(crate) mod search;
pub(crate) mod unmanaged;
pub(crate) mod waiting;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use crate::cluster::delete;
use crate::context::Context;
use crate::failure::{Cause, Failure, NextStep, not_found};
use crate::flink::{FlinkError, JobOverview, Rest, Tasks};
use crate::id::JobId;
use crate::layout::Descriptor;
use crate::layout::control::owned_kinds;
use crate::probe::warm_up;
use crate::release::{JobRecord, JobState as Recorded, Ledger, Record, Status, Summary};
use crate::render::Object;

pub(crate) use self::orphans::{Orphan, orphans as orphans_of};
pub(crate) use self::render::{objects_of, render_record, start_of};

/// How long a job that should run may be missing from a recovering JobManager's list until that is
/// believed.
const RECOVERY: Duration = Duration::from_secs(15);
/// Between two looks.
const POLL: Duration = Duration::from_secs(1);

/// What Flink says about the jobs of the running generation.
pub(crate) enum Live {
    /// No generation of the release runs.
    NoCluster,
    /// A generation runs (or should) and its JobManager does not answer.
    Unreachable(FlinkError),
    /// The jobs that it knows, ended ones included.
    Jobs(Vec<JobOverview>),
}

impl Live {
    /// Why the JobManager does not say what runs, where it does not.
    pub fn unreachable(&self) -> Option<&FlinkError> {
        match self {
            Live::Unreachable(error) => Some(error),
            Live::NoCluster | Live::Jobs(_) => None,
        }
    }
}

/// A release as it is.
pub(crate) struct Situation {
    /// All revisions, oldest first.
    pub history: Vec<Summary>,
    /// The savepoints that the release knows.
    pub savepoints: Ledger,
    /// The revision that runs, if one does.
    pub base: Option<Record>,
    /// Its objects, under the generation that runs it.
    pub objects: Vec<Object>,
    pub descriptor: Option<Descriptor>,
    /// Numbers of the generations that have objects in the cluster.
    pub generations: BTreeSet<u32>,
    /// The jobs in the running generation.
    pub live: Live,
    /// Generations that earlier operations could not remove.
    pub orphans: Vec<Orphan>,
    /// The jobs in those of them in which jobs of the release run, by their numbers.
    elsewhere: BTreeMap<u32, Live>,
}

impl Situation {
    /// Reads the records and asks Flink.
    pub async fn read(context: &Context, name: &str) -> Result<Self, Cause> {
        let store = &context.store;
        let (history, savepoints) = tokio::try_join!(store.history(name), store.savepoints(name))?;
        let mut situation = Self {
            history,
            savepoints,
            base: None,
            objects: Vec::new(),
            descriptor: None,
            generations: BTreeSet::new(),
            live: Live::NoCluster,
            orphans: Vec::new(),
            elsewhere: BTreeMap::new(),
        };
        if situation.history.is_empty() {
            return Ok(situation);
        }
        let owned = delete::list_owned(&context.cluster, &context.namespace, name, &owned_kinds()).await?;
        situation.generations = owned.objects.iter().filter_map(Object::generation).collect();
        if let Some(revision) = situation.running_revision() {
            let record = context.store.get(name, revision).await?;
            situation.objects = objects_of(&record)?;
            situation.descriptor = Descriptor::find(&situation.objects)?;
            situation.base = Some(record);
        }
        if let Some(base) = &situation.base
            && situation.generations.iter().any(|number| *number != base.generation)
        {
            situation.orphans = orphans_of(context, base, &[base.generation]).await?;
        }
        situation.ask_flink(context).await;
        Ok(situation)
    }

    /// The newest revision that is deployed, or that failed and still runs.
    fn running_revision(&self) -> Option<u32> {
        // What is being uninstalled runs until it is gone.
        let runs = |summary: &&Summary| matches!(summary.status, Status::Deployed | Status::Uninstalling);
        let deployed = self.history.iter().rev().find(runs);
        let alive = |summary: Option<&Summary>| {
            summary.is_some_and(|summary| self.generations.contains(&summary.generation))
        };
        let since = deployed.map_or(0, |summary| summary.revision);
        let ended =
            self.history.iter().rev().find(|s| s.status == Status::Uninstalled).map_or(0, |s| s.revision);
        self.history
            .iter()
            .rev()
            .filter(|summary| summary.revision > since.max(ended))
            // While an operation is under way the old generation is in charge as long as it is
            // there.
            .filter(|summary| !(summary.status.is_pending() && alive(deployed)))
            .find(|summary| self.generations.contains(&summary.generation))
            .or(deployed)
            .map(|summary| summary.revision)
    }

    /// Returns whether an install may be the next operation: there is no release of the name yet or
    /// any more, or all that there is of it is an install that failed, or was broken off, and left
    /// nothing that runs. One that goes on has the lock.
    pub fn is_installable(&self) -> bool {
        let ended = |last: &Summary| {
            matches!(last.status, Status::Uninstalled | Status::Failed) || last.status.is_pending()
        };
        self.base.is_none() && self.history.last().is_none_or(ended)
    }

    /// Returns the revision that runs, or a refusal that says what there is instead.
    pub fn current(&self, context: &Context, name: &str) -> Result<&Record, Failure> {
        self.base.as_ref().ok_or_else(|| {
            not_found(&context.namespace, name).next([NextStep::flink(["install", name])
                .placeholder("PACKAGE")
                .remark("or upgrade --install")])
        })
    }

    /// Asks each generation in which jobs of the release should run.
    async fn ask_flink(&mut self, context: &Context) {
        let running = self.descriptor.as_ref().filter(|d| self.generations.contains(&d.generation));
        self.live = self.ask(context, running, None).await;
        let numbers: BTreeSet<u32> = self.places().collect();
        for number in numbers {
            let orphan = self.orphans.iter().find(|orphan| orphan.number == number);
            let descriptor = orphan.and_then(|orphan| orphan.descriptor.as_ref());
            let live = self.ask(context, descriptor, Some(number)).await;
            self.elsewhere.insert(number, live);
        }
    }

    /// The numbers of the generations beside the running one that jobs of the release run in.
    fn places(&self) -> impl Iterator<Item = u32> {
        self.base.iter().flat_map(|base| base.jobs.iter().filter_map(|job| base.place_of(job)))
    }

    async fn ask(&self, context: &Context, descriptor: Option<&Descriptor>, place: Option<u32>) -> Live {
        let Some(descriptor) = descriptor else { return Live::NoCluster };
        match context.flink(descriptor).jobs().await {
            Ok(mut jobs) => {
                let warm_up = warm_up::id(&descriptor.name);
                jobs.retain(|job| Some(job.id) != warm_up);
                let recorded = self
                    .base
                    .iter()
                    .flat_map(|base| base.jobs.iter().filter(move |job| base.place_of(job) == place));
                if let Err(error) = add_unsubmitted(context, descriptor, recorded, &mut jobs).await {
                    return Live::Unreachable(error);
                }
                Live::Jobs(jobs)
            }
            Err(error) => Live::Unreachable(error),
        }
    }

    /// While a JobManager recovers, its list of jobs may lack those that it is about to bring back:
    /// before a change is planned, a list without a job that should run is believed only when it
    /// stays so.
    pub async fn await_recovery(&mut self, context: &Context) {
        let begun = Instant::now();
        while self.lacks_jobs() && begun.elapsed() < RECOVERY {
            tokio::time::sleep(POLL).await;
            self.ask_flink(context).await;
        }
    }

    fn lacks_jobs(&self) -> bool {
        let lacks = |job: &JobRecord| {
            let durable = self.descriptor_of(job).is_some_and(|descriptor| descriptor.high_availability);
            let answers = matches!(self.live_of(job), Live::Jobs(_));
            durable
                && answers
                && job.state == Recorded::Running
                && job.id.is_some()
                && self.seen(job).is_none()
        };
        self.base.iter().flat_map(|base| &base.jobs).any(lacks)
    }

    /// Refuses where the running generation would bring back an unmanaged job, and does not list
    /// it.
    pub async fn refuse_kept(&self, context: &Context, release: &str) -> Result<(), Failure> {
        let Some(descriptor) = &self.descriptor else { return Ok(()) };
        match &self.live {
            Live::NoCluster => Ok(()),
            Live::Unreachable(_) => unmanaged::refuse(context, release, descriptor, None).await,
            Live::Jobs(jobs) => unmanaged::refuse(context, release, descriptor, Some(jobs)).await,
        }
    }

    /// The next revision's number: revisions of an uninstalled release count on.
    pub fn next_revision(&self) -> u32 {
        self.history.last().map_or(0, |summary| summary.revision) + 1
    }

    /// The jobs that the running generation's Flink knows, by id.
    pub fn live_jobs(&self) -> BTreeMap<JobId, &JobOverview> {
        match &self.live {
            Live::Jobs(jobs) => jobs.iter().map(|job| (job.id, job)).collect(),
            _ => BTreeMap::new(),
        }
    }

    /// Returns what Flink says about the generation that a job runs in.
    pub fn live_of(&self, job: &JobRecord) -> &Live {
        match self.place_of(job) {
            None => &self.live,
            Some(number) => self.elsewhere.get(&number).unwrap_or(&Live::NoCluster),
        }
    }

    /// The descriptor of the generation that a job runs in.
    pub fn descriptor_of(&self, job: &JobRecord) -> Option<&Descriptor> {
        match self.place_of(job) {
            None => self.descriptor.as_ref(),
            Some(number) => self.orphans.iter().find(|orphan| orphan.number == number)?.descriptor.as_ref(),
        }
    }

    /// The descriptors of the generations that jobs of the release run in, the one in charge first.
    pub fn descriptors(&self) -> impl Iterator<Item = &Descriptor> {
        let beside = |orphan: &&Orphan| self.elsewhere.contains_key(&orphan.number);
        let orphans = self.orphans.iter().filter(beside).filter_map(|orphan| orphan.descriptor.as_ref());
        self.descriptor.iter().chain(orphans)
    }

    /// The generation beside the running one that a job runs in.
    pub fn place_of(&self, job: &JobRecord) -> Option<u32> {
        self.base.as_ref().and_then(|base| base.place_of(job))
    }

    /// The job that a record names, ended or not, where Flink knows it.
    pub fn seen(&self, job: &JobRecord) -> Option<&JobOverview> {
        let id = job.id?;
        match self.live_of(job) {
            Live::Jobs(jobs) => jobs.iter().find(|live| live.id == id),
            _ => None,
        }
    }

    /// The running job that a record names, unless it has ended.
    pub fn running(&self, job: &JobRecord) -> Option<&JobOverview> {
        self.seen(job).filter(|live| !live.state.is_terminal())
    }
}

/// Adds the jobs of applications whose `main()` runs again after a JobManager's restart: Flink does
/// not list them yet.
async fn add_unsubmitted(
    context: &Context,
    descriptor: &Descriptor,
    recorded: impl Iterator<Item = &JobRecord>,
    jobs: &mut Vec<JobOverview>,
) -> Result<(), FlinkError> {
    for job in recorded.filter(|job| job.mode.is_application() && job.state == Recorded::Running) {
        let Some(id) = job.id.filter(|id| !jobs.iter().any(|listed| listed.id == *id)) else { continue };
        match context.flink(descriptor).job(id).await {
            Ok(detail) if !detail.state.is_terminal() => jobs.push(JobOverview {
                id,
                name: detail.name,
                state: detail.state,
                tasks: Tasks::default(),
                start_time: None,
                end_time: None,
            }),
            Err(error) if error.is_passing() => return Err(error),
            _ => {}
        }
    }
    Ok(())
}
