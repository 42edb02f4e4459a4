//! The cluster's own containerd: its configuration, the images in it, and the leftovers of an
//! earlier life.
//!
//! Its store of images outlives the cluster, so that the next `up` imports nothing. All else is new
//! with each `up`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use super::{Cluster, components};
use crate::cache::remove;
use crate::command::{output, succeeds, wait_until};
use crate::files::folders_in;
use crate::files::write_whole;
use crate::images::{Image, PAUSE, write_archive};
use crate::process::Identity;
use crate::progress::step;

/// Where containerd's shims have their sockets; fixed in containerd.
const SHIM_SOCKETS: &str = "/run/containerd/s";

pub fn socket(cluster: &Cluster) -> PathBuf {
    cluster.folder.join("containerd.sock")
}

fn store(cluster: &Cluster) -> PathBuf {
    cluster.folder.join("containerd/root")
}

pub fn state(cluster: &Cluster) -> PathBuf {
    cluster.folder.join("containerd/state")
}

/// Says that containers may be in the store, so that the next `up` looks for leftovers.
fn used(cluster: &Cluster) -> PathBuf {
    cluster.folder.join("containerd/used")
}

fn ctr(cluster: &Cluster) -> Command {
    let mut command = Command::new("ctr");
    command.arg("--address").arg(socket(cluster)).args(["--namespace", "k8s.io"]);
    command
}

/// Starts it and waits until it answers, leftovers of an earlier life removed.
pub fn start(cluster: &Cluster, images: &[Image]) -> Result<()> {
    if used(cluster).exists() {
        launch(cluster, false)?;
        remove_containers(cluster)?;
        remove_other_images(cluster, images)?;
        end(cluster)?;
        remove(&used(cluster))?;
    }
    components::write_cni(cluster)?;
    launch(cluster, true)
}

fn launch(cluster: &Cluster, serves_kubelet: bool) -> Result<()> {
    let config = cluster.folder.join("containerd.toml");
    write_whole(&config, configuration(&cluster.folder, serves_kubelet))?;
    components::start(
        cluster,
        "containerd",
        "containerd",
        &["--config".into(), config.display().to_string()],
    )?;
    wait_until("containerd", Duration::from_mins(1), || succeeds(ctr(cluster).arg("version")))
}

/// Ends it. The shims of its containers go on without it.
pub fn end(cluster: &Cluster) -> Result<()> {
    if let Some(process) = Identity::read(&cluster.note("containerd")) {
        process.end(rustix::process::Signal::TERM, Duration::from_secs(5))?;
    }
    remove(&cluster.note("containerd"))
}

/// To be called before the first container can be made.
pub fn mark_used(cluster: &Cluster) -> Result<()> {
    Ok(fs_err::write(used(cluster), "")?)
}

/// The containers of an earlier life, and their snapshots: their processes are gone, and the
/// kubelet would only find out slowly.
fn remove_containers(cluster: &Cluster) -> Result<()> {
    let list = output(ctr(cluster).args(["containers", "list", "--quiet"]))?;
    let containers: Vec<&str> = list.split_whitespace().collect();
    for some in containers.chunks(50) {
        output(ctr(cluster).args(["containers", "delete"]).args(some))?;
    }
    for kind in ["containers", "sandboxes"] {
        remove(&store(cluster).join("io.containerd.grpc.v1.cri").join(kind))?;
    }
    Ok(())
}

