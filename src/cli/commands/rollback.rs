//! `kubectl flink rollback NAME [REVISION]`.

use clap::Args;

use super::{begin, cancel_on_interrupt, change};
use crate::cli::args::{ChangeArgs, GlobalArgs, MoveArgs};
use crate::cli::{CommandError, Output};
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
pub async fn run(args: &RollbackArgs, global: &GlobalArgs, output: &Output) -> Result<u8, CommandError> {
    crate::release::check_name(&args.name)?;
    let options = args.moves.options(args.change.options(&args.name))?;
    let cancellation = cancel_on_interrupt();
    let context = begin(global, &args.change, &args.name, output, &cancellation).await?;
    let plan = async |change: &ChangeOptions| {
        rollback::plan(&context, &rollback::Options { change: change.clone(), revision: args.revision }).await
    };
    change::carry_out(&context, &args.change, args.moves.diff, options, plan, output, &cancellation).await
}
