//! Port-forward: a stream to a port of a Pod through the API server, and a local listener on top of
//! it.

use super::{Cluster, ClusterError, pods};
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// A connection to a port of a Pod. Dropped, it is closed.
pub struct PodStream {
    stream: DuplexStream,
    // Ends the WebSocket's task when the stream is dropped.
    forwarder: kube::api::Portforwarder,
}

impl Drop for PodStream {
    fn drop(&mut self) {
        self.forwarder.abort();
    }
}

impl AsyncRead for PodStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for PodStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// Opens a connection to a port of a Pod. That nothing listens there shows only when it is read: it
/// ends at once.
pub async fn connect(
    cluster: &Cluster,
    namespace: &str,
    pod: &str,
    port: u16,
) -> Result<PodStream, ClusterError> {
    let failed = |reason: String| ClusterError::Forward { pod: pod.to_owned(), port, reason };
    let api: Api<Pod> = Api::namespaced(cluster.streaming_client(), namespace);
    let ports = [port];
    let opening = api.portforward(pod, &ports);
    let after = cluster.request_timeout();
    let mut forwarder = match tokio::time::timeout(after, opening).await {
        Ok(Ok(forwarder)) => forwarder,
        Ok(Err(kube::Error::Api(status))) => {
            return Err(ClusterError::Api { what: format!("port-forward to Pod {pod}"), status });
        }
        Ok(Err(error)) => return Err(failed(error.to_string())),
        Err(_) => {
            return Err(ClusterError::Deadline { what: format!("port-forward to Pod {pod}"), after });
        }
    };
    let stream = forwarder.take_stream(port).ok_or_else(|| failed("it was not opened".to_owned()))?;
    Ok(PodStream { stream, forwarder })
}

/// Where the connections of a local port go.
#[derive(Clone)]
enum Target {
    Pod(String),
    /// Whichever Pod of the selector serves when a connection comes.
    Selector(String),
}

/// A local port whose connections go to a Pod, until it is dropped.
pub struct LocalForward {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl LocalForward {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for LocalForward {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Listens on a port of the loopback (0: any free one) and carries each connection to a port of the
/// Pod.
pub async fn local_forward(
    cluster: &Cluster,
    namespace: &str,
    pod: &str,
    port: u16,
    local_port: u16,
) -> Result<LocalForward, ClusterError> {
    let address = (Ipv4Addr::LOCALHOST, local_port).into();
    listen(cluster, namespace, Target::Pod(pod.to_owned()), port, address).await
}

/// Listens on an address (port 0: any free one) and carries each connection to the Pod of the
/// selector that serves then: a Pod that was replaced meanwhile does no harm. That there is one now
/// is checked.
pub async fn to_selector(
    cluster: &Cluster,
    namespace: &str,
    selector: &str,
    port: u16,
    address: SocketAddr,
) -> Result<LocalForward, ClusterError> {
    let target = Target::Selector(selector.to_owned());
    target.pod(cluster, namespace).await?;
    listen(cluster, namespace, target, port, address).await
}

impl Target {
    async fn pod(&self, cluster: &Cluster, namespace: &str) -> Result<String, ClusterError> {
        match self {
            Self::Pod(name) => Ok(name.clone()),
            Self::Selector(selector) => {
                let pods = pods::list(cluster, namespace, selector).await?;
                let none =
                    || ClusterError::NoPod { namespace: namespace.to_owned(), selector: selector.clone() };
                pods::serving(&pods).map(str::to_owned).ok_or_else(none)
            }
        }
    }
}

async fn listen(
    cluster: &Cluster,
    namespace: &str,
    target: Target,
    port: u16,
    address: SocketAddr,
) -> Result<LocalForward, ClusterError> {
    let failed = |source| ClusterError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let (cluster, namespace) = (cluster.clone(), namespace.to_owned());
    let task = tokio::spawn(async move {
        // A set, so that the connections end with the listener.
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => {
                    let Ok((local, _)) = accepted else {
                        // Out of file descriptors, say: not again at once.
                        tokio::time::sleep(ACCEPT_AGAIN).await;
                        continue;
                    };
                    let (cluster, namespace, target) = (cluster.clone(), namespace.clone(), target.clone());
                    connections.spawn(async move {
                        if let Err(error) = carry(&cluster, &namespace, &target, port, local).await {
                            tracing::debug!(%error, "a forwarded connection ended");
                        }
                    });
                }
                Some(_) = connections.join_next() => {}
            }
        }
    });
    Ok(LocalForward { address, task })
}

async fn carry(
    cluster: &Cluster,
    namespace: &str,
    target: &Target,
    port: u16,
    mut local: TcpStream,
) -> Result<(), ClusterError> {
    let pod = target.pod(cluster, namespace).await?;
    let mut remote = connect(cluster, namespace, &pod, port).await?;
    let copied = tokio::io::copy_bidirectional(&mut local, &mut remote).await;
    copied.map(|_| ()).map_err(|error| ClusterError::Forward { pod, port, reason: error.to_string() })
}
