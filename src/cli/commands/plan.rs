//! `kubectl flink plan upgrade|rollback …`: what the verb would do, and nothing more.

use clap::{Args, Subcommand};

use super::{rollback, upgrade};
use crate::cli::error::CommandError;
use crate::cli::flags::change::DryRun;
use crate::cli::session::Session;

/// Flags of `plan`.
#[derive(Args, Clone)]
#[command(disable_help_subcommand = true)]
pub struct PlanArgs {
    /// The plan of what.
    #[command(subcommand)]
    pub command: PlanCommand,
}

/// What can be planned.
#[derive(Subcommand, Clone)]
pub enum PlanCommand {
    /// What an upgrade would do
    Upgrade(Box<upgrade::UpgradeArgs>),
    /// What a rollback would do
    Rollback(Box<rollback::RollbackArgs>),
}

/// Runs `plan`.
pub async fn run(args: &PlanArgs, session: &Session<'_>) -> Result<(), CommandError> {
    match args.command.clone() {
        PlanCommand::Upgrade(mut args) => {
            args.change.dry_run.get_or_insert(DryRun::Server);
            upgrade::run(&args, session).await
        }
        PlanCommand::Rollback(mut args) => {
            args.change.dry_run.get_or_insert(DryRun::Server);
            rollback::run(&args, session).await
        }
    }
}
