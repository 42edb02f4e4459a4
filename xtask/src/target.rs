//! The Kubernetes that tests and the demo run against: this machine's own, or another that the
//! person named.
//!
//! Another cluster is used only when it is named: the current context of somebody's kubeconfig is
//! never touched by default.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::cache::Cache;
use crate::cluster::Cluster;
use crate::command::output;
use crate::files::write_whole;
use crate::{install, plugin};

/// Where commands run, and how they reach the API server.
pub enum Target {
    /// The cluster of `cargo xtask cluster`, entered.
    Own(Cluster),
    /// A context of the person's kubeconfig.
    Named { folder: PathBuf },
}

impl Target {
    /// The context that was named, or else the own cluster, which is brought up.
    pub fn open(project: &Path, context: Option<&str>) -> Result<Self> {
        let Some(context) = context else {
            let cluster = Cluster::of_environment(project)?;
            cluster.up()?;
            return Ok(Self::Own(cluster));
        };
        let config = output(Command::new("kubectl").args(["config", "view", "--minify", "--flatten", "--raw", "--context", context]))
            .with_context(|| format!("cannot read the context `{context}` of your kubeconfig; those there are: kubectl config get-contexts"))?;
        // A file of its own, so that what runs sees this context as the current one and no other at
        // all.
        let folder = Cache::open()?.folder("contexts")?.join(std::process::id().to_string());
        private_folder(&folder)?;
        write_whole(&folder.join("kubeconfig"), config)?;
        let bin = folder.join("bin");
        plugin::link(&bin, project)?;
        Ok(Self::Named { folder })
    }

    /// A command as users run theirs: `kubectl`, `kubectl flink` and `kubectl-flink` work, against
    /// this cluster.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Result<Command> {
        match self {
            Self::Own(cluster) => cluster.inside(program),
            Self::Named { folder } => {
                let mut path = vec![folder.join("bin")];
                path.extend(std::env::split_paths(&install::full_path()));
                let mut command = Command::new(program);
                command.env("KUBECONFIG", folder.join("kubeconfig")).env("PATH", std::env::join_paths(path)?);
                Ok(command)
            }
        }
    }

    /// The host's folder with the volumes of the cluster, where that is this machine's own.
    pub fn storage(&self) -> Option<PathBuf> {
        match self {
            Self::Own(cluster) => Some(cluster.volumes()),
            Self::Named { folder: _ } => None,
        }
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        if let Self::Named { folder } = self {
            let _ = crate::cache::remove(folder); // holds credentials; at worst it stays, readable by its owner only
        }
    }
}

fn private_folder(folder: &Path) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    crate::cache::remove(folder)?;
    let mut builder = std::fs::DirBuilder::new();
    builder.mode(0o700).create(folder).with_context(|| format!("cannot make {}", folder.display()))
}
