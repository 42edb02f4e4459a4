//! Taking a cluster down: no process, mount, network namespace, control group or socket of it
//! stays.
//!
//! What is a cluster's is told by where it is, never by a name: processes by the network namespace
//! or the control group that they are in, mounts by their place in the cluster's folder.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, bail};
use rustix::process::Signal;

use super::{Cluster, components, containerd, network};
use crate::cache::remove;
use crate::command::output;
use crate::files::folders_in;
use crate::process::{self, Identity};
use crate::progress::say;

/// What is kept in the cluster's folder: the store of images, and what is written anew anyway but
/// is good to read afterwards. All else is the cluster's state.
const STATE: &[&str] = &[
    "etcd",
    "certs",
    "kubelet",
    "pod-logs",
    "volumes",
    "cni-leases",
    "containerd/state",
    "containerd/runc",
    "run",
    "kubeconfig",
    "kubeconfig-outside",
    "containerd.sock",
    "containerd.sock.ttrpc",
];

const CGROUPS: &str = "/sys/fs/cgroup";

/// Where the kubelet links the logs of all containers to, for log collectors; fixed in the kubelet.
const LOG_LINKS: &str = "/var/log/containers";

pub fn down(cluster: &Cluster) -> Result<()> {
    if process::am_in_network_namespace(&network::file(cluster)) {
        bail!("this runs inside the cluster's network; take it down from outside");
    }
    let was_up = network::exists(cluster);
    for component in components::ALL {
        if let Some(process) = Identity::read(&cluster.note(component)) {
            let first = if *component == "etcd" { Signal::TERM } else { Signal::KILL };
            process.end(first, Duration::from_secs(2))?;
        }
    }
    clear(cluster)?;
    if was_up {
        say(format_args!("the cluster `{}` is down", cluster.name));
    }
    Ok(())
}

/// Removes whatever a cluster may have left, however it ended. Nothing of it may be wanted any
/// more.
pub fn clear(cluster: &Cluster) -> Result<()> {
    let sockets = containerd::shim_sockets(cluster);
    end_all(cluster)?;
    containerd::remove_shim_sockets(&sockets)?;
    unmount_all(&cluster.folder)?;
    for hierarchy in cgroup_hierarchies() {
        remove_cgroup(&hierarchy.join(cluster.system_name()))?;
    }
    network::remove_namespace(cluster)?;
    remove_log_links(cluster)?;
    for name in STATE {
        remove(&cluster.folder.join(name))?;
    }
    Ok(())
}

/// Ends every process in the cluster's network namespace (the components, containerd's shims, what
/// was run by `exec`) and in its control groups (its containers). Again and again, until there is
/// none: one may have started another meanwhile.
fn end_all(cluster: &Cluster) -> Result<()> {
    for _ in 0..100 {
        let mut found = process::in_network_namespace(&network::file(cluster));
        for hierarchy in cgroup_hierarchies() {
            found.extend(process::in_cgroup(&hierarchy.join(cluster.system_name())));
        }
        if found.is_empty() {
            return Ok(());
        }
        for process in &found {
            process.signal(Signal::KILL)?;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    bail!("some processes of the cluster `{}` cannot be ended", cluster.name);
}

fn remove_log_links(cluster: &Cluster) -> Result<()> {
    let Ok(links) = std::fs::read_dir(LOG_LINKS) else {
        return Ok(());
    };
    for link in links.flatten().map(|link| link.path()) {
        if std::fs::read_link(&link).is_ok_and(|target| target.starts_with(&cluster.folder)) {
            remove(&link)?;
        }
    }
    Ok(())
}

/// Unmounts all that is mounted in a folder, the innermost first.
fn unmount_all(folder: &Path) -> Result<()> {
    let mounts = mounts_below(&fs_err::read_to_string("/proc/self/mounts")?, folder);
    for some in mounts.chunks(50) {
        output(Command::new("umount").arg("--lazy").args(some))?;
    }
    Ok(())
}

/// The mount points below a folder, from `/proc/self/mounts`, the last mounted first.
fn mounts_below(mounts: &str, folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = mounts
        .lines()
        .filter_map(|line| line.split(' ').nth(1))
        .map(|path| PathBuf::from(unescape(path)))
        .filter(|path| path.starts_with(folder))
        .collect();
    found.reverse();
    found
}

/// The kernel writes blank, tab, newline and backslash as three octal digits.
fn unescape(path: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .iter()
        .fold(path.to_owned(), |path, (from, to)| path.replace(from, to))
}

/// The roots of the control groups: each hierarchy's with cgroup v1, the only one's with v2.
pub fn cgroup_hierarchies() -> Vec<PathBuf> {
    let root = PathBuf::from(CGROUPS);
    let mut roots = folders_in(&root);
    roots.insert(0, root.clone());
    if root.join("cgroup.controllers").exists() {
        roots.truncate(1);
    }
    roots.retain(|root| root.join("cgroup.procs").exists());
    roots
}

/// Removes a control group with those below it. A process that is just ending keeps it for a
/// moment.
fn remove_cgroup(folder: &Path) -> Result<()> {
    if !folder.exists() {
        return Ok(());
    }
    for child in folders_in(folder) {
        remove_cgroup(&child)?;
    }
    for _ in 0..50 {
        match std::fs::remove_dir(folder) {
            Ok(()) => return Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(_) => std::thread::sleep(Duration::from_millis(20)),
        }
    }
    Ok(fs_err::remove_dir(folder)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_folders_own_mounts_are_found_and_the_innermost_first() {
        let mounts = "tmpfs /a/b tmpfs rw 0 0\noverlay /a/b/c\\040d overlay rw 0 0\ntmpfs /a/bc tmpfs rw 0 0\nproc /proc proc rw 0 0\n";
        assert_eq!(
            mounts_below(mounts, Path::new("/a/b")),
            [PathBuf::from("/a/b/c d"), PathBuf::from("/a/b")]
        );
    }
}
