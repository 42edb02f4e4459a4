//! Flink's REST API. This client alone owns the deadlines, the cap on answers, what may be asked
//! again (reads, never a change), and Flink's error body. Every request that changes something goes
//! through [`Client::change`], which asks the fence first.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::backoff::Backoff;
use super::error::FlinkError;
use super::transport::{Answer, Payload, Request, Transport};
use crate::fence::{Change, Fence, Unfenced};

/// How often a read is tried at most where Flink cannot be reached.
const READ_TRIES: u32 = 3;

/// For how long a request may take.
#[derive(Debug, Clone, Copy)]
pub struct Deadlines {
    /// One try of a read.
    pub read: Duration,
    /// A change that Flink only accepts and carries out later: stop, savepoint, cancel.
    pub change: Duration,
    /// `run` and `plan`, which carry out `main()`.
    pub main: Duration,
    pub upload: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            read: Duration::from_secs(10),
            change: Duration::from_secs(15),
            main: Duration::from_mins(1),
            upload: Duration::from_mins(10),
        }
    }
}

/// A client of one Flink cluster's REST API. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    transport: Arc<dyn Transport>,
    fence: Arc<dyn Fence>,
    deadlines: Deadlines,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("by", &self.transport.describe()).finish_non_exhaustive()
    }
}

impl Client {
    /// Over this transport, without a fence.
    pub fn new(transport: impl Transport + 'static) -> Self {
        Self { transport: Arc::new(transport), fence: Arc::new(Unfenced), deadlines: Deadlines::default() }
    }

    /// The same client with a fence in front of every request that changes something.
    #[must_use]
    pub fn with_fence(mut self, fence: Arc<dyn Fence>) -> Self {
        self.fence = fence;
        self
    }

    /// The deadlines.
    pub fn deadlines(&self) -> Deadlines {
        self.deadlines
    }

    /// The way to Flink in words.
    pub fn describe(&self) -> String {
        self.transport.describe()
    }

    /// A GET. Tried again, a few times and gently, where Flink cannot be reached; what Flink
    /// answers, 503 included, is handed on at once: who waits for something has a loop of their
    /// own.
    pub(super) async fn read<T: DeserializeOwned>(&self, path: String) -> Result<T, FlinkError> {
        let request = Request { method: Method::GET, path, payload: Payload::Empty };
        let mut backoff = Backoff::default();
        let mut tries = 1;
        loop {
            match self.exchange(&request, self.deadlines.read).await {
                Err(FlinkError::Unreachable { .. }) if tries < READ_TRIES => {
                    tries += 1;
                    backoff.wait().await;
                }
                answer => return decode(&request, &answer?.body),
            }
        }
    }

    /// Any other request: once, behind the fence. `tests/architecture.rs` holds that no other
    /// function sends one.
    pub(super) async fn change(
        &self,
        method: Method,
        path: String,
        payload: Payload,
        deadline: Duration,
    ) -> Result<Reply, FlinkError> {
        let request = Request { method, path, payload };
        let change = Change { request: request.to_string(), deadline };
        self.fence
            .pass(&change)
            .await
            .map_err(|message| FlinkError::Fenced { request: change.request, message })?;
        tracing::debug!(%request, "changing Flink");
        let answer = self.exchange(&request, deadline).await?;
        Ok(Reply { request, body: answer.body })
    }

    /// One request, one answer. Only [`Client::read`] and [`Client::change`] call this.
    async fn exchange(&self, request: &Request, deadline: Duration) -> Result<Answer, FlinkError> {
        let changes = request.method != Method::GET;
        let answer = tokio::time::timeout(deadline, self.transport.send(request))
            .await
            .map_err(|_| FlinkError::Deadline {
                request: request.to_string(),
                after: deadline,
                may_have_acted: changes,
            })?
            .map_err(|error| FlinkError::transport(error, &self.transport.describe(), changes))?;
        tracing::trace!(%request, status = answer.status.as_u16(), bytes = answer.body.len(), "answered");
        if answer.status.is_success() { Ok(answer) } else { Err(FlinkError::answer(request, &answer)) }
    }
}

/// The answer to a change.
pub(super) struct Reply {
    request: Request,
    body: Bytes,
}

impl Reply {
    /// Reads it.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, FlinkError> {
        decode(&self.request, &self.body)
    }
}

/// A JSON payload.
pub(super) fn json(body: &impl Serialize) -> Payload {
    // What is sent has no map with keys that JSON cannot hold, the one thing that could fail here.
    Payload::Json(serde_json::to_vec(body).map_or_else(|_| Bytes::from_static(b"{}"), Bytes::from))
}

/// A path segment: everything but unreserved characters is percent-encoded (RFC 3986, 2.3).
pub(super) fn segment(text: &str) -> String {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(char::from(HEX[usize::from(byte >> 4)]));
            out.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
    out
}

fn decode<T: DeserializeOwned>(request: &Request, body: &[u8]) -> Result<T, FlinkError> {
    serde_json::from_slice(body)
        .map_err(|error| FlinkError::Body { request: request.to_string(), message: error.to_string() })
}
