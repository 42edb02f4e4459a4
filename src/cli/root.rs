//! The verbs, and the one place that leads from the command line to them.

use clap::{CommandFactory, Parser, Subcommand};

use super::commands;
use super::error::CommandError;
use super::flags::global::GlobalArgs;
use super::output::Output;
use super::session::{Session, serve};
use crate::source::Resolver;

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

impl Cli {
    /// Runs the verb. What needs neither a server nor a package starts no asynchronous runtime.
    pub fn run(&self, output: &Output) -> Result<(), CommandError> {
        let session = &Session { global: &self.global, output, packages: &Resolver::default() };
        match &self.command {
            Command::Install(args) => serve(commands::install::run(args, session)),
            Command::Upgrade(args) => serve(commands::upgrade::run(args, session)),
            Command::Rollback(args) => serve(commands::rollback::run(args, session)),
            Command::Plan(args) => serve(commands::plan::run(args, session)),
            Command::Recover(args) => serve(commands::recover::run(args, session)),
            Command::Uninstall(args) => serve(commands::uninstall::run(args, session)),
            Command::List(args) => serve(commands::list::run(args, session)),
            Command::Status(args) => serve(commands::status::run(args, session)),
            Command::History(args) => serve(commands::history::run(args, session)),
            Command::Get(args) => serve(commands::get::run(args, session)),
            Command::Template(args) => serve(commands::template::run(args, session)),
            Command::Job(args) => serve(commands::job::run(args, session)),
            Command::Savepoint(args) => serve(commands::savepoint::run(args, session)),
            Command::Ui(args) => serve(commands::ui::run(args, session)),
            Command::Logs(args) => serve(commands::logs::run(args, session)),
            Command::Version(args) => commands::version::run(args, session),
            Command::Completion(args) => commands::completion::run(args, &mut Self::command(), session),
        }
    }
}
