//! The cluster's network namespace: loopback, and a bridge with the node's address. No packet finds
//! a way out of it.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, bail};

use super::Cluster;
use crate::cache::remove;
use crate::command::{output, succeeds};
use crate::files::write_whole;

/// The node's address. It exists inside the namespace only (198.18.0.0/15 is set aside for tests).
pub const NODE: &str = "198.18.0.1";

pub fn file(cluster: &Cluster) -> PathBuf {
    PathBuf::from("/run/netns").join(cluster.system_name())
}

pub fn exists(cluster: &Cluster) -> bool {
    file(cluster).exists()
}

/// Written before the namespace is made, so that nobody ends a cluster of the same name in another
/// cache folder.
fn owner(cluster: &Cluster) -> PathBuf {
    PathBuf::from("/run").join(format!("{}.owner", cluster.system_name()))
}

/// Refuses where what is named after this cluster on the machine is somebody else's.
pub fn refuse_others(cluster: &Cluster) -> Result<()> {
    if !exists(cluster) || is_ours(cluster) {
        return Ok(());
    }
    match fs_err::read_to_string(owner(cluster)) {
        Ok(other) => bail!(
            "a cluster of the name `{}` runs from {other}: end it there, or name another with {}=NAME",
            cluster.name,
            super::NAME
        ),
        Err(_) => bail!(
            "the network namespace {0} is there, but nothing says whose it is; if nobody needs it: ip netns delete {0}",
            cluster.system_name()
        ),
    }
}

/// Takes what will be named after this cluster on the machine.
pub fn claim(cluster: &Cluster) -> Result<()> {
    refuse_others(cluster)?;
    write_whole(&owner(cluster), cluster.folder.to_string_lossy().as_bytes())
}

/// Whether what is named after this cluster on the machine is this cluster's.
pub fn is_ours(cluster: &Cluster) -> bool {
    fs_err::read_to_string(owner(cluster)).is_ok_and(|found| *found == *cluster.folder.to_string_lossy())
}

/// Makes the namespace with its addresses.
pub fn make(cluster: &Cluster) -> Result<()> {
    let name = cluster.system_name();
    let ip = |arguments: &[&str]| output(Command::new("ip").args(arguments));
    ip(&["netns", "add", &name])?;
    ip(&["-n", &name, "link", "set", "lo", "up"])?;
    // A bridge without ports, as a dummy link is not in every kernel. The default route ends there.
    ip(&["-n", &name, "link", "add", "node0", "type", "bridge"])?;
    ip(&["-n", &name, "address", "add", &format!("{NODE}/24"), "dev", "node0"])?;
    ip(&["-n", &name, "link", "set", "node0", "up"])?;
    ip(&["-n", &name, "route", "add", "default", "dev", "node0"])?;
    Ok(())
}

/// Removes the namespace.
pub fn remove_namespace(cluster: &Cluster) -> Result<()> {
    if exists(cluster) && !succeeds(Command::new("ip").args(["netns", "delete", &cluster.system_name()])) {
        // Killed between making the file and mounting the namespace on it: a plain file.
        remove(&file(cluster))?;
    }
    Ok(())
}

/// Gives up what [`claim`] took: nothing on the machine is named after the cluster any more.
pub fn release(cluster: &Cluster) -> Result<()> {
    remove(&owner(cluster))
}
