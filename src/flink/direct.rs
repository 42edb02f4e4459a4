//! The transport to a URL that the user gave (`--flink-url`): an Ingress, a `NodePort`, a
//! port-forward of their own.

use bytes::{Bytes, BytesMut};
use futures::future::BoxFuture;
use url::Url;

use super::multipart::Multipart;
use super::tls;
use super::transport::{Answer, MAX_ANSWER, Payload, Request, Transport, TransportError};

/// HTTP or HTTPS straight to Flink's REST API.
pub struct Direct {
    http: reqwest::Client,
    base: Url,
}

/// The URL cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DirectError {
    /// Not http or https, or without a host.
    #[error("{0:?} is no address of Flink's REST API: http://HOST:PORT or https://HOST:PORT")]
    Url(String),
    /// The HTTP client cannot be made.
    #[error("cannot make an HTTP client: {0}")]
    Client(#[source] reqwest::Error),
}

impl Direct {
    /// To this address; a path in it is kept as a prefix.
    pub fn new(base: Url) -> Result<Self, DirectError> {
        if !matches!(base.scheme(), "http" | "https") || base.host_str().is_none() {
            let mut shown = base.clone();
            let _ = shown.set_password(None); // an http URL can have one
            return Err(DirectError::Url(shown.to_string()));
        }
        tls::init();
        // Followed, a redirect would turn a POST into a GET; and Flink sends none.
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .build()
            .map_err(DirectError::Client)?;
        Ok(Self { http, base })
    }

    async fn exchange(&self, request: &Request) -> Result<Answer, TransportError> {
        let prefix = self.base.path().trim_end_matches('/');
        let mut url = self.base.clone();
        let (path, query) = match request.path.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (request.path.as_str(), None),
        };
        url.set_path(&format!("{prefix}{path}"));
        url.set_query(query);
        url.set_fragment(None);
        let mut call =
            self.http.request(request.method.clone(), url).header(http::header::ACCEPT, "application/json");
        match &request.payload {
            Payload::Empty => {}
            Payload::Json(body) => {
                call = call.header(http::header::CONTENT_TYPE, "application/json").body(body.clone());
            }
            Payload::Jar(jar) => {
                let body = Multipart::new(jar).await?;
                call = call
                    .header(http::header::CONTENT_TYPE, &body.content_type)
                    .header(http::header::CONTENT_LENGTH, body.length)
                    .body(reqwest::Body::wrap_stream(body.stream()));
            }
        }
        let mut response = call.send().await.map_err(broken)?;
        let status = response.status();
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(broken)? {
            if body.len() + chunk.len() > MAX_ANSWER {
                return Err(TransportError::TooLarge { limit: MAX_ANSWER });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status, body: Bytes::from(body) })
    }
}

/// The URL is left out of the message: it may hold a password.
fn broken(error: reqwest::Error) -> TransportError {
    let connect = error.is_connect();
    let message = chain(&error.without_url());
    if connect { TransportError::NotSent { message } } else { TransportError::Broken { message } }
}

/// An error and its sources in one line: reqwest's own text is "error sending request", the reason
/// is below it.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let text = inner.to_string();
        if !line.contains(&text) {
            line = format!("{line}: {text}");
        }
        source = inner.source();
    }
    line
}

impl Transport for Direct {
    fn send<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Answer, TransportError>> {
        Box::pin(self.exchange(request))
    }

    fn describe(&self) -> String {
        let mut shown = self.base.clone();
        let _ = shown.set_username(""); // an http URL can have one
        let _ = shown.set_password(None); // an http URL can have one
        shown.to_string().trim_end_matches('/').to_owned()
    }
}
