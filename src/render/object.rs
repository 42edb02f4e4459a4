//! A rendered object, who it is, and when it is applied.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One Kubernetes object and the template that it comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Object {
    /// The template's path in the package.
    pub source: String,
    /// The object; `apiVersion`, `kind` and `metadata.name` are there.
    pub value: Value,
}

/// The identity of an object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectKey {
    pub api_version: String,
    pub kind: String,
    /// Where the object names one itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    pub name: String,
}

impl ObjectKey {
    /// Returns whether it is a claim for a volume: with it goes what the volume holds, a Flink's
    /// state among it.
    pub fn is_claim(&self) -> bool {
        self.api_version == "v1" && self.kind == "PersistentVolumeClaim"
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.name)
    }
}

/// When an object is applied: a phase begins when the one before it is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Phase {
    Namespaces,
    Crds,
    /// `ServiceAccount`s, roles and their bindings, quotas and policies.
    Accounts,
    /// `ConfigMap`s, Secrets, storage classes, volumes and claims.
    Config,
    Services,
    Workloads,
    /// All else, custom resources among it.
    Rest,
}

impl Object {
    /// As `apps/v1`.
    pub fn api_version(&self) -> &str {
        self.text("/apiVersion")
    }

    /// As `Deployment`.
    pub fn kind(&self) -> &str {
        self.text("/kind")
    }

    /// `metadata.name`.
    pub fn name(&self) -> &str {
        self.text("/metadata/name")
    }

    /// `metadata.namespace`, where the object names one itself.
    pub fn namespace(&self) -> Option<&str> {
        self.value.pointer("/metadata/namespace")?.as_str()
    }

    /// One label's value.
    pub fn label(&self, name: &str) -> Option<&str> {
        self.value.pointer("/metadata/labels")?.get(name)?.as_str()
    }

    /// One annotation's value.
    pub fn annotation(&self, name: &str) -> Option<&str> {
        self.value.pointer("/metadata/annotations")?.get(name)?.as_str()
    }

    /// The number of the generation that it is part of; none for what stays put.
    pub fn generation(&self) -> Option<u32> {
        self.label(super::GENERATION_LABEL)?.parse().ok()
    }

    /// Returns who it is.
    pub fn key(&self) -> ObjectKey {
        ObjectKey {
            api_version: self.api_version().to_owned(),
            kind: self.kind().to_owned(),
            namespace: self.namespace().map(str::to_owned),
            name: self.name().to_owned(),
        }
    }

    /// When it is applied.
    pub fn phase(&self) -> Phase {
        order_of(self.group(), self.kind()).0
    }

    /// The key to sort objects by: phase, kind within the phase, name.
    pub(super) fn order(&self) -> (Phase, usize, String, ObjectKey) {
        let (phase, rank) = order_of(self.group(), self.kind());
        (phase, rank, self.kind().to_owned(), self.key())
    }

    fn group(&self) -> &str {
        self.api_version().rsplit_once('/').map_or("", |(group, _)| group)
    }

    fn text(&self, pointer: &str) -> &str {
        self.value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }
}

/// Kinds of Kubernetes' own groups, in the order in which they are applied. A kind of that name in
/// another group is a custom resource.
const ORDER: [(&str, &str, Phase); 34] = [
    ("", "Namespace", Phase::Namespaces),
    ("apiextensions.k8s.io", "CustomResourceDefinition", Phase::Crds),
    ("scheduling.k8s.io", "PriorityClass", Phase::Accounts),
    ("", "ResourceQuota", Phase::Accounts),
    ("", "LimitRange", Phase::Accounts),
    ("networking.k8s.io", "NetworkPolicy", Phase::Accounts),
    ("policy", "PodDisruptionBudget", Phase::Accounts),
    ("", "ServiceAccount", Phase::Accounts),
    ("rbac.authorization.k8s.io", "ClusterRole", Phase::Accounts),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding", Phase::Accounts),
    ("rbac.authorization.k8s.io", "Role", Phase::Accounts),
    ("rbac.authorization.k8s.io", "RoleBinding", Phase::Accounts),
    ("", "Secret", Phase::Config),
    ("", "ConfigMap", Phase::Config),
    ("storage.k8s.io", "StorageClass", Phase::Config),
    ("", "PersistentVolume", Phase::Config),
    ("", "PersistentVolumeClaim", Phase::Config),
    ("", "Service", Phase::Services),
    ("discovery.k8s.io", "EndpointSlice", Phase::Services),
    ("", "Endpoints", Phase::Services),
    ("apps", "DaemonSet", Phase::Workloads),
    ("", "Pod", Phase::Workloads),
    ("", "ReplicationController", Phase::Workloads),
    ("apps", "ReplicaSet", Phase::Workloads),
    ("apps", "Deployment", Phase::Workloads),
    ("apps", "StatefulSet", Phase::Workloads),
    ("autoscaling", "HorizontalPodAutoscaler", Phase::Workloads),
    ("batch", "Job", Phase::Workloads),
    ("batch", "CronJob", Phase::Workloads),
    ("networking.k8s.io", "IngressClass", Phase::Rest),
    ("networking.k8s.io", "Ingress", Phase::Rest),
    ("apiregistration.k8s.io", "APIService", Phase::Rest),
    ("admissionregistration.k8s.io", "MutatingWebhookConfiguration", Phase::Rest),
    ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration", Phase::Rest),
];

fn order_of(group: &str, kind: &str) -> (Phase, usize) {
    let found = ORDER.iter().position(|(a, b, _)| (*a, *b) == (group, kind));
    found.map_or((Phase::Rest, ORDER.len()), |rank| (ORDER[rank].2, rank))
}
