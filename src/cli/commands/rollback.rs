//! `kubectl flink rollback NAME [REVISION]`.

use clap::Args;

use super::change;
use crate::cli::error::CommandError;
use crate::cli::flags::change::{ChangeArgs, MoveArgs};
use crate::cli::session::{Session, cancel_on_interrupt};
use crate::plan::ChangeOptions;
use crate::verbs::rollback;

/// Flags of `rollback`.
#[derive(Args, Clone)]
pub struct RollbackArgs {
    /// Name of the release
    pub name: String,
    /// Revision to return to; without it the one that was deployed before
    pub revision: Option<u32>,
    /// How jobs get from one revision to the next.
    #[command(flatten)]
    pub moves: MoveArgs,
    /// How the change is made.
    #[command(flatten)]
    pub change: ChangeArgs,
}

/// Runs `rollback`.
pub async fn run(args: &RollbackArgs, session: &Session<'_>) -> Result<(), CommandError> {
    crate::release::check_name(&args.name)?;
    let options = args.moves.options(args.change.options(&args.name))?;
    let cancellation = cancel_on_interrupt();
    let context = change::begin(session, &args.change, &options, &cancellation).await?;
    let plan = async |change: &ChangeOptions| {
        rollback::plan(&context, &rollback::Options { change: change.clone(), revision: args.revision }).await
    };
    let (change, diff) = (&args.change, args.moves.diff);
    change::carry_out(&context, change, diff, options, plan, session.output, &cancellation).await
}
