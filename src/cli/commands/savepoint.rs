//! `kubectl flink savepoint list|trigger|dispose|prune`.

use clap::{Args, Subcommand};
use serde::Serialize;

use crate::cli::error::{CommandError, exit};
use crate::cli::flags::name;
use crate::cli::flags::state::FormatArgs;
use crate::cli::next::Place;
use crate::cli::prompt;
use crate::cli::render::Render;
use crate::cli::render::text::moment;
use crate::cli::session::Session;
use crate::failure::NextStep;
use crate::live::savepoints::{SavepointRow, list};
use crate::verbs::dispose::{self, Plan, Which};
use crate::verbs::savepoints;

/// Flags of `savepoint`.
#[derive(Args, Clone)]
#[command(disable_help_subcommand = true)]
pub struct SavepointArgs {
    /// The subcommand.
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
        #[arg(value_parser = name::release)]
        name: String,
    },
    /// Take a savepoint; the job goes on
    Trigger {
        /// Name of the release
        #[arg(value_parser = name::release)]
        name: String,
        /// The job, by name or id; without it the only one
        #[arg(long, value_parser = name::job)]
        job: Option<String>,
        /// The format of the savepoint.
        #[command(flatten)]
        format: FormatArgs,
    },
    /// Delete recorded savepoints
    Dispose {
        /// Name of the release
        #[arg(value_parser = name::release)]
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
        #[arg(value_parser = name::release)]
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
pub async fn run(args: &SavepointArgs, session: &Session<'_>) -> Result<(), CommandError> {
    match &args.command {
        SavepointCommand::List { name } => {
            let context = session.connect(None).await?;
            session.output.print(&Savepoints(list(&context, name).await?))
        }
        SavepointCommand::Trigger { name, job, format } => {
            let options = savepoints::TriggerOptions {
                name: name.clone(),
                job: job.clone(),
                format: format.savepoint_format,
            };
            let context = session.connect(None).await?;
            session.output.print(&Taken(savepoints::trigger(&context, &options, session.output).await?))
        }
        SavepointCommand::Dispose { name, paths, deletion } => {
            dispose(name, &Which::Paths(paths.clone()), deletion, session).await
        }
        SavepointCommand::Prune { name, keep, deletion } => {
            dispose(name, &Which::AllBut(*keep), deletion, session).await
        }
    }
}

async fn dispose(
    name: &str,
    which: &Which,
    deletion: &Deletion,
    session: &Session<'_>,
) -> Result<(), CommandError> {
    let output = session.output;
    let context = session.connect(None).await?;
    let plan = dispose::plan(&context, name, which).await?;
    for (path, reason) in &plan.keep {
        output.talk(&format!("{path} stays: {reason}"));
    }
    if plan.dispose.is_empty() || deletion.dry_run {
        return output.print(&Disposal { plan, done: false });
    }
    if !deletion.yes {
        confirm(&plan, session)?;
    }
    let plan = dispose::execute(&context, &plan, output).await?;
    output.print(&Disposal { plan, done: true })
}

fn confirm(plan: &Plan, session: &Session<'_>) -> Result<(), CommandError> {
    session.output.ask_about("These savepoints would be deleted for good:");
    for row in &plan.dispose {
        session.output.ask_about(&format!("  revision {}, {}: {}", row.revision, row.job, row.path));
    }
    if prompt::ask_delete(session.output) {
        return Ok(());
    }
    Err(CommandError {
        code: exit::REFUSED,
        lines: vec![format!("nothing was deleted: {} savepoints would be lost", plan.dispose.len())],
        left_behind: vec![],
        hints: vec![NextStep::again(["--yes"])],
    })
}

/// Recorded savepoints.
#[derive(Serialize)]
#[serde(transparent)]
struct Savepoints(Vec<SavepointRow>);

impl Render for Savepoints {
    fn table(&self, _: &Place) -> String {
        self.0.iter().map(two_lines).collect()
    }

    fn names(&self) -> Vec<String> {
        self.0.iter().map(|row| row.path.clone()).collect()
    }

    fn remark(&self, _: &Place) -> Option<String> {
        self.0.is_empty().then(|| "No savepoint is recorded.".to_owned())
    }
}

fn two_lines(row: &SavepointRow) -> String {
    let restored: Vec<_> = row.restored_by.iter().map(ToString::to_string).collect();
    let restored = if restored.is_empty() {
        "not restored".to_owned()
    } else {
        format!("restored by revision {}", restored.join(", "))
    };
    format!(
        "revision {}  {}  {}  {} ({}, Flink {}{}), {restored}\n  {}\n",
        row.revision,
        row.job,
        moment(row.taken_at),
        row.origin,
        row.format.to_string().to_lowercase(),
        row.flink_version,
        if row.drained { ", drained" } else { "" },
        row.path
    )
}

/// A savepoint that has just been taken.
#[derive(Serialize)]
#[serde(transparent)]
struct Taken(SavepointRow);

impl Render for Taken {
    fn table(&self, _: &Place) -> String {
        format!("{}\n", self.0.path)
    }

    fn wide(&self, _: &Place) -> String {
        two_lines(&self.0)
    }

    fn names(&self) -> Vec<String> {
        vec![self.0.path.clone()]
    }
}

/// Savepoints that were deleted, or would be.
#[derive(Serialize)]
#[serde(transparent)]
struct Disposal {
    plan: Plan,
    #[serde(skip)]
    done: bool,
}

impl Render for Disposal {
    fn table(&self, _: &Place) -> String {
        let how = if self.done { "deleted" } else { "would be deleted" };
        self.plan.dispose.iter().map(|row| format!("{} {how}\n", row.path)).collect()
    }

    fn names(&self) -> Vec<String> {
        self.plan.dispose.iter().map(|row| row.path.clone()).collect()
    }

    fn remark(&self, _: &Place) -> Option<String> {
        self.plan.dispose.is_empty().then(|| "There is nothing to delete.".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::render::testing::every_format;
    use crate::release::{Origin, StateFormat};

    fn row() -> SavepointRow {
        SavepointRow {
            revision: 1,
            job: "orders".to_owned(),
            origin: Origin::Trigger,
            taken_at: jiff::Timestamp::UNIX_EPOCH,
            format: StateFormat::Canonical,
            flink_version: "2.3.0".to_owned(),
            drained: false,
            path: "file:///s/1".to_owned(),
            restored_by: vec![2],
        }
    }

    #[test]
    fn every_format_has_them() {
        assert_eq!(every_format(&Savepoints(vec![row()])), ["file:///s/1"]);
        assert!(every_format(&Savepoints(Vec::new())).is_empty());
        assert_eq!(every_format(&Taken(row())), ["file:///s/1"]);
    }

    #[test]
    fn every_format_has_a_disposal() {
        for done in [false, true] {
            let plan = |dispose: Vec<SavepointRow>| Plan {
                name: "demo".to_owned(),
                dispose,
                keep: Vec::new(),
                which: Which::AllBut(1),
            };
            assert_eq!(every_format(&Disposal { plan: plan(vec![row()]), done }), ["file:///s/1"]);
            assert!(every_format(&Disposal { plan: plan(Vec::new()), done }).is_empty());
        }
    }
}
