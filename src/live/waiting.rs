//! What is not ready, in words: short while it only takes its time, whole where the user may have
//! to do something.

use crate::cluster::readiness::NotReady;
use crate::render::Object;

/// One reason in a few words: `1 of 2 TaskManagers ready`, `JobManager not ready: cannot be
/// scheduled: …`.
pub(crate) fn brief(missing: &NotReady, objects: &[Object]) -> String {
    let object = objects.iter().find(|object| object.key() == missing.object);
    let role = object.and_then(|object| object.label("app.kubernetes.io/component"));
    let what = match (role, missing.pods) {
        (Some("jobmanager"), Some((_, 1))) => "JobManager not ready".to_owned(),
        (Some("jobmanager"), Some((ready, wanted))) => format!("{ready} of {wanted} JobManagers ready"),
        (Some("taskmanager"), Some((_, 1))) => "TaskManager not ready".to_owned(),
        (Some("taskmanager"), Some((ready, wanted))) => format!("{ready} of {wanted} TaskManagers ready"),
        (_, Some((ready, wanted))) => format!("{}: {ready} of {wanted} Pods ready", missing.object),
        (_, None) if missing.trouble.is_none() => return format!("{}: {}", missing.object, missing.reason),
        (_, None) => missing.object.to_string(),
    };
    match &missing.trouble {
        Some(trouble) => format!("{what}: {trouble}"),
        None => what,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn deployment(role: &str) -> Object {
        let labels = json!({"app.kubernetes.io/component": role});
        Object {
            source: "test".to_owned(),
            value: json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": role, "labels": labels}}),
        }
    }

    fn missing(object: &Object, pods: (i32, i32), trouble: Option<&str>) -> NotReady {
        NotReady {
            object: object.key(),
            reason: "long".to_owned(),
            fatal: None,
            no_room: false,
            pods: Some(pods),
            trouble: trouble.map(str::to_owned),
        }
    }

    #[test]
    fn roles_are_called_by_their_names() {
        let objects = [deployment("jobmanager"), deployment("taskmanager"), deployment("other")];
        let words = |at: usize, pods| brief(&missing(&objects[at], pods, None), &objects);
        assert_eq!(words(0, (0, 1)), "JobManager not ready");
        assert_eq!(words(0, (1, 2)), "1 of 2 JobManagers ready");
        assert_eq!(words(1, (1, 2)), "1 of 2 TaskManagers ready");
        assert_eq!(words(2, (0, 1)), "Deployment/other: 0 of 1 Pods ready");
    }

    #[test]
    fn trouble_is_told_whole() {
        let objects = [deployment("taskmanager")];
        let missing = missing(&objects[0], (0, 2), Some("container main was killed for memory"));
        assert_eq!(
            brief(&missing, &objects),
            "0 of 2 TaskManagers ready: container main was killed for memory"
        );
    }
}
