//! Pods by selector, and their logs: as text, as a stream, or those of several Pods line by line.

use std::ops::ControlFlow;

use super::call::Call;
use super::discovery::Resource;
use super::{Cluster, ClusterError, Selection};
use futures::io::{AsyncBufRead, AsyncBufReadExt};
use futures::{Stream, TryStreamExt};
use http::Request;
use k8s_openapi::api::core::v1::{ContainerState, Pod};
use serde_json::Value;

/// What to read of a log.
#[derive(Clone, Debug, Default)]
pub struct LogOptions {
    /// The container; the only one where empty.
    pub container: String,
    /// Go on as lines come.
    pub follow: bool,
    /// Of the container's run before this one.
    pub previous: bool,
    /// Only the last lines.
    pub tail_lines: Option<u32>,
    /// Only what is younger, in seconds.
    pub since_seconds: Option<u32>,
    /// An RFC 3339 time before each line.
    pub timestamps: bool,
}

/// Pods are in every cluster.
pub fn resource() -> Resource {
    Resource::known("v1", "pods")
}

/// The Pods that a label selector names, by name.
pub async fn list(cluster: &Cluster, namespace: &str, selector: &str) -> Result<Vec<Pod>, ClusterError> {
    let selection = Selection { labels: selector, ..Selection::default() };
    let items = cluster.list(&resource(), Some(namespace), &selection).await?;
    let mut pods: Vec<Pod> = items.into_iter().map(typed).collect::<Result<_, _>>()?;
    pods.sort_by(|a, b| a.metadata.name.cmp(&b.metadata.name));
    Ok(pods)
}

/// The name of a Pod that takes connections: running, ready and not going; the youngest of several.
/// `None` where there is none.
pub fn serving(pods: &[Pod]) -> Option<&str> {
    let serves = |pod: &&Pod| {
        let status = pod.status.as_ref();
        let ready = status.and_then(|status| status.conditions.as_ref()).is_some_and(|conditions| {
            conditions.iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
        });
        ready && pod.metadata.deletion_timestamp.is_none()
    };
    let youngest =
        pods.iter().filter(serves).max_by_key(|pod| pod.metadata.creation_timestamp.clone().map(|t| t.0))?;
    youngest.metadata.name.as_deref()
}

/// Returns whether a container of a Pod runs or has run.
pub fn has_run(pod: &Pod) -> bool {
    let statuses = pod.status.as_ref().and_then(|status| status.container_statuses.as_ref());
    statuses.is_some_and(|statuses| {
        statuses.iter().any(|status| {
            let has = |state: Option<&ContainerState>| {
                state.is_some_and(|state| state.running.is_some() || state.terminated.is_some())
            };
            status.restart_count > 0 || has(status.state.as_ref()) || has(status.last_state.as_ref())
        })
    })
}

/// A log as text.
pub async fn logs(
    cluster: &Cluster,
    namespace: &str,
    pod: &str,
    options: &LogOptions,
) -> Result<String, ClusterError> {
    let options = LogOptions { follow: false, ..options.clone() };
    // Logs are text/plain, but errors are a Status in JSON.
    let call = Call::get(log_path(namespace, pod, &options)?).accept("*/*");
    Ok(cluster.call(call).await?.text())
}

/// A log as a stream of bytes; with `follow` it goes on until the container ends or the stream is
/// dropped.
pub async fn stream_logs(
    cluster: &Cluster,
    namespace: &str,
    pod: &str,
    options: &LogOptions,
) -> Result<impl AsyncBufRead + Send + Unpin + use<>, ClusterError> {
    let path = log_path(namespace, pod, options)?;
    let what = what(&path);
    let request = Request::get(&path)
        .body(Vec::new())
        .map_err(|error| ClusterError::Answer { what: what.clone(), reason: error.to_string() })?;
    let client = cluster.streaming_client();
    let after = cluster.request_timeout();
    match tokio::time::timeout(after, client.request_stream(request)).await {
        Ok(Ok(stream)) => Ok(Box::pin(stream)),
        Ok(Err(kube::Error::Api(status))) => Err(ClusterError::Api { what, status }),
        Ok(Err(error)) => Err(ClusterError::CutOff { what, reason: error.to_string() }),
        Err(_) => Err(ClusterError::Deadline { what, after }),
    }
}

