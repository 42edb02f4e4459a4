//! How a job is started in a generation: its program, its jar, whether there are slots enough.

use super::Site;
use crate::failure::Cause;
use crate::flink::{Content, JarRef, Plan, Program};
use crate::layout::Descriptor;
use crate::live::render_record;
use crate::operation::{JobMove, Journal, Target};
use crate::progress::Progress;
use crate::release::{JobRecord, Record};

impl Site<'_> {
    /// Returns what `main()` is called with.
    pub(super) fn program(&self, record: &JobRecord, target: Target) -> Program {
        let of_cluster = self.descriptor(target).and_then(|descriptor| descriptor.parallelism);
        Program {
            entry_class: record.entry_class.clone(),
            args: record.args.clone(),
            parallelism: record.parallelism.or(of_cluster),
        }
    }

    pub(super) fn job_record(&self, name: &str, target: Target) -> Result<JobRecord, Cause> {
        let record =
            if target == Target::New { Some(&self.operation.record) } else { self.operation.base.as_ref() };
        let found = record.and_then(|record| record.jobs.iter().find(|job| job.name == name)).cloned();
        found.ok_or_else(|| Cause::CannotStart {
            job: name.to_owned(),
            reason: "no record says how".to_owned(),
        })
    }

    /// The package's archive of the revision that made a generation.
    fn archive(&self, target: Target) -> &[u8] {
        let elsewhere = match target {
            Target::Orphan(number) => self.orphan(number).and_then(|orphan| orphan.archive.as_deref()),
            _ => None,
        };
        let base = self.operation.base.as_ref().filter(|_| target != Target::New);
        elsewhere.unwrap_or_else(|| &base.unwrap_or(&self.operation.record).archive)
    }

    /// The record and the descriptor of the revision that a job is of, where that is a failed one
    /// whose job stayed in the generation of the one in charge.
    async fn made_by(
        &self,
        job: &JobRecord,
        target: Target,
    ) -> Result<Option<(Record, Option<Descriptor>)>, Cause> {
        let Some(place) = job.elsewhere.filter(|_| matches!(target, Target::Old | Target::Revert)) else {
            return Ok(None);
        };
        let record = self.context.store.get(self.operation.name(), place.revision).await?;
        let descriptor = Descriptor::find(&render_record(&record, self.require(target)?.generation)?)?;
        Ok(Some((record, descriptor)))
    }

    /// The id under which the target's JobManager lists a job's jar; uploads it where it comes from
    /// a file.
    pub(super) async fn jar_id(&self, job: &JobRecord, target: Target) -> Result<String, Cause> {
        let made_by = self.made_by(job, target).await?;
        let client = self.context.flink(&self.require(target)?);
        let doing = |doing: String| move |source| Cause::Flink { doing, source };
        let given = self.operation.settings.jars.get(&job.name);
        // As it was it runs from its own, where that is still there.
        let own = target != Target::New
            && match &job.jar {
                JarRef::Upload(id) if given.is_some() => {
                    let jars = client.jars().await;
                    let jars = jars.map_err(doing("the jars could not be listed".to_owned()))?;
                    jars.iter().any(|jar| jar.id == *id)
                }
                _ => true,
            };
        if let Some(file) = given.filter(|_| !own) {
            return client
                .upload(&format!("{}.jar", job.name), Content::Bytes(file.clone().into()))
                .await
                .map_err(doing(format!("the jar of {} could not be uploaded", job.name)));
        }
        if let JarRef::Package(path) = &job.jar {
            let archive = made_by.as_ref().map_or(self.archive(target), |(record, _)| &record.archive);
            let package = crate::package::Package::from_archive(archive)?;
            let content = package.file(path).map(<[u8]>::to_vec).ok_or_else(|| Cause::CannotStart {
                job: job.name.clone(),
                reason: format!("the package has no file {path:?}"),
            })?;
            let name = path.rsplit('/').next().unwrap_or(path);
            return client
                .upload(name, Content::Bytes(content.into()))
                .await
                .map_err(doing(format!("the jar {path} could not be uploaded")));
        }
        let wanted = match &job.jar {
            JarRef::Upload(id) => id.clone(),
            _ => made_by
                .as_ref()
                .map_or(self.descriptor(target), |(_, descriptor)| descriptor.as_ref())
                .and_then(|descriptor| descriptor.jobs.iter().find(|declared| declared.name == job.name))
                .and_then(|declared| declared.jar_id.clone())
                .ok_or_else(|| Cause::CannotStart {
                    job: job.name.clone(),
                    reason: format!("the cluster does not say under which id it lists {}", job.jar),
                })?,
        };
        let jars = client.jars().await.map_err(doing("the jars could not be listed".to_owned()))?;
        if jars.iter().any(|jar| jar.id == wanted) {
            return Ok(wanted);
        }
        let known: Vec<_> = jars.into_iter().map(|jar| jar.name).collect();
        Err(Cause::CannotStart {
            job: job.name.clone(),
            reason: format!(
                "there is no {} (the cluster has {})",
                job.jar,
                if known.is_empty() { "no jars".to_owned() } else { known.join(", ") }
            ),
        })
    }

    /// Deletes the jars that were uploaded for jobs which did not come to be: no other revision
    /// names them.
    pub(super) async fn delete_uploads(&self, journal: &Journal) {
        let Some(descriptor) = self.descriptor(Target::New) else { return };
        let flink = self.context.flink(descriptor);
        let gone = |moved: &&JobMove| moved.start().is_some() && !moved.is_moved();
        for moved in journal.jobs.iter().filter(gone) {
            let job = self.operation.record.jobs.iter().find(|job| job.name == moved.name);
            let Some(JarRef::Upload(jar)) = job.map(|job| &job.jar) else { continue };
            if let Err(error) = flink.delete_jar(jar).await {
                let left = format!("the jar {jar} could not be deleted: {error}");
                self.observer.progress(Progress::Warning(left));
            }
        }
    }

    /// An estimate: one slot-sharing group, which is what a job has unless it says otherwise.
    pub(super) fn refuse_too_few_slots(&self, name: &str, plan: &Plan) -> Result<(), Cause> {
        let Some(descriptor) = self.descriptor(Target::New) else { return Ok(()) };
        let slots = descriptor.task_managers * descriptor.slots_per_task_manager;
        let needed = plan.nodes.iter().map(|node| node.parallelism).max().unwrap_or(0);
        if needed <= slots || descriptor.adaptive_scheduler {
            return Ok(());
        }
        Err(Cause::CannotStart {
            job: name.to_owned(),
            reason: format!("it needs {needed} task slots, generation {} has {slots}", descriptor.name),
        })
    }
}
