//! `rollback`: a new revision that is an old one again: its package, values and capabilities, in a
//! new generation.

use crate::context::Context;
use crate::failure::{Cause, Failure, InPhase, NextStep};
use crate::layout::Descriptor;
use crate::live::{Situation, render_record};
use crate::operation::Kind;
use crate::package::Package;
use crate::plan::{self, ChangeOptions, Desired, Plan, rights};
use crate::release::{Record, Status};
use crate::render::{self, Object};

/// Options of `rollback`.
#[derive(Clone)]
pub struct Options {
    /// Options that every change has.
    pub change: ChangeOptions,
    /// The revision; where absent, the last that was deployed before the one that runs.
    pub revision: Option<u32>,
}

/// The plan of a rollback. Reads only.
pub async fn plan(context: &Context, options: &Options) -> Result<Plan, Failure> {
    let name = &options.change.name;
    crate::release::check_name(name)?;
    rights::check(context, rights::Verb::Rollback).await?;
    let mut situation = Situation::read(context, name).await.refused()?;
    situation.await_recovery(context).await;
    let base = situation.current(context, name)?;
    let target = target_revision(&situation, base, options)?;
    let record = context.store.get(name, target).await.refused()?;
    refuse_drift(&record)?;
    let mut desired = Desired {
        package: Package::from_archive(&record.archive)?,
        layout: record.layout.clone(),
        user_values: record.user_values.clone(),
        values: record.values.clone(),
        capabilities: record.capabilities.clone(),
        submitted: record.jobs.iter().filter(|job| !job.declared).cloned().collect(),
        returns_to: None,
        only: None,
    };
    desired.returns_to = Some(record);
    plan::build(context, Kind::Rollback, &options.change, &situation, desired).await
}

fn target_revision(situation: &Situation, base: &Record, options: &Options) -> Result<u32, Failure> {
    let name = &options.change.name;
    let known = || situation.history.iter().map(|s| s.revision.to_string()).collect::<Vec<_>>().join(", ");
    match options.revision {
        Some(revision) if situation.history.iter().any(|summary| summary.revision == revision) => Ok(revision),
        Some(revision) => Err(Failure::refused(Cause::NoRevision { name: name.clone(), revision, known: known() })
            .next([NextStep::flink(["history", name])])),
        None => situation
            .history
            .iter()
            .rev()
            .find(|summary| {
                summary.revision < base.revision && matches!(summary.status, Status::Superseded | Status::Deployed)
            })
            .map(|summary| summary.revision)
            .ok_or_else(|| {
                Failure::refused(Cause::Precondition(format!(
                    "release {name:?} has no earlier revision that was deployed (it runs revision {}, there are {})",
                    base.revision,
                    known()
                )))
                .next([NextStep::flink(["history", name])])
            }),
    }
}

/// The recorded package must still render to the recorded manifest: a rollback applies what was
/// recorded, or nothing.
fn refuse_drift(record: &Record) -> Result<(), Failure> {
    let recorded = render::parse_manifest(&record.manifest).refused()?;
    let number = Descriptor::find(&recorded).refused()?.map_or(record.generation, |d| d.generation);
    let mut planned = record.clone();
    planned.jobs.clear(); // a start that was made is not in the manifest
    let again = render_record(&planned, number).refused()?;
    let values = |objects: &[Object]| -> Vec<(String, serde_json::Value)> {
        objects.iter().map(|object| (object.key().to_string(), object.value.clone())).collect()
    };
    let (recorded, again) = (values(&recorded), values(&again));
    let differs =
        recorded.iter().chain(&again).find(|entry| !(recorded.contains(entry) && again.contains(entry)));
    match differs {
        None => Ok(()),
        Some((object, _)) => Err(Failure::refused(Cause::Step {
            step: format!("revision {} cannot be made again as it was", record.revision),
            reason: format!("{object} renders differently from its recorded manifest"),
        })
        .next([NextStep::flink([
            "get",
            "manifest",
            &record.name,
            "--revision",
            &record.revision.to_string(),
        ])])),
    }
}
