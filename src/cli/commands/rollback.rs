//! `kubectl flink rollback NAME [REVISION]`.

use clap::Args;

use super::{begin, cancel_on_interrupt, print_report};
use crate::cli::args::{ChangeArgs, GlobalArgs, MoveArgs};
use crate::cli::{CommandError, Output, plan};
use crate::ops::rollback;

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
    crate::ops::check_release_name(&args.name)?;
    let change = args.moves.options(args.change.options(&args.name))?;
    let mut options = rollback::Options { change, revision: args.revision };
    let cancellation = cancel_on_interrupt();
    let context = begin(global, &args.change, &args.name, output, &cancellation).await?;
    let mut shown = rollback::plan(&context, &options).await?;
    if args.change.dry_run.is_some() {
        return plan::print(&shown, output);
    }
    if let Some(choice) = plan::ask_choice(output, &shown)? {
        options.change.choice = Some(choice);
        shown = rollback::plan(&context, &options).await?;
    }
    plan::show(&shown, output);
    let report = rollback::execute(&context, &options, &shown, output, &cancellation).await?;
    print_report(&report, output)?;
    Ok(0)
}
