//! What a release is made of: the kinds of objects that layouts render, and when one of each is
//! ready.

use super::kind::ControlKind;
use crate::cluster::readiness::{OwnedKind, Ready};

/// Kubernetes' own kinds, which any layout may render. Records and locks of releases are Secrets
/// too, but have no release label.
const COMMON: [OwnedKind; 17] = [
    common("v1", "ConfigMap", "configmaps"),
    common("v1", "Secret", "secrets"),
    common("v1", "Service", "services"),
    common("v1", "ServiceAccount", "serviceaccounts"),
    common("v1", "PersistentVolumeClaim", "persistentvolumeclaims"),
    common("apps/v1", "Deployment", "deployments"),
    common("apps/v1", "StatefulSet", "statefulsets"),
    common("apps/v1", "DaemonSet", "daemonsets"),
    common("apps/v1", "ReplicaSet", "replicasets"),
    common("batch/v1", "Job", "jobs"),
    common("batch/v1", "CronJob", "cronjobs"),
    common("rbac.authorization.k8s.io/v1", "Role", "roles"),
    common("rbac.authorization.k8s.io/v1", "RoleBinding", "rolebindings"),
    common("networking.k8s.io/v1", "Ingress", "ingresses"),
    common("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies"),
    common("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets"),
    common("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers"),
];

const fn common(api_version: &'static str, kind: &'static str, plural: &'static str) -> OwnedKind {
    OwnedKind { api_version, kind, plural, ready: Ready::ByKind }
}

/// Returns the kinds that a release may be made of, whichever drivers its revisions have had: an
/// older generation may be another driver's.
pub fn owned_kinds() -> Vec<OwnedKind> {
    let added = ControlKind::ALL.iter().flat_map(|kind| kind.adds());
    COMMON.iter().chain(added).copied().collect()
}
