//! How a release is changed.

use std::path::Path;

use clap::Args;

use super::apply::DryRun;
use super::file;
use super::state::StateArgs;
use super::wait::{StabilityArgs, WaitArgs};
use crate::cli::error::CommandError;
use crate::plan::{ChangeOptions, StrategyChoice};

/// How jobs get from one revision to the next: what makes a plan another one.
#[derive(Args, Clone, Debug)]
pub struct MoveArgs {
    /// How new Pods take the place of old ones: warm (both up at once, jobs move between them),
    /// recreate (stop, replace, start), auto (warm; where there is no room for both, the plan to
    /// recreate is shown and asked about); without it what `upgrade.strategy` says, which is warm
    #[arg(long, value_name = "STRATEGY", value_enum, help_heading = "State")]
    pub strategy: Option<Strategy>,
    /// Undo a failure before the new job's first completed checkpoint (the default)
    #[arg(long, overrides_with = "no_rollback_on_failure", visible_alias = "atomic", help_heading = "State")]
    pub rollback_on_failure: bool,
    /// Leave a failed revision as it is
    #[arg(long, help_heading = "State")]
    pub no_rollback_on_failure: bool,
    /// Of several jobs roll back only those that fail; the others move on, and the revision is
    /// failed all the same
    #[arg(long, conflicts_with = "no_rollback_on_failure", help_heading = "State")]
    pub keep_going: bool,
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
    /// Sets what they say; reads the jars.
    pub fn set(&self, options: &mut ChangeOptions) -> Result<(), CommandError> {
        for jar in &self.jar {
            let Some((job, file)) = jar.split_once('=') else {
                return Err(CommandError::usage(format!("--jar {jar}: it must be JOB=FILE")));
            };
            options.jars.insert(job.to_owned(), file::jar(Path::new(file))?);
        }
        options.choice = self.state.choice()?;
        options.allow_non_restored_state = self.state.allow_non_restored_state;
        self.state.format.set(options);
        options.rollback_on_failure = !self.no_rollback_on_failure;
        options.keep_going = self.keep_going;
        options.strategy = self.strategy.map(|strategy| match strategy {
            Strategy::Warm => StrategyChoice::Warm,
            Strategy::Recreate => StrategyChoice::Recreate,
            Strategy::Auto => StrategyChoice::Auto,
        });
        options.accept_volatile = self.accept_volatile;
        Ok(())
    }
}

/// How an upgrade or a rollback is carried out: what its plan alone has no use for.
#[derive(Args, Clone, Debug)]
pub struct ChangeArgs {
    /// Conditions to wait for.
    #[command(flatten)]
    pub wait: WaitArgs,
    /// When a moved job is healthy.
    #[command(flatten)]
    pub stability: StabilityArgs,
    /// The record of it.
    #[command(flatten)]
    pub description: DescriptionArgs,
    /// Keep at most so many revisions (0: all); one whose savepoint exists is never dropped
    #[arg(long, default_value_t = 10, value_name = "N")]
    pub history_max: u32,
    /// Show the plan and stop; `server` has the API server check the objects, `client` does not
    #[arg(long, value_name = "client|server", num_args = 0..=1, require_equals = true, default_missing_value = "server", value_enum)]
    pub dry_run: Option<DryRun>,
    /// Answer yes to confirmations; never chooses what happens to state
    #[arg(short = 'y', long)]
    pub yes: bool,
}

impl ChangeArgs {
    /// Sets what they say.
    pub fn set(&self, options: &mut ChangeOptions) {
        self.wait.set(options);
        self.stability.set(options);
        self.description.set(options);
        options.history_max = self.history_max;
        options.server_dry_run = self.dry_run != Some(DryRun::Client);
    }
}

/// The record of a change.
#[derive(Args, Clone, Debug)]
pub struct DescriptionArgs {
    /// Description of the change in the record
    #[arg(long)]
    pub description: Option<String>,
}

impl DescriptionArgs {
    /// Sets what they say.
    pub fn set(&self, options: &mut ChangeOptions) {
        options.description.clone_from(&self.description);
    }
}
