//! `kubectl flink version`.

use clap::Args;
use serde::Serialize;

use crate::cli::error::CommandError;
use crate::cli::next::Place;
use crate::cli::render::Render;
use crate::cli::session::Session;
use crate::source;

/// Flags of `version`.
#[derive(Args, Clone)]
pub struct VersionArgs {
    /// The version number alone
    #[arg(long)]
    pub short: bool,
}

/// Runs `version`.
pub fn run(args: &VersionArgs, session: &Session<'_>) -> Result<(), CommandError> {
    let packages = source::embedded()?
        .iter()
        .map(|package| format!("{}-{}", package.metadata.name, package.metadata.version))
        .collect();
    session.output.print(&Program { version: env!("CARGO_PKG_VERSION"), packages, short: args.short })
}

/// The program's version, and what is in it.
#[derive(Serialize)]
struct Program {
    version: &'static str,
    packages: Vec<String>,
    #[serde(skip)]
    short: bool,
}

impl Render for Program {
    fn table(&self, _: &Place) -> String {
        let Self { version, packages, short } = self;
        if *short {
            return format!("v{version}\n");
        }
        format!("kubectl-flink v{version}\nembedded packages: {}\n", packages.join(", "))
    }

    /// Returns the packages in the binary: of them this is a list.
    fn names(&self) -> Vec<String> {
        self.packages.iter().map(|package| format!("package/{package}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::render::testing::every_format;

    #[test]
    fn every_format_has_it() {
        for short in [false, true] {
            let program = Program { version: "1.0.0", packages: vec!["flink-1.0.0".to_owned()], short };
            assert_eq!(every_format(&program), ["package/flink-1.0.0"]);
        }
    }
}
