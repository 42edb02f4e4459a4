//! From flags and kubeconfig to a client.
//!
//! Follows kubectl: `--kubeconfig`, else the files of `KUBECONFIG` (those that exist, merged), else
//! `~/.kube/config`, else the service account of the Pod we run in. Never takes another context
//! than the one named or current.

use super::error::ClusterError;
use super::tls;
use kube::client::ClientBuilder;
use kube::config::{Config, KubeConfigOptions, Kubeconfig, KubeconfigError};
use secrecy::SecretString;
use std::path::PathBuf;
use std::time::Duration;

/// How long a TCP and TLS connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an answer may be silent: longer than the 290 s after which a watch ends by itself.
const READ_TIMEOUT: Duration = Duration::from_mins(5);
/// How long one request may take, with all its retries, where nothing else is said.
pub(super) const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// What the command line says about the cluster; the names are kubectl's flags.
#[derive(Clone, Debug, Default)]
pub struct ConnectOptions {
    pub kubeconfig: Option<PathBuf>,
    pub context: Option<String>,
    pub cluster: Option<String>,
    pub user: Option<String>,
    pub namespace: Option<String>,
    pub as_user: Option<String>,
    pub as_group: Vec<String>,
    pub as_uid: Option<String>,
    /// `--server`: the API server's URL.
    pub server: Option<String>,
    /// `--token`: a bearer token.
    pub token: Option<SecretString>,
    /// `--certificate-authority`: a PEM file.
    pub certificate_authority: Option<PathBuf>,
    pub tls_server_name: Option<String>,
    pub insecure_skip_tls_verify: bool,
    /// `--request-timeout`: the time for one request with its retries; 30 s where absent.
    pub request_timeout: Option<Duration>,
}

/// What [`Cluster::connect`](super::Cluster::connect) builds on.
pub(super) struct Connection {
    pub(super) client: kube::Client,
    pub(super) streaming: kube::Client,
    pub(super) server: String,
    pub(super) namespace: String,
}

/// Reads the configuration and makes the clients; sends nothing.
pub(super) async fn connect(options: &ConnectOptions) -> Result<Connection, ClusterError> {
    tls::init();
    let mut config = load(options).await?;
    adjust(&mut config, options)?;
    let server = config.cluster_url.to_string().trim_end_matches('/').to_owned();
    let namespace = config.default_namespace.clone();
    let setup =
        |error: kube::Error| ClusterError::Setup { server: server.clone(), reason: error.to_string() };
    // A log that is followed, or a forwarded port, may be silent for as long as it likes: no read
    // timeout there.
    let mut streaming = config.clone();
    streaming.read_timeout = None;
    let streaming = ClientBuilder::try_from(streaming).map_err(setup)?.build();
    let client = ClientBuilder::try_from(config).map_err(setup)?.build();
    Ok(Connection { client, streaming, server, namespace })
}

async fn load(options: &ConnectOptions) -> Result<Config, ClusterError> {
    let selection = KubeConfigOptions {
        context: options.context.clone(),
        cluster: options.cluster.clone(),
        user: options.user.clone(),
    };
    let files = files(options);
    let present = present(&files);
    if present.is_empty() || (options.kubeconfig.is_some() && present.len() < files.len()) {
        if options.kubeconfig.is_none() {
            if let Some(server) = &options.server {
                return Ok(Config::new(url(server)?));
            }
            if options.context.is_none()
                && let Ok(config) = Config::incluster()
            {
                return Ok(config);
            }
        }
        return Err(ClusterError::NoKubeconfig { looked: files });
    }
    let kubeconfig = read(&present)?;
    check_names(&kubeconfig, options)?;
    Config::from_custom_kubeconfig(kubeconfig, &selection).await.map_err(unusable)
}

fn present(files: &[PathBuf]) -> Vec<PathBuf> {
    files.iter().filter(|path| path.exists()).cloned().collect()
}

fn read(files: &[PathBuf]) -> Result<Kubeconfig, ClusterError> {
    let mut kubeconfig = Kubeconfig::default();
    for path in files {
        let one = Kubeconfig::read_from(path).map_err(|error| unreadable(path, error))?;
        kubeconfig = kubeconfig.merge(one).map_err(unusable)?;
    }
    Ok(kubeconfig)
}

