//! What install, upgrade and rollback have in common: the plan is shown, what must be asked is asked, it is carried out.

use crate::cli::args::ChangeArgs;
use crate::cli::{CommandError, Output, plan};
use crate::context::Context;
use crate::failure::{Cause, Failure, NextStep, Phase};
use crate::operation::Kind;
use crate::plan::{ChangeOptions, Plan, StrategyChoice};
use crate::progress::Cancellation;
use crate::run;

/// Carries out what `planner` plans, or shows it where that is all that was asked for.
pub(super) async fn carry_out(
    context: &Context,
    args: &ChangeArgs,
    diff: bool,
    mut options: ChangeOptions,
    planner: impl AsyncFn(&ChangeOptions) -> Result<Plan, Failure>,
    output: &Output,
    cancellation: &Cancellation,
) -> Result<u8, CommandError> {
    let plan_of = async |options: &ChangeOptions| -> Result<Plan, CommandError> {
        let mut shown = planner(options).await?;
        if diff {
            shown.summary.diff = Some(shown.diff()?);
        }
        Ok(shown)
    };
    let mut shown = plan_of(&options).await?;
    if args.dry_run.is_some() {
        return plan::print(&shown, output);
    }
    if let Some(choice) = plan::ask_choice(output, &shown)? {
        options.choice = Some(choice);
        shown = plan_of(&options).await?;
    }
    if shown.summary.operation != Kind::Install || diff {
        plan::show(&shown, output);
    }
    let run = async |shown: &Plan, options: &ChangeOptions| {
        run::run(context, shown, async || planner(options).await, output, cancellation).await
    };
    let report = match run(&shown, &options).await {
        Err(failure) if shown.may_recreate && lacks_room(&failure) && !cancellation.is_cancelled() => {
            output.warn(&format!("{}; the old generation runs on as it was", failure.cause));
            options.strategy = Some(StrategyChoice::Recreate);
            shown = plan_of(&options).await?;
            plan::show(&shown, output);
            if !plan::ask_recreate(output, args.yes) {
                return Err(CommandError::from(failure)
                    .hint(NextStep::again(["--strategy", "recreate"]).remark("or with --yes")));
            }
            run(&shown, &options).await?
        }
        done => done?,
    };
    output.print(&report)?;
    Ok(0)
}

/// Returns whether the new generation was removed because there was no room for it beside the old one.
fn lacks_room(failure: &Failure) -> bool {
    failure.phase == Phase::Undone && matches!(*failure.cause, Cause::NoRoom { .. })
}
