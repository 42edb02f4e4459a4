//! `kubectl flink plan upgrade|rollback …`: what the verb would do, and nothing more.

use clap::{Args, Subcommand};

use super::rollback::RollbackTarget;
use super::upgrade::UpgradeTarget;
use crate::cli::error::CommandError;
use crate::cli::flags::wait::TimeoutArgs;
use crate::cli::session::Session;

/// Flags of `plan`.
#[derive(Args, Clone)]
#[command(disable_help_subcommand = true)]
pub struct PlanArgs {
    /// The plan of what.
    #[command(subcommand)]
    pub command: PlanCommand,
}

/// Verbs that can be planned.
#[derive(Subcommand, Clone)]
pub enum PlanCommand {
    /// What an upgrade would do
    Upgrade(Box<PlanUpgradeArgs>),
    /// What a rollback would do
    Rollback(Box<PlanRollbackArgs>),
}

/// Flags of `plan upgrade`.
#[derive(Args, Clone)]
pub struct PlanUpgradeArgs {
    /// The target.
    #[command(flatten)]
    pub target: UpgradeTarget,
    /// How long is waited.
    #[command(flatten)]
    pub limit: TimeoutArgs,
}

/// Flags of `plan rollback`.
#[derive(Args, Clone)]
pub struct PlanRollbackArgs {
    /// The target.
    #[command(flatten)]
    pub target: RollbackTarget,
    /// How long is waited.
    #[command(flatten)]
    pub limit: TimeoutArgs,
}

/// Runs `plan`.
pub async fn run(args: &PlanArgs, session: &Session<'_>) -> Result<(), CommandError> {
    match &args.command {
        PlanCommand::Upgrade(args) => {
            args.target.change(session.packages, None, args.limit.timeout).await?.show(session).await
        }
        PlanCommand::Rollback(args) => args.target.change(None, args.limit.timeout)?.show(session).await,
    }
}
