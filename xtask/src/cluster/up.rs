//! Bringing a cluster up. What is up and well stays as it is; what is not whole is taken down first
//! and begun anew.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use super::{Cluster, components, containerd, down, network, relay};
use crate::cache::{Inputs, remove};
use crate::command::{output, succeeds, tail, wait_until};
use crate::files::write_whole;
use crate::images::{self, Image};
use crate::install;
use crate::progress::{say, step};

/// How long one part may take to answer. Generous: a machine may be busy with builds.
const PATIENCE: Duration = Duration::from_mins(2);

/// Said before anything else where nothing was ever built.
const FIRST_TIME: &str = "\
The first time on this machine a Kubernetes and the images of Flink are built, which takes 10 to 15 minutes on two cores.
Each part says what it is as it begins, and again while it runs; they are kept for later runs.";

pub fn up(cluster: &Cluster) -> Result<()> {
    if !cluster.cache.has_any("kubernetes") {
        say(FIRST_TIME);
    }
    install::require(&[install::CLUSTER, install::IMAGES, install::JOB].concat())?;
    let (kubernetes, images) = build(cluster)?;
    match state(cluster, &kubernetes) {
        State::Well => {
            containerd::import(cluster, &images)?; // a test image may be newer than the cluster
            say(format_args!("the cluster `{}` is up", cluster.name));
            return Ok(());
        }
        State::Down => {}
        State::NotWell(why) => {
            say(format_args!("the cluster `{}` is not well ({why}): it is begun anew", cluster.name));
            down::down(cluster)?;
        }
    }
    down::clear(cluster)?; // of a run that was killed, or of another boot
    step("starting Kubernetes", || start(cluster, &kubernetes, &images))
        .with_context(|| format!("see the logs in {}", cluster.folder.join("log").display()))?;
    let version = kubectl(cluster).and_then(|mut kubectl| output(kubectl.arg("version")))?;
    let version =
        version.lines().find_map(|line| line.strip_prefix("Server Version: ")).unwrap_or("Kubernetes");
    say(format_args!("the cluster `{}` is up: {version}", cluster.name));
    Ok(())
}

/// What the cluster is made of: the folder with its program, and its images. Both at once, where
/// they have to be built: the one computes, the other mostly waits for downloads.
fn build(cluster: &Cluster) -> Result<(PathBuf, Vec<Image>)> {
    std::thread::scope(|scope| {
        let images = scope.spawn(|| images::all(&cluster.cache, &cluster.project));
        let kubernetes = kubernetes(cluster);
        let images = images.join().map_err(|_| anyhow::anyhow!("making the images panicked"))?;
        Ok((kubernetes?, images?))
    })
}

/// The folder with the program that holds a whole Kubernetes, built where it is not in the cache.
fn kubernetes(cluster: &Cluster) -> Result<PathBuf> {
    let module = cluster.project.join("tests/cluster/kube");
    let inputs = Inputs::new().word(std::env::consts::ARCH).path(&module)?;
    let what = "building Kubernetes (5 to 8 minutes the first time)";
    cluster.cache.entry("kubernetes", what, inputs, |building| {
        install::require_go(&module)?;
        building.run(Command::new(module.join("build.sh")).arg(&building.out))
    })
}

enum State {
    Well,
    Down,
    NotWell(String),
}

fn state(cluster: &Cluster, kubernetes: &Path) -> State {
    if !network::exists(cluster) && !components::ALL.iter().any(|name| components::running(cluster, name)) {
        return State::Down;
    }
    if let Some(dead) = components::ALL.iter().find(|name| !components::running(cluster, name)) {
        return State::NotWell(format!("{dead} does not run"));
    }
    if fs_err::read_to_string(cluster.note("kubernetes")).ok().as_deref() != kubernetes.to_str() {
        return State::NotWell("it runs another build of Kubernetes".into());
    }
    if !node_ready(cluster) {
        return State::NotWell("its node is not ready".into());
    }
    State::Well
}

