//! `kubectl flink upgrade NAME [PACKAGE]`.

use clap::Args;

use super::{begin, cancel_on_interrupt, change};
use crate::cli::args::{ChangeArgs, GlobalArgs, MoveArgs, ValuesArgs};
use crate::cli::{CommandError, Output};
use crate::failure::{Cause, NextStep};
use crate::plan::ChangeOptions;
use crate::release::Status;
use crate::source;
use crate::verbs::{install, query, upgrade};

/// Flags of `upgrade`.
#[derive(Args, Clone)]
pub struct UpgradeArgs {
    /// Name of the release
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
    /// How the change is made.
    #[command(flatten)]
    pub change: ChangeArgs,
}

impl UpgradeArgs {
    fn change_options(&self) -> Result<ChangeOptions, CommandError> {
        let mut change = self.moves.options(self.change.options(&self.name))?;
        change.create_namespace = self.create_namespace;
        Ok(change)
    }
}

/// Runs `upgrade`.
pub async fn run(args: &UpgradeArgs, global: &GlobalArgs, output: &Output) -> Result<u8, CommandError> {
    crate::release::check_name(&args.name)?;
    let options = args.change_options()?;
    let user_values = args.values.collect()?;
    let package =
        args.package.as_deref().map(|package| source::open(package, args.version.as_deref())).transpose()?;
    let cancellation = cancel_on_interrupt();
    let context = begin(global, &args.change, &args.name, output, &cancellation).await?;
    if args.install && !exists(&context, &args.name).await? {
        let Some(package) = package else {
            return Err(CommandError::usage(
                "upgrade --install needs a PACKAGE where there is no release yet",
            )
            .hint(NextStep::flink(["upgrade", &args.name, "flink", "--install"])));
        };
        let plan = async |change: &ChangeOptions| {
            let options = install::Options {
                change: change.clone(),
                package: package.clone(),
                layout: args.layout.clone(),
                user_values: user_values.clone(),
                capabilities: None,
            };
            install::plan(&context, &options).await
        };
        return change::carry_out(
            &context,
            &args.change,
            args.moves.diff,
            options,
            plan,
            output,
            &cancellation,
        )
        .await;
    }
    let carry = match (args.reset_values, args.reuse_values) {
        (true, _) => upgrade::Carry::Nothing,
        (_, true) => upgrade::Carry::Everything,
        _ => upgrade::Carry::UserValues,
    };
    let plan = async |change: &ChangeOptions| {
        let options = upgrade::Options {
            change: change.clone(),
            package: package.clone(),
            layout: args.layout.clone(),
            user_values: user_values.clone(),
            carry,
        };
        upgrade::plan(&context, &options).await
    };
    change::carry_out(&context, &args.change, args.moves.diff, options, plan, output, &cancellation).await
}

async fn exists(context: &crate::context::Context, name: &str) -> Result<bool, CommandError> {
    match query::history(context, name, 0).await {
        Ok(history) => Ok(history.last().is_some_and(|last| last.status != Status::Uninstalled)),
        Err(failure) if matches!(*failure.cause, Cause::NotFound { .. }) => Ok(false),
        Err(failure) => Err(failure.into()),
    }
}
