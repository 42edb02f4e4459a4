//! The programs of the machine that the cluster and its images need: installed where that can be
//! done, else named.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Result, bail};

use crate::cache::Cache;
use crate::command;
use crate::progress::{say, step};

/// A program (or file) and the Debian package it comes with.
#[derive(Clone, Copy, Debug)]
pub struct Need {
    /// A name to look for on PATH, or an absolute path.
    pub program: &'static str,
    pub package: &'static str,
}

const fn need(program: &'static str, package: &'static str) -> Need {
    Need { program, package }
}

/// What a running cluster needs.
pub const CLUSTER: &[Need] = &[
    need("containerd", "containerd"),
    need("ctr", "containerd"),
    need("runc", "runc"),
    need("/usr/lib/cni/bridge", "containernetworking-plugins"),
    need("ip", "iproute2"),
    need("iptables", "iptables"),
    need("nft", "nftables"),
    need("conntrack", "conntrack"),
    need("nsenter", "util-linux"),
    need("mount", "mount"),
    need("openssl", "openssl"),
];

/// What making the images needs.
pub const IMAGES: &[Need] = &[
    need("mmdebstrap", "mmdebstrap"),
    need("python3", "python3"),
    need("gcc", "gcc"),
    need("tar", "tar"),
    need("unshare", "util-linux"),
    need("mount", "mount"),
    need("ip", "iproute2"),
];

/// What compiling the test job needs.
pub const JOB: &[Need] = &[need("javac", "openjdk-17-jdk-headless"), need("tar", "tar")];

/// Folders that hold programs and are often not on a user's PATH.
const MORE_FOLDERS: &[&str] = &["/usr/sbin", "/sbin", "/usr/local/sbin"];

/// Sees to it that everything is there: installs what is missing (as root, where there is apt), or
/// says how to.
pub fn require(needs: &[Need]) -> Result<()> {
    let missing = missing(needs, |need| find(need.program).is_some());
    if missing.is_empty() {
        return Ok(());
    }
    let install = format!("apt-get install --yes --no-install-recommends {}", missing.join(" "));
    if find("apt-get").is_none() {
        bail!(
            "missing on this machine: {} (names of Debian packages; install your system's own)",
            missing.join(", ")
        );
    }
    if !is_root() {
        bail!("missing on this machine: {}; install with\n    sudo {install}", missing.join(", "));
    }
    let log = Cache::open()?.folder("logs")?.join("apt-get.log");
    let apt = |what: &str, arguments: &[&str]| {
        let mut apt = Command::new("apt-get");
        apt.args(arguments).env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null());
        step(what, || command::logged(what, &mut apt, &log))
    };
    apt("fetching the lists of Debian's packages", &["update"])?;
    let what = format!("installing {} (1 to 2 minutes)", missing.join(" "));
    apt(&what, &[&["install", "--yes", "--no-install-recommends"], missing.as_slice()].concat())?;
    if let Some(need) = needs.iter().find(|need| find(need.program).is_none()) {
        bail!("the package {} is installed, but {} is still not found", need.package, need.program);
    }
    Ok(())
}

/// The packages of what is not there, each once.
fn missing(needs: &[Need], is_there: impl Fn(&Need) -> bool) -> Vec<&'static str> {
    let mut packages: Vec<&'static str> =
        needs.iter().filter(|need| !is_there(need)).map(|need| need.package).collect();
    packages.sort_unstable();
    packages.dedup();
    packages
}

/// pip, with the Python that PATH gives: some Pythons come without it.
pub fn require_pip() -> Result<()> {
    let works = || command::succeeds(Command::new("python3").args(["-m", "pip", "--version"]));
    if !works() {
        require(&[need("/usr/lib/python3/dist-packages/pip", "python3-pip")])?;
        if !works() {
            bail!(
                "`python3 -m pip` does not work with {}; install pip for it",
                find("python3").unwrap_or_default().display()
            );
        }
    }
    Ok(())
}

/// A Go that can build the module in this folder (one of 1.21 or newer fetches the version that the
/// module asks for).
pub fn require_go(module: &Path) -> Result<()> {
    let wanted = go_version(&fs_err::read_to_string(module.join("go.mod"))?).unwrap_or_default();
    let how = format!(
        "Go {wanted} or newer is needed: install it from https://go.dev/dl/ and put its bin folder on PATH"
    );
    let Ok(found) = command::output(Command::new("go").arg("version").current_dir(module)) else {
        bail!("{how} (`go version` does not work here)");
    };
    say(format_args!("    with {}", found.trim()));
    Ok(())
}

fn go_version(module: &str) -> Option<String> {
    module.lines().find_map(|line| line.strip_prefix("go ")).map(|version| version.trim().to_owned())
}

/// Where a program is: on PATH, or in a folder of the system's that PATH may lack.
pub fn find(program: &str) -> Option<PathBuf> {
    if program.starts_with('/') {
        return Some(PathBuf::from(program)).filter(|path| path.exists());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(MORE_FOLDERS.iter().map(PathBuf::from))
        .map(|folder| folder.join(program))
        .find(|path| path.is_file())
}

/// PATH with the system's own folders at its end, for programs that call others.
pub fn full_path() -> std::ffi::OsString {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(MORE_FOLDERS.iter().map(PathBuf::from));
    std::env::join_paths(folders).unwrap_or(path)
}

pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Namespaces, mounts and control groups are root's.
pub fn require_root(what: &str) -> Result<()> {
    if is_root() {
        return Ok(());
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    bail!(
        "{what} needs root; run\n    sudo --preserve-env=PATH,HOME,XDG_CACHE_HOME,KUBECTL_FLINK_CLUSTER cargo xtask {}",
        arguments.join(" ")
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_packages_are_named_once() {
        assert_eq!(missing(CLUSTER, |need| need.package != "containerd"), ["containerd"]);
        assert!(missing(CLUSTER, |_| true).is_empty());
    }

    #[test]
    fn the_wanted_go_is_read_from_the_module() {
        assert_eq!(go_version("module m\n\ngo 1.26.0\n").as_deref(), Some("1.26.0"));
        assert_eq!(go_version("module m\n"), None);
    }
}
