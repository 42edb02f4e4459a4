//! Generations: removed in the order that loses nothing, applied, and waited for with the reasons why they are not ready.

use std::time::{Duration, Instant};

use super::POLL;
use crate::cluster::discovery::Resource;
use crate::cluster::readiness::Fatal;
use crate::cluster::{apply, delete, readiness};
use crate::flink::{Client, FlinkError, JobOverview};
use crate::operation::{Event, Target};
use crate::ops::descriptor::{self, Descriptor};
use crate::ops::execute::Executor;
use crate::ops::{Cause, Progress, waiting};
use crate::render::{Object, ObjectKey, Phase};

/// How long a reason that waiting will not help must last before it is believed: a first image pull may be tried again.
const FATAL_AFTER: Duration = Duration::from_secs(15);
/// The same for containers that end again and again: on a busy machine Flink itself gives a first start up.
const CRASHING_AFTER: Duration = Duration::from_mins(1);
/// How long a JobManager may be silent before its generation is removed without its word.
const SILENCE: Duration = Duration::from_secs(30);
/// Characters of a reason that go into an error and into the record.
const REASON_CHARS: usize = 240;

impl Executor<'_> {
    /// Removes a generation in the order that loses nothing: no live job; `DELETE /cluster`, so that Flink removes its own
    /// HA files; the Deployments and the rest; last the HA ConfigMaps, which a dying JobManager may make anew.
    pub(super) async fn remove(&mut self, target: Target) -> Result<Option<String>, Cause> {
        let descriptor = self.require(target)?;
        let flink = self.context.flink(&descriptor);
        match self.jobs_of(&flink, target).await {
            Ok(jobs) => {
                let live: Vec<String> = jobs
                    .iter()
                    .filter(|job| !job.state.is_terminal())
                    .map(|job| format!("{} ({})", job.name, job.id))
                    .collect();
                if !live.is_empty() {
                    let (step, jobs) = (format!("generation {} is kept", descriptor.name), live.join(", "));
                    if self.journal.committed.is_some() {
                        // All jobs of the release have moved: these are somebody's own, submitted meanwhile.
                        self.record(Event::Kept(target)).await?;
                        self.observer.progress(Progress::Warning(format!(
                            "{step}: jobs run in it that the release does not know: {jobs}"
                        )));
                        return Ok(None);
                    }
                    return Err(Cause::Step { step, reason: format!("jobs still run in it: {jobs}") });
                }
                self.record(Event::RemoveBegun(target)).await?;
                if let Err(error) = flink.delete_cluster().await {
                    self.observer.progress(Progress::Warning(format!(
                        "the JobManager of {} did not shut its cluster down ({error}): files of its high availability may stay",
                        descriptor.name
                    )));
                }
            }
            Err(error) => {
                self.record(Event::RemoveBegun(target)).await?;
                // One that never came up has left nothing.
                if target != Target::New || self.journal.ready {
                    self.observer.progress(Progress::Warning(format!(
                        "the JobManager of {} does not answer ({error}): files of its high availability stay in the storage",
                        descriptor.name
                    )));
                }
            }
        }
        let keys: Vec<ObjectKey> = self
            .objects(target)
            .iter()
            .filter(|object| object.generation() == Some(descriptor.generation))
            .map(Object::key)
            .collect();
        let (cluster, namespace) = (&self.context.cluster, &self.context.namespace);
        let release = &self.plan.options.name;
        delete::delete(cluster, namespace, release, &keys, &mut |_, _| {})
            .await
            .map_err(Cause::not_deleted)?;
        // A Deployment is gone when its Pods are: only then nothing writes the HA ConfigMaps any more.
        delete::wait_gone(cluster, namespace, &keys, self.context.timeout).await?;
        if descriptor.high_availability {
            let config_maps = Resource::known("v1", "configmaps");
            delete::delete_by_selector(cluster, namespace, &config_maps, &descriptor.ha_selector).await?;
        }
        self.record(Event::Removed(target)).await?;
        Ok(Some(format!("removed generation {}", descriptor.name)))
    }

    /// The jobs in a generation. One that has just been in use may be recovering: its silence is waited out for a while, for
    /// somebody's own job may be in it.
    async fn jobs_of(&self, flink: &Client, target: Target) -> Result<Vec<JobOverview>, FlinkError> {
        let patience = if target == Target::Old && self.journal.is_warm() { SILENCE } else { Duration::ZERO };
        let begun = Instant::now();
        loop {
            match flink.jobs().await {
                Err(error) if error.is_passing() && begun.elapsed() < patience => {
                    tokio::time::sleep(POLL).await;
                }
                answer => return answer,
            }
        }
    }

    pub(super) async fn apply(&mut self, target: Target) -> Result<Option<String>, Cause> {
        self.record(Event::ApplyBegun(target)).await?;
        let mut count = 0;
        let mut objects = self.objects(target).to_vec();
        if target == Target::New && self.journal.is_warm() {
            objects.retain(|object| !switches(object));
        }
        apply::apply(&self.context.cluster, &objects, &self.apply_options(), &mut |_, _| count += 1).await?;
        self.record(Event::Applied(target)).await?;
        Ok(Some(format!("applied {count} objects")))
    }

    /// Has what leads to the generation in charge lead to the new one.
    pub(super) async fn switch(&mut self) -> Result<Option<String>, Cause> {
        let mut objects = self.objects(Target::New).to_vec();
        objects.retain(switches);
        apply::apply(&self.context.cluster, &objects, &self.apply_options(), &mut |_, _| ()).await?;
        self.record(Event::Switched).await?;
        Ok(None)
    }

    /// Waits until the JobManager answers and the TaskManagers have registered their slots.
    pub(super) async fn await_ready(&mut self, target: Target) -> Result<Option<String>, Cause> {
        let objects = self.objects(target).to_vec();
        let descriptor = self.descriptor(target).cloned();
        let begun = Instant::now();
        let mut fatal_since: Option<Instant> = None;
        let mut said: Vec<String> = Vec::new();
        loop {
            let (mut why, mut words, mut hopeless) = (Vec::new(), Vec::new(), Vec::new());
            let mut patience = CRASHING_AFTER;
            for missing in
                readiness::not_ready(&self.context.cluster, &self.context.namespace, &objects).await?
            {
                if let Some(fatal) = missing.fatal {
                    hopeless.push(shorten(&missing.reason));
                    if matches!(fatal, Fatal::Image | Fatal::Config) {
                        patience = FATAL_AFTER;
                    }
                }
                words.push(waiting::brief(&missing, &objects));
                why.push(format!("{}: {}", missing.object, shorten(&missing.reason)));
            }
            if let Some(descriptor) = &descriptor {
                let flink = self.flink_not_ready(descriptor).await;
                // While Pods are missing, Flink's own view says nothing more.
                if why.is_empty() {
                    words.extend(flink.clone());
                }
                why.extend(flink);
            }
            if why.is_empty() {
                break;
            }
            if words != said {
                self.observer.progress(Progress::Waiting {
                    what: descriptor
                        .as_ref()
                        .map_or_else(|| "the objects".to_owned(), |d| format!("generation {}", d.name)),
                    why: words.clone(),
                    since: begun.elapsed(),
                });
                said = words;
            }
            fatal_since =
                if hopeless.is_empty() { None } else { fatal_since.or_else(|| Some(Instant::now())) };
            if fatal_since.is_some_and(|since| since.elapsed() >= patience) {
                hopeless.sort();
                hopeless.dedup();
                let step = "the new Pods do not start, and waiting will not help".to_owned();
                return Err(Cause::Step { step, reason: hopeless.join("; ") });
            }
            if begun.elapsed() >= self.context.timeout {
                let step = format!("not ready within {} s", self.context.timeout.as_secs());
                return Err(Cause::Step { step, reason: why.join("; ") });
            }
            if self.cancellation.is_cancelled() {
                return Err(Cause::Interrupted);
            }
            tokio::time::sleep(POLL).await;
        }
        self.record(Event::Ready(target)).await?;
        Ok(Some(format!("ready after {:.0} s", begun.elapsed().as_secs_f32())))
    }

    async fn flink_not_ready(&self, descriptor: &Descriptor) -> Vec<String> {
        match self.context.flink(descriptor).overview().await {
            Ok(overview) if overview.taskmanagers >= descriptor.task_managers => Vec::new(),
            Ok(overview) => vec![format!(
                "{} of {} TaskManagers have registered ({} slots)",
                overview.taskmanagers, descriptor.task_managers, overview.slots_total
            )],
            Err(_) => vec!["the JobManager does not answer yet".to_owned()],
        }
    }
}

/// What stays the release's whole life and leads to the generation in charge: while two are up it changes last.
fn switches(object: &Object) -> bool {
    let leads = matches!(object.phase(), Phase::Services | Phase::Rest);
    object.generation().is_none() && (leads || object.label(descriptor::LABEL) == Some("true"))
}

/// One line of bounded length.
fn shorten(reason: &str) -> String {
    let line = reason.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(REASON_CHARS) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}
