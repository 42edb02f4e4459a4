//! How a request gets to Flink's REST API and its answer back. A transport carries bytes: it knows
//! neither Flink's answers nor what may be asked twice, and it never sends a request again once it
//! may have reached Flink.

use std::fmt;
use std::path::PathBuf;

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{Method, StatusCode};

/// The largest answer that is read, in bytes. Flink's longest are stack traces of some tens of
/// kilobytes and the plans of large jobs of some megabytes.
pub const MAX_ANSWER: usize = 16 * 1024 * 1024;

/// A request to Flink's REST API.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: Method,
    /// Path and query, percent-encoded, with a leading slash.
    pub path: String,
    /// What is sent along.
    pub payload: Payload,
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}

/// What a request carries.
#[derive(Clone, Debug)]
pub enum Payload {
    Empty,
    Json(Bytes),
    /// A jar, as the multipart field `jarfile`.
    Jar(Jar),
}

/// A jar to upload.
#[derive(Clone, Debug)]
pub struct Jar {
    /// The file's name, which becomes the end of its id in Flink.
    pub name: String,
    /// Where its bytes are.
    pub content: Content,
}

/// Where the bytes of a jar are.
#[derive(Clone)]
pub enum Content {
    Bytes(Bytes),
    /// In a file, which is read as it is sent wherever the transport can stream.
    File(PathBuf),
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "{} bytes", bytes.len()),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}

/// What came back, from Flink itself.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: StatusCode,
    /// The whole body, of at most [`MAX_ANSWER`] bytes.
    pub body: Bytes,
}

/// Why there is no answer of Flink's.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TransportError {
    /// The API server does not let this user through. Flink has seen nothing.
    #[error("{message}")]
    Forbidden {
        /// The API server's own words.
        message: String,
        /// The right that is missing, as `verb resource`.
        right: String,
    },
    /// There is nothing to talk to: no such Service, no ready Pod behind it. Flink has seen
    /// nothing.
    #[error("{message}")]
    NoBackend { message: String },
    /// No connection to Flink came about. Flink has seen nothing.
    #[error("{message}")]
    NotSent { message: String },
    /// The connection broke after the request may have reached Flink: it may have acted on it.
    #[error("{message}")]
    Broken { message: String },
    /// The answer is larger than [`MAX_ANSWER`]. Flink has acted.
    #[error("the answer is larger than {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// What is to be sent cannot be read. Flink has seen nothing whole.
    #[error("cannot read {path}: {source}", path = path.display())]
    Content {
        path: PathBuf,
        #[source]
        source: std::sync::Arc<std::io::Error>,
    },
}

impl TransportError {
    /// Returns whether it is certain that Flink has not seen the request.
    pub fn certainly_not_sent(&self) -> bool {
        match self {
            Self::Forbidden { .. } | Self::NoBackend { .. } | Self::NotSent { .. } | Self::Content { .. } => {
                true
            }
            Self::Broken { .. } | Self::TooLarge { .. } => false,
        }
    }
}

/// A way to Flink's REST API.
pub trait Transport: Send + Sync {
    /// Sends one request and reads its answer whole. It neither retries nor sets a deadline: both
    /// are the client's, and dropping the future ends the attempt.
    fn send<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Answer, TransportError>>;

    /// The way in words, for messages: "the API server's proxy to Service
    /// shop/demo-g1-jobmanager:8081". Holds no secret.
    fn describe(&self) -> String;
}