/// The namespace that the flags or the kubeconfig's context name, as `helm template` takes it: no
/// cluster is asked, and a kubeconfig that cannot be read, or that names none, means `default`.
pub(crate) fn namespace(options: &ConnectOptions) -> String {
    if let Some(namespace) = options.namespace.as_ref().filter(|namespace| !namespace.is_empty()) {
        return namespace.clone();
    }
    let of_context = || {
        let kubeconfig = read(&present(&files(options))).ok()?;
        let name = options.context.as_ref().or(kubeconfig.current_context.as_ref())?;
        let context = kubeconfig.contexts.iter().find(|context| &context.name == name)?;
        context.context.as_ref()?.namespace.clone().filter(|namespace| !namespace.is_empty())
    };
    of_context().unwrap_or_else(|| "default".to_owned())
}

fn files(options: &ConnectOptions) -> Vec<PathBuf> {
    if let Some(path) = &options.kubeconfig {
        return vec![path.clone()];
    }
    if let Some(value) = std::env::var_os("KUBECONFIG") {
        let paths: Vec<_> =
            std::env::split_paths(&value).filter(|path| !path.as_os_str().is_empty()).collect();
        if !paths.is_empty() {
            return paths;
        }
    }
    std::env::home_dir().map(|home| home.join(".kube/config")).into_iter().collect()
}

/// Names what is missing, and what there is, before the library gives a shorter answer.
fn check_names(kubeconfig: &Kubeconfig, options: &ConnectOptions) -> Result<(), ClusterError> {
    let contexts: Vec<_> = kubeconfig.contexts.iter().map(|context| context.name.clone()).collect();
    let Some(name) =
        options.context.as_ref().or(kubeconfig.current_context.as_ref()).filter(|name| !name.is_empty())
    else {
        return Err(ClusterError::NoCurrentContext { known: contexts });
    };
    let Some(context) = kubeconfig.contexts.iter().find(|context| &context.name == name) else {
        let asked = options.context.is_some();
        return Err(ClusterError::UnknownName {
            what: "context",
            name: name.clone(),
            known: contexts,
            asked,
        });
    };
    let cluster = options.cluster.as_ref().or(context.context.as_ref().map(|context| &context.cluster));
    if let Some(cluster) = cluster
        && !kubeconfig.clusters.iter().any(|known| &known.name == cluster)
    {
        let known = kubeconfig.clusters.iter().map(|cluster| cluster.name.clone()).collect();
        let asked = options.cluster.is_some();
        return Err(ClusterError::UnknownName { what: "cluster", name: cluster.clone(), known, asked });
    }
    // kubectl refuses an unknown --user but lets a context name one that is not there.
    if let Some(user) = &options.user
        && !kubeconfig.auth_infos.iter().any(|known| &known.name == user)
    {
        let known = kubeconfig.auth_infos.iter().map(|user| user.name.clone()).collect();
        return Err(ClusterError::UnknownName { what: "user", name: user.clone(), known, asked: true });
    }
    Ok(())
}

fn adjust(config: &mut Config, options: &ConnectOptions) -> Result<(), ClusterError> {
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    config.read_timeout = Some(READ_TIMEOUT);
    config.reset_reader_on_write = true;
    // Its own would retry a POST too, up to 15 times: the table in `call` decides.
    config.default_retry = false;
    if let Some(server) = &options.server {
        config.cluster_url = url(server)?;
    }
    if let Some(namespace) = options.namespace.as_ref().filter(|namespace| !namespace.is_empty()) {
        config.default_namespace.clone_from(namespace);
    }
    if let Some(token) = &options.token {
        config.auth_info.token = Some(token.clone());
        config.auth_info.token_file = None;
        config.auth_info.exec = None;
    }
    if let Some(user) = &options.as_user {
        config.auth_info.impersonate = Some(user.clone());
    }
    if !options.as_group.is_empty() {
        if options.as_user.is_none() && config.auth_info.impersonate.is_none() {
            return Err(option("as-group", "needs --as"));
        }
        config.auth_info.impersonate_groups = Some(options.as_group.clone());
    }
    if let Some(uid) = &options.as_uid {
        config.auth_info.impersonate_uid = Some(uid.clone());
    }
    if let Some(path) = &options.certificate_authority {
        fs_err::metadata(path).map_err(|error| option("certificate-authority", &error.to_string()))?;
        config.root_cert_file = Some(path.clone());
    }
    if let Some(name) = &options.tls_server_name {
        config.tls_server_name = Some(name.clone());
    }
    if options.insecure_skip_tls_verify {
        config.accept_invalid_certs = true;
    }
    Ok(())
}

