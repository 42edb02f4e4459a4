//! `kubectl flink recover NAME`.

use clap::Args;
use serde::Serialize;

use crate::cli::error::CommandError;
use crate::cli::flags::apply::ApplyArgs;
use crate::cli::flags::name;
use crate::cli::flags::state::from_savepoint;
use crate::cli::flags::wait::{StabilityArgs, TimeoutArgs};
use crate::cli::next::Place;
use crate::cli::render::Render;
use crate::cli::render::text::COLUMNS;
use crate::cli::session::{Session, cancel_on_interrupt};
use crate::failure::NextStep;
use crate::plan::{ChangeOptions, StateChoice};
use crate::verbs::recover::{self, Recovered};

const NOTHING: &str = "Nothing to recover: no operation was interrupted.";

/// Flags of `recover`.
#[derive(Args, Clone)]
pub struct RecoverArgs {
    /// Name of the release
    #[arg(value_parser = name::release)]
    pub name: String,
    /// Where the savepoint is whose path the run did not read (JOB=PATH where there are several
    /// jobs)
    #[arg(long, value_name = "[JOB=]PATH", help_heading = "State")]
    pub savepoint: Vec<String>,
    /// Neither complete nor undo it: write what is known into the records, and release the lock
    #[arg(long, conflicts_with = "savepoint")]
    pub abandon: bool,
    /// Show what an interrupted operation left and what comes next, and stop
    #[arg(long, conflicts_with_all = ["savepoint", "abandon"])]
    pub dry_run: bool,
    /// How long is waited.
    #[command(flatten)]
    pub limit: TimeoutArgs,
    /// When a moved job is healthy.
    #[command(flatten)]
    pub stability: StabilityArgs,
    /// How objects are applied.
    #[command(flatten)]
    pub apply: ApplyArgs,
}

/// Runs `recover`.
pub async fn run(args: &RecoverArgs, session: &Session<'_>) -> Result<(), CommandError> {
    crate::release::check_name(&args.name)?;
    let savepoints = match from_savepoint(&args.savepoint)? {
        Some(StateChoice::Paths(paths)) => paths,
        Some(_) => {
            return Err(CommandError::usage("--savepoint wants the path of the savepoint that was found"));
        }
        None => Vec::new(),
    };
    let release = &args.name;
    let context = session.connect(Some(args.limit.timeout)).await?;
    if args.dry_run {
        let left = recover::left(&context, release).await?;
        return session.output.print(&Left { release, left });
    }
    let mut change = ChangeOptions::new(release);
    args.stability.set(&mut change);
    args.apply.set(&mut change);
    let options = recover::Options { change, savepoints, abandon: args.abandon };
    let recovered = recover::recover(&context, &options, session.output, &cancel_on_interrupt()).await?;
    session.output.print(&Outcome { release, recovered })
}

/// The rest of an interrupted operation and what comes next, in words.
#[derive(Serialize)]
struct Left<'a> {
    #[serde(skip)]
    release: &'a str,
    left: Option<String>,
}

impl Render for Left<'_> {
    fn table(&self, _: &Place) -> String {
        format!("{}\n", self.left.as_deref().unwrap_or(NOTHING))
    }

    fn names(&self) -> Vec<String> {
        self.left.iter().map(|_| format!("release/{}", self.release)).collect()
    }
}

/// The outcome.
#[derive(Serialize)]
#[serde(transparent)]
struct Outcome<'a> {
    #[serde(skip)]
    release: &'a str,
    recovered: Recovered,
}

impl Render for Outcome<'_> {
    fn table(&self, place: &Place) -> String {
        match &self.recovered {
            Recovered::Completed(report) => report.table(place),
            _ => String::new(),
        }
    }

    fn names(&self) -> Vec<String> {
        match &self.recovered {
            Recovered::Nothing => Vec::new(),
            Recovered::Savepoint { path } => vec![path.clone()],
            Recovered::Disposed { paths } => paths.clone(),
            Recovered::Completed(_) | Recovered::Purged | Recovered::Undone { .. } => {
                vec![format!("release/{}", self.release)]
            }
        }
    }

    fn remark(&self, place: &Place) -> Option<String> {
        match &self.recovered {
            Recovered::Nothing => Some(NOTHING.to_owned()),
            Recovered::Completed(_) => None,
            Recovered::Purged => Some("Deleted: the rest of its records. The release is gone.".to_owned()),
            Recovered::Savepoint { path } => Some(format!("Recorded: the savepoint {path}.")),
            Recovered::Disposed { paths } => {
                let lines = paths.iter().map(|path| format!("Deleted: the savepoint {path}."));
                Some(lines.collect::<Vec<_>>().join("\n"))
            }
            Recovered::Undone { reason } => {
                let history = NextStep::flink(["history", self.release]);
                let history = place.render(&history, COLUMNS - 2);
                Some(format!("Undone ({reason}): the release is as it was before.\n  {history}"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::render::testing::{changed, every_format};

    #[test]
    fn every_format_has_it() {
        let text = || "file:///s/1".to_owned();
        for (recovered, names) in [
            (Recovered::Nothing, &[][..]),
            (Recovered::Completed(Box::new(changed())), &["release/demo"]),
            (Recovered::Savepoint { path: text() }, &["file:///s/1"]),
            (Recovered::Disposed { paths: vec![text()] }, &["file:///s/1"]),
            (Recovered::Purged, &["release/demo"]),
            (Recovered::Undone { reason: text() }, &["release/demo"]),
        ] {
            assert_eq!(every_format(&Outcome { release: "demo", recovered }), names);
        }
    }

    #[test]
    fn every_format_has_what_is_left() {
        assert!(every_format(&Left { release: "demo", left: None }).is_empty());
        assert_eq!(every_format(&Left { release: "demo", left: Some("x".to_owned()) }), ["release/demo"]);
    }
}
