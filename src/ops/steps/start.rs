//! Starting a job, exactly once, from exactly the state that the plan says.

use super::path_for;
use crate::flink::{self, Client, Content};
use crate::operation::{Event, StateFrom, Target};
use crate::ops::Cause;
use crate::ops::execute::Executor;
use crate::release::JobRecord;

impl Executor<'_> {
    pub(super) async fn start(&mut self, index: usize, target: Target) -> Result<Option<String>, Cause> {
        let change = self.journal.jobs[index].clone();
        let wanted = if target == Target::New { change.start.clone() } else { change.back.clone() };
        let Some(start) = wanted else {
            return Err(Cause::CannotStart {
                job: change.name,
                reason: "the journal has no start for it".to_owned(),
            });
        };
        let record = self.job_record(&change.name, target)?;
        let client = self.client(target)?;
        let jar = match &change.jar {
            Some(jar) if target == Target::New => jar.clone(),
            _ => self.jar_id(&client, &record, target).await?,
        };
        let path = path_for(&change, &start.from);
        if path.is_none() && start.from == StateFrom::ItsStop {
            return Err(Cause::CannotStart {
                job: change.name,
                reason: "the path of its savepoint is not known".to_owned(),
            });
        }
        self.record(Event::StartAsked(index, target)).await?;
        let request = flink::RunRequest {
            job: start.id,
            program: self.program(&record, target),
            savepoint: path.clone(),
            allow_non_restored_state: record.allow_non_restored_state,
        };
        if let Err(source) = flink::job_start::start(&client, &jar, &request, self.context.timeout).await {
            if matches!(source, flink::StartError::NotSent { .. } | flink::StartError::Refused { .. }) {
                self.record(Event::StartFailed(index, target)).await?;
            }
            return Err(Cause::Start { job: change.name, source });
        }
        self.record(Event::Started(index, target)).await?;
        Ok(Some(match path {
            Some(path) => format!("started {} ({}) from {path}", change.name, start.id),
            None => format!("started {} ({})", change.name, start.id),
        }))
    }

    /// What `main()` is called with.
    pub(super) fn program(&self, record: &JobRecord, target: Target) -> flink::Program {
        let of_cluster = self.descriptor(target).and_then(|descriptor| descriptor.parallelism);
        flink::Program {
            entry_class: record.entry_class.clone(),
            args: record.args.clone(),
            parallelism: record.parallelism.or(of_cluster),
        }
    }

    pub(super) fn job_record(&self, name: &str, target: Target) -> Result<JobRecord, Cause> {
        let record = if target == Target::New { Some(&self.plan.record) } else { self.plan.base.as_ref() };
        let found = record.and_then(|record| record.jobs.iter().find(|job| job.name == name)).cloned();
        found.ok_or_else(|| Cause::CannotStart {
            job: name.to_owned(),
            reason: "no record says how".to_owned(),
        })
    }

    /// The id under which the target's JobManager lists a job's jar; uploads it where it comes from a file.
    pub(super) async fn jar_id(
        &self,
        client: &Client,
        job: &JobRecord,
        target: Target,
    ) -> Result<String, Cause> {
        let doing = |doing: String| move |source| Cause::Flink { doing, source };
        if let Some(file) = self.plan.options.jars.get(&job.name) {
            return client
                .upload(&format!("{}.jar", job.name), Content::Bytes(file.clone().into()))
                .await
                .map_err(doing(format!("the jar of {} could not be uploaded", job.name)));
        }
        if let Some(path) = job.jar.strip_prefix("package:") {
            let record = if target == Target::New {
                &self.plan.record
            } else {
                self.plan.base.as_ref().unwrap_or(&self.plan.record)
            };
            let package = crate::package::Package::from_archive(&record.archive)?;
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
        let wanted = match job.jar.strip_prefix("upload:") {
            Some(id) => id.to_owned(),
            None => self
                .descriptor(target)
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
}
