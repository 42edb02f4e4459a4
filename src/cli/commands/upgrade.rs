//! `kubectl flink upgrade NAME [PACKAGE]`.

use std::time::Duration;

use clap::Args;

use super::change::{Change, Planner};
use crate::cli::error::CommandError;
use crate::cli::flags::apply::ApplyArgs;
use crate::cli::flags::change::{ChangeArgs, MoveArgs};
use crate::cli::flags::name;
use crate::cli::flags::values::ValuesArgs;
use crate::cli::session::Session;
use crate::context::Context;
use crate::failure::{Cause, Failure, NextStep};
use crate::plan::ChangeOptions;
use crate::source::Resolver;
use crate::verbs::{install, upgrade};

/// Flags of `upgrade`.
#[derive(Args, Clone)]
pub struct UpgradeArgs {
    /// The target.
    #[command(flatten)]
    pub target: UpgradeTarget,
    /// How the change is made.
    #[command(flatten)]
    pub change: ChangeArgs,
}

/// What an upgrade leads to: as much as its plan has to know.
#[derive(Args, Clone)]
pub struct UpgradeTarget {
    /// Name of the release
    #[arg(value_parser = name::release)]
    pub name: String,
    /// The package; without it the recorded one
    pub package: Option<String>,
    /// Version of the package, or a range of versions
    #[arg(long, requires = "package")]
    pub version: Option<String>,
    /// Layout of the package; without it the recorded one
    #[arg(long)]
    pub layout: Option<String>,
    /// Install the release if there is none
    #[arg(short = 'i', long)]
    pub install: bool,
    /// Make the namespace if it is missing (with --install)
    #[arg(long, requires = "install")]
    pub create_namespace: bool,
    /// Drop the user's recorded values
    #[arg(long, conflicts_with = "reuse_values")]
    pub reset_values: bool,
    /// Keep the package's old defaults too
    #[arg(long)]
    pub reuse_values: bool,
    /// How jobs get from one revision to the next.
    #[command(flatten)]
    pub moves: MoveArgs,
    /// Values.
    #[command(flatten)]
    pub values: ValuesArgs,
    /// How objects are applied.
    #[command(flatten)]
    pub apply: ApplyArgs,
}

impl UpgradeTarget {
    /// Returns what `change` makes of it; reads the files that it names.
    pub(super) async fn change(
        &self,
        packages: &Resolver,
        change: Option<&ChangeArgs>,
        timeout: Duration,
    ) -> Result<Change<impl Planner>, CommandError> {
        crate::release::check_name(&self.name)?;
        let mut options = ChangeOptions::new(&self.name);
        options.create_namespace = self.create_namespace;
        self.moves.set(&mut options)?;
        self.apply.set(&mut options);
        if let Some(change) = change {
            change.set(&mut options);
        }
        let user_values = self.values.collect()?;
        let package = match &self.package {
            Some(package) => Some(packages.open(package, self.version.as_deref()).await?),
            None => None,
        };
        let planner = async move |context: &Context, change: &ChangeOptions| {
            let (change, layout) = (change.clone(), self.layout.clone());
            let (package, user_values) = (package.clone(), user_values.clone());
            if self.install && !install::is_installed(context, &self.name).await? {
                let package = package.ok_or_else(|| self.needs_package())?;
                let options = install::Options { change, package, layout, user_values, capabilities: None };
                return install::plan(context, &options).await;
            }
            let options = upgrade::Options { change, package, layout, user_values, carry: self.carry() };
            upgrade::plan(context, &options).await
        };
        Ok(Change { options, timeout, diff: self.moves.diff, planner })
    }

    /// Returns what of the recorded values goes on.
    fn carry(&self) -> upgrade::Carry {
        match (self.reset_values, self.reuse_values) {
            (true, _) => upgrade::Carry::Nothing,
            (_, true) => upgrade::Carry::Everything,
            _ => upgrade::Carry::UserValues,
        }
    }

    fn needs_package(&self) -> Failure {
        let why = "upgrade --install needs a PACKAGE where there is no release yet";
        Failure::refused(Cause::InvalidInput(why.to_owned())).next([NextStep::flink([
            "upgrade",
            &self.name,
            "flink",
            "--install",
        ])])
    }
}

/// Runs `upgrade`.
pub async fn run(args: &UpgradeArgs, session: &Session<'_>) -> Result<(), CommandError> {
    let change =
        args.target.change(session.packages, Some(&args.change), args.change.wait.limit.timeout).await?;
    if args.change.dry_run.is_some() {
        return change.show(session).await;
    }
    change.carry_out(args.change.yes, session).await
}
