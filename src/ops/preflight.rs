//! What is checked before a job is asked for a savepoint, for whatever verb asks.
//!
//! It sends nothing: it gives the trigger that will be written down and sent, or the reason why there can be none.

use super::Context;
use super::descriptor::Descriptor;
use crate::flink::JobOverview;
use crate::operation::{JobMove, Stop, Trigger};
use crate::release::SavepointRef;

/// What is recorded as the format of a checkpoint that was retained.
const CHECKPOINT: &str = "CHECKPOINT";

/// The trigger of a new savepoint of a running job, with a directory of its own in the release's; the reason where none can
/// be taken: no durable place for it, or not all tasks run (Flink would answer COMPLETED, with a failure in it).
pub(crate) fn savepoint_trigger(
    context: &Context,
    descriptor: Option<&Descriptor>,
    live: &JobOverview,
    revision: u32,
) -> Result<Trigger, String> {
    let directory = descriptor
        .and_then(|descriptor| descriptor.savepoint_directory.as_deref())
        .ok_or("there is no durable place for it")?;
    if !live.is_fully_running() {
        let (running, total) = (live.tasks.running, live.tasks.total);
        return Err(format!("it is {}, {running} of its {total} tasks run", live.state));
    }
    let id = (context.new_id)();
    Ok(Trigger { id, directory: format!("{}/{revision}-{id}", directory.trim_end_matches('/')) })
}

/// The checkpoint that a new job left when it was ended, as it is recorded.
pub(crate) fn left_by(
    moved: &JobMove,
    flink_version: &str,
    taken_at: jiff::Timestamp,
) -> Option<SavepointRef> {
    Some(SavepointRef {
        path: moved.left.clone()?,
        trigger: moved.start.as_ref()?.id, // none was asked for: the job that left it
        taken_at,
        format: CHECKPOINT.to_owned(),
        flink_version: flink_version.to_owned(),
        drained: false,
    })
}

/// The savepoint with which a job was stopped, as it is recorded; `None` while its path is not known.
pub(crate) fn savepoint_of(
    moved: &JobMove,
    flink_version: &str,
    taken_at: jiff::Timestamp,
) -> Option<SavepointRef> {
    let format = match &moved.stop {
        Some(Stop::Savepoint { format, .. }) => format.clone(),
        Some(Stop::LatestCheckpoint) => CHECKPOINT.to_owned(),
        _ => String::new(),
    };
    Some(SavepointRef {
        path: moved.savepoint.clone()?,
        trigger: moved.trigger.as_ref()?.id,
        taken_at,
        format,
        flink_version: flink_version.to_owned(),
        drained: matches!(moved.stop, Some(Stop::Savepoint { drain: true, .. })),
    })
}
