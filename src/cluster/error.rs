//! What can go wrong between here and the API server.

use kube::core::Status;
use std::path::PathBuf;
use std::time::Duration;

/// An error of the cluster. Messages never hold credentials.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// There is no kubeconfig, and this is no Pod.
    #[error("no kubeconfig found: looked at {}; name one with --kubeconfig or the variable KUBECONFIG", paths(.looked))]
    NoKubeconfig {
        /// The files that do not exist.
        looked: Vec<PathBuf>,
    },
    /// A kubeconfig cannot be read as YAML of the right shape. The parser's own text is left out:
    /// it quotes lines, and a kubeconfig's lines are credentials.
    #[error("the kubeconfig {}{} is not valid", .path.display(), place(*.line))]
    KubeconfigSyntax {
        path: PathBuf,
        /// The line, from 1, where known.
        line: Option<u64>,
    },
    /// A kubeconfig cannot be used.
    #[error("the kubeconfig cannot be used: {source}")]
    Kubeconfig {
        #[source]
        source: Box<kube::config::KubeconfigError>,
    },
    /// The kubeconfig names no current context.
    #[error("the kubeconfig has no current context{}", choose(.known))]
    NoCurrentContext {
        /// The contexts that there are.
        known: Vec<String>,
    },
    /// The kubeconfig has no such context, cluster or user.
    #[error("the kubeconfig has no {what} {name:?}; it has: {}", list(.known))]
    UnknownName {
        /// `context`, `cluster` or `user`.
        what: &'static str,
        /// The name asked for.
        name: String,
        /// Those that there are.
        known: Vec<String>,
        /// A flag names it, and not the kubeconfig itself.
        asked: bool,
    },
    /// An option of the command line cannot be used.
    #[error("--{option}: {reason}")]
    Option { option: &'static str, reason: String },
    /// The client cannot be made: certificates, proxy.
    #[error("the connection to {server} cannot be set up: {reason}")]
    Setup {
        /// The API server's URL.
        server: String,
        reason: String,
    },
    /// The API server cannot be reached.
    #[error("the Kubernetes API server {server} cannot be reached: {reason}")]
    Unreachable {
        /// The API server's URL.
        server: String,
        reason: String,
    },
    /// The credentials are not accepted, or a plugin that makes them failed.
    #[error("the Kubernetes API server {server} does not accept the credentials: {reason}")]
    Unauthorized {
        /// The API server's URL.
        server: String,
        /// The server's or the plugin's message.
        reason: String,
    },
    /// The operation is no longer this run's own; nothing was sent.
    #[error("{what} was not sent: {reason}")]
    Fenced { what: String, reason: String },
    /// No whole answer in time. What a change did is not known.
    #[error("no answer from the Kubernetes API server within {} s ({what})", .after.as_secs_f32())]
    Deadline {
        what: String,
        /// The time that was allowed.
        after: Duration,
    },
    /// The answer broke off. What a change did is not known.
    #[error("the answer of the Kubernetes API server broke off ({what}): {reason}")]
    CutOff { what: String, reason: String },
    /// The answer is longer than this program reads.
    #[error("the answer of the Kubernetes API server is longer than {limit} bytes ({what})")]
    TooLong {
        what: String,
        /// The cap, in bytes.
        limit: usize,
    },
    /// The answer is not what the API promises.
    #[error("the Kubernetes API server's answer to {what} is not understood: {reason}")]
    Answer { what: String, reason: String },
    /// The API server said no.
    #[error("{}", said(.status, .what))]
    Api {
        what: String,
        /// The server's own words.
        status: Box<Status>,
    },
    /// The server does not serve this kind.
    #[error(
        "the cluster does not know the kind {kind} of {api_version}; is its CustomResourceDefinition installed?"
    )]
    UnknownKind { api_version: String, kind: String },
    /// A name that cannot be part of a URL.
    #[error("{0:?} is not a name of a Kubernetes object")]
    Name(String),
    /// Something was not gone in time.
    #[error("{object} is still there after {} s{}", .after.as_secs(), held(.finalizers))]
    StillThere {
        object: String,
        /// The time that was allowed.
        after: Duration,
        finalizers: Vec<String>,
    },
    /// No Pod of a selector is ready.
    #[error("no Pod in namespace {namespace} is ready (selector {selector})")]
    NoPod { namespace: String, selector: String },
    /// An address of this machine cannot be listened on.
    #[error("{address} cannot be listened on: {source}")]
    Listen {
        /// The address; port 0 for any.
        address: std::net::SocketAddr,
        #[source]
        source: std::io::Error,
    },
    /// A script in a Pod did not end well.
    #[error("{what} failed: {reason}")]
    Script {
        /// The Pod that it ran in.
        what: String,
        /// The API server's words: its exit code.
        reason: String,
    },
    /// A stream to a Pod cannot be opened.
    #[error("no connection to port {port} of Pod {pod}: {reason}")]
    Forward { pod: String, port: u16, reason: String },
}

impl ClusterError {
    /// The HTTP status of an answer that said no.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Api { status, .. } => Some(status.code),
            Self::Unauthorized { .. } => Some(401),
            _ => None,
        }
    }

    /// The server says that there is no such thing.
    pub fn is_not_found(&self) -> bool {
        self.status() == Some(404)
    }

    /// The server says that the caller may not.
    pub fn is_forbidden(&self) -> bool {
        self.status() == Some(403)
    }

    /// The server says that something stands against it: the object exists, or was changed
    /// meanwhile.
    pub fn is_conflict(&self) -> bool {
        self.status() == Some(409)
    }

    /// The cluster could not be reached at all, or does not let us in: nothing was changed.
    pub fn is_unreachable(&self) -> bool {
        matches!(
            self,
            Self::NoKubeconfig { .. }
                | Self::KubeconfigSyntax { .. }
                | Self::Kubeconfig { .. }
                | Self::NoCurrentContext { .. }
                | Self::UnknownName { asked: false, .. }
                | Self::Setup { .. }
                | Self::Unreachable { .. }
                | Self::Unauthorized { .. }
        )
    }

    /// A flag cannot be used, or names nothing that the kubeconfig has.
    pub fn is_command_line(&self) -> bool {
        matches!(self, Self::UnknownName { asked: true, .. } | Self::Option { .. })
    }

    /// Returns whether a change was made is not known: the answer did not come whole.
    pub fn is_uncertain(&self) -> bool {
        match self {
            Self::Deadline { .. } | Self::CutOff { .. } | Self::TooLong { .. } | Self::Answer { .. } => true,
            Self::Api { status, .. } => status.code >= 500,
            _ => false,
        }
    }
}

fn paths(paths: &[PathBuf]) -> String {
    list(&paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>())
}

fn choose(contexts: &[String]) -> String {
    match contexts {
        [] => ", nor any other".to_owned(),
        some => format!("; choose with --context: {}", list(some)),
    }
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

fn place(line: Option<u64>) -> String {
    line.map(|line| format!(":{line}")).unwrap_or_default()
}

fn held(names: &[String]) -> String {
    if names.is_empty() { String::new() } else { format!(": held by the finalizer {}", names.join(", ")) }
}

fn said(status: &Status, what: &str) -> String {
    if status.message.is_empty() {
        format!("the Kubernetes API server answered {} to {what}", status.code)
    } else {
        status.message.clone()
    }
}
