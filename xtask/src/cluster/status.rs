//! What of a cluster runs, for a person.

use anyhow::Result;

use super::{Cluster, components, network, relay, up};
use crate::command::{output, shown};
use crate::process::Identity;
use crate::progress::say;

pub fn status(cluster: &Cluster) -> Result<()> {
    say(format_args!("cluster {} in {}", cluster.name, cluster.folder.display()));
    if !network::exists(cluster) {
        say("down; cargo xtask cluster up");
        return Ok(());
    }
    for component in components::ALL.iter().rev() {
        match Identity::read(&cluster.note(component)).filter(Identity::lives) {
            Some(process) => say(format_args!("  {component:<24} process {}", process.pid())),
            None => say(format_args!(
                "  {component:<24} does not run; its log: {}",
                cluster.log(component).display()
            )),
        }
    }
    if let Some(port) = relay::port(&cluster.note("relay-port")) {
        say(format_args!(
            "  from outside             https://127.0.0.1:{port}, KUBECONFIG={}",
            cluster.outside_kubeconfig().display()
        ));
    }
    if components::running(cluster, "kube-apiserver") {
        for what in ["nodes", "pods,persistentvolumeclaims"] {
            shown(up::kubectl(cluster)?.args(["get", what, "--all-namespaces"]))?;
        }
        let health = output(up::kubectl(cluster)?.args(["get", "--raw", "/readyz"]));
        say(format_args!("  API server: {}", health.unwrap_or_else(|error| format!("{error:#}"))));
    }
    Ok(())
}
