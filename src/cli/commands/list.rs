//! `kubectl flink list`.

use clap::Args;
use serde::Serialize;

use crate::cli::error::CommandError;
use crate::cli::next::Place;
use crate::cli::render::Render;
use crate::cli::render::text::{moment, table};
use crate::cli::session::Session;
use crate::verbs::query::{self, ReleaseRow};

/// Flags of `list`.
#[derive(Args, Clone)]
pub struct ListArgs {
    /// Releases of all namespaces
    #[arg(short = 'A', long)]
    pub all_namespaces: bool,
    /// Label selector on the records: layout=session, status=failed
    #[arg(short = 'l', long)]
    pub selector: Option<String>,
    /// Uninstalled releases that keep a record, too
    #[arg(short = 'a', long)]
    pub all: bool,
}

/// Runs `list`.
pub async fn run(args: &ListArgs, session: &Session<'_>) -> Result<(), CommandError> {
    let context = session.connect(None).await?;
    let rows = query::list(&context, args.all_namespaces, args.selector.as_deref(), args.all).await?;
    let searched = if args.all_namespaces {
        "any namespace".to_owned()
    } else {
        format!("namespace {}", context.namespace)
    };
    session.output.print(&Releases { rows, searched })
}

/// Releases, a row each.
#[derive(Serialize)]
#[serde(transparent)]
struct Releases {
    rows: Vec<ReleaseRow>,
    #[serde(skip)]
    searched: String,
}

impl Render for Releases {
    fn table(&self, _: &Place) -> String {
        let cells: Vec<_> = self.rows.iter().map(first_cells).collect();
        if cells.is_empty() { String::new() } else { table(&HEADS, &cells) }
    }

    fn wide(&self, _: &Place) -> String {
        let heads = [&HEADS[..], &["FLINK", "UPDATED", "DESCRIPTION"]].concat();
        let more =
            |row: &ReleaseRow| [row.flink_version.clone(), moment(row.updated), row.description.clone()];
        let cells: Vec<_> =
            self.rows.iter().map(|row| [first_cells(row), more(row).into()].concat()).collect();
        if cells.is_empty() { String::new() } else { table(&heads, &cells) }
    }

    fn names(&self) -> Vec<String> {
        self.rows.iter().map(|row| format!("release/{}", row.name)).collect()
    }

    fn remark(&self, _: &Place) -> Option<String> {
        self.rows.is_empty().then(|| format!("No releases found in {}.", self.searched))
    }
}

const HEADS: [&str; 6] = ["NAME", "NAMESPACE", "REVISION", "STATUS", "PACKAGE", "LAYOUT"];

fn first_cells(row: &ReleaseRow) -> Vec<String> {
    vec![
        row.name.clone(),
        row.namespace.clone(),
        row.revision.to_string(),
        row.status.to_string(),
        row.package.clone(),
        row.layout.clone(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::render::testing::{every_format, release_row};

    #[test]
    fn every_format_has_it() {
        let searched = || "namespace team".to_owned();
        assert_eq!(
            every_format(&Releases { rows: vec![release_row()], searched: searched() }),
            ["release/demo"]
        );
        assert!(every_format(&Releases { rows: Vec::new(), searched: searched() }).is_empty());
    }
}
