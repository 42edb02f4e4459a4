//! A generation's objects: applied, waited for with the reasons why they are not ready, deleted.

use std::time::{Duration, Instant};

use super::Site;
use crate::cluster::discovery::Resource;
use crate::cluster::readiness::Fatal;
use crate::cluster::{apply, delete, readiness};
use crate::engine::POLL;
use crate::failure::Cause;
use crate::layout::control::{Readiness, Want, owned_kinds, suspend};
use crate::layout::{self, Descriptor};
use crate::live::render_record;
use crate::live::waiting;
use crate::operation::{Journal, Pods, Target};
use crate::progress::Progress;
use crate::render::{Object, ObjectKey, Phase};

/// How long a reason that waiting will not help must last before it is believed: a first image pull
/// may be tried again.
const FATAL_AFTER: Duration = Duration::from_secs(15);
/// The same for containers that end again and again: on a busy machine Flink itself gives a first
/// start up.
const CRASHING_AFTER: Duration = Duration::from_mins(1);
/// Characters of a reason that go into an error and into the record.
const REASON_CHARS: usize = 240;

impl Site<'_> {
    /// Deletes a generation: the Deployments and the rest; last the HA ConfigMaps, which a dying
    /// JobManager may make anew.
    pub(super) async fn clear_generation(&self, target: Target) -> Result<(), Cause> {
        let descriptor = self.require(target)?;
        let keys: Vec<ObjectKey> = self
            .objects(target)
            .iter()
            .filter(|object| object.generation() == Some(descriptor.generation))
            .map(Object::key)
            .collect();
        let (cluster, namespace) = (&self.context.cluster, &self.context.namespace);
        let release = self.operation.name();
        delete::delete(cluster, namespace, release, &keys, &mut |_, _| {})
            .await
            .map_err(Cause::not_deleted)?;
        // A Deployment is gone when its Pods are: only then nothing writes the HA ConfigMaps any
        // more.
        delete::wait_gone(cluster, namespace, &keys, self.context.timeout).await?;
        if descriptor.high_availability {
            let config_maps = Resource::known("v1", "configmaps");
            delete::delete_by_selector(cluster, namespace, &config_maps, &descriptor.ha_selector).await?;
        }
        Ok(())
    }

    pub(super) async fn apply_objects(
        &self,
        target: Target,
        journal: &Journal,
    ) -> Result<Option<String>, Cause> {
        let mut count = 0;
        let mut objects = self.objects_that_start(target, journal)?;
        if target == Target::New && journal.is_warm() {
            objects.retain(|object| !switches(object));
        }
        apply::apply(&self.context.cluster, &objects, &self.apply_options(), &mut |_, _| count += 1).await?;
        Ok(Some(format!("applied {count} objects")))
    }

    /// The objects of a target; where its Pods start its job, they name its id and the state that
    /// it is restored from, which is known only now.
    fn objects_that_start(&self, target: Target, journal: &Journal) -> Result<Vec<Object>, Cause> {
        let record = match target {
            Target::New => Some(&self.operation.record),
            Target::Revert => self.operation.base.as_ref(),
            Target::Old | Target::Orphan(_) => None,
        };
        let descriptor = self.descriptor(target).filter(|descriptor| descriptor.traits().starts_with_pods);
        let (Some(record), Some(descriptor), Pods::New) = (record, descriptor, journal.decided.pods) else {
            return Ok(self.objects(target).to_vec());
        };
        let mut record = record.clone();
        for job in record.jobs.iter_mut().filter(|job| job.mode.starts_with_pods()) {
            let moved = journal.jobs.iter().find(|moved| moved.name == job.name);
            let start = moved.and_then(|moved| Some((moved.start_in(target)?, moved)));
            let Some((start, moved)) = start else {
                let reason = "it does not run, and these Pods would start it".to_owned();
                return Err(Cause::CannotStart { job: job.name.clone(), reason });
            };
            (job.id, job.restored_from) = (moved.id_in(target), moved.restored_from(&start.from));
        }
        let mut objects = render_record(&record, descriptor.generation)?;
        suspend(&mut objects, descriptor); // until the journal says that the job is to start
        Ok(objects)
    }

    /// Has what leads to the generation in charge lead to the new one.
    pub(super) async fn switch_services(&self) -> Result<(), Cause> {
        let mut objects = self.objects(Target::New).to_vec();
        objects.retain(switches);
        apply::apply(&self.context.cluster, &objects, &self.apply_options(), &mut |_, _| ()).await?;
        Ok(())
    }

    /// Waits until the JobManager answers and the TaskManagers have registered their slots.
    pub(super) async fn await_generation(&self, target: Target) -> Result<String, Cause> {
        let (mut objects, kinds) = (self.objects(target).to_vec(), owned_kinds());
        if target == Target::New && self.operation.journal.is_warm() {
            objects.retain(|object| !switches(object)); // not applied before the jobs have moved
        }
        let descriptor = self.descriptor(target).cloned();
        let begun = Instant::now();
        let mut fatal_since: Option<Instant> = None;
        let mut said: Vec<String> = Vec::new();
        loop {
            let (mut why, mut words, mut hopeless) = (Vec::new(), Vec::new(), Vec::new());
            let mut no_room = Vec::new();
            let mut patience = CRASHING_AFTER;
            for missing in
                readiness::not_ready(&self.context.cluster, &self.context.namespace, &objects, &kinds).await?
            {
                if let Some(fatal) = missing.fatal {
                    hopeless.push(shorten(&missing.reason));
                    if matches!(fatal, Fatal::Image | Fatal::Config) {
                        patience = FATAL_AFTER;
                    }
                }
                if missing.no_room {
                    no_room.push(format!("{}: {}", missing.object, shorten(&missing.reason)));
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
                let seconds = self.context.timeout.as_secs();
                if !no_room.is_empty() {
                    let reason =
                        format!("no room for the new Pods within {seconds} s: {}", no_room.join("; "));
                    return Err(Cause::NoRoom { reason });
                }
                let step = format!("not ready within {seconds} s");
                return Err(Cause::Step { step, reason: why.join("; ") });
            }
            if self.cancellation.is_cancelled() {
                return Err(Cause::Interrupted);
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(format!("ready after {:.0} s", begun.elapsed().as_secs_f32()))
    }

    async fn flink_not_ready(&self, descriptor: &Descriptor) -> Vec<String> {
        let want = Want { slots: 0, task_managers: descriptor.task_managers };
        match self.rest(descriptor).ready(want).await {
            Ok(readiness) if readiness.ready => Vec::new(),
            Ok(Readiness { overview, .. }) => vec![format!(
                "{} of {} TaskManagers have registered ({} slots)",
                overview.taskmanagers, descriptor.task_managers, overview.slots_total
            )],
            Err(_) => vec!["the JobManager does not answer yet".to_owned()],
        }
    }
}

/// Returns what stays the release's whole life and leads to the generation in charge: while two are
/// up it changes last.
fn switches(object: &Object) -> bool {
    let leads = matches!(object.phase(), Phase::Services | Phase::Rest);
    object.generation().is_none() && (leads || object.label(layout::LABEL) == Some("true"))
}

/// One line of bounded length.
fn shorten(reason: &str) -> String {
    let line = reason.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(REASON_CHARS) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}
