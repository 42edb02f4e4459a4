//! `kubectl flink recover NAME`.

use clap::Args;
use serde_json::json;

use super::{cancel_on_interrupt, connect, print_report};
use crate::cli::args::{ChangeArgs, GlobalArgs, from_savepoint};
use crate::cli::{CommandError, Output};
use crate::plan::StateChoice;
use crate::verbs::recover::{self, Recovered};

const NOTHING: &str = "Nothing to recover: no operation was interrupted.";

/// Flags of `recover`.
#[derive(Args, Clone)]
#[command(mut_arg("dry_run", |flag| flag
    .help("Show what an interrupted operation left and what comes next, and stop")
    .conflicts_with_all(["savepoint", "abandon"])))]
pub struct RecoverArgs {
    /// Name of the release
    pub name: String,
    /// Where the savepoint is whose path the run did not read (JOB=PATH where there are several jobs)
    #[arg(long, value_name = "[JOB=]PATH", help_heading = "State")]
    pub savepoint: Vec<String>,
    /// Neither complete nor undo it: write what is known into the records, and give the lock back
    #[arg(long, conflicts_with = "savepoint")]
    pub abandon: bool,
    /// How the change is made.
    #[command(flatten)]
    pub change: ChangeArgs,
}

/// Runs `recover`.
pub async fn run(args: &RecoverArgs, global: &GlobalArgs, output: &Output) -> Result<u8, CommandError> {
    crate::release::check_name(&args.name)?;
    let savepoints = match from_savepoint(&args.savepoint)? {
        Some(StateChoice::Paths(paths)) => paths,
        Some(_) => {
            return Err(CommandError::usage("--savepoint wants the path of the savepoint that was found"));
        }
        None => Vec::new(),
    };
    let change = args.change.options(&args.name);
    let context = connect(global, Some(args.change.timeout)).await?;
    if args.change.dry_run.is_some() {
        let left = recover::left(&context, &args.name).await?;
        if !output.structured(&json!({ "left": left }))? {
            output.data(&format!("{}\n", left.as_deref().unwrap_or(NOTHING)));
        }
        return Ok(0);
    }
    let options = recover::Options { change, savepoints, abandon: args.abandon };
    let recovered = recover::recover(&context, &options, output, &cancel_on_interrupt()).await?;
    if output.structured(&recovered)? {
        return Ok(0);
    }
    match recovered {
        Recovered::Nothing => output.talk(NOTHING),
        Recovered::Completed(report) => print_report(&report, output)?,
        Recovered::Savepoint { path } => output.talk(&format!("Recorded: the savepoint {path}.")),
        Recovered::Disposed { paths } => {
            for path in paths {
                output.talk(&format!("Deleted: the savepoint {path}."));
            }
        }
        Recovered::Undone { reason } => {
            output.talk(&format!("Undone ({reason}): the release is as it was before."));
            output.talk(&format!("  kubectl flink history {}", args.name));
        }
    }
    Ok(0)
}
