//! One request to the API server: its deadline, its retries, the cap on its answer, and the
//! server's own words.
//!
//! Everything that this program sends to Kubernetes, but streams, goes through [`Cluster::call`].
//! What may be sent again is decided here, by what the request does, and nowhere else.

use super::Cluster;
use super::clock::{Moment, ServerClock};
use super::error::ClusterError;
use crate::fence::Change;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use jiff::Timestamp;
use kube::client::Body;
use kube::core::Status;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::time::Duration;
use tokio::time::Instant;

/// The longest answer that is read, in bytes: a page of 500 objects is far below.
const LONGEST_ANSWER: usize = 64 << 20;
/// How often a request is sent at most.
const ATTEMPTS: u32 = 5;
/// The wait before the first repetition, where the server names none; doubled each time.
const FIRST_WAIT: Duration = Duration::from_millis(250);

/// What a request does, and so what may be done about its failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Changes nothing (GET, LIST, a dry run, an access review): sent again on 429, 503, 504 and on
    /// an answer that broke off.
    Read,
    /// Brings about a state and is the same sent twice (server-side apply, a merge patch, delete):
    /// sent again on 429 only, when the server says that it did not begin. Anything else is
    /// uncertain, and the caller must look.
    Idempotent,
    /// Is not the same sent twice (create, compare-and-swap): never sent again.
    Once,
}

impl Effect {
    fn may_repeat(self, status: StatusCode) -> bool {
        match self {
            Self::Read => matches!(
                status,
                StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT
            ),
            Self::Idempotent => status == StatusCode::TOO_MANY_REQUESTS,
            Self::Once => false,
        }
    }
}

/// A request.
#[derive(Clone, Debug)]
pub struct Call {
    method: Method,
    path: String,
    body: Bytes,
    content_type: Option<&'static str>,
    accept: &'static str,
    effect: Effect,
    deadline: Option<Duration>,
}

impl Call {
    /// A GET of a path with its query.
    pub fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path.into(), Effect::Read)
    }

    /// A POST that creates.
    pub fn create(path: impl Into<String>, body: &Value) -> Self {
        Self::new(Method::POST, path.into(), Effect::Once).json(body, "application/json")
    }

    /// A POST that only asks, such as an access review.
    pub fn ask(path: impl Into<String>, body: &Value) -> Self {
        Self::new(Method::POST, path.into(), Effect::Read).json(body, "application/json")
    }

    /// A PUT: with the resource version in the body, a compare-and-swap.
    pub fn replace(path: impl Into<String>, body: &Value) -> Self {
        Self::new(Method::PUT, path.into(), Effect::Once).json(body, "application/json")
    }

    /// A server-side apply.
    pub fn apply(path: impl Into<String>, body: &Value) -> Self {
        // JSON is YAML; the server takes both under this name.
        Self::new(Method::PATCH, path.into(), Effect::Idempotent).json(body, "application/apply-patch+yaml")
    }

    /// A merge patch (RFC 7396).
    pub fn merge_patch(path: impl Into<String>, body: &Value) -> Self {
        Self::new(Method::PATCH, path.into(), Effect::Idempotent).json(body, "application/merge-patch+json")
    }

    /// A DELETE with its options.
    pub fn delete(path: impl Into<String>, options: &Value) -> Self {
        Self::new(Method::DELETE, path.into(), Effect::Idempotent).json(options, "application/json")
    }

    /// The same request, asking for another form of the answer.
    #[must_use]
    pub fn accept(mut self, accept: &'static str) -> Self {
        self.accept = accept;
        self
    }

    /// The same request with another effect: a dry run only asks.
    #[must_use]
    pub fn effect(mut self, effect: Effect) -> Self {
        self.effect = effect;
        self
    }

    /// The same request with a deadline of its own, retries included.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    fn new(method: Method, path: String, effect: Effect) -> Self {
        Self {
            method,
            path,
            body: Bytes::new(),
            content_type: None,
            accept: "application/json",
            effect,
            deadline: None,
        }
    }

    fn json(mut self, body: &Value, content_type: &'static str) -> Self {
        self.body = body.to_string().into();
        self.content_type = Some(content_type);
        self
    }

    /// Method and path, without the query.
    fn what(&self) -> String {
        format!("{} {}", self.method, self.path.split('?').next().unwrap_or_default())
    }

    fn request(&self) -> Result<Request<Body>, ClusterError> {
        let mut builder =
            Request::builder().method(&self.method).uri(&self.path).header(header::ACCEPT, self.accept);
        if let Some(content_type) = self.content_type {
            builder = builder.header(header::CONTENT_TYPE, content_type);
        }
        builder
            .body(Body::from(self.body.clone()))
            .map_err(|error| ClusterError::Answer { what: self.what(), reason: error.to_string() })
    }
}

