//! An operation as it is carried out: the journal to follow, and the records and objects that it
//! leads from and to.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::live::Orphan;
use crate::operation::Journal;
use crate::release::Record;
use crate::render::Object;

/// All that the site needs to know of a change that was decided.
#[derive(Clone)]
pub struct Operation {
    /// What was decided, and what has happened so far.
    pub journal: Journal,
    /// The record of the new revision; for an uninstall of the one that ends.
    pub record: Record,
    /// The record of the revision that runs.
    pub base: Option<Record>,
    /// The new revision's objects, in the order in which they are applied.
    pub objects: Vec<Object>,
    /// The running revision's objects.
    pub old_objects: Vec<Object>,
    pub(crate) orphans: Vec<Orphan>,
    /// How it is carried out.
    pub settings: Settings,
}

impl Operation {
    /// Returns the release's name.
    pub fn name(&self) -> &str {
        &self.record.name
    }
}

/// How an operation is carried out: what the caller said, and no journal keeps.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The record's description of the change.
    pub description: Option<String>,
    /// How long a moved job must run without a restart before it counts as healthy.
    pub stability_period: Duration,
    /// Take fields from other managers.
    pub force_conflicts: bool,
    /// Take objects from other owners.
    pub take_ownership: bool,
    /// How many revisions are kept; 0: all.
    pub history_max: u32,
    /// Files for jobs whose jar the cluster does not keep: job name → content.
    pub jars: BTreeMap<String, Vec<u8>>,
}
