//! When an object of a kind that nothing is known of is ready: by what its controller writes into
//! its status.
//!
//! The rule of [kstatus], which `kubectl wait`'s users, Flux and Argo CD know. An object without a
//! status is ready, for most kinds never get one; where no status means that the controller has not
//! looked yet, the layout's table says so ([`OwnedKind`](super::OwnedKind)).
//!
//! [kstatus]: https://github.com/kubernetes-sigs/cli-utils/blob/master/pkg/kstatus/README.md

use serde_json::Value;

use super::{Fatal, Waiting};

/// Conditions that are `True` when the object is as it should be.
const GOOD: [&str; 2] = ["Ready", "Available"];

/// Returns what an object waits for, by its status alone.
pub fn waits(live: &Value) -> Option<Waiting> {
    if live.pointer("/metadata/deletionTimestamp").is_some() {
        return Some(Waiting::new("it is being deleted"));
    }
    let generation = live.pointer("/metadata/generation").and_then(Value::as_i64);
    let is_old = |of: &Value| {
        let seen = of.get("observedGeneration").and_then(Value::as_i64);
        seen.is_some_and(|seen| generation.is_some_and(|generation| seen < generation))
    };
    let status = live.get("status")?;
    if is_old(status) {
        return Some(Waiting::new("its change was not seen yet"));
    }
    let conditions = status.get("conditions").and_then(Value::as_array);
    let named = |name: &str| {
        conditions.into_iter().flatten().find(|one| one.get("type").and_then(Value::as_str) == Some(name))
    };
    let is = |one: &Value, value: &str| one.get("status").and_then(Value::as_str) == Some(value);
    if let Some(stalled) = named("Stalled").filter(|one| is(one, "True")) {
        return Some(Waiting::fatal(words("it is stalled", stalled), Fatal::Stalled));
    }
    if let Some(busy) = named("Reconciling").filter(|one| is(one, "True")) {
        return Some(Waiting::new(words("its controller is at it", busy)));
    }
    let missing = GOOD.into_iter().filter_map(|name| Some((name, named(name)?)));
    missing.into_iter().find_map(|(name, one)| {
        let why = if is_old(one) {
            format!("its change was not seen yet by who says that it is {name}")
        } else if is(one, "True") {
            return None;
        } else {
            words(&format!("it is not {name}"), one)
        };
        Some(Waiting::new(why))
    })
}

/// What is the matter, with the controller's own reason and message.
fn words(what: &str, condition: &Value) -> String {
    let told = ["reason", "message"].map(|name| condition.get(name).and_then(Value::as_str));
    let told: Vec<_> = told.into_iter().flatten().filter(|text| !text.is_empty()).collect();
    if told.is_empty() { what.to_owned() } else { format!("{what}: {}", told.join(": ")) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{OwnedKind, Ready, not_ready};
    use super::*;
    use crate::cluster::testing::{Reply, cluster, discovery};
    use crate::render::Object;

    fn said(status: &Value) -> Option<String> {
        waits(&json!({"metadata": {"generation": 2}, "status": status})).map(|waiting| waiting.reason)
    }

    fn condition(name: &str, status: &str) -> Value {
        json!({"conditions": [{"type": name, "status": status, "reason": "Why", "message": "more"}]})
    }

    #[test]
    fn a_status_says_whether_its_object_is_ready() {
        for (status, expected) in [
            (json!({}), None),
            (json!({"phase": "whatever"}), None),
            (json!({"observedGeneration": 1}), Some("its change was not seen yet")),
            (json!({"observedGeneration": 2}), None),
            (condition("Ready", "True"), None),
            (condition("Ready", "False"), Some("it is not Ready: Why: more")),
            (condition("Ready", "Unknown"), Some("it is not Ready: Why: more")),
            (condition("Available", "False"), Some("it is not Available: Why: more")),
            (condition("Reconciling", "True"), Some("its controller is at it: Why: more")),
            (condition("Reconciling", "False"), None),
            (condition("Stalled", "True"), Some("it is stalled: Why: more")),
            (condition("Progressing", "False"), None),
            (
                json!({"conditions": [{"type": "Ready", "status": "True", "observedGeneration": 1}]}),
                Some("its change was not seen yet by who says that it is Ready"),
            ),
        ] {
            assert_eq!(said(&status).as_deref(), expected, "{status}");
        }
        assert!(waits(&json!({"metadata": {"generation": 1}})).is_none(), "most kinds never get a status");
        let going = json!({"metadata": {"deletionTimestamp": "2026-01-02T03:04:05Z"}});
        assert!(waits(&going).is_some());
        let stalled = json!({"metadata": {}, "status": condition("Stalled", "True")});
        assert_eq!(waits(&stalled).unwrap().fatal, Some(Fatal::Stalled));
    }

    /// What is said of a custom resource, by the rule for all and by one of its own.
    async fn looked_at(status: Option<Value>, ready: Option<Ready>) -> Option<String> {
        let mut value = json!({"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w"}});
        let object = Object { source: String::new(), value: value.clone() };
        if let Some(status) = status {
            value["status"] = status;
        }
        let (cluster, _) = cluster(move |seen| {
            let path = "/apis/example.com/v1/namespaces/team/widgets/w";
            let live = || (seen.path == path).then(|| Reply::json(200, &value));
            discovery(&seen.path).or_else(live).unwrap_or(Reply::no(404, "not found"))
        });
        let row = |ready| OwnedKind {
            api_version: "example.com/v1beta1",
            kind: "Widget",
            plural: "widgets",
            ready,
        };
        let kinds: Vec<_> = ready.map(row).into_iter().collect();
        let found = not_ready(&cluster, "team", &[object], &kinds).await.unwrap();
        found.into_iter().next().map(|found| found.reason)
    }

    #[tokio::test]
    async fn a_kind_that_nothing_is_known_of_is_not_ready_by_being_there() {
        let not_ready = looked_at(Some(condition("Ready", "False")), None).await;
        assert_eq!(not_ready.as_deref(), Some("it is not Ready: Why: more"));
        assert_eq!(looked_at(Some(condition("Ready", "True")), None).await, None);
        assert_eq!(looked_at(None, None).await, None);
    }

    #[tokio::test]
    async fn a_rule_of_the_layout_goes_before_the_one_for_all() {
        let by_phase = Ready::Reported(|live| {
            let up = live.pointer("/status/phase").and_then(Value::as_str) == Some("UP");
            (!up).then(|| Waiting::new("its controller has not looked at it yet"))
        });
        let waiting = Some("its controller has not looked at it yet".to_owned());
        assert_eq!(looked_at(None, Some(by_phase)).await, waiting);
        assert_eq!(looked_at(Some(condition("Ready", "True")), Some(by_phase)).await, waiting);
        assert_eq!(looked_at(Some(json!({"phase": "UP"})), Some(by_phase)).await, None);
        assert_eq!(looked_at(None, Some(Ready::ByKind)).await, None);
    }
}
