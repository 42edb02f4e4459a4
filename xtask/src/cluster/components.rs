//! The processes of a cluster: their arguments and configuration files, starting them, and whether
//! they run.

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};

use super::{Cluster, network};
use crate::files::write_whole;
use crate::process::Identity;

/// In the order in which they are ended: clients first, then the API server, then etcd. The other
/// way round the API server waits for etcd on its way out.
pub const ALL: &[&str] = &[
    "relay",
    "provisioner",
    "coredns",
    "kube-proxy",
    "kubelet",
    "kube-scheduler",
    "kube-controller-manager",
    "kube-apiserver",
    "containerd",
    "etcd",
];

const CLUSTER_IPS: &str = "10.96.0.0/16";
const PODS: &str = "10.244.0.0/24";

/// Starts a program inside the cluster's network namespace, in the background and on its own, its
/// output in its log.
pub fn start(
    cluster: &Cluster,
    name: &str,
    program: impl AsRef<std::ffi::OsStr>,
    arguments: &[String],
) -> Result<()> {
    // nsenter and not `ip netns exec`, which mounts /sys anew and so hides the control groups from
    // the kubelet.
    let mut command = Command::new("nsenter");
    command.arg(format!("--net={}", network::file(cluster).display())).arg("--").arg(program).args(arguments);
    command.env("PATH", crate::install::full_path());
    launch(cluster, name, &mut command)
}

/// Starts a command in the background and writes down who it is.
pub fn launch(cluster: &Cluster, name: &str, command: &mut Command) -> Result<()> {
    let log = fs_err::File::create(cluster.log(name))?.into_parts().0;
    command.current_dir(&cluster.folder).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    command.process_group(0); // a Ctrl-C in the terminal is not meant for it
    let child = command.spawn().with_context(|| format!("cannot start {name}"))?;
    Identity::of(child.id()).with_context(|| format!("{name} ended at once"))?.write(&cluster.note(name))
}

pub fn running(cluster: &Cluster, name: &str) -> bool {
    Identity::read(&cluster.note(name)).is_some_and(|process| process.lives())
}

fn path(cluster: &Cluster, name: &str) -> String {
    cluster.folder.join(name).display().to_string()
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

pub fn etcd(cluster: &Cluster) -> Vec<String> {
    let mut arguments = words(
        "--unsafe-no-fsync --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 \
         --listen-peer-urls http://127.0.0.1:2380 --log-level warn --data-dir",
    );
    arguments.push(path(cluster, "etcd"));
    arguments
}

pub fn api_server(cluster: &Cluster) -> Vec<String> {
    let mut arguments = words(
        "--etcd-servers=http://127.0.0.1:2379 --secure-port=6443 --service-account-issuer=https://kubernetes.default.svc \
         --authorization-mode=Node,RBAC --allow-privileged=true --kubelet-preferred-address-types=InternalIP --shutdown-delay-duration=0",
    );
    arguments.push(format!("--service-cluster-ip-range={CLUSTER_IPS}"));
    arguments.push(format!("--advertise-address={}", network::NODE));
    arguments.push(format!("--cert-dir={}", path(cluster, "certs")));
    for flag in ["--service-account-key-file", "--service-account-signing-key-file"] {
        arguments.push(format!("{flag}={}", path(cluster, "service-accounts.key")));
    }
    arguments.push(format!("--token-auth-file={}", path(cluster, "tokens.csv")));
    arguments
}

pub fn controller_manager(cluster: &Cluster) -> Vec<String> {
    let mut arguments = with_kubeconfig(cluster);
    arguments.extend(words(
        "--use-service-account-credentials=true --leader-elect=false --bind-address=127.0.0.1",
    ));
    arguments.push(format!("--service-account-private-key-file={}", path(cluster, "service-accounts.key")));
    arguments.push(format!("--root-ca-file={}", path(cluster, "certs/apiserver.crt")));
    arguments
}

pub fn scheduler(cluster: &Cluster) -> Vec<String> {
    let mut arguments = with_kubeconfig(cluster);
    arguments.extend(words("--leader-elect=false --bind-address=127.0.0.1"));
    arguments
}

fn with_kubeconfig(cluster: &Cluster) -> Vec<String> {
    let kubeconfig = path(cluster, "kubeconfig");
    ["--kubeconfig", "--authentication-kubeconfig", "--authorization-kubeconfig"]
        .iter()
        .map(|flag| format!("{flag}={kubeconfig}"))
        .collect()
}

/// Writes the kubelet's configuration. Its own port asks nobody who he is: only the API server can
/// reach it, and that has asked already. So logs, exec, port-forward and the proxy work for those
/// whom RBAC lets.
pub fn kubelet(cluster: &Cluster) -> Result<Vec<String>> {
    let config = format!(
        "apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication: {{anonymous: {{enabled: true}}, webhook: {{enabled: false}}}}
authorization: {{mode: AlwaysAllow}}
cgroupDriver: cgroupfs
cgroupRoot: /{name}
failCgroupV1: false
failSwapOn: false
containerRuntimeEndpoint: unix://{socket}
clusterDomain: cluster.local
clusterDNS: [{node}]
podLogsDir: {logs}
resolvConf: \"\"
evictionHard: {{memory.available: 50Mi, nodefs.available: 1%, imagefs.available: 1%}}
imageGCHighThresholdPercent: 100
enforceNodeAllocatable: []
localStorageCapacityIsolation: false
",
        name = cluster.system_name(),
        socket = path(cluster, "containerd.sock"),
        logs = path(cluster, "pod-logs"), // /var/log/pods would be shared, and a kubelet removes what it does not know
        node = network::NODE,
    );
    write_whole(&cluster.folder.join("kubelet.yaml"), config)?;
    Ok(vec![
        format!("--config={}", path(cluster, "kubelet.yaml")),
        format!("--kubeconfig={}", path(cluster, "kubeconfig")),
        "--hostname-override=node".into(),
        format!("--node-ip={}", network::NODE),
        format!("--root-dir={}", path(cluster, "kubelet")),
        format!("--cert-dir={}", path(cluster, "kubelet/pki")),
    ])
}

/// Block style throughout: kube-proxy reads flow style as JSON.
pub fn proxy(cluster: &Cluster) -> Result<Vec<String>> {
    let config = format!(
        "apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: nftables
clusterCIDR: {PODS}
hostnameOverride: node
clientConnection:
  kubeconfig: {kubeconfig}
conntrack:
  maxPerCore: 0
  min: 0
",
        kubeconfig = path(cluster, "kubeconfig"),
    );
    write_whole(&cluster.folder.join("proxy.yaml"), config)?;
    Ok(vec!["--config".into(), path(cluster, "proxy.yaml")])
}

pub fn dns(cluster: &Cluster) -> Result<Vec<String>> {
    let config = format!(
        ".:53 {{
  errors
  kubernetes cluster.local in-addr.arpa {{
    kubeconfig {}
    pods insecure
  }}
  cache 5
}}
",
        path(cluster, "kubeconfig")
    );
    write_whole(&cluster.folder.join("Corefile"), config)?;
    Ok(vec!["-conf".into(), path(cluster, "Corefile")])
}

