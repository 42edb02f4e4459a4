//! `kubectl flink job list|submit|stop|cancel`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{begin, cancel_on_interrupt, connect};
use crate::cli::args::{ChangeArgs, GlobalArgs, from_savepoint, read_file};
use crate::cli::output::{moment, table};
use crate::cli::render::Render;

use crate::cli::{CommandError, Output};
use crate::live::jobs::JobRow;
use crate::plan::StateChoice;
use crate::verbs::jobs;

/// Flags of `job`.
#[derive(Args, Clone)]
#[command(disable_help_subcommand = true)]
pub struct JobArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: JobCommand,
}

/// What `job` does.
#[derive(Subcommand, Clone)]
pub enum JobCommand {
    /// List a release's jobs
    #[command(visible_alias = "ls")]
    List {
        /// Name of the release
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
#[command(mut_arg("dry_run", |flag| flag.hide(true)))]
pub struct SubmitArgs {
    /// Name of the release
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
    /// How the change is made.
    #[command(flatten)]
    pub change: ChangeArgs,
}

/// Flags of `job stop`.
#[derive(Args, Clone)]
pub struct StopArgs {
    /// Which job, and how.
    #[command(flatten)]
    pub of: CancelArgs,
    /// Format of the savepoint
    #[arg(long, value_name = "FORMAT", value_parser = ["canonical", "native"], default_value = "canonical", ignore_case = true)]
    pub savepoint_format: String,
    /// End the job's windows before that; for a job that will never go on
    #[arg(long)]
    pub drain: bool,
}

/// Flags of `job cancel`, and of `job stop` too.
#[derive(Args, Clone)]
#[command(mut_arg("dry_run", |flag| flag.hide(true)))]
pub struct CancelArgs {
    /// Name of the release
    pub name: String,
    /// The job, by name or id
    pub job: String,
    /// How the change is made.
    #[command(flatten)]
    pub change: ChangeArgs,
}

/// Runs `job`.
pub async fn run(args: &JobArgs, global: &GlobalArgs, output: &Output) -> Result<u8, CommandError> {
    match &args.command {
        JobCommand::List { name } => {
            let context = connect(global, None).await?;
            let jobs::Listing { rows, silent } = jobs::list(&context, name).await?;
            if let Some(why) = silent {
                output.warn(&format!("the JobManager does not answer: {why}"));
            }
            output.print(&Jobs(rows))?;
        }
        JobCommand::Submit(args) => submit(args, global, output).await?,
        JobCommand::Stop(args) => stop(&args.of, Some(args), global, output).await?,
        JobCommand::Cancel(args) => stop(args, None, global, output).await?,
    }
    Ok(0)
}

/// A job must not be stopped by another client who wanted to look.
fn refuse_dry_run(change: &ChangeArgs) -> Result<(), CommandError> {
    if change.dry_run.is_none() {
        return Ok(());
    }
    Err(CommandError::usage("changes of jobs have no --dry-run yet"))
}

async fn submit(args: &SubmitArgs, global: &GlobalArgs, output: &Output) -> Result<(), CommandError> {
    refuse_dry_run(&args.change)?;
    let jar = read_file(&args.jar)?;
    if !jar.starts_with(b"PK") {
        return Err(CommandError::usage(format!("{} is not a jar", args.jar.display())));
    }
    let jar_name = args.jar.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let job = args.job.clone().unwrap_or_else(|| jar_name.trim_end_matches(".jar").to_owned());
    let mut change = args.change.options(&args.name);
    change.choice = from_savepoint(args.from_savepoint.as_slice())?;
    change.allow_non_restored_state = args.allow_non_restored_state;
    change.description.get_or_insert_with(|| format!("Job {job} submitted"));
    let cancellation = cancel_on_interrupt();
    let context = begin(global, &args.change, &args.name, output, &cancellation).await?;
    let options = jobs::SubmitOptions {
        change,
        job,
        jar_name,
        jar,
        entry_class: args.class.clone(),
        args: args.args.clone(),
        parallelism: args.parallelism,
    };
    let report = jobs::submit(&context, &options, output, &cancellation).await?;
    output.print(&report)
}

/// Stops a job with a savepoint, or cancels it.
async fn stop(
    args: &CancelArgs,
    savepoint: Option<&StopArgs>,
    global: &GlobalArgs,
    output: &Output,
) -> Result<(), CommandError> {
    refuse_dry_run(&args.change)?;
    let mut change = args.change.options(&args.name);
    let how = if savepoint.is_some() { "stopped" } else { "cancelled" };
    change.choice = Some(if savepoint.is_some() { StateChoice::Savepoint } else { StateChoice::Stateless });
    if let Some(savepoint) = savepoint {
        change.savepoint_format = savepoint.savepoint_format.to_uppercase();
        change.drain = savepoint.drain;
    }
    change.description.get_or_insert_with(|| format!("Job {} {how}", args.job));
    let cancellation = cancel_on_interrupt();
    let context = begin(global, &args.change, &args.name, output, &cancellation).await?;
    let options = jobs::StopOptions { change, job: args.job.clone() };
    let report = jobs::stop(&context, &options, output, &cancellation).await?;
    output.print(&report)
}

/// The jobs of a release.
struct Jobs(Vec<JobRow>);

impl Render for Jobs {
    type Data = Vec<JobRow>;

    fn data(&self) -> &Vec<JobRow> {
        &self.0
    }

    fn names(&self) -> Vec<String> {
        self.0.iter().map(|row| row.name.clone()).collect()
    }

    fn table(&self) -> String {
        columns(&self.0, 5)
    }

    fn wide(&self) -> String {
        columns(&self.0, 6)
    }

    fn nothing(&self) -> Option<String> {
        self.0.is_empty().then(|| "No jobs.".to_owned())
    }
}

/// The first so many columns.
fn columns(rows: &[JobRow], shown: usize) -> String {
    let cells: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            let started = row
                .started
                .and_then(|at| jiff::Timestamp::from_millisecond(i64::try_from(at).ok()?).ok())
                .map(moment);
            vec![
                row.name.clone(),
                row.state.clone(),
                format!("{}/{}", row.running_tasks, row.total_tasks),
                match &row.generation {
                    Some(generation) => format!("{}, in {generation}", row.origin),
                    None => row.origin.to_owned(),
                },
                started.unwrap_or_else(|| "-".to_owned()),
                row.id.clone().unwrap_or_else(|| "-".to_owned()),
            ]
        })
        .collect();
    let heads = ["NAME", "STATE", "TASKS", "ORIGIN", "STARTED", "ID"];
    let cells: Vec<Vec<String>> =
        cells.into_iter().map(|row| row.into_iter().take(shown).collect()).collect();
    table(&heads[..shown], &cells)
}
