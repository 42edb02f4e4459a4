//! The one function through which every request of an operation goes that changes something in
//! Flink or on the API server: a **transition**. Writes of the operation object itself do not, each
//! is a part of the transition after it.
//!
//! It has the list of them, refuses what is not on it, proves that the operation is still this
//! run's own, and is where a run can be halted at a transition for a test. Without the lock nearly
//! nothing may be sent ([`Unlocked`]).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use futures::future::BoxFuture;

use crate::fence::{Change, Fence};
use crate::release::operation::Guard;

/// A request of any deadline must have been sent when the lock has still this long to go: who takes
/// over looks up what was asked for by its id, and finds it.
const MARGIN: Duration = Duration::from_secs(10);
/// Names a transition, counted from 1: there the process stops itself, so that a test can kill it
/// or let it go on late.
const HALT: &str = "KUBECTL_FLINK_HALT_AT_TRANSITION";

/// Every transition: its method and path, `*` for a segment, `**` for the rest.
const TRANSITIONS: &[&str] = &[
    // Flink: a jar comes and goes, is checked, becomes a job.
    "POST /jars/upload",
    "DELETE /jars/*",
    "POST /jars/*/plan",
    "POST /jars/*/run",
    "POST /jars/*/run-application",
    // A job is stopped, cancelled, asked for a savepoint; a savepoint goes, and the high
    // availability's data of a cluster.
    "POST /jobs/*/stop",
    "POST /jobs/*/savepoints",
    "PATCH /jobs/*",
    "POST /applications/*/cancel",
    "POST /savepoint-disposal",
    "DELETE /cluster",
    // The API server: a revision is created, a savepoint recorded; objects, revisions among them,
    // are applied, patched and deleted.
    "POST /api/v1/namespaces/*/secrets",
    "PUT /api/v1/namespaces/*/secrets/*",
    "PATCH /api/**",
    "PATCH /apis/**",
    "DELETE /api/**",
    "DELETE /apis/**",
];
/// What may be sent without the lock: it makes a place for it.
const UNLOCKED: &[&str] = &["POST /api/v1/namespaces", "DELETE /api/v1/namespaces/*"];

/// Returns whether a request (`METHOD /path?query`) is on a list.
fn is_on(list: &[&str], request: &str) -> bool {
    let request = request.split('?').next().unwrap_or_default();
    let fits = |pattern: &&&str| {
        let (mut wanted, mut given) = (pattern.split('/'), request.split('/'));
        loop {
            match (wanted.next(), given.next()) {
                (None, None) | (Some("**"), Some(_)) => return true,
                (Some("*"), Some(segment)) if !segment.is_empty() => {}
                (Some(one), Some(other)) if one == other => {}
                _ => return false,
            }
        }
    };
    list.iter().any(|pattern| fits(&pattern))
}

/// The fence of a run that holds no lock: it changes nothing, but for what is named above.
pub(super) struct Unlocked;

impl Fence for Unlocked {
    fn pass<'a>(&'a self, change: &'a Change) -> BoxFuture<'a, Result<(), String>> {
        let passed = is_on(UNLOCKED, &change.request);
        let refused =
            "it would change something without the release's lock: an error of this program".to_owned();
        Box::pin(std::future::ready(if passed { Ok(()) } else { Err(refused) }))
    }
}

/// A process halts once: one that goes on late may begin another operation, which counts anew.
static HALTED: AtomicBool = AtomicBool::new(false);

/// The fence of an operation that holds the lock.
pub(super) struct Transitions {
    guard: Guard,
    count: AtomicU32,
    halt: Option<u32>,
}

impl Transitions {
    /// A fence over the guard of a held lock.
    pub fn new(guard: Guard) -> Arc<Self> {
        let halt = std::env::var(HALT).ok().and_then(|value| value.parse().ok());
        Arc::new(Self { guard, count: AtomicU32::new(0), halt })
    }
}

impl Fence for Transitions {
    fn pass<'a>(&'a self, change: &'a Change) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move {
            if !is_on(TRANSITIONS, &change.request) {
                return Err("it is no transition that is known: an error of this program".to_owned());
            }
            let number = self.count.fetch_add(1, Ordering::SeqCst) + 1;
            self.guard.confirm(change.deadline.min(MARGIN)).await.map_err(|error| error.to_string())?;
            tracing::info!(number, request = %change.request, "transition");
            if self.halt == Some(number) && !HALTED.swap(true, Ordering::SeqCst) {
                halt();
            }
            Ok(())
        })
    }
}

/// Between the last look and the sending: the worst moment there is.
#[cfg(unix)]
fn halt() {
    let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::STOP);
}

#[cfg(not(unix))]
fn halt() {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_on_the_list_passes() {
        for (request, locked, unlocked) in [
            ("POST /jobs/0123/stop", true, false),
            ("POST /jobs//stop", false, false),
            ("PATCH /jobs/0123?mode=cancel", true, false),
            ("POST /jobs/0123/rescaling", false, false),
            ("POST /jars/upload", true, false),
            ("DELETE /cluster", true, false),
            ("PATCH /apis/apps/v1/namespaces/a/deployments/demo-g1-jobmanager", true, false),
            ("DELETE /api/v1/namespaces/a/services/demo", true, false),
            ("DELETE /api/v1/namespaces/a", true, true),
            ("POST /api/v1/namespaces/a/secrets", true, false),
            ("PUT /api/v1/namespaces/a/secrets/flink.savepoints.v1.demo.1", true, false),
            ("PUT /api/v1/namespaces/a/services/demo", false, false),
            ("POST /api/v1/namespaces/a/pods", false, false),
            ("POST /api/v1/namespaces", false, true),
        ] {
            assert_eq!(
                (is_on(TRANSITIONS, request), is_on(UNLOCKED, request)),
                (locked, unlocked),
                "{request}"
            );
        }
    }
}
