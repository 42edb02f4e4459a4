//! `kubectl flink savepoint list|trigger|dispose|prune`.

use clap::{Args, Subcommand};

use super::connect;
use crate::cli::args::GlobalArgs;
use crate::cli::output::moment;
use crate::cli::render::Render;
use crate::cli::{CommandError, Output, error::exit};
use crate::failure::NextStep;
use crate::live::savepoints::{SavepointRow, list};
use crate::verbs::dispose::{self, Which};
use crate::verbs::savepoints;

/// Flags of `savepoint`.
#[derive(Args, Clone)]
#[command(disable_help_subcommand = true)]
pub struct SavepointArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: SavepointCommand,
}

/// What `savepoint` does.
#[derive(Subcommand, Clone)]
pub enum SavepointCommand {
    /// List the recorded savepoints
    #[command(visible_alias = "ls")]
    List {
        /// Name of the release
        name: String,
    },
    /// Take a savepoint; the job goes on
    Trigger {
        /// Name of the release
        name: String,
        /// The job, by name or id; without it the only one
        #[arg(long)]
        job: Option<String>,
        /// Format of the savepoint
        #[arg(long = "savepoint-format", value_name = "FORMAT", value_parser = ["canonical", "native"], default_value = "canonical", ignore_case = true)]
        format: String,
    },
    /// Delete recorded savepoints
    Dispose {
        /// Name of the release
        name: String,
        /// The savepoints' paths
        #[arg(required = true, value_name = "PATH")]
        paths: Vec<String>,
        /// How it is done.
        #[command(flatten)]
        deletion: Deletion,
    },
    /// Delete all but the newest savepoints of each job
    Prune {
        /// Name of the release
        name: String,
        /// How many of each job stay
        #[arg(long, value_name = "N")]
        keep: usize,
        /// How it is done.
        #[command(flatten)]
        deletion: Deletion,
    },
}

/// Flags of what deletes savepoints.
#[derive(Args, Clone)]
pub struct Deletion {
    /// Say what would be deleted, and delete nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask
    #[arg(short = 'y', long)]
    pub yes: bool,
}

/// Runs `savepoint`.
pub async fn run(args: &SavepointArgs, global: &GlobalArgs, output: &Output) -> Result<u8, CommandError> {
    match &args.command {
        SavepointCommand::List { name } => {
            let context = connect(global, None).await?;
            let rows = list(&context, name).await?;
            output.print(&Recorded(rows))?;
        }
        SavepointCommand::Trigger { name, job, format } => {
            let context = connect(global, None).await?;
            let options = savepoints::TriggerOptions {
                name: name.clone(),
                job: job.clone(),
                format: format.to_uppercase(),
            };
            let row = savepoints::trigger(&context, &options, output).await?;
            output.print(&row)?;
        }
        SavepointCommand::Dispose { name, paths, deletion } => {
            return dispose(name, &Which::Paths(paths.clone()), deletion, global, output).await;
        }
        SavepointCommand::Prune { name, keep, deletion } => {
            return dispose(name, &Which::AllBut(*keep), deletion, global, output).await;
        }
    }
    Ok(0)
}

async fn dispose(
    name: &str,
    which: &Which,
    deletion: &Deletion,
    global: &GlobalArgs,
    output: &Output,
) -> Result<u8, CommandError> {
    let context = connect(global, None).await?;
    let mut plan = dispose::plan(&context, name, which).await?;
    for (path, reason) in &plan.keep {
        output.talk(&format!("{path} stays: {reason}"));
    }
    if plan.dispose.is_empty() {
        output.print(&Disposal { plan, dry_run: deletion.dry_run })?;
        return Ok(exit::DONE);
    }
    if !deletion.dry_run && !deletion.yes {
        output.ask_about("These savepoints would be deleted for good:");
        for row in &plan.dispose {
            output.ask_about(&format!("  revision {}, {}: {}", row.revision, row.job, row.path));
        }
        if !(output.can_ask() && output.ask("Delete them? Type yes: ").as_deref() == Some("yes")) {
            return Err(CommandError {
                code: exit::REFUSED,
                lines: vec![format!("nothing was deleted: {} savepoints would be lost", plan.dispose.len())],
                left_behind: vec![],
                hints: vec![NextStep::again(["--yes"])],
            });
        }
    }
    if !deletion.dry_run {
        plan = dispose::execute(&context, &plan, output).await?;
    }
    output.print(&Disposal { plan, dry_run: deletion.dry_run })?;
    Ok(exit::DONE)
}

impl Render for SavepointRow {
    type Data = Self;

    fn data(&self) -> &Self {
        self
    }

    fn names(&self) -> Vec<String> {
        vec![self.path.clone()]
    }

    fn table(&self) -> String {
        format!("{}\n", self.path)
    }
}

/// Savepoints that were deleted, or would be.
struct Disposal {
    plan: dispose::Plan,
    dry_run: bool,
}

impl Render for Disposal {
    type Data = dispose::Plan;

    fn data(&self) -> &dispose::Plan {
        &self.plan
    }

    fn names(&self) -> Vec<String> {
        self.plan.dispose.iter().map(|row| row.path.clone()).collect()
    }

    fn table(&self) -> String {
        let how = if self.dry_run { "would be deleted" } else { "deleted" };
        self.plan.dispose.iter().map(|row| format!("{} {how}\n", row.path)).collect()
    }

    fn nothing(&self) -> Option<String> {
        self.plan.dispose.is_empty().then(|| "There is nothing to delete.".to_owned())
    }
}

/// The recorded savepoints of a release.
struct Recorded(Vec<SavepointRow>);

impl Render for Recorded {
    type Data = Vec<SavepointRow>;

    fn data(&self) -> &Vec<SavepointRow> {
        &self.0
    }

    fn names(&self) -> Vec<String> {
        self.0.iter().map(|row| row.path.clone()).collect()
    }

    fn nothing(&self) -> Option<String> {
        self.0.is_empty().then(|| "No savepoint is recorded.".to_owned())
    }

    fn table(&self) -> String {
        let mut text = String::new();
        for row in &self.0 {
            let restored: Vec<_> = row.restored_by.iter().map(ToString::to_string).collect();
            let restored = if restored.is_empty() {
                "not restored".to_owned()
            } else {
                format!("restored by revision {}", restored.join(", "))
            };
            text.push_str(&format!(
                "revision {}  {}  {}  {} ({}, Flink {}{}), {restored}\n  {}\n",
                row.revision,
                row.job,
                moment(row.taken_at),
                row.origin,
                row.format.to_string().to_lowercase(),
                row.flink_version,
                if row.drained { ", drained" } else { "" },
                row.path
            ));
        }
        text
    }
}
