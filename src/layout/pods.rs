//! The Pods that a generation's objects bring.

use serde_json::Value;

use crate::render::Object;

/// Returns how many Pods an object brings, and the spec of each; `None` for one that brings none
/// beside another generation's.
pub fn pods_of(object: &Object) -> Option<(u32, &Value)> {
    let spec = &object.value["spec"];
    let replicas = spec["replicas"].as_u64().and_then(|number| u32::try_from(number).ok()).unwrap_or(1);
    (object.kind() == "Deployment").then(|| (replicas, &spec["template"]["spec"]))
}

/// Returns whether an object's `replicas` is a number of TaskManagers, which may change while they
/// run.
pub fn is_task_manager(object: &Object) -> bool {
    object.kind() == "Deployment" && object.label("app.kubernetes.io/component") == Some("taskmanager")
}
