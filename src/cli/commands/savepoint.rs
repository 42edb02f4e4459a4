//! `kubectl flink savepoint list|trigger`.

use clap::{Args, Subcommand};

use super::connect;
use crate::cli::args::GlobalArgs;
use crate::cli::output::moment;
use crate::cli::{CommandError, Format, Output};
use crate::ops::savepoints::{self, SavepointRow};

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
}

/// Runs `savepoint`.
pub async fn run(args: &SavepointArgs, global: &GlobalArgs, output: &Output) -> Result<u8, CommandError> {
    match &args.command {
        SavepointCommand::List { name } => {
            let context = connect(global, None).await?;
            let rows = savepoints::list(&context, name).await?;
            print_rows(&rows, output)?;
        }
        SavepointCommand::Trigger { name, job, format } => {
            let context = connect(global, None).await?;
            let options = savepoints::TriggerOptions {
                name: name.clone(),
                job: job.clone(),
                format: format.to_uppercase(),
            };
            let row = savepoints::trigger(&context, &options, output).await?;
            if !output.structured(&row)? {
                output.data(&format!("{}\n", row.path));
            }
        }
    }
    Ok(0)
}

fn print_rows(rows: &[SavepointRow], output: &Output) -> Result<(), CommandError> {
    if output.structured(&rows)? {
        return Ok(());
    }
    if output.format == Format::Name {
        output.data(&rows.iter().map(|row| format!("{}\n", row.path)).collect::<String>());
        return Ok(());
    }
    if rows.is_empty() {
        output.talk("No savepoint is recorded.");
        return Ok(());
    }
    let mut text = String::new();
    for row in rows {
        let restored: Vec<_> = row.restored_by.iter().map(ToString::to_string).collect();
        let restored = if restored.is_empty() {
            "not restored".to_owned()
        } else {
            format!("restored by revision {}", restored.join(", "))
        };
        text.push_str(&format!(
            "revision {}  {}  {}  {} ({}, Flink {}), {restored}\n  {}\n",
            row.revision,
            row.job,
            moment(row.taken_at),
            row.origin,
            row.format.to_lowercase(),
            row.flink_version,
            row.path
        ));
    }
    output.data(&text);
    Ok(())
}
