//! `kubectl flink version`.

use clap::Args;

use crate::cli::{CommandError, Format, Output};
use crate::source;

/// Flags of `version`.
#[derive(Args, Clone)]
pub struct VersionArgs {
    /// The version number alone
    #[arg(long)]
    pub short: bool,
}

/// Runs `version`.
pub fn run(args: &VersionArgs, output: &Output) -> Result<u8, CommandError> {
    let version = env!("CARGO_PKG_VERSION");
    let packages: Vec<_> = source::embedded()?
        .iter()
        .map(|package| format!("{}-{}", package.metadata.name, package.metadata.version))
        .collect();
    let value = serde_json::json!({ "version": version, "packages": packages });
    if matches!(output.format, Format::Json | Format::Yaml) {
        output.structured(&value)?;
    } else if args.short {
        output.data(&format!("v{version}\n"));
    } else {
        output.data(&format!("kubectl-flink v{version}\nembedded packages: {}\n", packages.join(", ")));
    }
    Ok(0)
}
