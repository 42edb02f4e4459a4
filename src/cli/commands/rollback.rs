//! `kubectl flink rollback NAME [REVISION]`.

use std::time::Duration;

use clap::Args;

use super::change::{Change, Planner};
use crate::cli::error::CommandError;
use crate::cli::flags::apply::ApplyArgs;
use crate::cli::flags::change::{ChangeArgs, MoveArgs};
use crate::cli::flags::name;
use crate::cli::session::Session;
use crate::context::Context;
use crate::plan::ChangeOptions;
use crate::verbs::rollback;

/// Flags of `rollback`.
#[derive(Args, Clone)]
pub struct RollbackArgs {
    /// The target.
    #[command(flatten)]
    pub target: RollbackTarget,
    /// How the change is made.
    #[command(flatten)]
    pub change: ChangeArgs,
}

/// What a rollback leads to: as much as its plan has to know.
#[derive(Args, Clone)]
pub struct RollbackTarget {
    /// Name of the release
    #[arg(value_parser = name::release)]
    pub name: String,
    /// Revision to return to; without it the one that was deployed before
    pub revision: Option<u32>,
    /// How jobs get from one revision to the next.
    #[command(flatten)]
    pub moves: MoveArgs,
    /// How objects are applied.
    #[command(flatten)]
    pub apply: ApplyArgs,
}

impl RollbackTarget {
    /// Returns what `change` makes of it.
    pub(super) fn change(
        &self,
        change: Option<&ChangeArgs>,
        timeout: Duration,
    ) -> Result<Change<impl Planner>, CommandError> {
        crate::release::check_name(&self.name)?;
        let mut options = ChangeOptions::new(&self.name);
        self.moves.set(&mut options)?;
        self.apply.set(&mut options);
        if let Some(change) = change {
            change.set(&mut options);
        }
        let planner = async |context: &Context, change: &ChangeOptions| {
            let options = rollback::Options { change: change.clone(), revision: self.revision };
            rollback::plan(context, &options).await
        };
        Ok(Change { options, timeout, diff: self.moves.diff, planner })
    }
}

/// Runs `rollback`.
pub async fn run(args: &RollbackArgs, session: &Session<'_>) -> Result<(), CommandError> {
    let change = args.target.change(Some(&args.change), args.change.wait.limit.timeout)?;
    if args.change.dry_run.is_some() {
        return change.show(session).await;
    }
    change.carry_out(args.change.yes, session).await
}
