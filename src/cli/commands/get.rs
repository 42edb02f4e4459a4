//! `kubectl flink get values|manifest|notes|savepoint|all NAME`.

use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::Value;

use crate::cli::error::CommandError;
use crate::cli::flags::name;
use crate::cli::place::Place;
use crate::cli::render::{Manifest, Render};
use crate::cli::session::Session;
use crate::release::{JobRecord, Record, SavepointRef, Status};
use crate::render::parse_manifest;
use crate::verbs::query;

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
    #[arg(value_parser = name::release)]
    pub name: String,
    /// The revision; without it the deployed one
    #[arg(long)]
    pub revision: Option<u32>,
}

/// Runs `get`.
pub async fn run(args: &GetArgs, session: &Session<'_>) -> Result<(), CommandError> {
    let (PartCommand::Values { of, .. }
    | PartCommand::Manifest(of)
    | PartCommand::Notes(of)
    | PartCommand::Savepoint(of)
    | PartCommand::All(of)) = &args.part;
    let context = session.connect(None).await?;
    let record = query::record(&context, &of.name, of.revision).await?;
    let output = session.output;
    match &args.part {
        PartCommand::Values { all, .. } => {
            let values = if *all { &record.values } else { &record.user_values };
            output.print(&Values { release: &record.name, values })
        }
        PartCommand::Manifest(_) => {
            let objects = parse_manifest(&record.manifest)?;
            output.print(&Manifest { objects: &objects, recorded: Some(&record.manifest) })
        }
        PartCommand::Notes(_) => output.print(&Notes { release: &record.name, notes: &record.notes }),
        PartCommand::Savepoint(_) => output.print(&Savepoints::of(&record)),
        PartCommand::All(_) => output.print(&All::of(&record)),
    }
}

/// A revision's values.
#[derive(Serialize)]
#[serde(transparent)]
struct Values<'a> {
    #[serde(skip)]
    release: &'a str,
    values: &'a Value,
}

impl Render for Values<'_> {
    fn table(&self, _: &Place) -> String {
        self.yaml()
    }

    fn names(&self) -> Vec<String> {
        vec![format!("release/{}", self.release)]
    }
}

/// A revision's notes.
#[derive(Serialize)]
struct Notes<'a> {
    #[serde(skip)]
    release: &'a str,
    notes: &'a str,
}

impl Render for Notes<'_> {
    fn table(&self, _: &Place) -> String {
        format!("{}\n", self.notes.trim_end())
    }

    fn names(&self) -> Vec<String> {
        vec![format!("release/{}", self.release)]
    }
}

/// The savepoints that a revision's jobs were restored from and ended by.
#[derive(Serialize)]
#[serde(transparent)]
struct Savepoints<'a>(Vec<JobSavepoints<'a>>);

/// Those of one job.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JobSavepoints<'a> {
    job: &'a str,
    restored_from: Option<&'a str>,
    ended_by: Option<&'a SavepointRef>,
    taken: &'a [SavepointRef],
}

impl<'a> Savepoints<'a> {
    fn of(record: &'a Record) -> Self {
        let of_job = |job: &'a JobRecord| JobSavepoints {
            job: &job.name,
            restored_from: job.restored_from.as_deref(),
            ended_by: job.ended_by.as_ref(),
            taken: &job.taken,
        };
        Self(record.jobs.iter().map(of_job).collect())
    }
}

impl JobSavepoints<'_> {
    fn ended_by(&self) -> Option<&str> {
        self.ended_by.map(|savepoint| savepoint.path.as_str())
    }

    fn taken(&self) -> impl Iterator<Item = &str> {
        self.taken.iter().map(|savepoint| savepoint.path.as_str())
    }
}

impl Render for Savepoints<'_> {
    fn table(&self, _: &Place) -> String {
        let mut text = String::new();
        for job in &self.0 {
            text.push_str(&format!("{}\n", job.job));
            text.push_str(&format!("  restored from  {}\n", job.restored_from.unwrap_or("-")));
            text.push_str(&format!("  ended by       {}\n", job.ended_by().unwrap_or("-")));
            text.extend(job.taken().map(|path| format!("  taken          {path}\n")));
        }
        text
    }

    fn names(&self) -> Vec<String> {
        let paths = |job: &JobSavepoints| -> Vec<String> {
            job.restored_from
                .into_iter()
                .chain(job.ended_by())
                .chain(job.taken())
                .map(str::to_owned)
                .collect()
        };
        let mut names: Vec<String> = Vec::new();
        for path in self.0.iter().flat_map(paths) {
            if !names.contains(&path) {
                names.push(path);
            }
        }
        names
    }
}

/// All that a revision's record holds.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct All<'a> {
    name: &'a str,
    namespace: &'a str,
    revision: u32,
    status: Status,
    package: String,
    digest: &'a str,
    flink_version: &'a str,
    layout: &'a str,
    generation: u32,
    description: &'a str,
    created: jiff::Timestamp,
    updated: jiff::Timestamp,
    values: &'a Value,
    computed_values: &'a Value,
    jobs: &'a [JobRecord],
    manifest: &'a str,
    notes: &'a str,
}

impl<'a> All<'a> {
    fn of(record: &'a Record) -> Self {
        Self {
            name: &record.name,
            namespace: &record.namespace,
            revision: record.revision,
            status: record.status,
            package: format!("{}-{}", record.package.name, record.package.version),
            digest: &record.package.digest,
            flink_version: &record.package.flink_version,
            layout: &record.layout,
            generation: record.generation,
            description: &record.description,
            created: record.created,
            updated: record.updated,
            values: &record.user_values,
            computed_values: &record.values,
            jobs: &record.jobs,
            manifest: &record.manifest,
            notes: &record.notes,
        }
    }
}

impl Render for All<'_> {
    fn table(&self, _: &Place) -> String {
        self.yaml()
    }

    fn names(&self) -> Vec<String> {
        vec![format!("release/{}", self.name)]
    }
}
