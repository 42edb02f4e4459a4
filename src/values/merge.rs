//! Laying one tree of values over another.

use serde_json::{Map, Value};

/// Lays `over` on `base` as Helm lays a user's values on a chart's defaults: maps merge key by key,
/// anything else replaces, and `null` deletes the key below it.
pub fn merge(base: &mut Value, over: &Value) {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => merge_maps(base, over),
        (base, over) => *base = without_nulls(over),
    }
}

fn merge_maps(base: &mut Map<String, Value>, over: &Map<String, Value>) {
    for (key, value) in over {
        if value.is_null() {
            base.shift_remove(key);
        } else if let Some(below) = base.get_mut(key) {
            merge(below, value);
        } else {
            base.insert(key.clone(), without_nulls(value));
        }
    }
}

/// There is nothing below these maps that a `null` in them could delete. Lists are taken as they
/// are.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(map) => Value::Object(
            map.iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(key, value)| (key.clone(), without_nulls(value)))
                .collect(),
        ),
        other => other.clone(),
    }
}

/// As [`merge`], but a `null` is kept: it is still to delete something in the defaults.
pub(super) fn overlay(base: &mut Value, over: Value) {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => {
            for (key, value) in over {
                match base.get_mut(&key) {
                    Some(below) => overlay(below, value),
                    None => {
                        base.insert(key, value);
                    }
                }
            }
        }
        (base, over) => *base = over,
    }
}
