//! `kubectl flink get values|manifest|notes|savepoint|all NAME`.

use clap::{Args, Subcommand};

use super::{connect, print_manifest};
use crate::cli::args::GlobalArgs;
use crate::cli::render::Render;
use crate::cli::{CommandError, Format, Output};
use crate::release::Record;
use crate::verbs::query::{self, JobSavepoints};

/// Flags of `get`.
#[derive(Args, Clone)]
#[command(disable_help_subcommand = true)]
pub struct GetArgs {
    /// What to show.
    #[command(subcommand)]
    pub part: PartCommand,
}

/// What `get` shows.
#[derive(Subcommand, Clone)]
pub enum PartCommand {
    /// The user's values
    Values {
        /// Which revision.
        #[command(flatten)]
        of: Of,
        /// The package's defaults too
        #[arg(short = 'a', long)]
        all: bool,
    },
    /// The objects
    Manifest(Of),
    /// The package's notes
    Notes(Of),
    /// The savepoints that a revision's jobs were restored from and ended by
    Savepoint(Of),
    /// Everything
    All(Of),
}

/// Which revision.
#[derive(Args, Clone)]
pub struct Of {
    /// Name of the release
    pub name: String,
    /// The revision; without it the deployed one
    #[arg(long)]
    pub revision: Option<u32>,
}

/// Runs `get`.
pub async fn run(args: &GetArgs, global: &GlobalArgs, output: &Output) -> Result<u8, CommandError> {
    let (PartCommand::Values { of, .. }
    | PartCommand::Manifest(of)
    | PartCommand::Notes(of)
    | PartCommand::Savepoint(of)
    | PartCommand::All(of)) = &args.part;
    let context = connect(global, None).await?;
    let record = query::record(&context, &of.name, of.revision).await?;
    match &args.part {
        PartCommand::Values { all, .. } => print_values(&record, *all, output)?,
        PartCommand::Manifest(_) if matches!(output.format, Format::Json | Format::Name) => {
            print_manifest(&crate::render::parse_manifest(&record.manifest)?, output)?;
        }
        PartCommand::Manifest(_) => output.data(&record.manifest),
        PartCommand::Notes(_) => output.data(&format!("{}\n", record.notes.trim_end())),
        PartCommand::Savepoint(_) => print_savepoints(query::savepoints(&context, &record).await?, output)?,
        PartCommand::All(_) => {
            let summary = serde_json::json!({
                "name": record.name, "namespace": record.namespace, "revision": record.revision, "status": record.status,
                "package": format!("{}-{}", record.package.name, record.package.version), "digest": record.package.digest,
                "flinkVersion": record.package.flink_version, "layout": record.layout, "generation": record.generation,
                "description": record.description, "created": record.created, "updated": record.updated,
                "values": record.user_values, "computedValues": record.values, "jobs": record.jobs,
                "manifest": record.manifest, "notes": record.notes,
            });
            output.print(&Whole(summary))?;
        }
    }
    Ok(0)
}

fn print_values(record: &Record, all: bool, output: &Output) -> Result<(), CommandError> {
    let values = if all { &record.values } else { &record.user_values };
    if output.format == Format::Json {
        output.structured(values)?;
    } else {
        output.data(&crate::yaml::to_string(values));
    }
    Ok(())
}

fn print_savepoints(jobs: Vec<JobSavepoints>, output: &Output) -> Result<(), CommandError> {
    output.print(&Savepoints(jobs))
}

/// Everything that a record holds.
struct Whole(serde_json::Value);

impl Render for Whole {
    type Data = serde_json::Value;

    fn data(&self) -> &serde_json::Value {
        &self.0
    }

    fn names(&self) -> Vec<String> {
        vec![format!("release/{}", self.0["name"].as_str().unwrap_or_default())]
    }

    fn table(&self) -> String {
        crate::yaml::to_string(&self.0)
    }
}

/// The savepoints that a revision's jobs were restored from and ended by.
struct Savepoints(Vec<JobSavepoints>);

impl Render for Savepoints {
    type Data = Vec<JobSavepoints>;

    fn data(&self) -> &Vec<JobSavepoints> {
        &self.0
    }

    fn names(&self) -> Vec<String> {
        let of = |job: &JobSavepoints| {
            let known = job.savepoints.iter().map(|savepoint| savepoint.path.clone());
            job.restored_from.iter().cloned().chain(known).collect::<Vec<_>>()
        };
        self.0.iter().flat_map(of).collect()
    }

    fn table(&self) -> String {
        let mut text = String::new();
        for job in &self.0 {
            let or_none = |path: &Option<String>| path.as_deref().unwrap_or("-").to_owned();
            text.push_str(&format!("{}\n", job.job));
            text.push_str(&format!("  restored from  {}\n", or_none(&job.restored_from)));
            text.push_str(&format!("  ended by       {}\n", or_none(&job.ended_by)));
            let others = job.savepoints.iter().filter(|one| Some(&one.path) != job.ended_by.as_ref());
            for savepoint in others {
                text.push_str(&format!("  taken          {}\n", savepoint.path));
            }
        }
        text
    }
}
