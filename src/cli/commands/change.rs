//! What install, upgrade and rollback have in common: the plan is shown, what must be asked is
//! asked, it is carried out.

use std::time::Duration;

use crate::cli::error::CommandError;
use crate::cli::output::Output;
use crate::cli::session::{Session, cancel_on_interrupt};
use crate::cli::{prompt, render};
use crate::context::Context;
use crate::failure::{Cause, Failure, NextStep, Phase};
use crate::operation::Kind;
use crate::plan::{ChangeOptions, Plan, StrategyChoice};
use crate::run;

/// A planner of a change, for the release as it is.
pub(super) trait Planner: AsyncFn(&Context, &ChangeOptions) -> Result<Plan, Failure> {}

impl<P: AsyncFn(&Context, &ChangeOptions) -> Result<Plan, Failure>> Planner for P {}

/// A change that was asked for; `planner` plans it for the release as it is.
pub(super) struct Change<P> {
    /// How it is made.
    pub options: ChangeOptions,
    /// How long each wait may take.
    pub timeout: Duration,
    /// Show how each object changes.
    pub diff: bool,
    /// Plans it.
    pub planner: P,
}

impl<P: Planner> Change<P> {
    /// Prints the plan, and stops there.
    pub async fn show(&self, session: &Session<'_>) -> Result<(), CommandError> {
        let context = session.begin_plan(&self.options.name, self.timeout).await?;
        session.output.print(&self.plan(&context).await?.summary)
    }

    /// Carries it out. `yes` is the answer to questions, but never to what happens to state.
    pub async fn carry_out(mut self, yes: bool, session: &Session<'_>) -> Result<(), CommandError> {
        let output = session.output;
        let cancellation = cancel_on_interrupt();
        let context = session.begin_change(&self.options, self.timeout, &cancellation).await?;
        let mut shown = self.plan(&context).await?;
        if let Some(choice) = prompt::ask_choice(output, &shown)? {
            self.options.choice = Some(choice);
            shown = self.plan(&context).await?;
        }
        if shown.summary.operation != Kind::Install || self.diff {
            tell(&shown, output);
        }
        let run = async |change: &Self, shown: &Plan| {
            let planner = async || (change.planner)(&context, &change.options).await;
            run::run(&context, shown, planner, output, &cancellation).await
        };
        let report = match run(&self, &shown).await {
            Err(failure) if shown.may_recreate && lacks_room(&failure) && !cancellation.is_cancelled() => {
                output.warn(&format!("{}; the old generation runs on as it was", failure.cause));
                self.options.strategy = Some(StrategyChoice::Recreate);
                shown = self.plan(&context).await?;
                tell(&shown, output);
                if !prompt::ask_recreate(output, yes) {
                    return Err(CommandError::from(failure)
                        .hint(NextStep::again(["--strategy", "recreate"]).remark("or with --yes")));
                }
                run(&self, &shown).await?
            }
            done => done?,
        };
        output.print(&report)
    }

    async fn plan(&self, context: &Context) -> Result<Plan, CommandError> {
        let mut plan = (self.planner)(context, &self.options).await?;
        if self.diff {
            plan.summary.diff = Some(plan.diff()?);
        }
        Ok(plan)
    }
}

/// Says what will be done, before it is.
fn tell(plan: &Plan, output: &Output) {
    if !plan.summary.unchanged {
        output.talk(render::plan(&plan.summary).trim_end());
    }
}

/// Returns whether the new generation was removed because there was no room for it beside the old
/// one.
fn lacks_room(failure: &Failure) -> bool {
    failure.phase == Phase::Undone && matches!(*failure.cause, Cause::NoRoom { .. })
}
