//! `kubectl flink upgrade NAME [PACKAGE]`.

use clap::Args;

use super::change;
use crate::cli::error::CommandError;
use crate::cli::flags::change::{ChangeArgs, MoveArgs};
use crate::cli::flags::values::ValuesArgs;
use crate::cli::session::{Session, cancel_on_interrupt};
use crate::context::Context;
use crate::failure::Cause;
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

    /// What of the recorded values goes on.
    fn carry(&self) -> upgrade::Carry {
        match (self.reset_values, self.reuse_values) {
            (true, _) => upgrade::Carry::Nothing,
            (_, true) => upgrade::Carry::Everything,
            _ => upgrade::Carry::UserValues,
        }
    }
}

/// Runs `upgrade`.
pub async fn run(args: &UpgradeArgs, session: &Session<'_>) -> Result<(), CommandError> {
    crate::release::check_name(&args.name)?;
    let change_options = args.change_options()?;
    let user_values = args.values.collect()?;
    let package =
        args.package.as_deref().map(|package| source::open(package, args.version.as_deref())).transpose()?;
    let cancellation = cancel_on_interrupt();
    let context = change::begin(session, &args.change, &change_options, &cancellation).await?;
    let installs = args.install && !exists(&context, &args.name).await?;
    if installs && package.is_none() {
        return Err(CommandError::usage("upgrade --install needs a PACKAGE where there is no release yet")
            .hint(format!("kubectl flink upgrade {} flink --install", args.name)));
    }
    let plan = async |change: &ChangeOptions| match &package {
        Some(package) if installs => {
            let options = install::Options {
                change: change.clone(),
                package: package.clone(),
                layout: args.layout.clone(),
                user_values: user_values.clone(),
                capabilities: None,
            };
            install::plan(&context, &options).await
        }
        _ => {
            let options = upgrade::Options {
                change: change.clone(),
                package: package.clone(),
                layout: args.layout.clone(),
                user_values: user_values.clone(),
                carry: args.carry(),
            };
            upgrade::plan(&context, &options).await
        }
    };
    let (change, diff) = (&args.change, args.moves.diff);
    change::carry_out(&context, change, diff, change_options, plan, session.output, &cancellation).await
}

async fn exists(context: &Context, name: &str) -> Result<bool, CommandError> {
    match query::history(context, name, 0).await {
        Ok(history) => Ok(history.last().is_some_and(|last| last.status != Status::Uninstalled)),
        Err(failure) if matches!(*failure.cause, Cause::NotFound { .. }) => Ok(false),
        Err(failure) => Err(failure.into()),
    }
}
