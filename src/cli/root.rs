//! The verbs, and the one place that leads from the command line to them.

use clap::{CommandFactory, Parser, Subcommand};

use super::commands;
use super::error::CommandError;
use super::flags::global::GlobalArgs;
use super::output::Output;
use super::session::{Session, serve};

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
    /// Runs the verb. What asks no server starts no asynchronous runtime either.
    pub fn run(&self, output: &Output) -> Result<(), CommandError> {
        let session = &Session { global: &self.global, output };
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
            Command::Template(args) => commands::template::run(args, session),
            Command::Job(args) => serve(commands::job::run(args, session)),
            Command::Savepoint(args) => serve(commands::savepoint::run(args, session)),
            Command::Ui(args) => serve(commands::ui::run(args, session)),
            Command::Logs(args) => serve(commands::logs::run(args, session)),
            Command::Version(args) => commands::version::run(args, session),
            Command::Completion(args) => commands::completion::run(args, &mut Self::command(), session),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, Parser as _};

    use super::Cli;
    use crate::cli::place::Place;

    fn placed(flags: &[&str], text: &str) -> String {
        let words = ["kubectl-flink"].iter().chain(flags).chain(&["list"]);
        Place::of(&Cli::try_parse_from(words).unwrap().global, Cli::command).in_commands(text)
    }

    #[test]
    fn a_command_leads_to_where_the_person_was() {
        for (flags, text, expected) in [
            (&[][..], "kubectl flink status a", "kubectl flink status a"),
            (&["-n", "b"], "kubectl flink status a", "kubectl flink -n b status a"),
            (&["-n", "b"], "kubectl flink -n c status a", "kubectl flink -n c status a"),
            (
                &["--kube-context", "x", "-n", "b"],
                "kubectl flink -n b ui a\nkubectl flink logs a",
                "kubectl flink --context x -n b ui a\nkubectl flink -n b --context x logs a",
            ),
            (
                &["--context", "my cluster", "--token", "secret"],
                "kubectl flink get values a |\nkubectl flink install a flink -f -",
                "kubectl flink --context 'my cluster' get values a |\n\
                 kubectl flink --context 'my cluster' install a flink -f -",
            ),
            (&["-n", "b"], "kubectl port-forward service/a 1", "kubectl -n b port-forward service/a 1"),
            (
                &["-n", "b", "--context", "x"],
                "kubectl create namespace b",
                "kubectl --context x create namespace b",
            ),
            (
                &["-n", "b"],
                "the plugin of kubectl flink is kubectl ",
                "the plugin of kubectl flink is kubectl ",
            ),
            (
                &["--as", "me", "--as-group", "g", "--as-group", "h", "--insecure-skip-tls-verify"],
                "x: kubectl flink list   # all",
                "x: kubectl flink --as me --as-group g --as-group h --insecure-skip-tls-verify list   # all",
            ),
        ] {
            assert_eq!(placed(flags, text), expected);
        }
    }
}
