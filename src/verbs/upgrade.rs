//! `upgrade`: a new revision from a package and values, carrying the jobs' state.

use serde_json::Value;

use crate::context::Context;
use crate::failure::{Cause, Failure, InPhase};
use crate::live::Situation;
use crate::operation::Kind;
use crate::package::Package;
use crate::plan::{self, ChangeOptions, Desired, Plan, StateChoice, rights};
use crate::values;

/// Which of the recorded values carry over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Carry {
    /// The user's, onto the package's new defaults.
    #[default]
    UserValues,
    Nothing,
    /// The user's and the old defaults (`--reuse-values`).
    Everything,
}

/// Options of `upgrade`.
#[derive(Clone)]
pub struct Options {
    /// Options that every change has.
    pub change: ChangeOptions,
    /// The package; the recorded one where absent.
    pub package: Option<Package>,
    /// The layout; the recorded one where absent.
    pub layout: Option<String>,
    /// The values given now.
    pub user_values: Value,
    /// Which recorded values carry over.
    pub carry: Carry,
}

/// The plan of an upgrade. Reads only.
pub async fn plan(context: &Context, options: &Options) -> Result<Plan, Failure> {
    crate::release::check_name(&options.change.name)?;
    rights::check(context, rights::Verb::Upgrade).await?;
    let mut situation = Situation::read(context, &options.change.name).await.refused()?;
    situation.await_recovery(context).await;
    let base = situation.current(context, &options.change.name)?;
    let package = match &options.package {
        Some(package) => package.clone(),
        None => Package::from_archive(&base.archive)?,
    };
    let mut user_values = match options.carry {
        Carry::Nothing => Value::Object(serde_json::Map::new()),
        _ => base.user_values.clone(),
    };
    values::merge(&mut user_values, &options.user_values);
    let mut merged = match options.carry {
        Carry::Everything => {
            let mut merged = package.default_values().clone();
            values::merge(&mut merged, &base.values);
            merged
        }
        _ => package.default_values().clone(),
    };
    values::merge(&mut merged, &user_values);
    let layout = options
        .layout
        .as_deref()
        .or_else(|| package.layout(Some(&base.layout)).is_ok().then_some(&base.layout));
    let (layout, _) = package.layout(layout)?;
    let mut change = options.change.clone();
    if change.choice.is_none() {
        change.choice = chosen_in_values(&user_values).refused()?;
    }
    let desired = Desired {
        layout: layout.to_owned(),
        values: merged,
        capabilities: context.cluster.capabilities().await.refused()?,
        submitted: base.jobs.iter().filter(|job| !job.declared).cloned().collect(),
        returns_to: None,
        only: None,
        package,
        user_values,
    };
    plan::build(context, Kind::Upgrade, &change, &situation, desired).await
}

/// `upgrade.state`, where the user set it: savepoint, recorded, checkpoint or stateless. A
/// package's default is no choice.
fn chosen_in_values(user_values: &Value) -> Result<Option<StateChoice>, Cause> {
    match user_values.pointer("/upgrade/state").and_then(Value::as_str) {
        None | Some("") => Ok(None),
        Some("savepoint") => Ok(Some(StateChoice::Savepoint)),
        Some("recorded") => Ok(Some(StateChoice::Recorded)),
        Some("checkpoint") => Ok(Some(StateChoice::LatestCheckpoint)),
        Some("stateless") => Ok(Some(StateChoice::Stateless)),
        Some(other) => Err(Cause::Precondition(format!(
            "upgrade.state is {other:?}; it may be savepoint, recorded, checkpoint or stateless"
        ))),
    }
}

#[cfg(test)]
mod tests;
