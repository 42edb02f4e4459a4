//! What the API server says when it refuses an object, in words for the user.

use kube::core::Status;
use std::fmt;

/// Fields of a live object that another client manages and that the apply would change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldConflict {
    /// Who manages them, as `kubectl get --show-managed-fields` names it.
    pub manager: String,
    /// The fields, such as `.spec.replicas`.
    pub fields: Vec<String>,
}

impl fmt::Display for FieldConflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.manager, self.fields.join(", "))
    }
}

/// The conflicts in a 409 of server-side apply, by manager; empty where it is a 409 of another
/// kind.
///
/// A cause reads `reason: FieldManagerConflict`, `message: conflict with "kubectl" with subresource
/// "scale" using apps/v1`, `field: .spec.replicas`; causes without a message of their own belong to
/// the manager before.
pub(super) fn conflicts(status: &Status) -> Vec<FieldConflict> {
    let mut found: Vec<FieldConflict> = Vec::new();
    let causes = status.details.iter().flat_map(|details| &details.causes);
    for cause in causes.filter(|cause| cause.reason == "FieldManagerConflict") {
        let manager = cause.message.split('"').nth(1).unwrap_or("another manager");
        match found.iter_mut().find(|conflict| conflict.manager == manager) {
            Some(conflict) => conflict.fields.push(cause.field.clone()),
            None => {
                found.push(FieldConflict { manager: manager.to_owned(), fields: vec![cause.field.clone()] });
            }
        }
    }
    found
}

/// The server's reasons for an object that is not valid. `secret`: the messages quote values, so
/// only fields are named.
pub(super) fn refusal(status: &Status, secret: bool) -> String {
    let causes: Vec<_> = status.details.iter().flat_map(|details| &details.causes).collect();
    if secret {
        let fields: Vec<_> =
            causes.iter().map(|cause| format!("{}: {}", cause.field, cause.reason)).collect();
        return if fields.is_empty() { status.reason.clone() } else { fields.join("; ") };
    }
    if status.code != 422 || causes.is_empty() {
        return status.message.clone();
    }
    let lines: Vec<_> = causes
        .iter()
        .map(|cause| {
            if cause.field.is_empty() {
                cause.message.clone()
            } else {
                format!("{}: {}", cause.field, cause.message)
            }
        })
        .collect();
    lines.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn status(value: serde_json::Value) -> Status {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_conflict_names_each_manager_with_its_fields() {
        let status = status(
            json!({"code": 409, "reason": "Conflict", "message": "Apply failed with 3 conflicts", "details": {"causes": [
                {"reason": "FieldManagerConflict", "message": "conflict with \"kubectl\" with subresource \"scale\" using apps/v1", "field": ".spec.replicas"},
                {"reason": "FieldManagerConflict", "message": "conflict with \"helm\" using apps/v1", "field": ".spec.paused"},
                {"reason": "FieldManagerConflict", "message": "conflict with \"kubectl\" using apps/v1", "field": ".metadata.labels.a"},
            ]}}),
        );
        let all: Vec<_> = conflicts(&status).iter().map(ToString::to_string).collect();
        assert_eq!(all, ["kubectl (.spec.replicas, .metadata.labels.a)", "helm (.spec.paused)"]);
    }

    #[test]
    fn a_refused_secret_is_told_by_its_fields_only() {
        let status = status(
            json!({"code": 422, "reason": "Invalid", "message": "Secret \"s\" is invalid: hunter2", "details": {"causes": [
                {"reason": "FieldValueInvalid", "message": "Invalid value: \"hunter2\"", "field": "data[key]"},
            ]}}),
        );
        assert_eq!(refusal(&status, true), "data[key]: FieldValueInvalid");
        assert_eq!(refusal(&status, false), "data[key]: Invalid value: \"hunter2\"");
    }
}
