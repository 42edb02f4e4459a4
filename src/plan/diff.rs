//! How each object changes, as a unified diff of its YAML. What a Secret holds is never shown.

use std::collections::BTreeMap;

use serde_json::Value;
use similar::TextDiff;

use super::{ObjectDiff, Plan};
use crate::failure::Cause;
use crate::live::render_record;
use crate::render::{Object, ObjectKey};
use crate::site::Operation;
use crate::yaml;

impl Plan {
    /// How each object changes, by its name. Where Pods are replaced the old ones are shown under
    /// the new generation's name, so that only what differs is seen.
    pub fn diff(&self) -> Result<Vec<ObjectDiff>, Cause> {
        let Operation { journal, base, objects, old_objects, .. } = &self.operation;
        let renamed = match base {
            Some(base) if journal.decided.old.is_some_and(|old| old != journal.decided.new) => {
                Some(render_record(base, journal.decided.new)?)
            }
            _ => None,
        };
        Ok(diff(renamed.as_deref().unwrap_or(old_objects), objects))
    }
}

fn diff(old: &[Object], new: &[Object]) -> Vec<ObjectDiff> {
    let mut pairs: BTreeMap<ObjectKey, [Option<&Object>; 2]> = BTreeMap::new();
    for (side, objects) in [old, new].into_iter().enumerate() {
        for object in objects {
            pairs.entry(object.key()).or_default()[side] = Some(object);
        }
    }
    let mut diffs = Vec::new();
    for (key, [old, new]) in pairs {
        // A claim holds state: it is never deleted.
        let kept = key.is_claim() && new.is_none();
        if kept || old.map(|object| &object.value) == new.map(|object| &object.value) {
            continue;
        }
        let (old, new) = masked(old, new);
        let text = |value: Option<Value>| value.map(|value| yaml::to_string(&value)).unwrap_or_default();
        let diff = TextDiff::from_lines(&text(old), &text(new)).unified_diff().context_radius(3).to_string();
        diffs.push(ObjectDiff { object: key.to_string(), diff });
    }
    diffs
}

/// Both values of an object, what Secrets hold replaced by words that say only whether it changes.
fn masked(old: Option<&Object>, new: Option<&Object>) -> (Option<Value>, Option<Value>) {
    let (mut before, mut after) = (old.map(|o| o.value.clone()), new.map(|n| n.value.clone()));
    if old.or(new).is_none_or(|object| object.kind() != "Secret") {
        return (before, after);
    }
    for part in ["data", "stringData"] {
        let held = |value: &Option<Value>, key: &str| value.as_ref().and_then(|v| v[part].get(key).cloned());
        let keys: Vec<String> = [&before, &after]
            .into_iter()
            .flatten()
            .filter_map(|value| value[part].as_object())
            .flat_map(|map| map.keys().cloned())
            .collect();
        for key in keys {
            let same = held(&before, &key) == held(&after, &key);
            for (value, words) in [(&mut before, "(hidden)"), (&mut after, "(hidden, changed)")] {
                if let Some(held) =
                    value.as_mut().and_then(|value| value.get_mut(part)).and_then(|held| held.get_mut(&key))
                {
                    *held = Value::from(if same { "(hidden)" } else { words });
                }
            }
        }
    }
    (before, after)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object(value: Value) -> Object {
        Object { source: "layouts/x.yaml".to_owned(), value }
    }

    #[test]
    fn what_changes_is_shown_and_what_a_secret_holds_is_not() {
        let map = |level: &str| {
            object(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"},
                "data": {"level": level}}))
        };
        let secret = |password: &str| {
            object(json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"},
                "stringData": {"password": password, "user": "me"}}))
        };
        assert_eq!(diff(&[map("INFO"), secret("x")], &[map("INFO"), secret("x")]), []);
        let diffs = diff(&[map("INFO"), secret("first")], &[map("DEBUG"), secret("second")]);
        assert_eq!(diffs.len(), 2, "{diffs:?}");
        assert!(diffs[0].diff.contains("-  level: INFO\n+  level: DEBUG\n"), "{diffs:?}");
        assert!(diffs[1].diff.contains("-  password: (hidden)\n+  password: (hidden, changed)"), "{diffs:?}");
        let all = format!("{diffs:?}");
        assert!(!all.contains("first") && !all.contains("second") && !all.contains("me\""), "{all}");
    }
}
