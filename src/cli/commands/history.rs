//! `kubectl flink history NAME`.

use clap::Args;

use super::connect;
use crate::cli::args::GlobalArgs;
use crate::cli::output::{moment, table};
use crate::cli::render::Render;
use crate::cli::wrap::wrap;
use crate::cli::{CommandError, Output};
use crate::verbs::query::{self, ReleaseRow};

/// Flags of `history`.
#[derive(Args, Clone)]
pub struct HistoryArgs {
    /// Name of the release
    pub name: String,
    /// At most so many of the newest revisions (0: all)
    #[arg(long, default_value_t = 256)]
    pub max: usize,
}

/// Runs `history`.
pub async fn run(args: &HistoryArgs, global: &GlobalArgs, output: &Output) -> Result<u8, CommandError> {
    let context = connect(global, None).await?;
    let rows = query::history(&context, &args.name, args.max).await?;
    output.print(&Revisions(rows))?;
    Ok(0)
}

/// The revisions of a release.
struct Revisions(Vec<ReleaseRow>);

impl Render for Revisions {
    type Data = Vec<ReleaseRow>;

    fn data(&self) -> &Vec<ReleaseRow> {
        &self.0
    }

    fn names(&self) -> Vec<String> {
        self.0.iter().map(|row| row.revision.to_string()).collect()
    }

    fn table(&self) -> String {
        columns(&self.0, false)
    }

    fn wide(&self) -> String {
        columns(&self.0, true)
    }
}

fn columns(rows: &[ReleaseRow], wide: bool) -> String {
    let mut text = String::new();
    let heads: &[&str] = if wide {
        &["REVISION", "CREATED", "STATUS", "PACKAGE", "LAYOUT", "FLINK", "SAVEPOINTS", "DESCRIPTION"]
    } else {
        &["REVISION", "CREATED", "STATUS", "PACKAGE", "DESCRIPTION"]
    };
    // Of 80 columns: what a revision, a moment, the gaps and the widest of the other cells leave.
    let widest = |of: fn(&ReleaseRow) -> String| rows.iter().map(|row| of(row).len()).max().unwrap_or(0);
    let taken = widest(|row| row.status.to_string()).max("STATUS".len())
        + widest(|row| row.package.clone()).max("PACKAGE".len());
    let room = 80_usize.saturating_sub(8 + 2 + 19 + 2 + 2 + 2 + taken).max(16);
    let cells: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            let mut cells = vec![
                row.revision.to_string(),
                moment(row.created),
                row.status.to_string(),
                row.package.clone(),
            ];
            if wide {
                let savepoints = row.savepoints.as_ref().filter(|paths| !paths.is_empty());
                let savepoints = savepoints.map_or_else(|| "-".to_owned(), |paths| paths.join(","));
                cells.extend([row.layout.clone(), row.flink_version.clone(), savepoints]);
                cells.push(row.description.clone());
            } else {
                cells.push(shorten(&row.description, room));
            }
            cells
        })
        .collect();
    text.push_str(&table(heads, &cells));
    if !wide {
        for row in rows.iter().filter(|row| shorten(&row.description, room) != row.description) {
            text.push_str(&format!("revision {}: {}\n", row.revision, wrap(&row.description, 66, "  ")));
        }
        for row in rows {
            for path in row.savepoints.iter().flatten() {
                text.push_str(&format!("revision {} left the savepoint\n  {path}\n", row.revision));
            }
        }
    }
    text
}

/// At most so many characters, the end marked where something is cut.
pub(super) fn shorten(text: &str, width: usize) -> String {
    let line = text.lines().next().unwrap_or_default();
    if line.chars().count() <= width {
        return line.to_owned();
    }
    let kept: String = line.chars().take(width.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}
