//! What a change means for objects: whether it needs new Pods, and which objects are made, changed and deleted.
//!
//! Compares rendered objects only; it never asks the cluster.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::ObjectChanges;
use crate::render::{Object, ObjectKey};

/// Whether two sets of objects mean the same Pods: the generation's objects are equal but for their own labels and
/// annotations and for the number of TaskManagers.
pub(super) fn same_pods(new: &[Object], old: &[Object]) -> bool {
    let of_generation = |objects: &[Object]| -> BTreeMap<ObjectKey, Value> {
        objects
            .iter()
            .filter(|object| object.generation().is_some())
            .map(|object| (object.key(), pods_part(object)))
            .collect()
    };
    let (new, old) = (of_generation(new), of_generation(old));
    !new.is_empty() && new == old
}

fn pods_part(object: &Object) -> Value {
    let mut value = object.value.clone();
    if let Some(metadata) = value["metadata"].as_object_mut() {
        metadata.shift_remove("labels");
        metadata.shift_remove("annotations");
    }
    if object.kind() == "Deployment"
        && object.label("app.kubernetes.io/component") == Some("taskmanager")
        && let Some(spec) = value["spec"].as_object_mut()
    {
        spec.shift_remove("replicas");
    }
    value
}

pub(super) fn object_changes(old: &[Object], new: &[Object]) -> ObjectChanges {
    let before: BTreeMap<ObjectKey, &Value> =
        old.iter().map(|object| (object.key(), &object.value)).collect();
    let after: BTreeSet<ObjectKey> = new.iter().map(Object::key).collect();
    let mut changes = ObjectChanges::default();
    for object in new {
        match before.get(&object.key()) {
            None => changes.create.push(object.key().to_string()),
            Some(value) if **value != object.value => changes.change.push(object.key().to_string()),
            Some(_) => {}
        }
    }
    // A claim holds state: it is never pruned.
    let gone: Vec<_> = before
        .keys()
        .filter(|key| !after.contains(*key) && key.kind != "PersistentVolumeClaim")
        .cloned()
        .collect();
    changes.delete = gone.iter().map(ToString::to_string).collect();
    changes
}