/// An answer that said yes.
#[derive(Clone, Debug)]
pub struct Answer {
    what: String,
    /// 200, 201 or 202.
    pub status: StatusCode,
    /// The server's clock when it answered; `None` where the answer has no `Date`.
    pub clock: Option<ServerClock>,
    body: Bytes,
}

impl Answer {
    /// The body as JSON.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, ClusterError> {
        serde_json::from_slice(&self.body)
            .map_err(|error| ClusterError::Answer { what: self.what.clone(), reason: error.to_string() })
    }

    /// The body as text; bytes that are not UTF-8 are replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// One attempt that did not say yes.
enum Failure {
    Said { error: ClusterError, status: StatusCode, retry_after: Option<Duration> },
    Broken(ClusterError),
    Final(ClusterError),
}

impl Cluster {
    /// Sends a request, again where its effect allows, within its deadline.
    pub async fn call(&self, call: Call) -> Result<Answer, ClusterError> {
        let after = call.deadline.unwrap_or(self.request_timeout());
        let end = Instant::now() + after;
        let mut wait = FIRST_WAIT;
        let mut attempt = 1;
        loop {
            if call.effect != Effect::Read {
                let change = Change { request: call.what(), deadline: after };
                let passed = self.fence.pass(&change).await;
                passed.map_err(|reason| ClusterError::Fenced { what: change.request, reason })?;
            }
            let failure = match tokio::time::timeout_at(end, self.attempt(&call)).await {
                Err(_) => {
                    return Err(ClusterError::Deadline { what: call.what(), after });
                }
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(failure)) => failure,
            };
            let (error, pause) = match failure {
                Failure::Broken(error) if call.effect == Effect::Read => (error, wait),
                Failure::Said { error, status, retry_after } if call.effect.may_repeat(status) => {
                    (error, retry_after.unwrap_or(wait))
                }
                Failure::Final(error) | Failure::Broken(error) | Failure::Said { error, .. } => {
                    return Err(error);
                }
            };
            // A wait that outlasts the deadline helps nobody: what the server said is the better
            // message.
            if attempt >= ATTEMPTS || Instant::now() + pause >= end {
                return Err(error);
            }
            tracing::debug!(what = call.what(), %error, ?pause, attempt, "sent again");
            tokio::time::sleep(pause).await;
            wait *= 2;
            attempt += 1;
        }
    }

    async fn attempt(&self, call: &Call) -> Result<Answer, Failure> {
        let what = call.what();
        let request = call.request().map_err(Failure::Final)?;
        let response =
            self.client().send(request).await.map_err(|error| self.failed_to_send(&what, error))?;
        let (parts, body) = response.into_parts();
        let clock = date(&parts.headers).map(|date| ServerClock::new(Moment::now(), date));
        let body = match Limited::new(body, LONGEST_ANSWER).collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) if error.is::<LengthLimitError>() => {
                return Err(Failure::Final(ClusterError::TooLong { what, limit: LONGEST_ANSWER }));
            }
            Err(error) => {
                let reason = innermost(error.as_ref());
                return Err(Failure::Broken(ClusterError::CutOff { what, reason }));
            }
        };
        if parts.status.is_success() {
            return Ok(Answer { what, status: parts.status, clock, body });
        }
        let status = said(parts.status, &body);
        let retry_after = retry_after(&parts.headers);
        let error = if parts.status == StatusCode::UNAUTHORIZED {
            ClusterError::Unauthorized { server: self.server().to_owned(), reason: status.message }
        } else {
            ClusterError::Api { what, status: Box::new(status) }
        };
        Err(Failure::Said { error, status: parts.status, retry_after })
    }

    fn failed_to_send(&self, what: &str, error: kube::Error) -> Failure {
        let server = self.server().to_owned();
        match error {
            kube::Error::Auth(error) => {
                Failure::Final(ClusterError::Unauthorized { server, reason: error.to_string() })
            }
            error => {
                let reason = innermost(&error);
                if never_sent(&error) {
                    Failure::Final(ClusterError::Unreachable { server, reason })
                } else {
                    Failure::Broken(ClusterError::CutOff { what: what.to_owned(), reason })
                }
            }
        }
    }
}

