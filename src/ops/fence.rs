//! The one function through which every request of an operation goes that changes something in Flink or on the API
//! server: a **transition**. Writes of the operation object itself do not, each is a part of the transition after it.
//!
//! It proves that the operation is still this run's own, and is where a run can be halted at a transition for a test.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use futures::future::BoxFuture;

use crate::fence::{Change, Fence};
use crate::release::operation::Guard;

/// A request of any deadline must have been sent when the lock has still this long to go: who takes over looks up what
/// was asked for by its id, and finds it.
const MARGIN: Duration = Duration::from_secs(10);
/// Names a transition, counted from 1: there the process stops itself, so that a test can kill it or let it go on late.
const HALT: &str = "KUBECTL_FLINK_HALT_AT_TRANSITION";

/// A process halts once: one that goes on late may begin another operation, which counts anew.
static HALTED: AtomicBool = AtomicBool::new(false);

/// The fence of an operation that holds the lock.
pub(super) struct Transitions {
    guard: Guard,
    count: AtomicU32,
    halt: Option<u32>,
}

impl Transitions {
    pub fn new(guard: Guard) -> Arc<Self> {
        let halt = std::env::var(HALT).ok().and_then(|value| value.parse().ok());
        Arc::new(Self { guard, count: AtomicU32::new(0), halt })
    }
}

impl Fence for Transitions {
    fn pass<'a>(&'a self, change: &'a Change) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move {
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
