//! `kubectl flink get values|manifest|notes|savepoint|all NAME`.

use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::Value;

use crate::cli::error::CommandError;
use crate::cli::flags::name;
use crate::cli::next::Place;
use crate::cli::render::{Manifest, Render};
use crate::cli::session::Session;
use crate::release::{JobRecord, Record, Status};
use crate::render::parse_manifest;
use crate::verbs::query::{self, JobSavepoints};

/// Flags of `get`.
#[derive(Args, Clone)]
#[command(disable_help_subcommand = true)]
pub struct GetArgs {
    /// The part to show.
    #[command(subcommand)]
    pub part: PartCommand,
}

/// Parts of a record.
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
        PartCommand::Savepoint(_) => output.print(&Savepoints(query::savepoints(&context, &record).await?)),
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
struct Savepoints(Vec<JobSavepoints>);

impl Render for Savepoints {
    fn table(&self, _: &Place) -> String {
        let or_none = |path: &Option<String>| path.as_deref().unwrap_or("-").to_owned();
        let mut text = String::new();
        for job in &self.0 {
            text.push_str(&format!("{}\n", job.job));
            text.push_str(&format!("  restored from  {}\n", or_none(&job.restored_from)));
            text.push_str(&format!("  ended by       {}\n", or_none(&job.ended_by)));
            let others = job.savepoints.iter().filter(|one| Some(&one.path) != job.ended_by.as_ref());
            text.extend(others.map(|savepoint| format!("  taken          {}\n", savepoint.path)));
        }
        text
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for job in &self.0 {
            let known = job.savepoints.iter().map(|savepoint| &savepoint.path);
            for path in job.restored_from.iter().chain(&job.ended_by).chain(known) {
                if !names.contains(path) {
                    names.push(path.clone());
                }
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cli::render::testing::every_format;

    #[test]
    fn every_format_has_a_part() {
        let values = json!({"a": 1});
        assert_eq!(every_format(&Values { release: "demo", values: &values }), ["release/demo"]);
        assert_eq!(every_format(&Notes { release: "demo", notes: "Read me." }), ["release/demo"]);
        let job = JobSavepoints {
            job: "orders".to_owned(),
            restored_from: Some("file:///s/1".to_owned()),
            ended_by: Some("file:///s/2".to_owned()),
            savepoints: Vec::new(),
        };
        assert_eq!(every_format(&Savepoints(vec![job.clone(), job])), ["file:///s/1", "file:///s/2"]);
    }

    #[test]
    fn every_format_has_all_of_it() {
        let (values, created) = (json!({"a": 1}), jiff::Timestamp::UNIX_EPOCH);
        let all = All {
            name: "demo",
            namespace: "team",
            revision: 3,
            status: Status::Deployed,
            package: "flink-1.0.0".to_owned(),
            digest: "sha256:0",
            flink_version: "2.3.0",
            layout: "session",
            generation: 1,
            description: "Upgrade complete",
            created,
            updated: created,
            values: &values,
            computed_values: &values,
            jobs: &[],
            manifest: "",
            notes: "",
        };
        assert_eq!(every_format(&all), ["release/demo"]);
    }
}