fn start(cluster: &Cluster, kubernetes: &Path, images: &[Image]) -> Result<()> {
    for folder in ["log", "run", "etcd", "certs", "kubelet", "containerd", "volumes"] {
        fs_err::create_dir_all(cluster.folder.join(folder))?;
    }
    link_kubectl(cluster, kubernetes)?;
    network::make(cluster)?;
    components::write_credentials(cluster)?;
    components::write_kubeconfig(cluster, &cluster.kubeconfig(), relay::API_SERVER)?;
    let begin =
        |name: &str, arguments: &[String]| components::start(cluster, name, kubernetes.join(name), arguments);

    begin("etcd", &components::etcd(cluster))?;
    begin("kube-apiserver", &components::api_server(cluster))?;
    std::thread::scope(|scope| -> Result<()> {
        // The images take longest: they go in while the control plane starts.
        let runtime = scope.spawn(|| -> Result<()> {
            containerd::start(cluster, images)?;
            containerd::import(cluster, images)?;
            containerd::mark_used(cluster)
        });
        wait_for(cluster, "kube-apiserver", || kubectl_succeeds(cluster, &["get", "--raw", "/readyz"]))?;
        begin("kube-controller-manager", &components::controller_manager(cluster))?;
        begin("kube-scheduler", &components::scheduler(cluster))?;
        begin("kube-proxy", &components::proxy(cluster)?)?;
        begin("coredns", &components::dns(cluster)?)?;
        begin("provisioner", &components::provisioner(cluster))?;
        start_relay(cluster)?;
        let storage = cluster.project.join("tests/cluster/storage.yaml");
        output(kubectl(cluster)?.args(["apply", "--server-side", "--filename"]).arg(storage))?;
        runtime.join().map_err(|_| anyhow::anyhow!("starting containerd panicked"))?
    })?;
    make_cgroups(cluster)?;
    begin("kubelet", &components::kubelet(cluster)?)?;
    wait_for(cluster, "kubelet", || node_ready(cluster))?;
    // No Pod is admitted before its service account is there.
    wait_for(cluster, "kube-controller-manager", || {
        kubectl_succeeds(cluster, &["get", "serviceaccount", "default", "--namespace=default"])
    })?;
    write_whole(&cluster.note("kubernetes"), kubernetes.display().to_string())
}

fn start_relay(cluster: &Cluster) -> Result<()> {
    let port_file = cluster.folder.join("relay-port");
    let before = relay::port(&port_file);
    let fresh = cluster.note("relay-port");
    if let Some(port) = before {
        write_whole(&fresh, port.to_string())?; // the same again, if it is free: kubeconfigs may be about
    }
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("relay").arg(network::file(cluster)).arg(&fresh);
    components::launch(cluster, "relay", &mut command)?;
    let listens =
        || relay::port(&fresh).is_some_and(|port| std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
    wait_for(cluster, "relay", listens)?;
    let port = relay::port(&fresh).context("the relay's port")?;
    write_whole(&port_file, port.to_string())?;
    components::write_kubeconfig(cluster, &cluster.outside_kubeconfig(), port)
}

/// Waits for what a component is to bring about; says the end of its log when it ends instead.
fn wait_for(cluster: &Cluster, component: &str, is_so: impl Fn() -> bool) -> Result<()> {
    let mut ended = false;
    let waited = wait_until(component, PATIENCE, || {
        ended = !components::running(cluster, component);
        ended || is_so()
    });
    if ended || waited.is_err() {
        let what = if ended { "ended" } else { "does not answer" };
        bail!("{component} {what}; the end of its log:\n{}", tail(&cluster.log(component)));
    }
    Ok(())
}

/// The kubelet wants its root control group to be there, with v2 with these controllers in it.
fn make_cgroups(cluster: &Cluster) -> Result<()> {
    for root in down::cgroup_hierarchies() {
        for controller in ["cpu", "cpuset", "io", "memory", "pids", "hugetlb"] {
            // With v1 there is no such file; with v2 one that the kernel lacks is refused, and then
            // not asked for either.
            let _ = std::fs::OpenOptions::new()
                .write(true)
                .open(root.join("cgroup.subtree_control"))
                .and_then(|mut file| file.write_all(format!("+{controller}").as_bytes()));
        }
        let group = root.join(cluster.system_name());
        fs_err::create_dir_all(&group)?;
        // By default all Pods together get as much as one compiler thread, and under a build Flink
        // gives its start up.
        for (file, share) in [("cpu.shares", "8192"), ("cpu.weight", "800")] {
            if group.join(file).exists() {
                fs_err::write(group.join(file), share)?;
            }
        }
    }
    Ok(())
}

fn link_kubectl(cluster: &Cluster, kubernetes: &Path) -> Result<()> {
    let link = cluster.folder.join("bin/kubectl");
    fs_err::create_dir_all(cluster.folder.join("bin"))?;
    remove(&link)?;
    Ok(fs_err::os::unix::fs::symlink(kubernetes.join("kubectl"), link)?)
}

fn node_ready(cluster: &Cluster) -> bool {
    let path = "jsonpath={.status.conditions[?(@.type=='Ready')].status}";
    kubectl(cluster)
        .and_then(|mut kubectl| output(kubectl.args(["get", "node", "node", "--output", path])))
        .is_ok_and(|status| status == "True")
}

fn kubectl_succeeds(cluster: &Cluster, arguments: &[&str]) -> bool {
    kubectl(cluster).is_ok_and(|mut kubectl| succeeds(kubectl.args(arguments)))
}

/// kubectl inside the cluster's network.
pub fn kubectl(cluster: &Cluster) -> Result<Command> {
    let mut kubectl = cluster.inside("kubectl")?;
    kubectl.arg("--request-timeout=10s");
    Ok(kubectl)
}
