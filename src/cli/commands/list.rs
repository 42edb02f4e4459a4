//! `kubectl flink list`.

use clap::Args;

use super::connect;
use crate::cli::args::GlobalArgs;
use crate::cli::output::{moment, table};

use crate::cli::{CommandError, Format, Output};
use crate::verbs::query;

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
    if output.structured(&rows)? {
        return Ok(0);
    }
    if output.format == Format::Name {
        output.data(&rows.iter().map(|row| format!("release/{}\n", row.name)).collect::<String>());
        return Ok(0);
    }
    if rows.is_empty() {
        let place = if args.all_namespaces {
            "any namespace".to_owned()
        } else {
            format!("namespace {}", context.namespace)
        };
        output.talk(&format!("No releases found in {place}."));
        return Ok(0);
    }
    let wide = output.format == Format::Wide;
    let mut heads = vec!["NAME", "NAMESPACE", "REVISION", "STATUS", "PACKAGE", "LAYOUT"];
    if wide {
        heads.extend(["FLINK", "UPDATED", "DESCRIPTION"]);
    }
    let cells: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
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
        })
        .collect();
    output.data(&table(&heads, &cells));
    Ok(0)
}
