//! The transport through the API server's service proxy
//! (`/api/v1/namespaces/NS/services/NAME:PORT/proxy/…`): it needs no more than the right
//! `services/proxy` and no way into the cluster's network.
//!
//! Status and body are read here: kube's own `request` takes every error for a `Status` of the API
//! server and loses Flink's cause. What the API server says for itself is told apart by `kind:
//! Status`.

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{Method, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use kube::client::Body;
use serde::Deserialize;

use super::direct::chain;
use super::multipart::Multipart;
use super::transport::{Answer, MAX_ANSWER, Payload, Request, Transport, TransportError};

/// The API server's proxy for one port of a Service. The kube client must not retry by itself: a
/// POST would be sent twice.
pub struct Proxy {
    client: kube::Client,
    namespace: String,
    service: String,
    port: u16,
}

impl Proxy {
    /// For this Service's port.
    pub fn new(client: kube::Client, namespace: &str, service: &str, port: u16) -> Self {
        Self { client, namespace: namespace.to_owned(), service: service.to_owned(), port }
    }

    async fn exchange(&self, request: &Request) -> Result<Answer, TransportError> {
        let (namespace, service, port) = (&self.namespace, &self.service, self.port);
        let path = format!(
            "/api/v1/namespaces/{namespace}/services/{service}:{port}/proxy{path}",
            path = request.path
        );
        let mut call = http::Request::builder()
            .method(request.method.clone())
            .uri(path)
            .header(http::header::ACCEPT, "application/json");
        let body = match &request.payload {
            Payload::Empty => Bytes::new(),
            Payload::Json(body) => {
                call = call.header(http::header::CONTENT_TYPE, "application/json");
                body.clone()
            }
            // kube's request bodies cannot stream.
            Payload::Jar(jar) => {
                let body = Multipart::new(jar).await?;
                call = call.header(http::header::CONTENT_TYPE, &body.content_type);
                body.whole().await?
            }
        };
        let call = call
            .body(Body::from(body))
            .map_err(|error| TransportError::NotSent { message: error.to_string() })?;
        let answer = self.client.send(call).await.map_err(|error| not_answered(&error))?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), MAX_ANSWER).collect().await.map_err(|error| {
            if error.is::<LengthLimitError>() {
                TransportError::TooLarge { limit: MAX_ANSWER }
            } else {
                TransportError::Broken { message: chain(error.as_ref()) }
            }
        })?;
        let body = body.to_bytes();
        match said_by_api_server(status, &body) {
            Some(said) => Err(refused(&request.method, said)),
            None => Ok(Answer { status, body }),
        }
    }
}

/// A `Status` of the API server.
#[derive(Debug, Deserialize)]
struct Said {
    kind: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    code: u16,
}

/// The API server's own words, where the answer is not Flink's.
fn said_by_api_server(status: StatusCode, body: &[u8]) -> Option<Said> {
    if status.is_success() {
        return None;
    }
    match serde_json::from_slice::<Said>(body) {
        Ok(said) if said.kind == "Status" => Some(Said { code: status.as_u16(), ..said }),
        // Its gateway errors can come as text. Flink's errors always are JSON.
        Err(_) if matches!(status.as_u16(), 401 | 403 | 502 | 504) => {
            let message = String::from_utf8_lossy(body).chars().take(200).collect();
            Some(Said { kind: String::new(), message, code: status.as_u16() })
        }
        Ok(_) | Err(_) => None,
    }
}

/// Returns what the API server's refusal means for the request.
fn refused(method: &Method, said: Said) -> TransportError {
    let Said { message, code, .. } = said;
    // "dial tcp 10.0.0.1:8081: connect: connection refused": no connection, so nothing was sent.
    // Any other trouble on the way ("EOF", "connection reset") may have come after Flink had the
    // request.
    let reached = message.starts_with("error trying to reach service") && !message.contains("dial tcp");
    match code {
        401 | 403 => TransportError::Forbidden { message, right: format!("{} services/proxy", verb(method)) },
        429 => TransportError::NotSent { message },
        404 => TransportError::NoBackend { message },
        503 if message.contains("dial tcp") => TransportError::NotSent { message },
        503 if !reached => TransportError::NoBackend { message },
        _ => TransportError::Broken { message },
    }
}

/// The RBAC verb of a method on a proxy.
fn verb(method: &Method) -> &'static str {
    match method.as_str() {
        "POST" => "create",
        "PUT" => "update",
        "PATCH" => "patch",
        "DELETE" => "delete",
        _ => "get",
    }
}

/// No answer from the API server.
pub(super) fn not_answered(error: &kube::Error) -> TransportError {
    let message = chain(error);
    let connecting = match error {
        kube::Error::Service(inner) => inner
            .downcast_ref::<hyper_util::client::legacy::Error>()
            .is_some_and(hyper_util::client::legacy::Error::is_connect),
        kube::Error::Auth(_) | kube::Error::BuildRequest(_) | kube::Error::HttpError(_) => true,
        _ => false,
    };
    if connecting { TransportError::NotSent { message } } else { TransportError::Broken { message } }
}

impl Transport for Proxy {
    fn send<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Answer, TransportError>> {
        Box::pin(self.exchange(request))
    }

    fn describe(&self) -> String {
        let Self { namespace, service, port, .. } = self;
        format!("the API server's proxy to Service {namespace}/{service}:{port}")
    }
}
