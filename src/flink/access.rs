//! Which way to Flink: the one that was asked for, or the first that works.

use std::fmt;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use futures::future::{BoxFuture, Either, select};
use http::Method;
use url::Url;

use super::client::Client;
use super::direct::Direct;
use super::port_forward::PortForward;
use super::proxy::Proxy;
use super::transport::{Answer, Payload, Request, Transport, TransportError};

/// How Flink's REST API is reached.
#[derive(Clone, PartialEq, Eq, Default)]
pub enum Access {
    /// The API server's proxy; a port-forward where proxying is not allowed or does not get
    /// through. Jars go by port-forward first: it streams them.
    #[default]
    Auto,
    /// The API server's proxy only.
    Proxy,
    PortForward,
    Direct(Url),
}

impl fmt::Debug for Access {
    /// Without the password that a URL may hold.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "Auto",
            Self::Proxy => "Proxy",
            Self::PortForward => "PortForward",
            Self::Direct(_) => "Direct",
        })
    }
}

impl Client {
    /// A client of the Flink behind a Service. `selector` finds the `JobManager`'s Pods for a
    /// port-forward, which goes to the same port. The kube client must not retry by itself, and
    /// best has no read timeout: deadlines are this client's own. Clones share one connection; make
    /// one client for an operation, so that an upload and its run reach the same Pod.
    pub fn for_service(
        kube: kube::Client,
        namespace: &str,
        service: &str,
        port: u16,
        selector: &str,
        access: Access,
    ) -> Self {
        let proxy = || Proxy::new(kube.clone(), namespace, service, port);
        let forward = || PortForward::new(kube.clone(), namespace, selector, port);
        match access {
            Access::Auto => Self::new(Auto::new(proxy(), forward())),
            Access::Proxy => Self::new(proxy()),
            Access::PortForward => Self::new(forward()),
            Access::Direct(url) => match Direct::new(url) {
                Ok(direct) => Self::new(direct),
                Err(error) => Self::new(NoWay(error.to_string())),
            },
        }
    }
}

/// For how long the proxy is waited for alone, until it has answered once: where a network policy
/// drops what the API server sends, it cannot be reached for half a minute. A `JobManager` that is
/// busy starting takes some seconds too, so the proxy is not given up then: whichever way answers
/// first is taken.
const ALONE: Duration = Duration::from_secs(3);

/// Tries one way, then the other, and stays with what worked. A request is only sent a second way
/// where it certainly did not arrive the first, or is a GET.
struct Auto<P, F> {
    proxy: P,
    forward: F,
    way: AtomicU8,
}

/// The way that is taken, as [`Auto::way`] holds it.
const UNDECIDED: u8 = 0;
const PROXY: u8 = 1;
/// Also after an upload: what runs the jar then reaches the same Pod.
const FORWARD: u8 = 2;

impl<P: Transport, F: Transport> Auto<P, F> {
    fn new(proxy: P, forward: F) -> Self {
        Self { proxy, forward, way: AtomicU8::new(UNDECIDED) }
    }

    async fn exchange(&self, request: &Request) -> Result<Answer, TransportError> {
        if matches!(request.payload, Payload::Jar(_)) {
            return self.in_turn(request, FORWARD).await;
        }
        if self.way.load(Ordering::Relaxed) == UNDECIDED {
            if request.method == Method::GET {
                return self.race(request).await;
            }
            // A change is sent one way only: find out which before.
            let probe = Request { method: Method::GET, path: "/config".to_owned(), payload: Payload::Empty };
            drop(self.race(&probe).await);
        }
        self.in_turn(request, self.way.load(Ordering::Relaxed)).await
    }

    /// A GET by the proxy; by the port-forward too where the proxy fails or cannot be reached. The
    /// first answer decides.
    async fn race(&self, request: &Request) -> Result<Answer, TransportError> {
        let mut proxied = self.proxy.send(request);
        let first = tokio::time::timeout(ALONE, &mut proxied).await;
        match first {
            Ok(Err(error)) if another_way_may_help(&error, request) => {
                tracing::debug!(%request, %error, "the port-forward is tried");
                let forwarded = self.forward.send(request).await;
                self.decide(FORWARD, forwarded).map_err(|second| worse(error, second))
            }
            Ok(answer) => self.decide(PROXY, answer),
            Err(_) => {
                tracing::debug!(%request, "the API server's proxy is silent: the port-forward is tried too");
                match select(proxied, self.forward.send(request)).await {
                    Either::Left((Ok(answer), _)) => self.decide(PROXY, Ok(answer)),
                    Either::Left((Err(_), other)) => self.decide(FORWARD, other.await),
                    Either::Right((Ok(answer), _)) => self.decide(FORWARD, Ok(answer)),
                    Either::Right((Err(_), other)) => self.decide(PROXY, other.await),
                }
            }
        }
    }

    /// One way, and the other only where the request certainly did not arrive.
    async fn in_turn(&self, request: &Request, way: u8) -> Result<Answer, TransportError> {
        let (first, second): (&dyn Transport, &dyn Transport) =
            if way == FORWARD { (&self.forward, &self.proxy) } else { (&self.proxy, &self.forward) };
        let (way, other) = if way == FORWARD { (FORWARD, PROXY) } else { (PROXY, FORWARD) };
        match first.send(request).await {
            Err(error) if another_way_may_help(&error, request) => {
                tracing::debug!(%request, %error, by = first.describe(), "another way to Flink is tried");
                self.decide(other, second.send(request).await).map_err(|second| worse(error, second))
            }
            answer => self.decide(way, answer),
        }
    }

    /// Remembers the way by which an answer came.
    fn decide(&self, way: u8, answer: Result<Answer, TransportError>) -> Result<Answer, TransportError> {
        if answer.is_ok() {
            self.way.store(way, Ordering::Relaxed);
        }
        answer
    }
}

/// Of the errors of both ways the one to tell: an uncertain one in any case, else the first way's,
/// unless only a right was missing there.
fn worse(first: TransportError, second: TransportError) -> TransportError {
    let second_tells_more = !second.certainly_not_sent()
        || (matches!(first, TransportError::Forbidden { .. })
            && !matches!(second, TransportError::Forbidden { .. }));
    if second_tells_more { second } else { first }
}

/// Returns whether the other way may do better, and may be taken without asking Flink for the same
/// thing twice.
fn another_way_may_help(error: &TransportError, request: &Request) -> bool {
    match error {
        TransportError::Forbidden { .. } | TransportError::NotSent { .. } => true,
        // No Pod is ready for the Service, and so none for a port-forward; and the other way round.
        TransportError::NoBackend { .. }
        | TransportError::TooLarge { .. }
        | TransportError::Content { .. } => false,
        TransportError::Broken { .. } => request.method == Method::GET,
    }
}

impl<P: Transport, F: Transport> Transport for Auto<P, F> {
    fn send<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Answer, TransportError>> {
        Box::pin(self.exchange(request))
    }

    fn describe(&self) -> String {
        match self.way.load(Ordering::Relaxed) {
            FORWARD => self.forward.describe(),
            PROXY => self.proxy.describe(),
            _ => format!("{} or {}", self.proxy.describe(), self.forward.describe()),
        }
    }
}

/// A URL that cannot be used: said when it is tried.
struct NoWay(String);

impl Transport for NoWay {
    fn send<'a>(&'a self, _: &'a Request) -> BoxFuture<'a, Result<Answer, TransportError>> {
        Box::pin(std::future::ready(Err(TransportError::NotSent { message: self.0.clone() })))
    }

    fn describe(&self) -> String {
        "the URL that was given".to_owned()
    }
}
