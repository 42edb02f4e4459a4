//! Shell scripts that look at something inside a Pod, and what they print.
//!
//! A connection that breaks looks like the end of the output, and less output reads as "nothing
//! there". So an output counts only where it is certainly whole: the script's last line has come,
//! and the API server says that its shell has ended well.

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Status;
use kube::api::{AttachParams, AttachedProcess};
use tokio::io::AsyncReadExt as _;

use super::{Cluster, ClusterError, pods};

/// Bytes that a script may print, its end mark among them.
const LONGEST_OUTPUT: usize = 64 << 10;
/// The last line of every script's output.
const END: &str = "kubectl-flink-end-of-output";

/// Runs a shell script in a Pod's default container and returns what it printed, all of it.
///
/// The script must end by itself, print little and change nothing: it is not fenced. `exit` in it
/// would skip the end mark.
pub async fn output_of(
    cluster: &Cluster,
    namespace: &str,
    pod: &Pod,
    script: &str,
    arguments: &[&str],
) -> Result<String, ClusterError> {
    let name = pod.metadata.name.clone().unwrap_or_default();
    let what = format!("a script in Pod {name}");
    let script = format!("{script}\necho {END}");
    let command = ["sh", "-c", &script, "sh"].into_iter().chain(arguments.iter().copied());
    let after = cluster.request_timeout();
    let api: kube::Api<Pod> = kube::Api::namespaced(cluster.streaming_client(), namespace);
    let container = pods::container(pod, "");
    let attach = AttachParams::default().stdin(false).stderr(false).container(container);
    let ran = async {
        let process = api.exec(&name, command, &attach).await.map_err(|error| match error {
            kube::Error::Api(status) => ClusterError::Api { what: what.clone(), status },
            error => cut_off(&what, error.to_string()),
        })?;
        let (printed, status) = follow(&what, process).await?;
        whole(&what, &printed, &status)
    };
    match tokio::time::timeout(after, ran).await {
        Ok(text) => text,
        Err(_) => Err(ClusterError::Deadline { what, after }),
    }
}

/// Returns what a process printed and how the API server says that it ended.
///
/// Both are awaited together: kube leaves the output open where the connection breaks (its message
/// loop returns before it shuts the pipe down), and what is not read is in the way of the status.
async fn follow(what: &str, mut process: AttachedProcess) -> Result<(Vec<u8>, Status), ClusterError> {
    let (stdout, status) = (process.stdout(), process.take_status());
    let printed = async {
        let mut printed = Vec::new();
        if let Some(stdout) = stdout {
            let read = stdout.take(LONGEST_OUTPUT as u64 + 1).read_to_end(&mut printed).await;
            read.map_err(|error| cut_off(what, error.to_string()))?;
        }
        if printed.len() > LONGEST_OUTPUT {
            return Err(ClusterError::TooLong { what: what.to_owned(), limit: LONGEST_OUTPUT });
        }
        Ok(printed)
    };
    let ended = async {
        let status = match status {
            Some(status) => status.await,
            None => None,
        };
        status.ok_or_else(|| cut_off(what, "how the script ended is not known"))
    };
    tokio::try_join!(printed, ended)
}

/// Returns the output of a script without its end mark, or why it may not be all.
fn whole(what: &str, printed: &[u8], status: &Status) -> Result<String, ClusterError> {
    if status.status.as_deref() != Some("Success") {
        let message = status.message.as_deref().and_then(|message| message.lines().next());
        let reason = message.unwrap_or("the API server gives no reason").to_owned();
        return Err(ClusterError::Script { what: what.to_owned(), reason });
    }
    let text = String::from_utf8_lossy(printed);
    let before = text.strip_suffix('\n').and_then(|text| text.strip_suffix(END));
    let output = before.filter(|output| output.is_empty() || output.ends_with('\n'));
    output.map(str::to_owned).ok_or_else(|| cut_off(what, "the end of the output is missing"))
}

fn cut_off(what: &str, reason: impl Into<String>) -> ClusterError {
    ClusterError::CutOff { what: what.to_owned(), reason: reason.into() }
}

