//! Which rights each verb needs, and the check before anything changes. The table of docs/rights.md
//! is made from [`needed`].

use crate::cluster::Right;
use crate::context::Context;
use crate::failure::{Cause, Failure, InPhase, NextStep};

/// Verbs that change something, by what they need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    Install,
    Upgrade,
    Rollback,
    Uninstall,
    /// `job …`, `savepoint trigger`.
    Jobs,
}

/// The rights that a verb always needs in the release's namespace. What a package's own objects
/// need beyond them shows in the server-side dry run.
pub fn needed(verb: Verb) -> Vec<Right> {
    let right = |group: &str, resource: &str, verbs: &[&str]| -> Vec<Right> {
        verbs.iter().map(|verb| Right::new(verb, group, resource)).collect()
    };
    let mut rights = right("", "secrets", &["get", "list", "create", "update", "patch", "delete"]);
    if verb == Verb::Jobs {
        return rights;
    }
    rights.extend(right("", "configmaps", &["list", "delete"]));
    rights.extend(right("apps", "deployments", &["get", "list", "delete"]));
    rights.extend(right("", "pods", &["list"]));
    if verb != Verb::Uninstall {
        for (group, resource) in [("apps", "deployments"), ("", "services"), ("", "configmaps")] {
            rights.extend(right(group, resource, &["get", "patch", "create"]));
        }
    }
    rights
}

/// Refuses where a right is missing, naming each.
pub(crate) async fn check(context: &Context, verb: Verb) -> Result<(), Failure> {
    let missing = context.cluster.check_rights(&context.namespace, &needed(verb)).await.refused()?;
    if missing.is_empty() {
        return Ok(());
    }
    let missing: Vec<String> =
        missing.iter().map(|right| format!("{right} in namespace {:?}", context.namespace)).collect();
    Err(Failure::refused(Cause::Rights { missing }).next([NextStep::say(format!(
        "ask for the role `edit` or `admin` in namespace {}",
        context.namespace
    ))]))
}
