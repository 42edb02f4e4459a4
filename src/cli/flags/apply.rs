//! How objects are applied.

use clap::Args;

use crate::plan::ChangeOptions;

/// Rules for the fields and objects of others.
#[derive(Args, Clone, Debug)]
pub struct ApplyArgs {
    /// Take fields from other managers
    #[arg(long)]
    pub force_conflicts: bool,
    /// Take over objects that belong to another owner
    #[arg(long)]
    pub take_ownership: bool,
}

impl ApplyArgs {
    /// Sets what they say.
    pub fn set(&self, options: &mut ChangeOptions) {
        options.force_conflicts = self.force_conflicts;
        options.take_ownership = self.take_ownership;
    }
}

/// How much a dry run asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum DryRun {
    /// No cluster.
    Client,
    /// The API server checks the objects.
    Server,
}
