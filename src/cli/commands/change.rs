//! What install, upgrade and rollback have in common: the plan is shown, what must be asked is asked, it is carried out.

use crate::cli::error::CommandError;
use crate::cli::flags::change::ChangeArgs;
use crate::cli::output::Output;
use crate::cli::session::Session;
use crate::cli::{prompt, render};
use crate::context::Context;
use crate::failure::{Cause, Failure, Phase};
use crate::operation::Kind;
use crate::plan::{ChangeOptions, Plan, StrategyChoice};
use crate::progress::Cancellation;
use crate::run;

/// Connects for a change, or for its plan alone.
pub(super) async fn begin(
    session: &Session<'_>,
    args: &ChangeArgs,
    options: &ChangeOptions,
    cancellation: &Cancellation,
) -> Result<Context, CommandError> {
    if args.dry_run.is_some() {
        session.begin_plan(&options.name, args.timeout).await
    } else {
        session.begin_change(options, args.timeout, cancellation).await
    }
}

/// Carries out what `planner` plans, or shows it where that is all that was asked for.
pub(super) async fn carry_out(
    context: &Context,
    args: &ChangeArgs,
    diff: bool,
    mut options: ChangeOptions,
    planner: impl AsyncFn(&ChangeOptions) -> Result<Plan, Failure>,
    output: &Output,
    cancellation: &Cancellation,
) -> Result<(), CommandError> {
    let plan_of = async |options: &ChangeOptions| -> Result<Plan, CommandError> {
        let mut shown = planner(options).await?;
        if diff {
            shown.summary.diff = Some(shown.diff()?);
        }
        Ok(shown)
    };
    let mut shown = plan_of(&options).await?;
    if args.dry_run.is_some() {
        return output.print(&shown.summary);
    }
    if let Some(choice) = prompt::ask_choice(output, &shown)? {
        options.choice = Some(choice);
        shown = plan_of(&options).await?;
    }
    if shown.summary.operation != Kind::Install || diff {
        show(&shown, output);
    }
    let run = async |shown: &Plan, options: &ChangeOptions| {
        run::run(context, shown, async || planner(options).await, output, cancellation).await
    };
    let report = match run(&shown, &options).await {
        Err(failure) if shown.may_recreate && lacks_room(&failure) && !cancellation.is_cancelled() => {
            output.warn(&format!("{}; the old generation runs on as it was", failure.cause));
            options.strategy = Some(StrategyChoice::Recreate);
            shown = plan_of(&options).await?;
            show(&shown, output);
            if !prompt::ask_recreate(output, args.yes) {
                return Err(CommandError::from(failure)
                    .hint("the same command with --strategy recreate, or with --yes".to_owned()));
            }
            run(&shown, &options).await?
        }
        done => done?,
    };
    output.print(&report)
}

/// Shows a plan before it is carried out.
fn show(plan: &Plan, output: &Output) {
    if !plan.summary.unchanged {
        output.talk(render::plan(&plan.summary).trim_end());
    }
}

/// Whether the new generation was removed because there was no room for it beside the old one.
fn lacks_room(failure: &Failure) -> bool {
    failure.phase == Phase::Undone && matches!(*failure.cause, Cause::NoRoom { .. })
}
