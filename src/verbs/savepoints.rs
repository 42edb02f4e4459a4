//! `savepoint trigger`: a new savepoint of a job, which goes on.

use crate::context::Context;
use crate::failure::{Cause, Failure, InPhase, NextStep};
use crate::live::Situation;
use crate::live::jobs::find_job;
use crate::live::savepoints::SavepointRow;
use crate::operation::SavepointFormat;
use crate::plan::rights;
use crate::plan::savepoint::savepoint_trigger;
use crate::progress::Observer;
use crate::release::operation::Taking;
use crate::run;

/// Options of `savepoint trigger`.
#[derive(Clone)]
pub struct TriggerOptions {
    pub name: String,
    /// The job; the only one where absent.
    pub job: Option<String>,
    pub format: SavepointFormat,
}

/// Takes a savepoint of a running job, which goes on, and records it in the running revision.
pub async fn trigger(
    context: &Context,
    options: &TriggerOptions,
    observer: &dyn Observer,
) -> Result<SavepointRow, Failure> {
    let name = &options.name;
    crate::release::check_name(name)?;
    rights::check(context, rights::Verb::Jobs).await?;
    let situation = Situation::read(context, name).await.refused()?;
    let base = situation.current(context, name)?.clone();
    let running: Vec<_> = base.jobs.iter().filter(|job| situation.running(job).is_some()).collect();
    let job_name = match (&options.job, running.as_slice()) {
        (Some(job), _) => find_job(&situation, &base, job)?,
        (None, [only]) => only.name.clone(),
        (None, []) => {
            return Err(Failure::refused(Cause::Precondition(format!("release {name:?} runs no job")))
                .next([NextStep::flink(["job", "list", name])]));
        }
        (None, many) => {
            let names: Vec<_> = many.iter().map(|job| job.name.as_str()).collect();
            return Err(Failure::refused(Cause::Precondition(format!(
                "release {name:?} runs {} jobs: {}",
                names.len(),
                names.join(", ")
            )))
            .next([NextStep::flink(["savepoint", "trigger", name, "--job", names[0]])]));
        }
    };
    let recorded = base.jobs.iter().find(|job| job.name == job_name);
    let Some((recorded, live)) = recorded.and_then(|job| Some((job, situation.running(job)?))) else {
        return Err(Failure::refused(Cause::NoSavepoint {
            job: job_name,
            reason: "it does not run".to_owned(),
        })
        .next([NextStep::flink(["job", "list", name])]));
    };
    let Some(descriptor) = situation.descriptor_of(recorded) else {
        return Err(Failure::refused(Cause::Precondition(format!("release {name:?} runs no Flink cluster"))));
    };
    if !descriptor.traits().savepoint_beside {
        let reason = "in this layout it can only be taken by stopping the job".to_owned();
        return Err(Failure::refused(Cause::NoSavepoint { job: job_name, reason })
            .next([NextStep::flink(["uninstall", name, "--with-savepoint"]).remark("the job ends")]));
    }
    let trigger = savepoint_trigger(context, Some(descriptor), live, base.revision).map_err(|reason| {
        Failure::refused(Cause::NoSavepoint { job: job_name.clone(), reason })
            .next([NextStep::flink(["status", name])])
    })?;
    let format = options.format;
    let taking = Taking { job: job_name.clone(), id: live.id, revision: base.revision, trigger, format };
    run::savepoint::take(context, name, descriptor, &taking, observer).await
}
