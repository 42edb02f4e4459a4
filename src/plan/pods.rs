//! What a change means for objects: whether it needs new Pods, and which objects are made, changed
//! and deleted.
//!
//! Compares rendered objects only; it never asks the cluster.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::ObjectChanges;
use crate::layout::is_task_manager;
use crate::render::{Object, ObjectKey};

/// Returns whether two sets of objects mean the same Pods: the generation's objects are equal but
/// for their own labels and annotations and for the number of TaskManagers.
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
    if is_task_manager(object)
        && let Some(spec) = value["spec"].as_object_mut()
    {
        spec.shift_remove("replicas");
    }
    value
}

/// The claims that a generation's Pods mount, by name.
pub(super) fn claims(objects: &[Object]) -> BTreeSet<&str> {
    let pods = objects.iter().filter(|object| object.generation().is_some());
    let volumes = pods.filter_map(|object| object.value["spec"]["template"]["spec"]["volumes"].as_array());
    volumes.flatten().filter_map(|volume| volume["persistentVolumeClaim"]["claimName"].as_str()).collect()
}

/// Raises the number of TaskManagers to that of `other`, where that is greater.
pub(super) fn at_least_the_task_managers_of(other: &[Object], objects: &mut [Object]) {
    for object in objects.iter_mut().filter(|object| is_task_manager(object)) {
        let Some(known) = other.iter().find(|known| known.key() == object.key()) else { continue };
        let (theirs, ours) = (&known.value["spec"]["replicas"], &mut object.value["spec"]["replicas"]);
        if theirs.as_u64() > ours.as_u64() {
            ours.clone_from(theirs);
        }
    }
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
    let gone: Vec<_> =
        before.keys().filter(|key| !after.contains(*key) && !key.is_claim()).cloned().collect();
    changes.delete = gone.iter().map(ToString::to_string).collect();
    changes
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn task_managers(replicas: u64) -> Vec<Object> {
        let labels = json!({"app.kubernetes.io/component": "taskmanager", "flink.kubectl/generation": "1"});
        let metadata = json!({"name": "demo-g1-taskmanager", "labels": labels});
        let value = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata,
            "spec": {"replicas": replicas, "template": {}}});
        vec![Object { source: "layouts/x.yaml".to_owned(), value }]
    }

    #[test]
    fn the_number_of_task_managers_is_raised_and_never_lowered() {
        for (theirs, ours, expected) in [(2, 1, 2), (1, 2, 2), (2, 2, 2)] {
            let mut objects = task_managers(ours);
            at_least_the_task_managers_of(&task_managers(theirs), &mut objects);
            assert_eq!(objects[0].value["spec"]["replicas"], expected);
            assert!(same_pods(&objects, &task_managers(theirs)), "their number alone means no new Pods");
        }
    }
}
