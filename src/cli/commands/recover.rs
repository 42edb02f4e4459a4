//! `kubectl flink recover NAME`.

use clap::Args;
use serde_json::json;

use super::{cancel_on_interrupt, connect};
use crate::cli::args::{ChangeArgs, GlobalArgs, from_savepoint};
use crate::cli::render::Render;
use crate::cli::wrap::COLUMNS;
use crate::cli::{CommandError, Output};
use crate::failure::NextStep;
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
    /// Neither complete nor undo it: write what is known into the records, and release the lock
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
        output.print(&Left { release: args.name.clone(), data: json!({ "left": left }) })?;
        return Ok(0);
    }
    let options = recover::Options { change, savepoints, abandon: args.abandon };
    let recovered = recover::recover(&context, &options, output, &cancel_on_interrupt()).await?;
    match &recovered {
        Recovered::Completed(report) if !output.is_structured() => output.print(&**report)?,
        _ => output.print(&Done { release: args.name.clone(), recovered, output })?,
    }
    Ok(0)
}

/// What a run would find.
struct Left {
    release: String,
    data: serde_json::Value,
}

impl Render for Left {
    type Data = serde_json::Value;

    fn data(&self) -> &serde_json::Value {
        &self.data
    }

    fn names(&self) -> Vec<String> {
        let left = self.data["left"].as_str();
        left.map(|_| format!("release/{}", self.release)).into_iter().collect()
    }

    fn table(&self) -> String {
        format!("{}\n", self.data["left"].as_str().unwrap_or(NOTHING))
    }
}

/// What became of an interrupted operation.
struct Done<'a> {
    release: String,
    recovered: Recovered,
    output: &'a Output,
}

impl Render for Done<'_> {
    type Data = Recovered;

    fn data(&self) -> &Recovered {
        &self.recovered
    }

    fn names(&self) -> Vec<String> {
        match &self.recovered {
            Recovered::Nothing => Vec::new(),
            Recovered::Savepoint { path } => vec![path.clone()],
            Recovered::Disposed { paths } => paths.clone(),
            Recovered::Completed(_) | Recovered::Undone { .. } => vec![format!("release/{}", self.release)],
        }
    }

    fn table(&self) -> String {
        String::new()
    }

    fn nothing(&self) -> Option<String> {
        match &self.recovered {
            Recovered::Nothing => Some(NOTHING.to_owned()),
            Recovered::Savepoint { path } => Some(format!("Recorded: the savepoint {path}.")),
            Recovered::Disposed { paths } => {
                let lines = paths.iter().map(|path| format!("Deleted: the savepoint {path}."));
                Some(lines.collect::<Vec<_>>().join("\n"))
            }
            Recovered::Undone { reason } => {
                let history = NextStep::flink(["history", &self.release]);
                let history = self.output.next_step(&history, COLUMNS - 2);
                Some(format!("Undone ({reason}): the release is as it was before.\n  {history}"))
            }
            Recovered::Completed(_) => None,
        }
    }
}
