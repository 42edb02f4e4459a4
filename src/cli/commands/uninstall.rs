//! `kubectl flink uninstall NAME`.

use clap::Args;
use serde::Serialize;

use crate::cli::error::{CommandError, exit};
use crate::cli::flags::change::DescriptionArgs;
use crate::cli::flags::name;
use crate::cli::flags::state::FormatArgs;
use crate::cli::flags::wait::TimeoutArgs;
use crate::cli::next::Place;
use crate::cli::output::Output;
use crate::cli::prompt;
use crate::cli::render::Render;
use crate::cli::render::text::COLUMNS;
use crate::cli::session::{Session, cancel_on_interrupt};
use crate::failure::NextStep;
use crate::plan::{ChangeOptions, StateChoice};
use crate::run::Report;
use crate::verbs::uninstall::{self, Kept};

/// Flags of `uninstall`.
#[derive(Args, Clone)]
pub struct UninstallArgs {
    /// Name of the release
    #[arg(value_parser = name::release)]
    pub name: String,
    /// Stop each job with a savepoint; the record and the volume that hold it are kept
    #[arg(long, conflicts_with = "stateless", help_heading = "State")]
    pub with_savepoint: bool,
    /// End the jobs' windows before that; for jobs that will never go on
    #[arg(long, requires = "with_savepoint", help_heading = "State")]
    pub drain: bool,
    /// Drop the jobs' state
    #[arg(long, help_heading = "State")]
    pub stateless: bool,
    /// The format of new savepoints.
    #[command(flatten)]
    pub format: FormatArgs,
    /// Delete the records too, and the release's own volume with every savepoint in it
    #[arg(long, help_heading = "State")]
    pub purge: bool,
    /// Show the plan and stop
    #[arg(long)]
    pub dry_run: bool,
    /// How long is waited.
    #[command(flatten)]
    pub limit: TimeoutArgs,
    /// The record of it.
    #[command(flatten)]
    pub description: DescriptionArgs,
    /// Answer yes to confirmations; never chooses what happens to state
    #[arg(short = 'y', long)]
    pub yes: bool,
}

impl UninstallArgs {
    fn change_options(&self) -> ChangeOptions {
        let choice = match (self.with_savepoint, self.stateless) {
            (true, _) => Some(StateChoice::Savepoint),
            (_, true) => Some(StateChoice::Stateless),
            _ => None,
        };
        let mut options = ChangeOptions { choice, drain: self.drain, ..ChangeOptions::new(&self.name) };
        self.format.set(&mut options);
        self.description.set(&mut options);
        options
    }
}

/// Runs `uninstall`.
pub async fn run(args: &UninstallArgs, session: &Session<'_>) -> Result<(), CommandError> {
    crate::release::check_name(&args.name)?;
    let output = session.output;
    let mut options = uninstall::Options { change: args.change_options(), purge: args.purge };
    let timeout = args.limit.timeout;
    if args.dry_run {
        let context = session.begin_plan(&args.name, timeout).await?;
        return output.print(&uninstall::plan(&context, &options).await?.0.summary);
    }
    let cancellation = cancel_on_interrupt();
    let context = session.begin_change(&options.change, timeout, &cancellation).await?;
    let (mut shown, mut kept) = uninstall::plan(&context, &options).await?;
    if let Some(choice) = prompt::ask_choice(output, &shown)? {
        options.change.choice = Some(choice);
        (shown, kept) = uninstall::plan(&context, &options).await?;
    }
    if args.purge {
        confirm_purge(args, &kept, output)?;
    }
    let report = uninstall::execute(&context, &options, &shown, output, &cancellation).await?;
    output.print(&Uninstalled { report, kept: (!args.purge).then_some(kept) })
}

/// The end of a release, and what is kept of it.
#[derive(Serialize)]
#[serde(transparent)]
struct Uninstalled {
    report: Report,
    #[serde(skip)]
    kept: Option<Kept>,
}

impl Uninstalled {
    /// Returns what is kept, where there is state to come back to.
    fn kept(&self) -> Option<&Kept> {
        let left = self.report.jobs.iter().any(|job| job.savepoint.is_some());
        self.kept.as_ref().filter(|kept| left || !kept.savepoints.is_empty())
    }
}

impl Render for Uninstalled {
    fn table(&self, place: &Place) -> String {
        let Self { report, .. } = self;
        let mut text = format!("release {:?} uninstalled\n", report.name);
        for job in &report.jobs {
            if let Some(path) = &job.savepoint {
                text.push_str(&format!("the state of {} is in {path}\n", job.name));
            }
        }
        if let Some(kept) = self.kept() {
            text.push_str(&what_is_kept(kept, &report.name, place));
        }
        text
    }

    fn names(&self) -> Vec<String> {
        self.report.names()
    }
}

fn what_is_kept(kept: &Kept, release: &str, place: &Place) -> String {
    let claim = kept.claim.as_ref().map(|claim| format!(" and the claim {claim}")).unwrap_or_default();
    let typed =
        |step: &NextStep| format!("    {}\n", place.render(step, COLUMNS - 4).replace('\n', "\n    "));
    format!(
        "kept: the release's record{claim},\n      as long as a recorded savepoint lives there\n  come back:\n{}  delete them:\n{}",
        kept.ways_to_restore.iter().map(typed).collect::<String>(),
        typed(&NextStep::flink(["uninstall", release, "--purge"]))
    )
}

fn confirm_purge(args: &UninstallArgs, kept: &Kept, output: &Output) -> Result<(), CommandError> {
    if kept.savepoints.is_empty() {
        return Ok(());
    }
    output.ask_about("With the records these savepoints are lost to the release, and with the volume those that live there:");
    for (revision, job, path) in &kept.savepoints {
        output.ask_about(&format!("  revision {revision}, {job}: {path}"));
    }
    if args.yes {
        return Ok(());
    }
    if prompt::ask_delete(output) {
        return Ok(());
    }
    Err(CommandError {
        code: exit::REFUSED,
        lines: vec![format!("not purged: {} recorded savepoints would be lost", kept.savepoints.len())],
        left_behind: vec![],
        hints: vec![NextStep::again(["--yes"])],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::render::testing::{changed, every_format};

    #[test]
    fn every_format_has_it() {
        let kept =
            Kept { ways_to_restore: vec![NextStep::flink(["install", "demo", "flink"])], ..Kept::default() };
        for kept in [None, Some(kept)] {
            assert_eq!(every_format(&Uninstalled { report: changed(), kept }), ["release/demo"]);
        }
    }
}
