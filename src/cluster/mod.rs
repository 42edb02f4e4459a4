//! Kubernetes: the client, what the server can do, server-side apply, delete, readiness, rights,
//! Pods and their ports.
//!
//! Uses `kube` for kubeconfig, credentials, TLS and streams, and [`call`] for every other request,
//! so that deadlines and repetitions are the same everywhere. It knows objects and labels, but
//! neither Flink nor releases' records, and it never prints, never asks and never waits longer than
//! it was told.

pub mod apply;
pub mod call;
pub mod clock;
mod conflict;
mod connect;
pub mod delete;
pub mod discovery;
mod error;
pub mod exec;
pub mod forward;
mod objects;
mod owner;
pub mod pods;
pub mod quantity;
pub mod readiness;
mod rights;
#[cfg(test)]
pub(crate) mod testing;
pub mod tls;

pub use conflict::FieldConflict;
pub use connect::ConnectOptions;
pub(crate) use connect::namespace;
pub use error::ClusterError;
pub use objects::Selection;
pub use owner::RELEASE_LABEL;
pub use rights::Right;

use crate::fence::{Fence, Unfenced};
use discovery::Kinds;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;

/// The name under which this program owns fields in server-side apply.
pub const FIELD_MANAGER: &str = "kubectl-flink";

/// A connection to one cluster. Cheap to clone; one for a process.
#[derive(Clone)]
pub struct Cluster {
    inner: Arc<Inner>,
    fence: Arc<dyn Fence>,
}

struct Inner {
    client: kube::Client,
    streaming: kube::Client,
    server: String,
    namespace: String,
    request_timeout: Duration,
    kinds: Mutex<Option<Arc<Kinds>>>,
}

impl Cluster {
    /// Reads flags and kubeconfig and makes a client. Sends nothing: whether the server answers
    /// shows at the first call.
    pub async fn connect(options: &ConnectOptions) -> Result<Self, ClusterError> {
        let connection = connect::connect(options).await?;
        Ok(Self {
            inner: Arc::new(Inner {
                client: connection.client,
                streaming: connection.streaming,
                server: connection.server,
                namespace: connection.namespace,
                request_timeout: options.request_timeout.unwrap_or(connect::REQUEST_TIMEOUT),
                kinds: Mutex::default(),
            }),
            fence: Arc::new(Unfenced),
        })
    }

    /// A cluster behind a client made elsewhere: tests give one with a mocked service.
    pub fn from_client(client: kube::Client) -> Self {
        tls::init();
        let namespace = client.default_namespace().to_owned();
        Self {
            inner: Arc::new(Inner {
                streaming: client.clone(),
                client,
                server: "given".to_owned(),
                namespace,
                request_timeout: connect::REQUEST_TIMEOUT,
                kinds: Mutex::default(),
            }),
            fence: Arc::new(Unfenced),
        }
    }

    /// The same connection with a fence in front of every request that changes something.
    #[must_use]
    pub fn with_fence(&self, fence: Arc<dyn Fence>) -> Self {
        Self { inner: self.inner.clone(), fence }
    }

    /// The client, for requests that end (no byte for 300 s breaks them off).
    pub fn client(&self) -> kube::Client {
        self.inner.client.clone()
    }

    /// The client for streams that may be silent for as long as they like.
    pub fn streaming_client(&self) -> kube::Client {
        self.inner.streaming.clone()
    }

    /// The namespace of the command line, else of the context, else `default`.
    pub fn namespace(&self) -> &str {
        &self.inner.namespace
    }

    /// The API server's URL.
    pub fn server(&self) -> &str {
        &self.inner.server
    }

    /// The time for one request with its repetitions.
    pub fn request_timeout(&self) -> Duration {
        self.inner.request_timeout
    }

    fn kinds_cache(&self) -> &Mutex<Option<Arc<Kinds>>> {
        &self.inner.kinds
    }
}