fn configuration(folder: &Path, serves_kubelet: bool) -> String {
    let folder = folder.display();
    let disabled = if serves_kubelet { "" } else { "\"io.containerd.grpc.v1.cri\"" };
    // restrict_oom_score_adj: where the machine withholds CAP_SYS_RESOURCE, runc fails without it
    // ("can't get final child's PID from pipe"). netns_mounts_under_state_dir: so that the Pods'
    // namespaces are known as ours by their place.
    format!(
        "version = 2
root = \"{folder}/containerd/root\"
state = \"{folder}/containerd/state\"
disabled_plugins = [{disabled}]
[grpc]
  address = \"{folder}/containerd.sock\"
[plugins.\"io.containerd.grpc.v1.cri\"]
  sandbox_image = \"{PAUSE}\"
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  [plugins.\"io.containerd.grpc.v1.cri\".cni]
    bin_dir = \"/usr/lib/cni\"
    conf_dir = \"{folder}/cni\"
  [plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes.runc]
    runtime_type = \"io.containerd.runc.v2\"
    [plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes.runc.options]
      Root = \"{folder}/containerd/runc\"
"
    )
}

/// Names and digests of the images in the store.
fn listed(cluster: &Cluster) -> Result<Vec<(String, String)>> {
    Ok(names_and_digests(&output(ctr(cluster).args(["images", "list"]))?))
}

/// `ctr images list` prints a head, then a line an image: name, type, digest, size, …
fn names_and_digests(list: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for line in list.lines().skip(1) {
        let mut words = line.split_whitespace();
        if let (Some(name), Some(digest)) = (words.next(), words.nth(1)) {
            found.push((name.to_owned(), digest.to_owned()));
        }
    }
    found
}

/// Images that were made from other inputs keep gigabytes. (Each is there under its names, and as
/// containerd's own note of it under a digest.)
fn remove_other_images(cluster: &Cluster, images: &[Image]) -> Result<()> {
    let wanted: BTreeSet<String> = images.iter().map(Image::digest).collect();
    let mut others = listed(cluster)?;
    others.retain(|(_, digest)| !wanted.contains(digest));
    if others.is_empty() {
        return Ok(());
    }
    let names = others.iter().map(|(name, _)| name);
    output(ctr(cluster).args(["images", "delete", "--sync"]).args(names)).map(drop)
}

/// Imports what is missing.
pub fn import(cluster: &Cluster, images: &[Image]) -> Result<()> {
    let there = listed(cluster)?;
    let is_there = |image: &Image| there.contains(&(image.name.clone(), image.digest()));
    let missing: Vec<Image> = images.iter().filter(|image| !is_there(image)).cloned().collect();
    if missing.is_empty() {
        return Ok(());
    }
    let content = output(ctr(cluster).args(["content", "list", "--quiet"]))?;
    let known = content.split_whitespace().map(str::to_owned).collect();
    step(&format!("importing {} images", missing.len()), || {
        let mut child = ctr(cluster)
            .args(["images", "import", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let out = std::io::BufWriter::new(child.stdin.take().context("ctr has no stdin")?);
        let written = write_archive(&missing, &known, out);
        let done = child.wait_with_output()?;
        if !done.status.success() {
            bail!("ctr images import failed: {}", String::from_utf8_lossy(&done.stderr).trim());
        }
        written
    })
}

/// Ends what outlives containerd: the shims' processes are ended by their network namespace; here
/// go their sockets.
pub fn remove_shim_sockets(sockets: &[PathBuf]) -> Result<()> {
    sockets.iter().try_for_each(|socket| remove(socket))
}

/// The sockets of the shims that serve this cluster, from the containers that containerd has
/// written down.
pub fn shim_sockets(cluster: &Cluster) -> Vec<PathBuf> {
    let tasks = state(cluster).join("io.containerd.runtime.v2.task/k8s.io");
    folders_in(&tasks)
        .iter()
        .filter_map(|task| fs_err::read_to_string(task.join("address")).ok())
        .filter_map(|address| Some(PathBuf::from(address.trim().strip_prefix("unix://")?)))
        .filter(|path| path.starts_with(SHIM_SOCKETS))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_images_is_read_without_its_head() {
        let list = "REF TYPE DIGEST SIZE PLATFORMS LABELS\nlocalhost/a:1 application/x sha256:0 1 MiB linux/amd64 -\n";
        assert_eq!(names_and_digests(list), [("localhost/a:1".to_owned(), "sha256:0".to_owned())]);
    }

    #[test]
    fn only_the_serving_configuration_has_the_kubelets_plugin() {
        assert!(configuration(Path::new("/x"), true).contains("disabled_plugins = []"));
        assert!(
            configuration(Path::new("/x"), false)
                .contains("disabled_plugins = [\"io.containerd.grpc.v1.cri\"]")
        );
    }
}