/// The connection was never made, so the request cannot have had an effect.
fn never_sent(error: &kube::Error) -> bool {
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = source {
        // hyper-util's error says so itself; its type is not among ours, its text is `client error
        // (Connect)`.
        if error.to_string().contains("(Connect)") {
            return true;
        }
        source = error.source();
    }
    false
}

fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

/// The server's Status, or one made from the code where a proxy on the way answered something else.
fn said(code: StatusCode, body: &[u8]) -> Status {
    let mut status: Status = serde_json::from_slice(body).unwrap_or_default();
    if status.message.is_empty() {
        let text: String = String::from_utf8_lossy(body).trim().chars().take(200).collect();
        status.message = if text.is_empty() || text.starts_with(['<', '{']) {
            code.to_string()
        } else {
            format!("{code}: {text}")
        };
    }
    status.code = code.as_u16();
    status
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    // The API server always gives seconds; the date form is for caches.
    headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

fn date(headers: &HeaderMap) -> Option<Timestamp> {
    let text = headers.get(header::DATE)?.to_str().ok()?;
    Some(jiff::fmt::rfc2822::parse(text).ok()?.timestamp())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{self, Reply};
    use super::*;
    use serde_json::json;
    use std::collections::VecDeque;

    fn call(effect: Effect) -> Call {
        match effect {
            Effect::Read => Call::get("/x?a=b"),
            Effect::Idempotent => Call::apply("/x", &json!({})),
            Effect::Once => Call::create("/x", &json!({})),
        }
    }

    /// Sends once; says how often the server was asked.
    async fn send(effect: Effect, replies: Vec<Reply>) -> (Result<Answer, ClusterError>, usize) {
        let mut replies = VecDeque::from(replies);
        let (cluster, log) = testing::cluster(move |_| replies.pop_front().unwrap_or(Reply::text(200, "{}")));
        let result = cluster.call(call(effect).deadline(Duration::from_secs(3))).await;
        (result, log.lines().len())
    }

    #[tokio::test]
    async fn what_is_sent_again_is_a_matter_of_its_effect() {
        use Effect::{Idempotent, Once, Read};
        for (status, repeated) in [
            (429, &[Read, Idempotent][..]),
            (503, &[Read]),
            (504, &[Read]),
            (500, &[]),
            (409, &[]),
            (404, &[]),
        ] {
            for effect in [Read, Idempotent, Once] {
                let no = Reply::no(status, "no").header("retry-after", "0");
                let (result, asked) = send(effect, vec![no]).await;
                let again = repeated.contains(&effect);
                assert_eq!((result.is_ok(), asked), (again, 1 + usize::from(again)), "{status} {effect:?}");
            }
        }
    }

    #[tokio::test]
    async fn retry_after_is_waited_for() {
        let begun = Instant::now();
        let (result, asked) =
            send(Effect::Read, vec![Reply::no(429, "slow down").header("retry-after", "1")]).await;
        assert!(result.is_ok() && asked == 2 && begun.elapsed() >= Duration::from_secs(1));
    }

    #[tokio::test]
    async fn a_wait_beyond_the_deadline_is_answered_at_once_in_the_servers_words() {
        let begun = Instant::now();
        let (result, asked) =
            send(Effect::Read, vec![Reply::no(429, "slow down").header("retry-after", "60")]).await;
        assert_eq!((result.unwrap_err().to_string().as_str(), asked), ("slow down", 1));
        assert!(begun.elapsed() < Duration::from_secs(1));
    }

    #[tokio::test]
    async fn a_server_that_never_recovers_is_asked_five_times() {
        let replies = (0..9).map(|_| Reply::no(503, "busy").header("retry-after", "0")).collect();
        let (result, asked) = send(Effect::Read, replies).await;
        assert_eq!((result.unwrap_err().to_string().as_str(), asked), ("busy", 5));
    }

    #[tokio::test]
    async fn an_answer_that_breaks_off_is_asked_for_again_only_where_nothing_was_changed() {
        for (effect, again) in [(Effect::Read, true), (Effect::Idempotent, false), (Effect::Once, false)] {
            let (result, asked) = send(effect, vec![Reply::text(200, "{\"a\": 1}").cut_off()]).await;
            assert_eq!((result.is_ok(), asked), (again, 1 + usize::from(again)), "{effect:?}");
            if let Err(error) = result {
                assert!(matches!(error, ClusterError::CutOff { .. }) && error.is_uncertain(), "{error}");
            }
        }
    }

    #[tokio::test]
    async fn silence_ends_with_the_deadline() {
        let (cluster, _) = testing::cluster(|_| Reply::silent());
        let error =
            cluster.call(Call::get("/x?secret=1").deadline(Duration::from_millis(50))).await.unwrap_err();
        assert_eq!(error.to_string(), "no answer from the Kubernetes API server within 0.05 s (GET /x)");
        assert!(error.is_uncertain());
    }

    #[tokio::test]
    async fn what_a_proxy_on_the_way_says_is_shown_shortly() {
        let (result, _) = send(Effect::Once, vec![Reply::text(502, "<html>long</html>")]).await;
        assert_eq!(result.unwrap_err().to_string(), "502 Bad Gateway");
        let (result, _) = send(Effect::Once, vec![Reply::text(502, "upstream gone\n")]).await;
        assert_eq!(result.unwrap_err().to_string(), "502 Bad Gateway: upstream gone");
        let (result, _) = send(Effect::Once, vec![Reply::no(401, "Unauthorized")]).await;
        assert!(result.unwrap_err().is_unreachable());
    }

    #[tokio::test]
    async fn the_servers_clock_comes_with_its_answer() {
        let reply = Reply::text(200, "{}").header("date", "Fri, 02 Jan 2026 03:04:05 GMT");
        let (result, _) = send(Effect::Read, vec![reply]).await;
        let now = result.unwrap().clock.unwrap().now().to_string();
        assert!(now.starts_with("2026-01-02T03:04:05"), "{now}");
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_is_named_at_once() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let server = format!("https://{}", listener.local_addr().unwrap());
        drop(listener);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config");
        let config = format!(
            "{{current-context: a, contexts: [{{name: a, context: {{cluster: a}}}}], clusters: [{{name: a, cluster: {{server: '{server}'}}}}]}}"
        );
        fs_err::write(&path, config).unwrap();
        let options = super::super::ConnectOptions { kubeconfig: Some(path), ..Default::default() };
        let cluster = Cluster::connect(&options).await.unwrap();
        let error = cluster.version().await.unwrap_err();
        assert!(error.is_unreachable());
        let message = error.to_string();
        assert!(
            message.starts_with(&format!(
                "the Kubernetes API server {server} cannot be reached: Connection refused"
            )),
            "{message}"
        );
    }
}
