//! What each kind of layout must render: exactly one descriptor for a generation, or none and no
//! Flink at all.
//!
//! A layout that rendered no descriptor by mistake would count as one without Flink, and its jobs
//! would be deleted without a word.

use super::descriptor::{Descriptor, LABEL};
use crate::failure::Cause;
use crate::package::{LayoutKind, PackageError};
use crate::render::Object;

/// The API group of the Flink Kubernetes Operator's resources.
const OPERATOR_GROUP: &str = "flink.apache.org/";

/// Returns the descriptor that a layout has rendered; `None` for a plain one.
pub fn descriptor_of(
    layout: &str,
    kind: LayoutKind,
    objects: &[Object],
) -> Result<Option<Descriptor>, Cause> {
    let refuse = |reason: String| {
        Err(PackageError::Rendered { layout: layout.to_owned(), kind: kind.as_str(), reason }.into())
    };
    let described: Vec<_> = objects.iter().filter(|object| object.label(LABEL) == Some("true")).collect();
    if kind == LayoutKind::Plain {
        let flink = |object: &&Object| object.api_version().starts_with(OPERATOR_GROUP);
        return match (described.first(), objects.iter().find(flink)) {
            (Some(object), _) => refuse(format!("renders a descriptor of a Flink cluster, {}", object.key())),
            (None, Some(object)) => refuse(format!("renders a Flink resource, {}", object.key())),
            (None, None) => Ok(None),
        };
    }
    match described.as_slice() {
        [] => refuse(format!("renders no descriptor: a ConfigMap with the label {LABEL}: \"true\"")),
        [_] => {
            let descriptor = Descriptor::find(objects)?;
            match &descriptor {
                Some(found) if found.kind != kind => {
                    refuse(format!("its descriptor says {}", found.kind.as_str()))
                }
                _ => Ok(descriptor),
            }
        }
        [first, second, ..] => {
            refuse(format!("renders more than one descriptor: {} and {}", first.key(), second.key()))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(api_version: &str, kind: &str, name: &str, descriptor: Option<&str>) -> Object {
        let labels = if descriptor.is_some() { json!({LABEL: "true"}) } else { json!({}) };
        let mut value =
            json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "labels": labels}});
        if let Some(text) = descriptor {
            value["data"] = json!({"cluster.yaml": text});
        }
        Object { source: "layouts/x.yaml".to_owned(), value }
    }

    fn descriptor(kind: &str) -> String {
        format!(
            "generation: 1\nname: demo-g1\nkind: {kind}\nservice: {{name: a, port: 8081}}\n\
             stableService: {{name: b, port: 8081}}\njobManagerSelector: a=b\ntaskManagerSelector: a=b\n\
             haSelector: a=b\ntaskManagers: 1\nslotsPerTaskManager: 1\nflinkVersion: 2.3.0\ndurable: false\n\
             highAvailability: false\n"
        )
    }

    fn told(kind: LayoutKind, objects: &[Object]) -> String {
        match descriptor_of("x", kind, objects) {
            Ok(found) => found.map_or("none", |descriptor| descriptor.kind.as_str()).to_owned(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn each_kind_renders_what_it_must() {
        let session = object("v1", "ConfigMap", "demo-cluster", Some(&descriptor("session")));
        let other = object("v1", "ConfigMap", "other", Some(&descriptor("session")));
        let resource = object("flink.apache.org/v1beta1", "FlinkDeployment", "demo", None);
        let map = object("v1", "ConfigMap", "a", None);
        let objects = |some: &[&Object]| some.iter().map(|one| (*one).clone()).collect::<Vec<_>>();
        assert_eq!(told(LayoutKind::Session, &objects(&[&map, &session])), "session");
        assert_eq!(told(LayoutKind::Plain, &objects(&[&map])), "none");
        for (kind, some, expected) in [
            (LayoutKind::Session, objects(&[&map]), "renders no descriptor"),
            (
                LayoutKind::Session,
                objects(&[&session, &other]),
                "more than one descriptor: ConfigMap/demo-cluster and",
            ),
            (
                LayoutKind::Job,
                objects(&[&session]),
                "kind job in package.yaml, and its descriptor says session",
            ),
            (LayoutKind::Operator, objects(&[&resource]), "renders no descriptor"),
            (LayoutKind::Plain, objects(&[&session]), "renders a descriptor of a Flink cluster"),
            (LayoutKind::Plain, objects(&[&resource]), "renders a Flink resource, FlinkDeployment"),
        ] {
            let said = told(kind, &some);
            assert!(said.contains(expected), "{said}");
        }
    }
}
