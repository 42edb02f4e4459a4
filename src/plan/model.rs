//! A plan as data: what was asked for, what shall be, and what a change would do.
//!
//! What has `Serialize` is printed by `-o json`: a field that is there stays.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use super::Downtime;
use super::capacity::Demand;
use crate::layout::Descriptor;
use crate::operation::{Kind, SavepointFormat, Strategy};
use crate::package::Package;
use crate::release::{JobRecord, Record};
use crate::render::{Capabilities, generation_name};
use crate::site::{Operation, Settings};

/// Where the state of jobs that must be stopped comes from. There is no default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StateChoice {
    /// A new savepoint, with which each job is stopped.
    Savepoint,
    /// The recorded savepoint: of the revision that is returned to, or the newest.
    Recorded,
    /// Paths: for a job by name, or for the only job.
    Paths(Vec<(Option<String>, String)>),
    /// The newest checkpoint that is retained when the job is cancelled: for a job that can take no
    /// savepoint.
    LatestCheckpoint,
    /// None: jobs start with empty state.
    Stateless,
}

/// Which strategy was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StrategyChoice {
    /// Two generations side by side.
    #[default]
    Warm,
    Recreate,
    /// Warm where there is room for two generations, else the strategy recreate.
    Auto,
}

/// Options that every change has.
#[derive(Clone, Debug)]
pub struct ChangeOptions {
    pub name: String,
    /// Where state comes from, if the user has said so.
    pub choice: Option<StateChoice>,
    /// State that no operator takes may be dropped.
    pub allow_non_restored_state: bool,
    /// How new savepoints are written.
    pub savepoint_format: SavepointFormat,
    /// A job that stops for good ends its windows first.
    pub drain: bool,
    /// Undo a failure before the first completed checkpoint.
    pub rollback_on_failure: bool,
    /// Of several jobs only those that fail go back.
    pub keep_going: bool,
    /// How new Pods take the place of old ones; where absent, `upgrade.strategy` of the values
    /// says.
    pub strategy: Option<StrategyChoice>,
    /// Wait for Pods and jobs.
    pub wait: bool,
    /// How long a moved job must run without a restart before it counts as healthy.
    pub stability_period: Duration,
    /// Description of the change in the record.
    pub description: Option<String>,
    /// Have the API server check the objects.
    pub server_dry_run: bool,
    /// Take fields from other managers.
    pub force_conflicts: bool,
    /// Take objects from other owners.
    pub take_ownership: bool,
    /// Make the namespace if it is missing.
    pub create_namespace: bool,
    /// How many revisions are kept; 0: all. Set where the user can say it.
    pub history_max: u32,
    /// Layout `job` without durable state.
    pub accept_volatile: bool,
    /// Files for jobs whose jar the cluster does not keep: job name → content.
    pub jars: BTreeMap<String, Vec<u8>>,
}

impl ChangeOptions {
    /// The defaults for a release.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            choice: None,
            allow_non_restored_state: false,
            savepoint_format: SavepointFormat::Canonical,
            drain: false,
            rollback_on_failure: true,
            keep_going: false,
            strategy: None,
            wait: true,
            stability_period: Duration::from_secs(30),
            description: None,
            server_dry_run: true,
            force_conflicts: false,
            take_ownership: false,
            create_namespace: false,
            history_max: 0,
            accept_volatile: false,
            jars: BTreeMap::new(),
        }
    }

    /// Returns what of them matters when the change is carried out.
    pub(crate) fn settings(&self) -> Settings {
        Settings {
            description: self.description.clone(),
            stability_period: self.stability_period,
            force_conflicts: self.force_conflicts,
            take_ownership: self.take_ownership,
            history_max: self.history_max,
            jars: self.jars.clone(),
        }
    }
}

/// The release as it shall be.
pub(crate) struct Desired {
    pub package: Package,
    pub layout: String,
    pub user_values: Value,
    pub values: Value,
    pub capabilities: Capabilities,
    /// Jobs beside the declared ones: those that were submitted.
    pub submitted: Vec<JobRecord>,
    /// The revision that is returned to.
    pub returns_to: Option<Record>,
    /// The one job that is meant, if not all are; the others stay as they are.
    pub only: Option<Only>,
}