#[cfg(test)]
mod tests {
    use futures::SinkExt as _;
    use serde_json::{Value, json};
    use tokio::net::{TcpListener, TcpStream};
    use tokio_tungstenite::WebSocketStream;
    use tokio_tungstenite::tungstenite::Message;
    use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};

    use super::*;

    /// Channels of the API server's exec protocol (`k8s.io/apimachinery/pkg/util/remotecommand`).
    const STDOUT: u8 = 1;
    const STATUS: u8 = 3;

    /// What happens to the connection after the last message.
    #[derive(Clone, Copy)]
    enum Then {
        /// It is closed as the protocol says.
        Closed,
        /// It is gone, as when a proxy or a node dies.
        Gone,
    }

    fn stdout(text: &str) -> Vec<u8> {
        [&[STDOUT], text.as_bytes()].concat()
    }

    fn status(status: &Value) -> Vec<u8> {
        [&[STATUS], status.to_string().as_bytes()].concat()
    }

    fn success() -> Vec<u8> {
        status(&json!({"metadata": {}, "status": "Success"}))
    }

    /// What the API server says of a shell that was killed.
    fn killed() -> Vec<u8> {
        let message = "command terminated with non-zero exit code: exit code 137";
        let cause = json!({"reason": "ExitCode", "message": "137"});
        status(&json!({"metadata": {}, "status": "Failure", "message": message,
            "reason": "NonZeroExitCode", "details": {"causes": [cause]}}))
    }

    /// Answers one exec with the messages; returns the path that was asked for.
    async fn serve(listener: TcpListener, protocol: &str, messages: Vec<Vec<u8>>, then: Then) -> String {
        let (connection, _) = listener.accept().await.unwrap();
        let mut path = String::new();
        #[allow(clippy::result_large_err, reason = "the callback's type is given")]
        let accept = |request: &Request, mut response: Response| {
            path = request.uri().to_string();
            response.headers_mut().insert("sec-websocket-protocol", protocol.parse().unwrap());
            Ok(response)
        };
        let mut socket: WebSocketStream<TcpStream> =
            tokio_tungstenite::accept_hdr_async(connection, accept).await.unwrap();
        for message in messages {
            // The client goes away once it has had enough.
            if socket.send(Message::binary(message)).await.is_err() {
                break;
            }
        }
        if let Then::Closed = then {
            let _ = socket.close(None).await;
        }
        path
    }

    /// Runs a script at an API server that answers with the messages; with the path that was asked
    /// for.
    async fn run(
        protocol: &str,
        messages: Vec<Vec<u8>>,
        then: Then,
    ) -> (Result<String, ClusterError>, String) {
        super::super::tls::init();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let client = kube::Client::try_from(kube::Config::new(url)).unwrap();
        let cluster = Cluster::from_client(client);
        let pod = json!({"metadata": {"name": "demo-g1-0"}, "spec": {"containers": [{"name": "flink"}]}});
        let pod: Pod = serde_json::from_value(pod).unwrap();
        let ran = output_of(&cluster, "team", &pod, "ls \"$1\"", &["/c"]);
        tokio::join!(ran, serve(listener, protocol, messages, then))
    }

    async fn answer(messages: Vec<Vec<u8>>, then: Then) -> Result<String, String> {
        run("v5.channel.k8s.io", messages, then).await.0.map_err(|error| error.to_string())
    }

    fn end() -> Vec<u8> {
        stdout(&format!("{END}\n"))
    }

    /// Expected: the output, without the mark, whatever the messages that it comes in; the script
    /// gets its arguments.
    #[tokio::test]
    async fn an_output_that_is_whole() {
        for protocol in ["v4.channel.k8s.io", "v5.channel.k8s.io"] {
            let messages = vec![
                stdout("/c/chk-9\n/c/ch"),
                stdout("k-10\nkubectl-"),
                stdout("flink-end-of-output\n"),
                success(),
            ];
            let (output, path) = run(protocol, messages, Then::Closed).await;
            assert_eq!(output.unwrap(), "/c/chk-9\n/c/chk-10\n");
            let (path, query) = path.split_once('?').unwrap();
            assert_eq!(path, "/api/v1/namespaces/team/pods/demo-g1-0/exec");
            let query: Vec<_> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
            let of = |name: &str| -> Vec<&str> {
                query.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str()).collect()
            };
            let script = format!("ls \"$1\"\necho {END}");
            assert_eq!(of("command"), ["sh", "-c", &script, "sh", "/c"]);
            assert_eq!(of("container"), ["flink"]);
        }
        assert_eq!(answer(vec![end(), success()], Then::Closed).await, Ok(String::new()));
    }

    /// Expected: an error, and never a part of the output as if it were all.
    #[tokio::test]
    async fn an_output_that_may_not_be_whole() {
        let one = || stdout("/c/chk-9\n");
        for (messages, then, reason) in [
            (vec![], Then::Gone, "how the script ended is not known"),
            (vec![], Then::Closed, "how the script ended is not known"),
            (vec![one()], Then::Gone, "how the script ended is not known"),
            (vec![one(), end()], Then::Gone, "how the script ended is not known"),
            (vec![one(), end()], Then::Closed, "how the script ended is not known"),
            (vec![one(), success()], Then::Closed, "the end of the output is missing"),
            (vec![success()], Then::Closed, "the end of the output is missing"),
            (
                vec![stdout(&format!("/c/{END}\n")), success()],
                Then::Closed,
                "the end of the output is missing",
            ),
            (vec![one(), end(), status(&json!("?"))], Then::Closed, "how the script ended is not known"),
        ] {
            let error = answer(messages.clone(), then).await.unwrap_err();
            assert!(error.ends_with(reason), "{error}; of {messages:?}");
        }
        let killed = answer(vec![one(), killed()], Then::Closed).await;
        let said =
            "a script in Pod demo-g1-0 failed: command terminated with non-zero exit code: exit code 137";
        assert_eq!(killed, Err(said.to_owned()));
    }

    /// Expected: what is longer than the cap is refused as such, also where its end would look like
    /// an end.
    #[tokio::test]
    async fn an_output_that_is_too_long() {
        let mark = format!("{END}\n");
        let fits = format!("{}\n", "x".repeat(LONGEST_OUTPUT - mark.len() - 1));
        let output = answer(vec![stdout(&fits), end(), success()], Then::Closed).await;
        assert_eq!(output.as_deref(), Ok(fits.as_str()));
        for more in ["x\n", &"x\n".repeat(LONGEST_OUTPUT)] {
            let output = answer(vec![stdout(more), stdout(&fits), end(), success()], Then::Closed).await;
            let error = output.unwrap_err();
            assert!(error.contains("is longer than 65536 bytes (a script in Pod demo-g1-0)"), "{error}");
        }
    }
}
