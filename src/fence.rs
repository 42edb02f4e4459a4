//! The last look before a request that changes something: who carries out an operation proves here
//! that the operation is still its own.
//!
//! The clients of Flink and of Kubernetes have one place each that sends such requests, and that
//! place asks. It knows neither of them, and sends nothing itself.

use std::time::Duration;

use futures::future::BoxFuture;

/// A request that changes Flink or the cluster and is about to be sent.
#[derive(Debug, Clone)]
pub struct Change {
    /// Method and path, for messages and traces.
    pub request: String,
    pub deadline: Duration,
}

/// Asked immediately before every request that changes something, each time it is sent.
pub trait Fence: Send + Sync {
    /// Lets the change through, or says why not (the operation was taken over). Nothing is sent
    /// after an error.
    fn pass<'a>(&'a self, change: &'a Change) -> BoxFuture<'a, Result<(), String>>;
}

/// Lets everything through: for reads, and for commands that hold no lock.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unfenced;

impl Fence for Unfenced {
    fn pass<'a>(&'a self, _: &'a Change) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(std::future::ready(Ok(())))
    }
}
