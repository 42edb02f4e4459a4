//! `kubectl flink rollback NAME [REVISION]`.

use clap::Args;

use super::{cancel_on_interrupt, connect, print_report};
use crate::cli::args::{ChangeArgs, GlobalArgs, StateArgs};
use crate::cli::{CommandError, Output, plan};
use crate::ops::rollback;

/// Flags of `rollback`.
#[derive(Args, Clone)]
pub struct RollbackArgs {
    /// Name of the release
    pub name: String,
    /// Revision to return to; without it the one that was deployed before
    pub revision: Option<u32>,
    /// Keep at most so many revisions (0: all); one whose savepoint exists is never dropped
    #[arg(long, default_value_t = 10, value_name = "N")]
    pub history_max: u32,
    /// Undo a failure before the job's first completed checkpoint (the default)
    #[arg(long, overrides_with = "no_rollback_on_failure", help_heading = "State")]
    pub rollback_on_failure: bool,
    /// Leave a failed revision as it is
    #[arg(long, help_heading = "State")]
    pub no_rollback_on_failure: bool,
    /// Run layout `job` without durable state
    #[arg(long)]
    pub accept_volatile: bool,
    /// Where state comes from.
    #[command(flatten)]
    pub state: StateArgs,
    /// How the change is made.
    #[command(flatten)]
    pub change: ChangeArgs,
}

/// Runs `rollback`.
pub async fn run(args: &RollbackArgs, global: &GlobalArgs, output: &Output) -> Result<u8, CommandError> {
    crate::ops::check_release_name(&args.name)?;
    let mut change = args.change.options(&args.name);
    change.choice = args.state.choice()?;
    change.allow_non_restored_state = args.state.allow_non_restored_state;
    change.savepoint_format = args.state.savepoint_format.to_uppercase();
    change.rollback_on_failure = !args.no_rollback_on_failure;
    change.history_max = args.history_max;
    change.accept_volatile = args.accept_volatile;
    let mut options = rollback::Options { change, revision: args.revision };
    let context = connect(global, Some(args.change.timeout)).await?;
    let mut shown = rollback::plan(&context, &options).await?;
    if args.change.dry_run.is_some() {
        return plan::print(&shown, output);
    }
    if let Some(choice) = plan::ask_choice(output, &shown)? {
        options.change.choice = Some(choice);
        shown = rollback::plan(&context, &options).await?;
    }
    plan::show(&shown, output);
    let report = rollback::execute(&context, &options, &shown, output, &cancel_on_interrupt()).await?;
    print_report(&report, output)?;
    Ok(0)
}
