//! The root of the command line: the verbs, and the one place that leads from each to its file.

use clap::{CommandFactory, Parser, Subcommand};

use super::args::GlobalArgs;
use super::{CommandError, Output, commands};

/// A package manager for Apache Flink on Kubernetes.
#[derive(Parser)]
#[command(name = "kubectl-flink", bin_name = "kubectl flink", version, max_term_width = 80)]
pub struct Cli {
    /// Flags of every verb.
    #[command(flatten)]
    pub global: GlobalArgs,
    /// The verb.
    #[command(subcommand)]
    pub command: Command,
}

/// The verbs.
#[derive(Subcommand)]
pub enum Command {
    /// Install a package as a release
    Install(commands::install::InstallArgs),
    /// Upgrade a release, carrying its jobs' state
    Upgrade(commands::upgrade::UpgradeArgs),
    /// Return to an earlier revision, carrying the jobs' state
    Rollback(commands::rollback::RollbackArgs),
    /// Show what an upgrade or a rollback would do
    Plan(commands::plan::PlanArgs),
    /// Complete or undo an interrupted operation
    Recover(commands::recover::RecoverArgs),
    /// Uninstall a release; records where its state is
    #[command(visible_alias = "delete")]
    Uninstall(commands::uninstall::UninstallArgs),
    /// List releases
    #[command(visible_alias = "ls")]
    List(commands::list::ListArgs),
    /// Show a release: Pods, Flink, jobs, checkpoints, failures
    Status(commands::status::StatusArgs),
    /// Show a release's revisions and their savepoints
    #[command(visible_alias = "hist")]
    History(commands::history::HistoryArgs),
    /// Show what a revision's record holds
    Get(commands::get::GetArgs),
    /// Render a package without installing it
    Template(commands::template::TemplateArgs),
    /// List, submit, stop and cancel a release's jobs
    #[command(visible_alias = "jobs")]
    Job(commands::job::JobArgs),
    /// List and take savepoints
    #[command(visible_alias = "savepoints")]
    Savepoint(commands::savepoint::SavepointArgs),
    /// Forward a local port to the Flink UI and print its address
    Ui(commands::ui::UiArgs),
    /// Print the logs of a release's Pods
    Logs(commands::logs::LogsArgs),
    /// Print the version
    Version(commands::version::VersionArgs),
    /// Print or install shell completion
    Completion(commands::completion::CompletionArgs),
}

/// Runs the verb; the exit code where it succeeds.
pub async fn run(cli: &Cli, output: &Output) -> Result<u8, CommandError> {
    let global = &cli.global;
    match &cli.command {
        Command::Install(args) => commands::install::run(args, global, output).await,
        Command::Upgrade(args) => commands::upgrade::run(args, global, output).await,
        Command::Rollback(args) => commands::rollback::run(args, global, output).await,
        Command::Plan(args) => commands::plan::run(args, global, output).await,
        Command::Recover(args) => commands::recover::run(args, global, output).await,
        Command::Uninstall(args) => commands::uninstall::run(args, global, output).await,
        Command::List(args) => commands::list::run(args, global, output).await,
        Command::Status(args) => commands::status::run(args, global, output).await,
        Command::History(args) => commands::history::run(args, global, output).await,
        Command::Get(args) => commands::get::run(args, global, output).await,
        Command::Job(args) => commands::job::run(args, global, output).await,
        Command::Savepoint(args) => commands::savepoint::run(args, global, output).await,
        Command::Ui(args) => commands::ui::run(args, global, output).await,
        Command::Logs(args) => commands::logs::run(args, global, output).await,
        Command::Template(_) | Command::Version(_) | Command::Completion(_) => {
            run_offline(cli, output).unwrap_or(Ok(0))
        }
    }
}

/// Runs a verb that asks no server; `None` for the others.
pub fn run_offline(cli: &Cli, output: &Output) -> Option<Result<u8, CommandError>> {
    match &cli.command {
        Command::Template(args) => Some(commands::template::run(args, &cli.global, output)),
        Command::Version(args) => Some(commands::version::run(args, output)),
        Command::Completion(args) => Some(commands::completion::run(args, Cli::command, output)),
        _ => None,
    }
}
