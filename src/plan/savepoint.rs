//! What is checked before a job is asked for a savepoint, for whatever verb asks.
//!
//! It sends nothing: it gives the trigger that will be recorded and sent, or the reason why there
//! can be none.

use crate::context::Context;
use crate::flink::JobOverview;
use crate::layout::Descriptor;
use crate::operation::Trigger;

/// The trigger of a new savepoint of a running job, with a directory of its own in the release's;
/// the reason where none can be taken: no durable place for it, or not all tasks run (Flink would
/// answer COMPLETED, with a failure in it).
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