/// A line of a Pod's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    pub pod: String,
    pub container: String,
    /// Without the line's end; bytes that are not UTF-8 are replaced.
    pub text: String,
}

/// Gives the log lines of several Pods to `sink`, one Pod after the other; with `follow` as they
/// come, until all containers have ended or it has enough. A Pod whose container has no log yet is
/// left out, unless all are such.
pub async fn each_line(
    cluster: &Cluster,
    namespace: &str,
    pods: &[Pod],
    options: &LogOptions,
    sink: &mut (dyn FnMut(LogLine) -> ControlFlow<()> + Send),
) -> Result<(), ClusterError> {
    let mut open = Vec::new();
    let mut closed = None;
    for pod in pods {
        let name = pod.metadata.name.clone().unwrap_or_default();
        let options = LogOptions { container: container(pod, &options.container), ..options.clone() };
        match stream_logs(cluster, namespace, &name, &options).await {
            Ok(log) => open.push(Box::pin(lines(log, name, options.container))),
            // "container is waiting to start", "previous terminated container not found", or the
            // Pod has gone.
            Err(error) if matches!(error.status(), Some(400 | 404)) => closed = Some(error),
            Err(error) => return Err(error),
        }
    }
    if let Some(error) = closed.filter(|_| open.is_empty()) {
        return Err(error);
    }
    if options.follow {
        let mut all = futures::stream::select_all(open);
        while let Some(line) = all.try_next().await? {
            if sink(line).is_break() {
                return Ok(());
            }
        }
    } else {
        for mut log in open {
            while let Some(line) = log.try_next().await? {
                if sink(line).is_break() {
                    return Ok(());
                }
            }
        }
    }
    Ok(())
}

fn lines(
    log: impl AsyncBufRead + Send + Unpin,
    pod: String,
    container: String,
) -> impl Stream<Item = Result<LogLine, ClusterError>> {
    futures::stream::try_unfold((log, pod, container), |(mut log, pod, container)| async move {
        let mut line = Vec::new();
        let read = log.read_until(b'\n', &mut line).await;
        let length = read.map_err(|error| ClusterError::CutOff {
            what: format!("log of Pod {pod}"),
            reason: error.to_string(),
        })?;
        if length == 0 {
            return Ok(None);
        }
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end_matches(['\n', '\r']).to_owned();
        Ok(Some((LogLine { pod: pod.clone(), container: container.clone(), text }, (log, pod, container))))
    })
}

/// The container asked for, else the one that the Pod's annotation names as its default, else the
/// first: as kubectl does.
pub(super) fn container(pod: &Pod, asked: &str) -> String {
    let default =
        pod.metadata.annotations.as_ref().and_then(|all| all.get("kubectl.kubernetes.io/default-container"));
    let first = pod.spec.as_ref().and_then(|spec| spec.containers.first()).map(|container| &container.name);
    if asked.is_empty() { default.or(first).cloned().unwrap_or_default() } else { asked.to_owned() }
}

fn what(path: &str) -> String {
    format!("GET {}", path.split('?').next().unwrap_or_default())
}

fn log_path(namespace: &str, pod: &str, options: &LogOptions) -> Result<String, ClusterError> {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    if !options.container.is_empty() {
        query.append_pair("container", &options.container);
    }
    let flags =
        [("follow", options.follow), ("previous", options.previous), ("timestamps", options.timestamps)];
    for (name, _) in flags.into_iter().filter(|(_, on)| *on) {
        query.append_pair(name, "true");
    }
    for (name, value) in [("tailLines", options.tail_lines), ("sinceSeconds", options.since_seconds)] {
        if let Some(value) = value {
            query.append_pair(name, &value.to_string());
        }
    }
    Ok(format!("{}/log?{}", resource().object(namespace, pod)?, query.finish()))
}

/// An item of a list as its type.
pub(super) fn typed<T: serde::de::DeserializeOwned>(item: Value) -> Result<T, ClusterError> {
    serde_json::from_value(item)
        .map_err(|error| ClusterError::Answer { what: "a list".to_owned(), reason: error.to_string() })
}
