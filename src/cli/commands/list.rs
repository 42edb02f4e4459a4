//! `kubectl flink list`.

use clap::Args;

use super::connect;
use crate::cli::args::GlobalArgs;
use crate::cli::output::{moment, table};
use crate::cli::render::Render;

use crate::cli::{CommandError, Output};
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
pub async fn run(args: &ListArgs, global: &GlobalArgs, output: &Output) -> Result<u8, CommandError> {
    let context = connect(global, None).await?;
    let rows = query::list(&context, args.all_namespaces, args.selector.as_deref(), args.all).await?;
    let place = if args.all_namespaces {
        "any namespace".to_owned()
    } else {
        format!("namespace {}", context.namespace)
    };
    output.print(&Releases { rows, place })?;
    Ok(0)
}

/// Releases, and where they were looked for.
struct Releases {
    rows: Vec<ReleaseRow>,
    place: String,
}

impl Releases {
    fn columns(&self, wide: bool) -> String {
        let mut heads = vec!["NAME", "NAMESPACE", "REVISION", "STATUS", "PACKAGE", "LAYOUT"];
        if wide {
            heads.extend(["FLINK", "UPDATED", "DESCRIPTION"]);
        }
        let cells = |row: &ReleaseRow| {
            let mut cells = vec![
                row.name.clone(),
                row.namespace.clone(),
                row.revision.to_string(),
                row.status.to_string(),
                row.package.clone(),
                row.layout.clone(),
            ];
            if wide {
                cells.extend([row.flink_version.clone(), moment(row.updated), row.description.clone()]);
            }
            cells
        };
        table(&heads, &self.rows.iter().map(cells).collect::<Vec<_>>())
    }
}

impl Render for Releases {
    type Data = Vec<ReleaseRow>;

    fn data(&self) -> &Vec<ReleaseRow> {
        &self.rows
    }

    fn names(&self) -> Vec<String> {
        self.rows.iter().map(|row| format!("release/{}", row.name)).collect()
    }

    fn table(&self) -> String {
        self.columns(false)
    }

    fn wide(&self) -> String {
        self.columns(true)
    }

    fn nothing(&self) -> Option<String> {
        self.rows.is_empty().then(|| format!("No releases found in {}.", self.place))
    }
}
