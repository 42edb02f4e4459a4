//! The descriptor: what the plugin must know of the Flink that a package deploys, read from the
//! rendered objects.
//!
//! A layout renders it as a ConfigMap with the label `flink.kubectl/descriptor: "true"` and the key
//! `cluster.yaml`.

use serde::{Deserialize, Serialize};

use super::control::ControlKind;
use crate::context::Address;
use crate::failure::Cause;
use crate::flink::JarRef;
use crate::id::Id;
use crate::operation::{ControlTraits, StartId};
use crate::package::LayoutKind;
use crate::release::JobMode;
use crate::render::Object;

/// The label of the ConfigMap that holds a descriptor.
pub const LABEL: &str = "flink.kubectl/descriptor";
/// Its key.
pub const KEY: &str = "cluster.yaml";

/// One generation's Flink cluster, as its package describes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Descriptor {
    /// The number of the generation.
    pub generation: u32,
    /// Its name, as in `demo-g1`.
    pub name: String,
    /// The kind of the layout that renders it.
    pub kind: LayoutKind,
    /// How its jobs are started and stopped.
    #[serde(default)]
    pub control: ControlKind,
    /// The generation's own Service with its REST port.
    pub service: ServicePort,
    /// The Service that stays when generations change.
    pub stable_service: ServicePort,
    /// Label selector of the JobManager's Pods.
    pub job_manager_selector: String,
    /// Label selector of the TaskManagers' Pods.
    pub task_manager_selector: String,
    /// Label selector of the ConfigMaps that Flink's high availability makes.
    pub ha_selector: String,
    /// How many TaskManagers register.
    pub task_managers: u32,
    pub slots_per_task_manager: u32,
    /// The parallelism of jobs that name none: Flink's `jars/run` takes 1 then, whatever
    /// `parallelism.default` says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parallelism: Option<u32>,
    /// Flink starts a job with what slots there are (`jobmanager.scheduler: adaptive`,
    /// `scheduler-mode: reactive`).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub adaptive_scheduler: bool,
    pub flink_version: String,
    /// State outlives the Pods.
    pub durable: bool,
    /// Running jobs outlive a JobManager.
    pub high_availability: bool,
    /// The claim of the release that holds its state, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_claim: Option<String>,
    /// Where savepoints go: a URI. Absent where state is not durable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub savepoint_directory: Option<String>,
    /// Where checkpoints go, each job's into a folder of its id: a URI. Absent where state is not
    /// durable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint_directory: Option<String>,
    /// Where Flink records how a job has ended, in a file of its id: a URI. Absent where state is
    /// not durable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_result_directory: Option<String>,
    /// The jobs that the release declares.
    #[serde(default)]
    pub jobs: Vec<DeclaredJob>,
}

/// A Service and a port of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServicePort {
    pub name: String,
    pub port: u16,
}

/// A job that the release declares.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeclaredJob {
    /// Its name in the release.
    pub name: String,
    /// `local:///…` (in the image or on a volume) or `package:…` (a file of the package, which is
    /// uploaded).
    pub jar: JarRef,
    /// The name under which the cluster lists the jar, where its start command links it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jar_id: Option<String>,
    /// The class with `main()`; the jar's manifest names it where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry_class: Option<String>,
    #[serde(default)]
    pub args: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parallelism: Option<u32>,
    /// State that no operator takes may be dropped.
    #[serde(default)]
    pub allow_non_restored_state: bool,
    /// Who runs its `main()`.
    #[serde(default, skip_serializing_if = "JobMode::is_default")]
    pub mode: JobMode,
    /// Declared, but not to run.
    #[serde(default)]
    pub suspended: bool,
}

impl Descriptor {
    /// Returns what may be counted on in it.
    pub fn traits(&self) -> ControlTraits {
        self.control.traits()
    }

    /// Returns the id of a start in it: this one, or an assigned one, whose nonce is this.
    pub fn start_id(&self, id: Id) -> StartId {
        if self.traits().chooses_job_id { StartId::Chosen(id) } else { StartId::Assigned(id) }
    }

    /// Returns whether jobs are submitted to it, any number of them.
    pub fn takes_submissions(&self) -> bool {
        self.kind == LayoutKind::Session
    }

    /// Returns whether it is there for one job, whose life is the release's.
    pub fn is_of_one_job(&self) -> bool {
        self.kind == LayoutKind::Job
    }

    /// The descriptor among a release's rendered objects; `None` where the package deploys no Flink
    /// cluster of its own.
    pub fn find(objects: &[Object]) -> Result<Option<Descriptor>, Cause> {
        let Some(object) = objects.iter().find(|object| object.label(LABEL) == Some("true")) else {
            return Ok(None);
        };
        let text = object.value["data"][KEY].as_str().unwrap_or_default();
        let descriptor = crate::yaml::from_str(text, &format!("{} ({KEY})", object.source))?;
        Ok(Some(descriptor))
    }
}

impl Address for Descriptor {
    fn service(&self) -> (&str, u16) {
        (&self.service.name, self.service.port)
    }

    fn job_manager_selector(&self) -> &str {
        &self.job_manager_selector
    }
}
