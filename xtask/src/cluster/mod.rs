//! A real Kubernetes on this machine, in a network namespace of its own that has no way out.
//!
//! etcd, API server, controllers, scheduler, kubelet, kube-proxy and DNS are one program
//! (`tests/cluster/kube`), the container runtime is the machine's containerd, started a second time
//! with folders of our own. Everything that a cluster has is in its folder in the cache; what it
//! has outside is named after it (network namespace, control group) and goes with `down`.

mod components;
mod containerd;
mod down;
mod network;
pub mod relay;
mod status;
mod up;

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use crate::cache::{Cache, Inputs, lock};
use crate::{install, plugin};

/// The variable that names the cluster, where several are wanted side by side.
pub const NAME: &str = "KUBECTL_FLINK_CLUSTER";
const DEFAULT_NAME: &str = "default";

/// One cluster of this user, running or not.
#[derive(Clone, Debug)]
pub struct Cluster {
    pub name: String,
    /// Everything it keeps.
    pub folder: PathBuf,
    /// The project that its program and images are made from.
    project: PathBuf,
    cache: Cache,
}

impl Cluster {
    /// The cluster that the environment names. Nothing is started.
    pub fn of_environment(project: &Path) -> Result<Self> {
        let name = std::env::var(NAME).unwrap_or_default();
        let name = if name.is_empty() { DEFAULT_NAME.to_owned() } else { name };
        if !is_valid(&name) {
            bail!("{NAME}={name}: a cluster's name is 1 to 20 lower-case letters, digits and hyphens");
        }
        let cache = Cache::open()?;
        let folder = cache.folder("clusters")?.join(&name);
        let socket = folder.join("containerd.sock.ttrpc");
        if socket.as_os_str().len() > 100 {
            bail!(
                "{} is too long for a socket's path (100 bytes): set XDG_CACHE_HOME to a shorter one",
                socket.display()
            );
        }
        Ok(Self { name, folder, project: project.to_owned(), cache })
    }

    /// What is named on this machine for the cluster: its network namespace and its control group.
    /// No cluster in another cache folder has the same.
    pub fn system_name(&self) -> String {
        let place = Inputs::new().word(&*self.folder.to_string_lossy()).key();
        format!("kubectl-flink-{}-{}", self.name, &place[..8])
    }

    /// The kubeconfig that is right inside the cluster's network namespace.
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.join("kubeconfig")
    }

    /// The kubeconfig that is right everywhere else on this machine.
    pub fn outside_kubeconfig(&self) -> PathBuf {
        self.folder.join("kubeconfig-outside")
    }

    /// The host's folder with all volumes: `NAMESPACE/CLAIM-UID` in it.
    pub fn volumes(&self) -> PathBuf {
        self.folder.join("volumes")
    }

    /// Where a component's process, or a note about what runs, is written down.
    fn note(&self, name: &str) -> PathBuf {
        self.folder.join("run").join(name)
    }

    fn log(&self, component: &str) -> PathBuf {
        self.folder.join("log").join(format!("{component}.log"))
    }

    /// One run at a time changes a cluster; the others wait.
    fn lock(&self) -> Result<std::fs::File> {
        let folder = self.cache.folder("clusters")?;
        lock(&folder.join(format!("{}.lock", self.name)))
    }

    /// Brings the cluster up, or does nothing where it is up and well.
    pub fn up(&self) -> Result<()> {
        install::require_root("the cluster")?;
        let _lock = self.lock()?;
        up::up(self)
    }

    /// Ends it and removes all that it has on the machine, but for what the next `up` is quicker
    /// with.
    pub fn down(&self) -> Result<()> {
        install::require_root("the cluster")?;
        let _lock = self.lock()?;
        down::down(self)
    }

    /// Says what runs.
    pub fn status(&self) -> Result<()> {
        install::require_root("looking into the cluster")?;
        status::status(self)
    }

    pub fn require_running(&self) -> Result<()> {
        if network::exists(self) && components::running(self, "kube-apiserver") {
            return Ok(());
        }
        bail!("the cluster `{}` is not up: cargo xtask cluster up", self.name);
    }

    /// A command that will run inside the cluster's network namespace, as users run theirs:
    /// KUBECONFIG set, kubectl and the plugin (which must have been built) on PATH.
    pub fn inside(&self, program: impl AsRef<std::ffi::OsStr>) -> Result<Command> {
        let bin = self.folder.join("bin");
        plugin::link(&bin, &self.project)?;
        let mut path = vec![bin];
        path.extend(std::env::split_paths(&install::full_path()));
        let mut command = Command::new("nsenter");
        command.arg(format!("--net={}", network::file(self).display())).arg("--").arg(program);
        command.env("KUBECONFIG", self.kubeconfig()).env("PATH", std::env::join_paths(path)?);
        for proxy in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
            command.env_remove(proxy).env_remove(proxy.to_lowercase()); // no proxy can be reached from inside
        }
        Ok(command)
    }

    /// Becomes that command: its exit code, its terminal.
    pub fn exec(&self, words: &[String], build: bool) -> Result<()> {
        install::require_root("entering the cluster's network")?;
        self.require_running()?;
        if build {
            plugin::build(&self.project)?;
        }
        let Some((program, arguments)) = words.split_first() else {
            bail!("which command? cargo xtask cluster exec -- kubectl get pods")
        };
        let error = self.inside(program)?.args(arguments).exec();
        bail!("cannot run nsenter: {error}");
    }
}

fn is_valid(name: &str) -> bool {
    (1..=20).contains(&name.len())
        && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_clusters_name_must_do_as_a_file_name_and_in_a_control_group() {
        for good in ["default", "ci-2", "x"] {
            assert!(super::is_valid(good), "{good}");
        }
        for bad in ["", "Ci", "a/b", "..", "a b", "a-name-of-more-than-twenty"] {
            assert!(!super::is_valid(bad), "{bad}");
        }
    }
}
