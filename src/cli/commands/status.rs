//! `kubectl flink status NAME`.

use clap::Args;

use crate::cli::error::CommandError;
use crate::cli::flags::name;
use crate::cli::next::Place;
use crate::cli::render::Render;
use crate::cli::render::text::{moment, wrap};
use crate::cli::session::Session;
use crate::verbs::query::{self, JobStatus, StatusReport};

/// Flags of `status`.
#[derive(Args, Clone)]
pub struct StatusArgs {
    /// Name of the release
    #[arg(value_parser = name::release)]
    pub name: String,
    /// A revision other than the one that runs
    #[arg(long)]
    pub revision: Option<u32>,
}

/// Runs `status`.
pub async fn run(args: &StatusArgs, session: &Session<'_>) -> Result<(), CommandError> {
    let context = session.connect(None).await?;
    session.output.print(&query::status(&context, &args.name, args.revision).await?)
}

impl Render for StatusReport {
    fn table(&self, _: &Place) -> String {
        render(self)
    }

    fn names(&self) -> Vec<String> {
        vec![format!("release/{}", self.release.name)]
    }
}

fn render(report: &StatusReport) -> String {
    let release = &report.release;
    let mut lines = vec![
        format!("NAME:       {}", release.name),
        format!("NAMESPACE:  {}", release.namespace),
        format!("REVISION:   {} ({}, {})", release.revision, release.status, moment(release.updated)),
        format!("PACKAGE:    {}, layout {}", release.package, release.layout),
    ];
    if !release.description.is_empty() {
        lines.push(format!("            {}", folded(&release.description)));
    }
    if let Some(generation) = &report.generation {
        lines.push(format!("GENERATION: {generation}"));
    }
    match (&report.flink, &report.unreachable) {
        (Some(flink), _) => lines.push(format!(
            "FLINK:      {}, {} TaskManager{}, {} of {} slots free",
            flink.version,
            flink.task_managers,
            if flink.task_managers == 1 { "" } else { "s" },
            flink.slots_available,
            flink.slots_total
        )),
        (None, Some(reason)) => {
            lines.push(format!("FLINK:      {}", folded(&format!("does not answer: {reason}"))));
        }
        (None, None) => {}
    }
    for reason in &report.not_ready {
        lines.push(format!("NOT READY:  {}", folded(reason)));
    }
    for job in &report.jobs {
        render_job(job, &mut lines);
    }
    for failed in &report.failed_attempts {
        let what = format!("revision {}: {}", failed.revision, failed.description);
        lines.push(format!("FAILED:     {}", folded(&what)));
    }
    if let Some(operation) = &report.operation {
        lines.push(format!("OPERATION:  {}", folded(operation)));
    }
    lines.join("\n") + "\n"
}

/// Behind a head of 12 columns, within 80.
fn folded(text: &str) -> String {
    wrap(text, 68, "            ")
}

fn render_job(job: &JobStatus, lines: &mut Vec<String>) {
    let row = &job.row;
    let tasks = if row.total_tasks > 0 {
        format!(", {} of {} tasks run", row.running_tasks, row.total_tasks)
    } else {
        String::new()
    };
    lines.push(format!("JOB:        {} {}{tasks}", row.name, row.state));
    if let Some(id) = &row.id {
        lines.push(format!("  id          {id}"));
    }
    if let Some(checkpoint) = &job.last_checkpoint {
        let when = checkpoint.completed.map(moment).unwrap_or_default();
        lines.push(format!(
            "  checkpoint  {} at {when} ({} ms, {} bytes)",
            checkpoint.id,
            checkpoint.duration.as_millis(),
            checkpoint.size
        ));
    }
    if let Some(path) = &row.restored_from {
        lines.push(format!("  restored    {path}"));
    }
    if let Some(path) = &job.stopped_with {
        lines.push(format!("  savepoint   {path}"));
    }
    if let Some(exception) = &job.root_exception {
        lines.push(format!("  exception   {}", wrap(exception, 66, "              ")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::render::testing::{every_format, release_row};

    #[test]
    fn every_format_has_it() {
        let report = StatusReport {
            release: release_row(),
            generation: None,
            failed_attempts: Vec::new(),
            not_ready: Vec::new(),
            flink: None,
            unreachable: None,
            jobs: Vec::new(),
            operation: None,
        };
        assert_eq!(every_format(&report), ["release/demo"]);
    }
}
