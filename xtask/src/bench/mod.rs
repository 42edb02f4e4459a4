//! `cargo xtask bench`: the plugin beside its real peers, in one run: Helm, and a person who moves
//! a job by hand.
//!
//! A release build, everything in turn: what disturbs the machine disturbs all. Fails where a
//! target is missed.

mod moves;
mod template;

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::command::shown;
use crate::plugin;
use crate::progress::step;

#[derive(clap::Args)]
pub struct Options {
    /// Only this one
    #[arg(value_enum)]
    what: Option<What>,
    /// How many times each program renders
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u32).range(30..))]
    runs: u32,
    /// How many times a job is moved in each way
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    moves: u32,
    /// A context of your kubeconfig to move jobs on, instead of a cluster on this machine
    #[arg(long)]
    context: Option<String>,
}

#[derive(Clone, Copy, PartialEq, clap::ValueEnum)]
enum What {
    /// `template`, beside Helm
    Template,
    /// The downtime of an upgrade, beside a person's by hand
    Moves,
}

pub fn run(project: &Path, options: &Options) -> Result<()> {
    let plugin = release(project)?;
    let wanted = |what| options.what.is_none_or(|only| only == what);
    if wanted(What::Template) {
        template::run(project, &plugin, options.runs)?;
    }
    if wanted(What::Moves) {
        moves::run(project, &plugin, options.moves, options.context.as_deref())?;
    }
    Ok(())
}

/// Builds the release binary.
fn release(project: &Path) -> Result<PathBuf> {
    step("building the release", || {
        let mut cargo = plugin::cargo(project);
        shown(cargo.args(["build", "--release", "--package", "kubectl-flink"]).stdout(std::io::stderr()))
    })?;
    Ok(plugin::target(project).join("release/kubectl-flink"))
}

/// The middle one, or between the two in the middle.
fn median<T>(mut values: Vec<T>) -> T
where
    T: Ord + Copy + std::ops::Add<Output = T> + std::ops::Div<u32, Output = T>,
{
    values.sort_unstable();
    let middle = values.len() / 2;
    if values.len().is_multiple_of(2) { (values[middle - 1] + values[middle]) / 2 } else { values[middle] }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_median_is_the_middle_one_or_between_the_two() {
        let of = |times: &[u32]| super::median(times.to_vec());
        assert_eq!(of(&[9, 1, 5]), 5);
        assert_eq!(of(&[9, 1, 5, 7]), 6);
    }
}