fn option(option: &'static str, reason: &str) -> ClusterError {
    ClusterError::Option { option, reason: reason.to_owned() }
}

fn url(text: &str) -> Result<http::Uri, ClusterError> {
    let uri: http::Uri =
        text.parse().map_err(|error: http::uri::InvalidUri| option("server", &error.to_string()))?;
    match uri.scheme_str() {
        Some("https" | "http") => Ok(uri),
        _ => Err(option("server", "give a URL with https://")),
    }
}

fn unreadable(path: &std::path::Path, error: KubeconfigError) -> ClusterError {
    match error {
        KubeconfigError::Parse(error) => ClusterError::KubeconfigSyntax {
            path: path.to_owned(),
            line: error.location().map(|location| location.line()),
        },
        other => unusable(other),
    }
}

fn unusable(source: KubeconfigError) -> ClusterError {
    ClusterError::Kubeconfig { source: Box::new(source) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KUBECONFIG: &str = "
apiVersion: v1
kind: Config
current-context: one
contexts:
- {name: one, context: {cluster: c, user: u, namespace: team}}
- {name: two, context: {cluster: gone, user: u}}
clusters:
- {name: c, cluster: {server: 'https://127.0.0.1:1'}}
users:
- {name: u, user: {token: s3cret}}
";

    fn options(folder: &tempfile::TempDir, text: &str) -> ConnectOptions {
        let path = folder.path().join("config");
        fs_err::write(&path, text).unwrap();
        ConnectOptions { kubeconfig: Some(path), ..ConnectOptions::default() }
    }

    async fn refusal(options: &ConnectOptions) -> String {
        connect(options).await.err().unwrap().to_string()
    }

    #[tokio::test]
    async fn the_contexts_namespace_is_the_default_and_a_flag_overrides_it() {
        let folder = tempfile::tempdir().unwrap();
        let mut options = options(&folder, KUBECONFIG);
        assert_eq!(connect(&options).await.unwrap().namespace, "team");
        options.namespace = Some("other".to_owned());
        assert_eq!(connect(&options).await.unwrap().namespace, "other");
    }

    #[test]
    fn without_a_cluster_the_context_names_the_namespace_too() {
        let folder = tempfile::tempdir().unwrap();
        let mut options = options(&folder, KUBECONFIG);
        assert_eq!(namespace(&options), "team");
        options.context = Some("two".to_owned());
        assert_eq!(namespace(&options), "default");
        options.context = Some("three".to_owned());
        assert_eq!(namespace(&options), "default");
        options.namespace = Some("other".to_owned());
        assert_eq!(namespace(&options), "other");
        let broken = self::options(&folder, "contexts: [");
        assert_eq!(namespace(&broken), "default");
    }

    #[tokio::test]
    async fn a_missing_name_is_answered_with_those_there_are() {
        let folder = tempfile::tempdir().unwrap();
        let mut options = options(&folder, KUBECONFIG);
        options.context = Some("three".to_owned());
        assert_eq!(refusal(&options).await, "the kubeconfig has no context \"three\"; it has: one, two");
        options.context = Some("two".to_owned());
        assert_eq!(refusal(&options).await, "the kubeconfig has no cluster \"gone\"; it has: c");
    }

    #[tokio::test]
    async fn a_kubeconfig_that_is_not_there_is_named() {
        let options =
            ConnectOptions { kubeconfig: Some("/nowhere/config".into()), ..ConnectOptions::default() };
        let message = refusal(&options).await;
        assert!(message.starts_with("no kubeconfig found: looked at /nowhere/config;"), "{message}");
    }

    #[tokio::test]
    async fn a_broken_kubeconfig_is_named_without_its_secrets() {
        let folder = tempfile::tempdir().unwrap();
        let options = options(&folder, &KUBECONFIG.replace("token: s3cret", "token: [s3cret"));
        let message = refusal(&options).await;
        assert!(message.contains("config:") && message.ends_with("is not valid"), "{message}");
        assert!(!message.contains("s3cret"), "{message}");
    }

    #[tokio::test]
    async fn groups_without_a_user_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let mut options = options(&folder, KUBECONFIG);
        options.as_group = vec!["admins".to_owned()];
        assert_eq!(refusal(&options).await, "--as-group: needs --as");
    }
}