/// A change of one job of a release.
pub(crate) enum Only {
    /// Start it (`job submit`).
    Start(String),
    /// Stop it for good (`job stop`, `job cancel`).
    Stop(String),
}

impl Desired {
    /// Returns whether a job is stopped and not started.
    pub(super) fn stops(&self, job: &str) -> bool {
        matches!(&self.only, Some(Only::Stop(name)) if name == job)
    }

    /// Returns whether a job is none of those that are meant.
    pub(super) fn leaves(&self, job: &str) -> bool {
        matches!(&self.only, Some(Only::Start(name) | Only::Stop(name)) if name != job)
    }
}

/// A change, decided but not begun.
#[derive(Clone)]
pub struct Plan {
    /// The plan as a user reads it and a program parses it.
    pub summary: Summary,
    /// The operation that is carried out.
    pub operation: Operation,
    /// The options it was made with.
    pub options: ChangeOptions,
    /// The revision that a rollback returns to.
    pub returns_to: Option<u32>,
    /// The strategy recreate may be proposed where there is no room for two generations.
    pub may_recreate: bool,
}

impl Plan {
    /// Returns the plan of an operation that touches `jobs`; nothing else changes, until that is
    /// set.
    pub(crate) fn new(
        operation: Operation,
        options: &ChangeOptions,
        jobs: Vec<JobChange>,
        choice_needed: Vec<String>,
        running: Option<&Descriptor>,
        on_failure: String,
    ) -> Self {
        let Operation { journal, record, base, .. } = &operation;
        let summary = Summary {
            operation: journal.decided.kind,
            release: record.name.clone(),
            namespace: record.namespace.clone(),
            from_revision: base.as_ref().map(|base| base.revision),
            to_revision: record.revision,
            package: format!("{}-{}", record.package.name, record.package.version),
            layout: record.layout.clone(),
            unchanged: false,
            new_pods: false,
            strategy: None,
            strategy_reason: None,
            meanwhile: None,
            from_generation: running.map(|descriptor| descriptor.name.clone()),
            to_generation: generation_name(&record.name, journal.decided.new),
            objects: ObjectChanges::default(),
            jobs,
            choice_needed,
            on_failure,
            diff: None,
        };
        Self { summary, operation, options: options.clone(), returns_to: None, may_recreate: false }
    }
}

/// A plan as it is shown; stable, `-o json` prints it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    pub operation: Kind,
    pub release: String,
    pub namespace: String,
    /// The revision that runs.
    pub from_revision: Option<u32>,
    /// The revision that is made.
    pub to_revision: u32,
    /// `name-version` of the package.
    pub package: String,
    pub layout: String,
    pub unchanged: bool,
    pub new_pods: bool,
    /// How new Pods take the place of old ones; absent where none do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strategy: Option<Strategy>,
    /// Why it is not the strategy that is the default, or was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strategy_reason: Option<String>,
    /// What the second generation asks of the cluster while both are up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meanwhile: Option<Demand>,
    /// The generation that runs, by name.
    pub from_generation: Option<String>,
    /// The generation that will run, by name.
    pub to_generation: String,
    /// Objects that are made, changed and deleted.
    pub objects: ObjectChanges,
    /// The jobs that are touched.
    pub jobs: Vec<JobChange>,
    /// A choice about state is missing; the jobs that need it.
    pub choice_needed: Vec<String>,
    /// The consequence of a failure.
    pub on_failure: String,
    /// How each object changes, where it was asked for (`--diff`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub diff: Option<Vec<ObjectDiff>>,
}

/// Objects by what happens to them.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ObjectChanges {
    pub create: Vec<String>,
    pub change: Vec<String>,
    pub delete: Vec<String>,
}

/// The plan for one job.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JobChange {
    pub name: String,
    /// Its id now, if it runs.
    pub id: Option<String>,
    /// In words: `stop with a savepoint, then start from it`.
    pub action: String,
    /// From when the state is and what is repeated, where that is not "now" and "nothing".
    pub state: Option<String>,
    /// For how long it is expected to be down; absent where it does not run now, or is not started
    /// again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub downtime: Option<Downtime>,
}

/// An object that changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ObjectDiff {
    pub object: String,
    /// A unified diff, `-` for the line as it is and `+` for what it will be.
    pub diff: String,
}
