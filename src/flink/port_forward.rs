//! The transport through a port-forward to a `JobManager`'s Pod: for users who may not proxy, for a
//! network policy that keeps the API server from Flink, and for uploads, which it streams.
//!
//! One connection is kept and used again, so that the requests of an operation reach the same Pod.
//! HTTP/1.1 runs over the forwarded stream itself: no local port is opened.

use std::io;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited, StreamBody};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, ListParams, Portforwarder};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use super::direct::chain;
use super::multipart::Multipart;
use super::proxy::not_answered;
use super::transport::{Answer, MAX_ANSWER, Payload, Request, Transport, TransportError};

type Body = UnsyncBoxBody<Bytes, io::Error>;

/// A port-forward to whichever ready Pod the selector finds. Best given a kube client without a
/// read timeout: an idle connection is opened again when it has been broken off, but a long upload
/// cannot be reached from the other side.
pub struct PortForward {
    client: kube::Client,
    namespace: String,
    selector: String,
    port: u16,
    connection: Mutex<Option<Connection>>,
}

/// An open connection to a Pod.
struct Connection {
    pod: String,
    sender: SendRequest<Body>,
    forwarder: Portforwarder,
    driver: JoinHandle<()>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
        self.forwarder.abort();
    }
}

impl PortForward {
    /// To a port of the Pods that this label selector finds.
    pub fn new(client: kube::Client, namespace: &str, selector: &str, port: u16) -> Self {
        Self {
            client,
            namespace: namespace.to_owned(),
            selector: selector.to_owned(),
            port,
            connection: Mutex::new(None),
        }
    }

    async fn exchange(&self, request: &Request) -> Result<Answer, TransportError> {
        // Taken out for the time of the request: where the caller gives up in between, a half-used
        // connection is closed and not used again.
        let mut slot = self.connection.lock().await;
        let mut connection = match slot.take() {
            Some(open) if open.usable() => open,
            _ => self.connect().await?,
        };
        let mut call = self.call(request).await?;
        // A kept connection may turn out to be closed only now; hyper gives a request back that it
        // has not begun.
        let answer = match connection.sender.try_send_request(call).await {
            Ok(answer) => answer,
            Err(mut error) => match error.take_message() {
                Some(unsent) => {
                    call = unsent;
                    connection = self.connect().await?;
                    let sent = connection.sender.try_send_request(call).await;
                    sent.map_err(|mut error| {
                        let message = chain(error.error());
                        if error.take_message().is_some() {
                            TransportError::NotSent { message }
                        } else {
                            broken(&connection, &message)
                        }
                    })?
                }
                None => return Err(broken(&connection, &chain(error.error()))),
            },
        };
        let status = answer.status();
        let body = Limited::new(answer.into_body(), MAX_ANSWER).collect().await.map_err(|error| {
            if error.is::<LengthLimitError>() {
                TransportError::TooLarge { limit: MAX_ANSWER }
            } else {
                broken(&connection, &chain(error.as_ref()))
            }
        })?;
        *slot = Some(connection);
        Ok(Answer { status, body: body.to_bytes() })
    }

    /// The request as hyper takes it.
    async fn call(&self, request: &Request) -> Result<http::Request<Body>, TransportError> {
        let mut call = http::Request::builder()
            .method(request.method.clone())
            .uri(&request.path)
            .header(http::header::HOST, format!("localhost:{}", self.port))
            .header(http::header::ACCEPT, "application/json");
        let body = match &request.payload {
            Payload::Empty => whole(Bytes::new()),
            Payload::Json(body) => {
                call = call.header(http::header::CONTENT_TYPE, "application/json");
                whole(body.clone())
            }
            Payload::Jar(jar) => {
                let body = Multipart::new(jar).await?;
                call = call
                    .header(http::header::CONTENT_TYPE, &body.content_type)
                    .header(http::header::CONTENT_LENGTH, body.length);
                StreamBody::new(body.stream().map(|piece| piece.map(Frame::data))).boxed_unsync()
            }
        };
        call.body(body).map_err(|error| TransportError::NotSent { message: error.to_string() })
    }

    /// Finds a Pod and opens a connection to it.
    async fn connect(&self) -> Result<Connection, TransportError> {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &self.namespace);
        let found = pods
            .list(&ListParams::default().labels(&self.selector))
            .await
            .map_err(|error| refused(&error, "list pods"))?;
        let pod = serving(&found.items).ok_or_else(|| TransportError::NoBackend {
            message: format!("no Pod with {} is ready in namespace {}", self.selector, self.namespace),
        })?;
        let mut forwarder = pods
            .portforward(&pod, &[self.port])
            .await
            .map_err(|error| refused(&error, "create pods/portforward"))?;
        let lost =
            || TransportError::NotSent { message: format!("no stream to port {} of Pod {pod}", self.port) };
        let stream = forwarder.take_stream(self.port).ok_or_else(lost)?;
        let (sender, driver) = handshake(TokioIo::new(stream))
            .await
            .map_err(|error| TransportError::NotSent { message: chain(&error) })?;
        let driver = tokio::spawn(driver.map(|_| ()));
        Ok(Connection { pod, sender, forwarder, driver })
    }
}

impl Connection {
    fn usable(&self) -> bool {
        !self.sender.is_closed() && !self.driver.is_finished()
    }
}

fn whole(bytes: Bytes) -> Body {
    Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
}

/// The connection broke: the kubelet may have had nothing to connect to, which looks the same from
/// here.
fn broken(connection: &Connection, message: &str) -> TransportError {
    TransportError::Broken { message: format!("the port-forward to Pod {}: {message}", connection.pod) }
}

/// Returns what the API server's refusal of a port-forward means. Flink has seen nothing in any
/// case.
fn refused(error: &kube::Error, right: &str) -> TransportError {
    use kube::client::UpgradeConnectionError::ProtocolSwitch;
    match error {
        kube::Error::Api(status) if matches!(status.code, 401 | 403) => {
            TransportError::Forbidden { message: status.message.clone(), right: right.to_owned() }
        }
        kube::Error::Api(status) => TransportError::NotSent { message: status.message.clone() },
        kube::Error::UpgradeConnection(ProtocolSwitch(status)) if matches!(status.as_u16(), 401 | 403) => {
            TransportError::Forbidden { message: error.to_string(), right: right.to_owned() }
        }
        other => match not_answered(other) {
            TransportError::Broken { message } => TransportError::NotSent { message },
            certain => certain,
        },
    }
}

/// The youngest Pod that is ready and not going.
fn serving(pods: &[Pod]) -> Option<String> {
    let ready = |pod: &&Pod| {
        let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
        pod.metadata.deletion_timestamp.is_none()
            && conditions
                .is_some_and(|all| all.iter().any(|one| one.type_ == "Ready" && one.status == "True"))
    };
    let youngest = pods
        .iter()
        .filter(ready)
        .max_by_key(|pod| pod.metadata.creation_timestamp.as_ref().map(|time| time.0))?;
    youngest.metadata.name.clone()
}

impl Transport for PortForward {
    fn send<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Answer, TransportError>> {
        Box::pin(self.exchange(request))
    }

    fn describe(&self) -> String {
        format!("a port-forward to a Pod of namespace {} with {}", self.namespace, self.selector)
    }
}
