//! `kubectl flink job list|submit|stop|cancel`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::Serialize;

use crate::cli::error::CommandError;
use crate::cli::flags::apply::ApplyArgs;
use crate::cli::flags::change::DescriptionArgs;
use crate::cli::flags::state::{FormatArgs, from_savepoint};
use crate::cli::flags::wait::{TimeoutArgs, WaitArgs};
use crate::cli::flags::{file, name};
use crate::cli::next::Place;
use crate::cli::render::Render;
use crate::cli::render::text::{moment, table};
use crate::cli::session::{Session, cancel_on_interrupt};
use crate::live::jobs::JobRow;
use crate::plan::{ChangeOptions, StateChoice};
use crate::verbs::jobs;

/// Flags of `job`.
#[derive(Args, Clone)]
#[command(disable_help_subcommand = true)]
pub struct JobArgs {
    /// The subcommand.
    #[command(subcommand)]
    pub command: JobCommand,
}

/// Subcommands of `job`.
#[derive(Subcommand, Clone)]
pub enum JobCommand {
    /// List a release's jobs
    #[command(visible_alias = "ls")]
    List {
        /// Name of the release
        #[arg(value_parser = name::release)]
        name: String,
    },
    /// Upload a jar and start it as a job of a session release
    Submit(SubmitArgs),
    /// Stop a job with a savepoint
    Stop(StopArgs),
    /// Cancel a job; its state since the last savepoint is dropped
    Cancel(CancelArgs),
}

/// Flags of `job submit`.
#[derive(Args, Clone)]
pub struct SubmitArgs {
    /// Name of the release
    #[arg(value_parser = name::release)]
    pub name: String,
    /// The jar
    pub jar: PathBuf,
    /// The program's arguments
    #[arg(last = true, value_name = "ARG")]
    pub args: Vec<String>,
    /// Name of the job in the release; without it the jar's
    #[arg(long = "name", value_name = "JOB")]
    pub job: Option<String>,
    /// The class with the main method; without it the jar's manifest names it
    #[arg(short = 'c', long, visible_alias = "entry-class")]
    pub class: Option<String>,
    /// Parallelism
    #[arg(short = 'p', long)]
    pub parallelism: Option<u32>,
    /// Start from a savepoint
    #[arg(long, value_name = "recorded|PATH", help_heading = "State")]
    pub from_savepoint: Option<String>,
    /// Accept state that no operator of the job takes
    #[arg(long, help_heading = "State")]
    pub allow_non_restored_state: bool,
    /// Conditions to wait for.
    #[command(flatten)]
    pub wait: WaitArgs,
    /// The record of it.
    #[command(flatten)]
    pub description: DescriptionArgs,
    /// How objects are applied.
    #[command(flatten)]
    pub apply: ApplyArgs,
}

/// Flags of `job stop`.
#[derive(Args, Clone)]
pub struct StopArgs {
    /// Which job, and how.
    #[command(flatten)]
    pub of: CancelArgs,
    /// The format of the savepoint.
    #[command(flatten)]
    pub format: FormatArgs,
    /// End the job's windows before that; for a job that will never go on
    #[arg(long)]
    pub drain: bool,
}

/// Flags of `job cancel`, and of `job stop` too.
#[derive(Args, Clone)]
pub struct CancelArgs {
    /// Name of the release
    #[arg(value_parser = name::release)]
    pub name: String,
    /// The job, by name or id
    #[arg(value_parser = name::job)]
    pub job: String,
    /// How long is waited.
    #[command(flatten)]
    pub limit: TimeoutArgs,
    /// The record of it.
    #[command(flatten)]
    pub description: DescriptionArgs,
    /// How objects are applied.
    #[command(flatten)]
    pub apply: ApplyArgs,
}

/// Runs `job`.
pub async fn run(args: &JobArgs, session: &Session<'_>) -> Result<(), CommandError> {
    match &args.command {
        JobCommand::List { name } => list(name, session).await,
        JobCommand::Submit(args) => submit(args, session).await,
        JobCommand::Stop(args) => stop(&args.of, Some(args), session).await,
        JobCommand::Cancel(args) => stop(args, None, session).await,
    }
}

