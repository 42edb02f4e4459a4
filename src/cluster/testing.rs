//! A mocked API server for unit tests: a function from request to answer.

use super::Cluster;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use kube::client::Body;
use serde_json::{Value, json};
use std::convert::Infallible;
use std::io;
use std::sync::{Arc, Mutex};

/// A request as the server sees it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) body: Value,
}

/// What the server answers.
pub(crate) struct Reply {
    status: StatusCode,
    headers: Vec<(&'static str, String)>,
    body: String,
    cut_off: bool,
    silent: bool,
}

impl Reply {
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self::text(status, &body.to_string())
    }

    pub(crate) fn text(status: u16, body: &str) -> Self {
        Self {
            status: StatusCode::from_u16(status).unwrap(),
            headers: Vec::new(),
            body: body.to_owned(),
            cut_off: false,
            silent: false,
        }
    }

    /// A Status, as the API server says no.
    pub(crate) fn no(status: u16, message: &str) -> Self {
        Self::json(
            status,
            &json!({"kind": "Status", "status": "Failure", "code": status, "message": message}),
        )
    }

    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    /// The body breaks off in the middle.
    pub(crate) fn cut_off(mut self) -> Self {
        self.cut_off = true;
        self
    }

    pub(crate) fn silent() -> Self {
        Self { silent: true, ..Self::text(200, "") }
    }

    fn response(self) -> Response<UnsyncBoxBody<Bytes, io::Error>> {
        let mut builder = Response::builder().status(self.status);
        for (name, value) in &self.headers {
            builder = builder.header(*name, value);
        }
        let body = if self.cut_off {
            let half = Bytes::from(self.body.into_bytes()).split_to(1);
            let frames = [Ok(Frame::data(half)), Err(io::Error::from(io::ErrorKind::UnexpectedEof))];
            StreamBody::new(futures::stream::iter(frames)).boxed_unsync()
        } else {
            Full::new(Bytes::from(self.body)).map_err(|never: Infallible| match never {}).boxed_unsync()
        };
        builder.body(body).unwrap()
    }
}

/// What was asked of a mocked server so far.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<Seen>>>);

impl Log {
    /// `METHOD path` of each request, without queries.
    pub(crate) fn lines(&self) -> Vec<String> {
        let line = |seen: &Seen| format!("{} {}", seen.method, seen.path.split('?').next().unwrap());
        self.0.lock().unwrap().iter().map(line).collect()
    }
}

/// A cluster whose API server is the function.
pub(crate) fn cluster(answer: impl FnMut(&Seen) -> Reply + Send + 'static) -> (Cluster, Log) {
    let log = Log::default();
    let seen_so_far = log.clone();
    let answer = Arc::new(Mutex::new(answer));
    let service = tower::service_fn(move |request: Request<Body>| {
        let (answer, log) = (answer.clone(), seen_so_far.clone());
        async move {
            let (parts, body) = request.into_parts();
            let bytes = body.collect().await.unwrap().to_bytes();
            let seen = Seen {
                method: parts.method,
                path: parts.uri.path_and_query().unwrap().to_string(),
                body: serde_json::from_slice(&bytes).unwrap_or_default(),
            };
            log.0.lock().unwrap().push(seen.clone());
            let reply = (answer.lock().unwrap())(&seen);
            if reply.silent {
                std::future::pending::<()>().await;
            }
            Ok::<_, Infallible>(reply.response())
        }
    });
    (Cluster::from_client(kube::Client::new(service, "team")), log)
}

/// The answers of discovery for the kinds that tests use; `None` for another path.
pub(crate) fn discovery(path: &str) -> Option<Reply> {
    let resource = |plural: &str, kind: &str| json!({"resource": plural, "scope": "Namespaced", "responseKind": {"kind": kind}});
    let group = |name: &str, resources: &[Value]| json!({"items": [{"metadata": {"name": name}, "versions": [{"version": "v1", "resources": resources}]}]});
    let list = match path {
        "/api" => group("", &[resource("configmaps", "ConfigMap"), resource("services", "Service")]),
        "/apis" => {
            let mut list = group("apps", &[resource("deployments", "Deployment")]);
            let custom = group("example.com", &[resource("widgets", "Widget")]);
            list["items"].as_array_mut().unwrap().push(custom["items"][0].clone());
            list
        }
        _ => return None,
    };
    Some(Reply::json(200, &list))
}

/// Does to an object what a merge patch says (RFC 7396).
pub(crate) fn merge_patch(live: &mut Value, patch: &Value) {
    let Some(patch) = patch.as_object() else {
        live.clone_from(patch);
        return;
    };
    if !live.is_object() {
        *live = json!({});
    }
    for (key, value) in patch {
        if value.is_null() {
            live.as_object_mut().unwrap().shift_remove(key);
        } else {
            merge_patch(&mut live[key], value);
        }
    }
}
