//! `kubectl flink uninstall NAME`.

use clap::Args;

use super::{begin, cancel_on_interrupt};
use crate::cli::args::{ChangeArgs, GlobalArgs};
use crate::cli::render::Render;
use crate::cli::wrap::COLUMNS;
use crate::cli::{CommandError, Output, error::exit, plan};
use crate::failure::NextStep;
use crate::plan::StateChoice;
use crate::run::Report;
use crate::verbs::uninstall::{self, Kept};

/// Flags of `uninstall`.
#[derive(Args, Clone)]
pub struct UninstallArgs {
    /// Name of the release
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
    /// Format of a new savepoint
    #[arg(long, value_name = "FORMAT", value_parser = ["canonical", "native"], default_value = "canonical", ignore_case = true, help_heading = "State")]
    pub savepoint_format: String,
    /// Delete the records too, and the release's own volume with every savepoint in it
    #[arg(long, help_heading = "State")]
    pub purge: bool,
    /// How the change is made.
    #[command(flatten)]
    pub change: ChangeArgs,
}

/// Runs `uninstall`.
pub async fn run(args: &UninstallArgs, global: &GlobalArgs, output: &Output) -> Result<u8, CommandError> {
    crate::release::check_name(&args.name)?;
    let mut change = args.change.options(&args.name);
    change.choice = match (args.with_savepoint, args.stateless) {
        (true, _) => Some(StateChoice::Savepoint),
        (_, true) => Some(StateChoice::Stateless),
        _ => None,
    };
    change.savepoint_format = args.savepoint_format.to_uppercase();
    change.drain = args.drain;
    let mut options = uninstall::Options { change, purge: args.purge };
    let cancellation = cancel_on_interrupt();
    let context = begin(global, &args.change, &args.name, output, &cancellation).await?;
    let (mut shown, mut kept) = uninstall::plan(&context, &options).await?;
    if args.change.dry_run.is_some() {
        return plan::print(&shown, output);
    }
    if let Some(choice) = plan::ask_choice(output, &shown)? {
        options.change.choice = Some(choice);
        (shown, kept) = uninstall::plan(&context, &options).await?;
    }
    if args.purge {
        confirm_purge(args, &kept, output)?;
    }
    let report = uninstall::execute(&context, &options, &shown, output, &cancellation).await?;
    output.print(&Uninstalled { report, kept, purge: args.purge, output })?;
    Ok(exit::DONE)
}

/// What an uninstall did, and how the release comes back.
struct Uninstalled<'a> {
    report: Report,
    kept: Kept,
    purge: bool,
    output: &'a Output,
}

impl Uninstalled<'_> {
    /// A command below its head, in lines of at most 80 columns.
    fn typed(&self, step: &NextStep) -> String {
        let command = self.output.next_step(step, COLUMNS - 4);
        format!("    {}\n", command.replace('\n', "\n    "))
    }
}

impl Render for Uninstalled<'_> {
    type Data = Report;

    fn data(&self) -> &Report {
        &self.report
    }

    fn names(&self) -> Vec<String> {
        vec![format!("release/{}", self.report.name)]
    }

    fn table(&self) -> String {
        let (report, kept) = (&self.report, &self.kept);
        let mut text = format!("release {:?} uninstalled\n", report.name);
        for job in &report.jobs {
            if let Some(path) = &job.savepoint {
                text.push_str(&format!("the state of {} is in {path}\n", job.name));
            }
        }
        let left = report.jobs.iter().any(|job| job.savepoint.is_some()) || !kept.savepoints.is_empty();
        if left && !self.purge {
            let claim =
                kept.claim.as_ref().map(|claim| format!(" and the claim {claim}")).unwrap_or_default();
            text.push_str(&format!(
                "kept: the release's record{claim},\n      as long as a recorded savepoint lives there\n"
            ));
            text.push_str("  come back:\n");
            text.extend(kept.ways_to_restore.iter().map(|step| self.typed(step)));
            text.push_str("  delete them:\n");
            text.push_str(&self.typed(&NextStep::flink(["uninstall", &report.name, "--purge"])));
        }
        text
    }
}

fn confirm_purge(args: &UninstallArgs, kept: &Kept, output: &Output) -> Result<(), CommandError> {
    if kept.savepoints.is_empty() {
        return Ok(());
    }
    output.ask_about("With the records these savepoints are lost to the release, and with the volume those that live there:");
    for (revision, job, path) in &kept.savepoints {
        output.ask_about(&format!("  revision {revision}, {job}: {path}"));
    }
    if args.change.yes {
        return Ok(());
    }
    if output.can_ask() && output.ask("Delete them? Type yes: ").as_deref() == Some("yes") {
        return Ok(());
    }
    Err(CommandError {
        code: exit::REFUSED,
        lines: vec![format!("not purged: {} recorded savepoints would be lost", kept.savepoints.len())],
        left_behind: vec![],
        hints: vec![NextStep::flink(["uninstall", &args.name, "--purge", "--yes"])],
    })
}
