//! `install`: a first revision, or the next one after an uninstall that kept a record.

use serde_json::Value;

use crate::context::Context;
use crate::failure::{Cause, Failure, InPhase, NextStep};
use crate::live::Situation;
use crate::operation::Kind;
use crate::package::Package;
use crate::plan::{self, ChangeOptions, Desired, Plan, rights};
use crate::release::Status;
use crate::render::Capabilities;
use crate::values;

/// Options of `install`.
#[derive(Clone)]
pub struct Options {
    /// Options that every change has.
    pub change: ChangeOptions,
    pub package: Package,
    /// Its layout; the package's default where absent.
    pub layout: Option<String>,
    pub user_values: Value,
    /// Capabilities to render with, where the cluster is not asked (`--dry-run=client`).
    pub capabilities: Option<Capabilities>,
}

/// Returns what can be refused without asking any cluster: the release's name, the layout and the
/// values.
pub fn check(options: &Options) -> Result<(), Failure> {
    crate::release::check_name(&options.change.name)?;
    options.package.layout(options.layout.as_deref())?;
    let mut merged = options.package.default_values().clone();
    values::merge(&mut merged, &options.user_values);
    let package = &options.package;
    package
        .check_values(&merged)
        .map_err(|source| Cause::Schema { package: package.metadata.name.clone(), source })
        .refused()?;
    Ok(())
}

/// The plan of an install. Reads only.
pub async fn plan(context: &Context, options: &Options) -> Result<Plan, Failure> {
    crate::release::check_name(&options.change.name)?;
    let exists = context.cluster.namespace_exists(&context.namespace).await.refused()?;
    if !exists && !options.change.create_namespace {
        let namespace = &context.namespace;
        return Err(Failure::refused(Cause::NoNamespace(namespace.clone())).next([
            NextStep::kubectl_cluster(["create", "namespace", namespace]),
            NextStep::again(["--create-namespace"]),
        ]));
    }
    if exists {
        rights::check(context, rights::Verb::Install).await?;
    }
    let situation = Situation::read(context, &options.change.name).await.refused()?;
    if let Some(last) = situation.history.last().filter(|_| !situation.is_installable()) {
        let name = &options.change.name;
        return Err(Failure::refused(Cause::Exists {
            name: name.clone(),
            namespace: context.namespace.clone(),
            revision: last.revision,
            status: last.status.to_string(),
        })
        .next([
            NextStep::flink(["upgrade", name]).placeholder("PACKAGE"),
            NextStep::say("another name, or --generate-name"),
        ]));
    }
    let desired = desired(context, options).await?;
    let mut change = options.change.clone();
    change.server_dry_run &= exists;
    plan::build(context, Kind::Install, &change, &situation, desired).await
}

/// Returns whether there is a release of the name that an install would be refused for.
pub async fn is_installed(context: &Context, name: &str) -> Result<bool, Failure> {
    match context.store.history(name).await.refused()?.last().map(|last| last.status) {
        None | Some(Status::Uninstalled) => Ok(false),
        // Only here it matters whether anything of it runs.
        Some(status) if status == Status::Failed || status.is_pending() => {
            Ok(!Situation::read(context, name).await.refused()?.is_installable())
        }
        Some(_) => Ok(true),
    }
}

pub(crate) async fn desired(context: &Context, options: &Options) -> Result<Desired, Failure> {
    let (layout, _) = options.package.layout(options.layout.as_deref())?;
    let mut merged = options.package.default_values().clone();
    values::merge(&mut merged, &options.user_values);
    let capabilities = match &options.capabilities {
        Some(capabilities) => capabilities.clone(),
        None => context.cluster.capabilities().await.refused()?,
    };
    Ok(Desired {
        layout: layout.to_owned(),
        user_values: options.user_values.clone(),
        values: merged,
        capabilities,
        package: options.package.clone(),
        submitted: Vec::new(),
        returns_to: None,
        only: None,
    })
}
