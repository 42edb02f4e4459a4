//! The plugin as users have it: built, and linked under the names that kubectl looks for.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::cache::remove;
use crate::command::shown_as;

/// The names kubectl knows it by: `kubectl flink`, and completion of `kubectl flink …`.
const NAMES: &[&str] = &["kubectl-flink", "kubectl_complete-flink"];

/// Builds the binary with the profile of the tests, so that its library is theirs; says nothing
/// where nothing changed.
pub fn build(project: &Path) -> Result<()> {
    shown_as(
        "building the plugin with cargo (2 to 4 minutes the first time)",
        cargo(project)
            .args(["build", "--quiet", "--profile=test", "--package=kubectl-flink", "--bin=kubectl-flink"])
            .stdout(std::io::stderr()),
    )
}

/// The cargo that runs this, for another command in the project.
pub fn cargo(project: &Path) -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(project);
    cargo
}

/// The binary, where cargo puts that of the profile `test`.
fn binary(project: &Path) -> PathBuf {
    target(project).join("debug/kubectl-flink")
}

/// Where cargo puts what it builds.
pub fn target(project: &Path) -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| project.join("target"), |folder| project.join(folder))
}

/// Links the plugin into a folder that will be on PATH.
pub fn link(folder: &Path, project: &Path) -> Result<()> {
    fs_err::create_dir_all(folder)?;
    for name in NAMES {
        let (link, to) = (folder.join(name), binary(project));
        if fs_err::read_link(&link).ok().as_ref() != Some(&to) {
            remove(&link)?;
            fs_err::os::unix::fs::symlink(&to, &link)?;
        }
    }
    Ok(())
}