async fn submit(args: &SubmitArgs, session: &Session<'_>) -> Result<(), CommandError> {
    let jar = file::jar(&args.jar)?;
    let jar_name = args.jar.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let job = args.job.clone().unwrap_or_else(|| jar_name.trim_end_matches(".jar").to_owned());
    let mut change = ChangeOptions::new(&args.name);
    args.wait.set(&mut change);
    args.description.set(&mut change);
    args.apply.set(&mut change);
    change.choice = from_savepoint(args.from_savepoint.as_slice())?;
    change.allow_non_restored_state = args.allow_non_restored_state;
    change.description.get_or_insert_with(|| format!("Job {job} submitted"));
    let cancellation = cancel_on_interrupt();
    let context = session.begin_change(&change, args.wait.limit.timeout, &cancellation).await?;
    let options = jobs::SubmitOptions {
        change,
        job,
        jar_name,
        jar,
        entry_class: args.class.clone(),
        args: args.args.clone(),
        parallelism: args.parallelism,
    };
    let report = jobs::submit(&context, &options, session.output, &cancellation).await?;
    session.output.print(&report)
}

/// Stops a job with a savepoint, or cancels it.
async fn stop(
    args: &CancelArgs,
    savepoint: Option<&StopArgs>,
    session: &Session<'_>,
) -> Result<(), CommandError> {
    let mut change = ChangeOptions::new(&args.name);
    args.description.set(&mut change);
    args.apply.set(&mut change);
    let how = if savepoint.is_some() { "stopped" } else { "cancelled" };
    change.choice = Some(if savepoint.is_some() { StateChoice::Savepoint } else { StateChoice::Stateless });
    if let Some(savepoint) = savepoint {
        savepoint.format.set(&mut change);
        change.drain = savepoint.drain;
    }
    change.description.get_or_insert_with(|| format!("Job {} {how}", args.job));
    let cancellation = cancel_on_interrupt();
    let context = session.begin_change(&change, args.limit.timeout, &cancellation).await?;
    let options = jobs::StopOptions { change, job: args.job.clone() };
    let report = jobs::stop(&context, &options, session.output, &cancellation).await?;
    session.output.print(&report)
}

async fn list(name: &str, session: &Session<'_>) -> Result<(), CommandError> {
    let context = session.connect(None).await?;
    let jobs::Listing { rows, silent } = jobs::list(&context, name).await?;
    if let Some(why) = silent {
        session.output.warn(&format!("the JobManager does not answer: {why}"));
    }
    session.output.print(&Jobs(rows))
}

/// A release's jobs, a row each.
#[derive(Serialize)]
#[serde(transparent)]
struct Jobs(Vec<JobRow>);

impl Render for Jobs {
    fn table(&self, _: &Place) -> String {
        self.columns(5)
    }

    fn wide(&self, _: &Place) -> String {
        self.columns(6)
    }

    fn names(&self) -> Vec<String> {
        self.0.iter().map(|row| format!("job/{}", row.name)).collect()
    }

    fn remark(&self, _: &Place) -> Option<String> {
        self.0.is_empty().then(|| "No jobs.".to_owned())
    }
}

impl Jobs {
    /// Returns a table of the first `count` columns.
    fn columns(&self, count: usize) -> String {
        let heads = ["NAME", "STATE", "TASKS", "ORIGIN", "STARTED", "ID"];
        let cells: Vec<Vec<String>> = self.0.iter().map(|row| cells(row)[..count].to_vec()).collect();
        if cells.is_empty() { String::new() } else { table(&heads[..count], &cells) }
    }
}

fn cells(row: &JobRow) -> [String; 6] {
    let started = row
        .started
        .and_then(|at| jiff::Timestamp::from_millisecond(i64::try_from(at).ok()?).ok())
        .map(moment);
    let origin = match &row.generation {
        Some(generation) => format!("{}, in {generation}", row.origin),
        None => row.origin.to_owned(),
    };
    [
        row.name.clone(),
        row.state.clone(),
        format!("{}/{}", row.running_tasks, row.total_tasks),
        origin,
        started.unwrap_or_else(|| "-".to_owned()),
        row.id.clone().unwrap_or_else(|| "-".to_owned()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::render::testing::every_format;

    #[test]
    fn every_format_has_it() {
        let row = JobRow {
            name: "orders".to_owned(),
            id: None,
            state: "RUNNING".to_owned(),
            running_tasks: 1,
            total_tasks: 2,
            started: Some(0),
            origin: "declared",
            generation: None,
            restored_from: None,
            jar: None,
        };
        assert_eq!(every_format(&Jobs(vec![row])), ["job/orders"]);
        assert!(every_format(&Jobs(Vec::new())).is_empty());
    }
}
