//! `kubectl flink history NAME`.

use clap::Args;
use serde::Serialize;

use crate::cli::error::CommandError;
use crate::cli::flags::name;
use crate::cli::next::Place;
use crate::cli::render::Render;
use crate::cli::render::text::{moment, shorten, table, wrap};
use crate::cli::session::Session;
use crate::verbs::query::{self, ReleaseRow};

/// Flags of `history`.
#[derive(Args, Clone)]
pub struct HistoryArgs {
    /// Name of the release
    #[arg(value_parser = name::release)]
    pub name: String,
    /// At most so many of the newest revisions (0: all)
    #[arg(long, default_value_t = 256)]
    pub max: usize,
}

/// Runs `history`.
pub async fn run(args: &HistoryArgs, session: &Session<'_>) -> Result<(), CommandError> {
    let context = session.connect(None).await?;
    session.output.print(&Revisions(query::history(&context, &args.name, args.max).await?))
}

/// A release's revisions, the oldest first.
#[derive(Serialize)]
#[serde(transparent)]
struct Revisions(Vec<ReleaseRow>);

impl Render for Revisions {
    fn table(&self, _: &Place) -> String {
        let Self(rows) = self;
        let room = self.room_for_descriptions();
        let cells: Vec<Vec<String>> = rows
            .iter()
            .map(|row| {
                let mut cells = first_cells(row);
                cells.push(shorten(&row.description, room));
                cells
            })
            .collect();
        let mut text = table(&["REVISION", "CREATED", "STATUS", "PACKAGE", "DESCRIPTION"], &cells);
        for row in rows.iter().filter(|row| shorten(&row.description, room) != row.description) {
            text.push_str(&format!("revision {}: {}\n", row.revision, wrap(&row.description, 66, "  ")));
        }
        for row in rows {
            for path in row.savepoints.iter().flatten() {
                text.push_str(&format!("revision {} left the savepoint\n  {path}\n", row.revision));
            }
        }
        text
    }

    fn wide(&self, _: &Place) -> String {
        let heads =
            ["REVISION", "CREATED", "STATUS", "PACKAGE", "LAYOUT", "FLINK", "SAVEPOINTS", "DESCRIPTION"];
        let cells: Vec<Vec<String>> = self
            .0
            .iter()
            .map(|row| {
                let savepoints = row.savepoints.as_ref().filter(|paths| !paths.is_empty());
                let savepoints = savepoints.map_or_else(|| "-".to_owned(), |paths| paths.join(","));
                let mut cells = first_cells(row);
                cells.extend([row.layout.clone(), row.flink_version.clone(), savepoints]);
                cells.push(row.description.clone());
                cells
            })
            .collect();
        table(&heads, &cells)
    }

    fn names(&self) -> Vec<String> {
        self.0.iter().map(|row| row.revision.to_string()).collect()
    }
}

impl Revisions {
    /// Returns how many of 80 columns a revision, a moment, the gaps and the widest of the other
    /// cells leave.
    fn room_for_descriptions(&self) -> usize {
        let widest =
            |of: fn(&ReleaseRow) -> String| self.0.iter().map(|row| of(row).len()).max().unwrap_or(0);
        let taken = widest(|row| row.status.to_string()).max("STATUS".len())
            + widest(|row| row.package.clone()).max("PACKAGE".len());
        80_usize.saturating_sub(8 + 2 + 19 + 2 + 2 + 2 + taken).max(16)
    }
}

fn first_cells(row: &ReleaseRow) -> Vec<String> {
    vec![row.revision.to_string(), moment(row.created), row.status.to_string(), row.package.clone()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::render::testing::{every_format, release_row};

    #[test]
    fn every_format_has_it() {
        assert_eq!(every_format(&Revisions(vec![release_row()])), ["3"]);
    }
}
