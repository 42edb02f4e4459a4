//! The operation on a release that is under way, or that was interrupted: who, since when, and
//! where it stands.
//!
//! Reads the operation object, and says what it holds in words; completing or undoing it is
//! [`crate::verbs::recover`]'s.

use crate::context::Context;
use crate::failure::{Cause, Failure, InPhase, NextStep};
use crate::operation::{JobMove, Journal};
use crate::release::LockError;
use crate::release::operation::{self, Pending};

/// The operation on a release that is under way, or the one that died, in words.
pub(crate) async fn operation_in_progress(context: &Context, name: &str) -> Result<Option<String>, Failure> {
    let held = match operation::in_progress(&context.store, name).await {
        // Nothing else of the release is hidden by it.
        Err(LockError::Release(error)) if error.is_another_version() => return Ok(Some(error.to_string())),
        held => held.refused()?,
    };
    let Some(held) = held else { return Ok(None) };
    let position = position(held.pending.as_ref());
    let state = if held.expired { "was interrupted" } else { "is under way" };
    Ok(Some(format!("an operation by {} (since {}) {state}: {position}", held.holder, held.since)))
}

/// Returns what an operation object holds, in words.
fn position(pending: Option<&Pending>) -> String {
    pending.map_or_else(|| "its journal cannot be read".to_owned(), Pending::position)
}

/// Says who holds a lock, or an interrupted operation.
pub(crate) fn held(name: &str, error: LockError) -> Failure {
    match error {
        LockError::LeftBehind(left) => {
            let (holder, since) = (left.holder, left.since);
            let mut words = position(left.pending.as_ref());
            let operation = match &left.pending {
                Some(Pending::Change(journal)) => {
                    words.push_str(&stopped_jobs(journal));
                    journal.decided.kind.verb()
                }
                Some(Pending::Savepoint(_) | Pending::Dispose(_)) => "savepoint",
                None => "operation",
            };
            Failure::refused(Cause::LeftBehind {
                operation: operation.to_owned(),
                holder,
                since: since.to_string(),
                position: words,
            })
            .next([
                NextStep::flink(["status", name]).remark("what runs now"),
                NextStep::flink(["recover", name]).remark("completes or undoes it"),
            ])
        }
        error => Failure::refused(error),
    }
}

/// Where the state is of the jobs that it has stopped, or may have.
fn stopped_jobs(journal: &Journal) -> String {
    let said = |job: &JobMove| match (&job.forward.savepoint, &job.decided.trigger) {
        (Some(path), _) => format!("; the job {} is stopped with the savepoint {path}", job.name),
        (None, Some(trigger)) if job.forward.stop_asked => {
            format!("; a savepoint of the job {} may be in {}", job.name, trigger.directory)
        }
        _ => String::new(),
    };
    journal.jobs.iter().map(said).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::testing::{self, Reply};
    use k8s_openapi::ByteString;
    use serde_json::json;

    #[tokio::test]
    async fn what_a_later_version_has_begun_is_said_and_hides_nothing_else() {
        let later = br#"{"format": 2, "writtenBy": "0.3.0", "content": {}}"#;
        let data = json!({"operation": ByteString(later.to_vec())});
        let (cluster, _) = testing::cluster(move |_| Reply::json(200, &json!({"items": [{"data": data}]})));
        let context = Context::new(cluster, "team".to_owned(), "the test".to_owned());
        let said = operation_in_progress(&context, "demo").await.unwrap().unwrap();
        assert!(
            said.ends_with("in format 2, which this version does not know: use 0.3.0 or newer"),
            "{said}"
        );
    }
}
