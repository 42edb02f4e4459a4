//! The operation on a release that is under way, or that was interrupted: who, since when, and where it stands.
//!
//! Reads the operation object, and says what it holds in words; completing or undoing it is [`crate::verbs::recover`]'s.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::context::Context;
use crate::failure::{Cause, Failure};
use crate::flink::SavepointFormat;
use crate::id::JobId;
use crate::operation::{Journal, Kind, Trigger};
use crate::release::{LockError, operation};

/// The operation on a release that is under way, or the one that died, in words.
pub(crate) async fn operation_in_progress(context: &Context, name: &str) -> Result<Option<String>, Failure> {
    let held = operation::in_progress(&context.store, name).await.map_err(Cause::from)?;
    let Some(held) = held else { return Ok(None) };
    let position = position(&held.journal);
    let state = if held.expired { "was interrupted" } else { "is under way" };
    Ok(Some(format!("an operation by {} (since {}) {state}: {position}", held.holder, held.since)))
}

/// What an operation object holds, in words.
pub(crate) fn position(journal: &Value) -> String {
    let parsed = serde_json::from_value::<Journal>(journal.clone()).map(|journal| journal.position());
    let taking = || serde_json::from_value::<Taking>(journal.clone()).map(|taking| taking.position());
    parsed.or_else(|_| taking()).unwrap_or_else(|_| "its journal cannot be read".to_owned())
}

/// Says who holds a lock, or an interrupted operation.
pub(crate) fn held(name: &str, error: LockError) -> Failure {
    match error {
        LockError::LeftBehind(left) => {
            let (holder, since) = (left.holder, left.since);
            let mut position = position(&left.journal);
            let journal: Option<Journal> = serde_json::from_value(left.journal).ok();
            let operation = journal.as_ref().map_or("operation", |journal| match journal.decided.kind {
                Kind::Install => "install",
                Kind::Upgrade => "upgrade",
                Kind::Rollback => "rollback",
                Kind::Uninstall => "uninstall",
                Kind::Jobs => "job",
            });
            for job in journal.iter().flat_map(|journal| &journal.jobs) {
                if let Some(path) = &job.forward.savepoint {
                    position
                        .push_str(&format!("; the job {} is stopped with the savepoint {path}", job.name));
                } else if let (true, Some(trigger)) = (job.forward.stop_asked, &job.decided.trigger) {
                    position.push_str(&format!(
                        "; a savepoint of the job {} may be in {}",
                        job.name, trigger.directory
                    ));
                }
            }
            Failure::refused(Cause::LeftBehind {
                operation: operation.to_owned(),
                holder,
                since: since.to_string(),
                position,
            })
            .next([
                format!("kubectl flink status {name}   # what runs now"),
                format!("kubectl flink recover {name}   # completes or undoes it"),
            ])
        }
        error => Failure::refused(error),
    }
}

/// A savepoint that is being taken of a job which goes on: what the operation object holds meanwhile, so that whoever finds it
/// knows where to look.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Taking {
    pub savepoint_of: String,
    pub job: JobId,
    pub revision: u32,
    pub trigger: Trigger,
    pub format: SavepointFormat,
}

impl Taking {
    /// In words, for whoever finds it.
    pub fn position(&self) -> String {
        let (job, directory) = (&self.savepoint_of, &self.trigger.directory);
        format!("a savepoint of {job} was asked for; if it was written it is in {directory}")
    }
}
