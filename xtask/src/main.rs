//! `cargo xtask`: what a developer of kubectl-flink does besides building it.
//!
//! `cluster` runs a real Kubernetes on this machine; `test` and `demo` run against it, or against
//! another one that is named.

mod bench;
mod cache;
mod cluster;
mod command;
mod demo;
mod dist;
mod docs;
mod files;
mod images;
mod install;
mod plugin;
mod process;
mod progress;
mod stage;
mod style;
mod target;
mod test;

/// The reader of imports that the tests use, too.
#[path = "../../tests/support/imports/mod.rs"]
#[allow(warnings, clippy::all, clippy::pedantic, reason = "held to the lints of its own package")]
mod imports;
/// The checker that the tests use, too.
#[path = "../../tests/support/tally.rs"]
#[allow(warnings, clippy::all, clippy::pedantic, reason = "held to the lints of its own package")]
mod tally;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand};

use crate::cluster::Cluster;

#[derive(Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    about = "What a developer of kubectl-flink does besides building it"
)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// A real Kubernetes on this machine, without Docker and without a way out
    #[command(subcommand)]
    Cluster(ClusterVerb),
    /// Run all tests, those that need a cluster too
    Test(test::Options),
    /// Show the product at work on a real cluster
    Demo(demo::Options),
    /// Make the release archive, and the Krew manifest that names it
    Dist,
    /// Measure the plugin beside the real Helm, and an upgrade beside what a person does by hand
    Bench(bench::Options),
    /// Make a book of docs/ with mdBook, in target/book
    Docs,
    /// Print the shape of the code in figures: lengths, circles of files, doc comments, commit
    /// subjects
    Style(style::Options),
    /// Write all images of the tests as one OCI archive, to load into another cluster
    Images { file: PathBuf },
    /// Carries connections from outside to the API server; started by `cluster up`
    #[command(hide = true)]
    Relay { namespace: PathBuf, port_file: PathBuf },
}

#[derive(Subcommand)]
enum ClusterVerb {
    /// Bring it up, building what is not in the cache; does nothing where it is up and well
    Up,
    /// End it; no process, mount or network namespace stays
    Down,
    /// What of it runs
    Status,
    /// Run a command in its network, with kubectl and the plugin on PATH
    Exec {
        /// Leave the plugin as it was last built
        #[arg(long)]
        no_build: bool,
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
        command: Vec<String>,
    },
    /// Print the path of a kubeconfig that works outside its network
    Kubeconfig,
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<()> {
    let project = project()?;
    match arguments.verb {
        Verb::Cluster(verb) => {
            let cluster = Cluster::of_environment(&project)?;
            match verb {
                ClusterVerb::Up => cluster.up(),
                ClusterVerb::Down => cluster.down(),
                ClusterVerb::Status => cluster.status(),
                ClusterVerb::Exec { no_build, command } => cluster.exec(&command, !no_build),
                ClusterVerb::Kubeconfig => {
                    cluster.require_running()?;
                    println!("{}", cluster.outside_kubeconfig().display());
                    Ok(())
                }
            }
        }
        Verb::Test(options) => test::run(&project, &options),
        Verb::Demo(options) => demo::run(&project, &options),
        Verb::Dist => dist::run(&project),
        Verb::Bench(options) => bench::run(&project, &options),
        Verb::Docs => docs::run(&project),
        Verb::Style(options) => style::run(&project, &options),
        Verb::Images { file } => {
            let images = images::all(&cache::Cache::open()?, &project)?;
            let out = std::io::BufWriter::new(fs_err::File::create(file)?);
            images::write_archive(&images, &BTreeSet::new(), out)
        }
        Verb::Relay { namespace, port_file } => cluster::relay::serve(&namespace, &port_file),
    }
}

/// The project's folder, wherever in it the command was typed.
fn project() -> Result<PathBuf> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    Ok(manifest.parent().context("xtask is a folder of the project")?.to_owned())
}
