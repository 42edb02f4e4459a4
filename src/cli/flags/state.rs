//! Where jobs' state comes from.

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use crate::cli::error::CommandError;
use crate::failure::NextStep;
use crate::operation::SavepointFormat;
use crate::plan::{ChangeOptions, StateChoice};

/// Where state comes from.
#[derive(Args, Clone, Debug, Default)]
pub struct StateArgs {
    /// Stop each job with a new savepoint and start from it
    #[arg(long, conflicts_with_all = ["from_savepoint", "stateless"], help_heading = "State")]
    pub with_savepoint: bool,
    /// Start from the recorded savepoint, or from a path (JOB=PATH where there are several jobs)
    #[arg(long, value_name = "recorded|[JOB=]PATH", conflicts_with = "stateless", help_heading = "State")]
    pub from_savepoint: Vec<String>,
    /// Cancel each job and start from its latest retained checkpoint, or start from the checkpoint
    /// at a path: for a job that can take no savepoint
    #[arg(
        long,
        value_name = "latest|[JOB=]PATH",
        conflicts_with_all = ["with_savepoint", "from_savepoint", "stateless"],
        help_heading = "State"
    )]
    pub from_checkpoint: Vec<String>,
    /// Drop the state: jobs start with empty state
    #[arg(long, help_heading = "State")]
    pub stateless: bool,
    /// Accept state that no operator of the new job takes
    #[arg(long, help_heading = "State")]
    pub allow_non_restored_state: bool,
    /// The format of new savepoints.
    #[command(flatten)]
    pub format: FormatArgs,
}

impl StateArgs {
    /// The choice, if one was made.
    pub fn choice(&self) -> Result<Option<StateChoice>, CommandError> {
        if self.with_savepoint {
            return Ok(Some(StateChoice::Savepoint));
        }
        if self.stateless {
            return Ok(Some(StateChoice::Stateless));
        }
        match self.from_checkpoint.as_slice() {
            [] => from_savepoint(&self.from_savepoint),
            [only] if only == "latest" => Ok(Some(StateChoice::LatestCheckpoint)),
            given => paths("--from-checkpoint", "latest", given),
        }
    }
}

/// The format of new savepoints.
#[derive(Args, Clone, Debug, Default)]
pub struct FormatArgs {
    /// Format of a new savepoint
    #[arg(long, value_name = "FORMAT", value_parser = formats(), default_value = "canonical", ignore_case = true, help_heading = "State")]
    pub savepoint_format: SavepointFormat,
}

impl FormatArgs {
    /// Sets what they say.
    pub fn set(&self, options: &mut ChangeOptions) {
        options.savepoint_format = self.savepoint_format;
    }
}

/// Reads a format by its name.
fn formats() -> impl TypedValueParser<Value = SavepointFormat> {
    PossibleValuesParser::new(["canonical", "native"]).try_map(|name| name.parse::<SavepointFormat>())
}

/// Reads `recorded`, `PATH` and `JOB=PATH`.
pub fn from_savepoint(given: &[String]) -> Result<Option<StateChoice>, CommandError> {
    if given.is_empty() {
        return Ok(None);
    }
    if given.iter().any(|value| value == "recorded") {
        if given.len() > 1 {
            return Err(CommandError::usage("--from-savepoint recorded and a path exclude each other"));
        }
        return Ok(Some(StateChoice::Recorded));
    }
    paths("--from-savepoint", "recorded", given)
}

/// Reads `PATH` and `JOB=PATH`; `word` is what the flag takes beside them.
fn paths(flag: &str, word: &str, given: &[String]) -> Result<Option<StateChoice>, CommandError> {
    if given.is_empty() {
        return Ok(None);
    }
    let paths: Vec<_> = given
        .iter()
        .map(|value| match value.split_once('=') {
            // A job's name is a DNS label: what has a slash or a colon before the `=` is a path.
            Some((job, path)) if !job.contains(['/', ':']) => (Some(job.to_owned()), path.to_owned()),
            _ => (None, value.clone()),
        })
        .collect();
    if let Some((_, path)) = paths.iter().find(|(_, path)| !path.contains('/')) {
        return Err(CommandError::usage(format!("{flag} {path}: neither `{word}` nor a path"))
            .hint(NextStep::say("a path looks like file:///…/savepoint-1a2b3c-… or s3://…")));
    }
    Ok(Some(StateChoice::Paths(paths)))
}
