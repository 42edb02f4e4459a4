//! How a release is changed.

use std::path::Path;
use std::time::Duration;

use clap::Args;

use super::duration::duration;
use super::file;
use super::state::StateArgs;
use crate::cli::error::CommandError;
use crate::plan::{ChangeOptions, StrategyChoice};

/// Flags of verbs that may move jobs from one revision to another.
#[derive(Args, Clone, Debug)]
pub struct MoveArgs {
    /// How new Pods take the place of old ones: warm (both up at once, jobs move between them), recreate (stop, replace,
    /// start), auto (warm; where there is no room for both, the plan to recreate is shown and asked about); without it what `upgrade.strategy` says, which is warm
    #[arg(long, value_name = "STRATEGY", value_enum, help_heading = "State")]
    pub strategy: Option<Strategy>,
    /// Undo a failure before the new job's first completed checkpoint (the default)
    #[arg(long, overrides_with = "no_rollback_on_failure", visible_alias = "atomic", help_heading = "State")]
    pub rollback_on_failure: bool,
    /// Leave a failed revision as it is
    #[arg(long, help_heading = "State")]
    pub no_rollback_on_failure: bool,
    /// Of several jobs roll back only those that fail; the others move on, and the revision is failed all the same
    #[arg(long, conflicts_with = "no_rollback_on_failure", help_heading = "State")]
    pub keep_going: bool,
    /// Keep at most so many revisions (0: all); one whose savepoint exists is never dropped
    #[arg(long, default_value_t = 10, value_name = "N")]
    pub history_max: u32,
    /// Run layout `job` without durable state
    #[arg(long)]
    pub accept_volatile: bool,
    /// A job's jar, where the cluster does not keep it
    #[arg(long, value_name = "JOB=FILE")]
    pub jar: Vec<String>,
    /// Show in the plan how each object changes
    #[arg(long)]
    pub diff: bool,
    /// Where state comes from.
    #[command(flatten)]
    pub state: StateArgs,
}

/// How new Pods take the place of old ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Strategy {
    /// Both generations are up at once, and jobs move from the old one to the new one
    Warm,
    /// Stop, replace, start: the jobs are down while the new Pods start
    Recreate,
    /// Warm where there is room for two generations, else recreate
    Auto,
}

impl MoveArgs {
    /// Adds what they say to the options that every change has.
    pub fn options(&self, mut options: ChangeOptions) -> Result<ChangeOptions, CommandError> {
        for jar in &self.jar {
            let Some((job, file)) = jar.split_once('=') else {
                return Err(CommandError::usage(format!("--jar {jar}: it must be JOB=FILE")));
            };
            options.jars.insert(job.to_owned(), file::read(Path::new(file))?);
        }
        Ok(ChangeOptions {
            choice: self.state.choice()?,
            allow_non_restored_state: self.state.allow_non_restored_state,
            savepoint_format: self.state.savepoint_format.to_uppercase(),
            rollback_on_failure: !self.no_rollback_on_failure,
            keep_going: self.keep_going,
            strategy: self.strategy.map(|strategy| match strategy {
                Strategy::Warm => StrategyChoice::Warm,
                Strategy::Recreate => StrategyChoice::Recreate,
                Strategy::Auto => StrategyChoice::Auto,
            }),
            history_max: self.history_max,
            accept_volatile: self.accept_volatile,
            ..options
        })
    }
}

/// Flags of verbs that change a release.
#[derive(Args, Clone, Debug)]
pub struct ChangeArgs {
    /// Do not wait for Pods and jobs to be ready
    #[arg(long, overrides_with = "wait", help_heading = "Waiting")]
    pub no_wait: bool,
    /// Wait for Pods and jobs to be ready (the default)
    #[arg(
        long,
        value_name = "true|false",
        hide_possible_values = true,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        overrides_with = "no_wait",
        help_heading = "Waiting"
    )]
    pub wait: Option<bool>,
    /// How long each wait may take: 90s, 5m, 1h
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = duration, help_heading = "Waiting")]
    pub timeout: Duration,
    /// How long a moved job must run without a restart to count as healthy
    #[arg(
        long,
        value_name = "DURATION",
        env = "KUBECTL_FLINK_GATE_QUIET",
        hide_env_values = true,
        default_value = "30s",
        value_parser = duration,
        help_heading = "Waiting"
    )]
    pub gate_quiet: Duration,
    /// What the record says of the change
    #[arg(long)]
    pub description: Option<String>,
    /// Show the plan and stop; `server` has the API server check the objects, `client` does not
    #[arg(long, value_name = "client|server", num_args = 0..=1, require_equals = true, default_missing_value = "server", value_enum)]
    pub dry_run: Option<DryRun>,
    /// Take fields from other managers
    #[arg(long)]
    pub force_conflicts: bool,
    /// Take over objects that belong to another owner
    #[arg(long)]
    pub take_ownership: bool,
    /// Answer yes to confirmations; never chooses what happens to state
    #[arg(short = 'y', long)]
    pub yes: bool,
}

/// How much a dry run asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum DryRun {
    /// No cluster.
    Client,
    /// The API server checks the objects.
    Server,
}

impl ChangeArgs {
    /// The options that every change has in common.
    pub fn options(&self, name: &str) -> ChangeOptions {
        ChangeOptions {
            wait: self.wait.unwrap_or(!self.no_wait),
            gate_quiet: self.gate_quiet,
            description: self.description.clone(),
            server_dry_run: self.dry_run != Some(DryRun::Client),
            force_conflicts: self.force_conflicts,
            take_ownership: self.take_ownership,
            ..ChangeOptions::new(name)
        }
    }
}
