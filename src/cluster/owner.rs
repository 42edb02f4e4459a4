//! Whose an object is: read from the live object's labels, never inferred from a conflict.

use serde_json::Value;

/// The label that says which release an object belongs to.
pub const RELEASE_LABEL: &str = "flink.kubectl/release";

/// The value of a label of a live object.
pub(super) fn label<'a>(object: &'a Value, name: &str) -> Option<&'a str> {
    object.get("metadata")?.get("labels")?.get(name)?.as_str()
}

/// Returns who a live object belongs to, by its labels and annotations.
pub(super) fn owner(live: &Value) -> Option<String> {
    if let Some(release) = label(live, RELEASE_LABEL) {
        return Some(format!("release {release}"));
    }
    let annotations = live.pointer("/metadata/annotations");
    if let Some(name) =
        annotations.and_then(|all| all.get("meta.helm.sh/release-name")).and_then(Value::as_str)
    {
        return Some(format!("Helm release {name}"));
    }
    label(live, "app.kubernetes.io/managed-by").map(str::to_owned)
}

/// Returns what holds a live object that is to go.
pub(super) fn finalizers(live: &Value) -> Vec<String> {
    let all = live.pointer("/metadata/finalizers").and_then(Value::as_array);
    all.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}
