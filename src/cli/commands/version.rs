//! `kubectl flink version`.

use clap::Args;

use serde_json::{Value, json};

use crate::cli::render::Render;
use crate::cli::{CommandError, Output};
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
    output
        .print(&Version { short: args.short, data: json!({ "version": version, "packages": packages }) })?;
    Ok(0)
}

struct Version {
    short: bool,
    data: Value,
}

impl Render for Version {
    type Data = Value;

    fn data(&self) -> &Value {
        &self.data
    }

    /// The packages that are in the binary: of them this is a list.
    fn names(&self) -> Vec<String> {
        let packages = self.data["packages"].as_array().into_iter().flatten();
        packages.filter_map(|package| Some(format!("package/{}", package.as_str()?))).collect()
    }

    fn table(&self) -> String {
        let version = self.data["version"].as_str().unwrap_or_default();
        if self.short {
            return format!("v{version}\n");
        }
        let packages = self.data["packages"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let packages: Vec<_> = packages.collect();
        format!("kubectl-flink v{version}\nembedded packages: {}\n", packages.join(", "))
    }
}
