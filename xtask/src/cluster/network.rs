//! The cluster's network namespace: loopback, and a bridge with the node's address. No packet finds
//! a way out of it.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use super::Cluster;
use crate::cache::remove;
use crate::command::{output, succeeds};

/// The node's address. It exists inside the namespace only (198.18.0.0/15 is set aside for tests).
pub const NODE: &str = "198.18.0.1";

pub fn file(cluster: &Cluster) -> PathBuf {
    PathBuf::from("/run/netns").join(cluster.system_name())
}

pub fn exists(cluster: &Cluster) -> bool {
    file(cluster).exists()
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
