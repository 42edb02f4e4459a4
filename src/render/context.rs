//! What a template sees.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::package::Package;

/// Capabilities of the Kubernetes cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Capabilities {
    /// Kubernetes' version, as `v1.36.3`.
    pub kube_version: String,
    /// Groups with versions, and kinds below them: `apps/v1`, `apps/v1/Deployment`.
    pub api_versions: Vec<String>,
}

/// All that a rendering depends on, besides the package.
#[derive(Debug, Clone)]
pub struct Inputs<'a> {
    pub values: &'a Value,
    pub release: ReleaseContext,
    pub layout: &'a str,
    /// Capabilities of the cluster.
    pub capabilities: &'a Capabilities,
    /// Set only where state is to be restored.
    pub savepoint: Option<SavepointContext>,
    pub cluster: ClusterContext,
    /// The ids that are fixed for this revision: a map, or null.
    pub job: Value,
}

impl<'a> Inputs<'a> {
    /// Returns what a revision is rendered from, under the number of a generation; without a start.
    pub fn new(
        release: ReleaseContext,
        generation: u32,
        layout: &'a str,
        values: &'a Value,
        capabilities: &'a Capabilities,
    ) -> Self {
        let cluster =
            ClusterContext { name: super::generation_name(&release.name, generation), number: generation };
        Self { values, release, layout, capabilities, savepoint: None, cluster, job: Value::Null }
    }

    /// With the ids and the state of a start.
    #[must_use]
    pub fn starting(self, (job, savepoint): (Value, Option<SavepointContext>)) -> Self {
        Self { savepoint, job, ..self }
    }
}

/// The release, in templates `release`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReleaseContext {
    pub name: String,
    pub namespace: String,
    /// The revision, from 1.
    pub revision: u32,
    /// In templates `release.storageId`: eight hex digits that stay the same for as long as the
    /// release is on record, and that no other release has, in whatever cluster.
    pub storage_id: String,
    pub is_install: bool,
    pub is_upgrade: bool,
}

impl ReleaseContext {
    /// Returns the release in a revision; each is an install or an upgrade.
    pub fn new(name: &str, namespace: &str, revision: u32, storage_id: String, is_install: bool) -> Self {
        Self {
            name: name.to_owned(),
            namespace: namespace.to_owned(),
            revision,
            storage_id,
            is_install,
            is_upgrade: !is_install,
        }
    }
}

/// The state to restore, in templates `savepoint`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SavepointContext {
    /// The savepoint's path, or the placeholder of one not yet taken.
    pub path: String,
    /// State that no operator claims may be dropped.
    pub allow_non_restored_state: bool,
    /// A number that is new for each restore (the operator's `savepointRedeployNonce`).
    pub nonce: u64,
}

/// The generation, in templates `cluster`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClusterContext {
    /// As [`super::generation_name`] makes it.
    pub name: String,
    pub number: u32,
}

/// The names that a template may use, and `body`, which components get.
pub(super) const ROOTS: [&str; 9] =
    ["values", "release", "package", "layout", "capabilities", "savepoint", "cluster", "job", "files"];

/// The context as one map. Without state to restore, `savepoint` is null: to leave it out would be
/// an error in a component that declares `@savepoint`. So templates ask `if savepoint`, never `is
/// defined`.
pub(super) fn context(package: &Package, inputs: &Inputs) -> Value {
    let (layout, kind) = match package.metadata.layouts.get_key_value(inputs.layout) {
        Some((name, layout)) => (name.as_str(), layout.kind.as_str()),
        None => (inputs.layout, ""),
    };
    let files: Vec<&str> =
        package.files().map(|(path, _)| path).filter(|path| path.starts_with("files/")).collect();
    json!({
        "values": inputs.values,
        "release": inputs.release,
        "package": {
            "name": package.metadata.name,
            "version": package.metadata.version,
            "flinkVersion": package.metadata.flink_version,
        },
        "layout": {"name": layout, "kind": kind},
        "capabilities": inputs.capabilities,
        "savepoint": inputs.savepoint,
        "cluster": inputs.cluster,
        "job": inputs.job,
        "files": files,
    })
}
