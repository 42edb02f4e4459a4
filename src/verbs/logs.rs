//! `logs`: what the release's Pods print, each line with its Pod's name; of each generation that
//! its jobs run in.

use std::ops::ControlFlow;

use k8s_openapi::api::core::v1::Pod;

use crate::cluster::pods::{self, LogLine, LogOptions};
use crate::context::Context;
use crate::failure::{Cause, Failure, InPhase, NextStep};
use crate::live::Situation;

/// Which role's logs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    #[default]
    JobManager,
    TaskManager,
    All,
}

/// The Pods of that role in each generation that jobs of the release run in.
pub async fn pods(context: &Context, name: &str, role: Role) -> Result<Vec<Pod>, Failure> {
    crate::release::check_name(name)?;
    let situation = Situation::read(context, name).await.refused()?;
    situation.current(context, name)?;
    let mut descriptors = situation.descriptors().peekable();
    if descriptors.peek().is_none() {
        return Err(Failure::refused(Cause::Precondition(format!("release {name:?} has no Flink cluster"))));
    }
    let selectors = descriptors.flat_map(|descriptor| match role {
        Role::JobManager => vec![&descriptor.job_manager_selector],
        Role::TaskManager => vec![&descriptor.task_manager_selector],
        Role::All => vec![&descriptor.job_manager_selector, &descriptor.task_manager_selector],
    });
    let mut found = Vec::new();
    for selector in selectors {
        found.extend(pods::list(&context.cluster, &context.namespace, selector).await.refused()?);
    }
    if found.is_empty() {
        return Err(Failure::refused(Cause::Precondition(format!(
            "release {name:?} has no Pods of that role"
        )))
        .next([NextStep::flink(["status", name])]));
    }
    Ok(found)
}

/// Streams log lines into `sink` until they end (never, with `follow`) or it has enough.
pub async fn stream(
    context: &Context,
    pods: &[Pod],
    options: &LogOptions,
    sink: &mut (dyn FnMut(LogLine) -> ControlFlow<()> + Send),
) -> Result<(), Failure> {
    pods::each_line(&context.cluster, &context.namespace, pods, options, sink).await.refused()
}