pub fn provisioner(cluster: &Cluster) -> Vec<String> {
    vec![
        format!("--kubeconfig={}", path(cluster, "kubeconfig")),
        format!("--folder={}", cluster.volumes().display()),
    ]
}

/// The Pods' network, for containerd.
pub fn write_cni(cluster: &Cluster) -> Result<()> {
    let config = serde_json::json!({
        "cniVersion": "0.4.0", "name": "pods",
        "plugins": [
            { "type": "bridge", "bridge": "pods0", "isGateway": true, "hairpinMode": true,
              "ipam": { "type": "host-local", "dataDir": path(cluster, "cni-leases"),
                        "ranges": [[{ "subnet": PODS }]], "routes": [{ "dst": "0.0.0.0/0" }] } },
            { "type": "portmap", "capabilities": { "portMappings": true } },
        ],
    });
    fs_err::create_dir_all(cluster.folder.join("cni"))?;
    write_whole(&cluster.folder.join("cni/10-pods.conflist"), config.to_string())
}

/// The key that service accounts' tokens are signed with, and the token of the administrator.
pub fn write_credentials(cluster: &Cluster) -> Result<()> {
    let key = cluster.folder.join("service-accounts.key");
    if !key.exists() {
        let partial = cluster.folder.join("service-accounts.key.partial");
        crate::command::output(Command::new("openssl").args(["genrsa", "-out"]).arg(&partial).arg("2048"))?;
        fs_err::rename(partial, key)?;
    }
    write_whole(&cluster.folder.join("tokens.csv"), "admin,admin,admin,system:masters\n")
}

/// A kubeconfig for the administrator, with the API server at this port of loopback. The
/// certificate is the one that the API server made for itself; it names `localhost`.
pub fn write_kubeconfig(cluster: &Cluster, file: &Path, port: u16) -> Result<()> {
    let name = cluster.system_name();
    let config = serde_json::json!({
        "apiVersion": "v1", "kind": "Config", "current-context": name,
        "contexts": [{ "name": name, "context": { "cluster": name, "user": "admin" } }],
        "clusters": [{ "name": name, "cluster": {
            "server": format!("https://127.0.0.1:{port}"),
            "certificate-authority": path(cluster, "certs/apiserver.crt"),
            "tls-server-name": "localhost",
        } }],
        "users": [{ "name": "admin", "user": { "token": "admin" } }],
    });
    write_whole(file, serde_json::to_string_pretty(&config)?)
}
