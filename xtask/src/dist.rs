//! `cargo xtask dist`: the archive that is released, and its version, address and digest in the
//! Krew manifest.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;

use crate::command::{output, shown};
use crate::files::write_whole;
use crate::plugin;
use crate::progress::{say, step};

/// What the archive holds besides the program.
const LICENSE: &str = "LICENSE";
const PROGRAM: &str = "kubectl-flink";
const MANIFEST: &str = "plugin.yaml";

pub fn run(project: &Path) -> Result<()> {
    step("building the release", || {
        let mut cargo = plugin::cargo(project);
        cargo.args(["build", "--release", "--locked", "--package", PROGRAM]);
        shown(cargo.stdout(std::io::stderr()))
    })?;
    let target = plugin::target(project);
    let folder = target.join("dist");
    fs_err::create_dir_all(&folder)?;
    let archive = format!("{PROGRAM}-linux-{}.tar.gz", crate::images::architecture());
    let path = folder.join(&archive);
    write_whole(&path, pack(&files(project, target.join("release").join(PROGRAM)))?)?;

    let line = output(Command::new("sha256sum").arg(&path))?;
    let digest = line.split_whitespace().next().context("sha256sum printed nothing")?;
    let manifest = project.join(MANIFEST);
    let filled = fill_in(&fs_err::read_to_string(&manifest)?, &version(project)?, &archive, digest)?;
    write_whole(&manifest, filled)?;
    say(format_args!("{MANIFEST} names it, with its sha256 {digest}"));
    println!("{}", path.display());
    Ok(())
}

/// What the archive holds: name, mode, and where it is now.
fn files(project: &Path, program: PathBuf) -> [(&'static str, u32, PathBuf); 2] {
    [(PROGRAM, 0o755, program), (LICENSE, 0o644, project.join(LICENSE))]
}

/// The plugin's version, from Cargo.toml.
fn version(project: &Path) -> Result<String> {
    let metadata = output(plugin::cargo(project).args(["metadata", "--no-deps", "--format-version=1"]))?;
    let metadata: Value = serde_json::from_str(&metadata)?;
    let packages = metadata["packages"].as_array().context("cargo metadata lists no packages")?;
    let package = packages.iter().find(|package| package["name"] == PROGRAM);
    let version = package.and_then(|package| package["version"].as_str());
    Ok(version.with_context(|| format!("{PROGRAM} has no version in cargo metadata"))?.to_owned())
}

/// The manifest with the version, and for the platform that this archive is for its address and
/// digest. All else, comments too, stays as it was written.
fn fill_in(manifest: &str, version: &str, archive: &str, sha256: &str) -> Result<String> {
    let mut filled = String::new();
    let (mut in_platform, mut digests) = (false, 0);
    for line in manifest.lines() {
        let (key, value) = line.split_once(": ").unwrap_or((line, ""));
        let new = match key.trim_start() {
            "version" => Some(format!("v{version}")),
            "uri" => {
                in_platform = value.ends_with(&format!("/{archive}"));
                in_platform.then(|| address(value, version, archive)).transpose()?
            }
            "sha256" if in_platform => {
                in_platform = false;
                digests += 1;
                Some(format!("\"{sha256}\""))
            }
            _ => None,
        };
        filled.push_str(&new.map_or_else(|| line.to_owned(), |new| format!("{key}: {new}")));
        filled.push('\n');
    }
    if digests != 1 {
        bail!(
            "{MANIFEST} must have one platform with a `uri` that ends in /{archive}, and `sha256` after it"
        );
    }
    Ok(filled)
}

/// `…/download/vOLD/ARCHIVE` with the new version.
fn address(old: &str, version: &str, archive: &str) -> Result<String> {
    let folder = old.strip_suffix(archive).and_then(|start| start.trim_end_matches('/').rsplit_once('/'));
    let (start, _) = folder.with_context(|| format!("{MANIFEST}: cannot read the address {old}"))?;
    Ok(format!("{start}/v{version}/{archive}"))
}

/// A gzipped tar with these files (name, mode, content) at its root. The same contents give the
/// same bytes.
fn pack(files: &[(&str, u32, PathBuf)]) -> Result<Vec<u8>> {
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::best()));
    for (name, mode, path) in files {
        let content = fs_err::read(path)?;
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(*mode);
        header.set_mtime(0);
        archive.append_data(&mut header, name, content.as_slice())?;
    }
    let mut compressed = archive.into_inner()?;
    compressed.flush()?;
    Ok(compressed.finish()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str = "# A comment: stays
spec:
  version: v0.0.1
  platforms:
    - selector:
        matchLabels: {os: linux, arch: arm64}
      uri: https://example.org/download/v0.0.1/x-arm64.tar.gz
      sha256: \"1\"
    - selector:
        matchLabels: {os: linux, arch: amd64}
      uri: https://example.org/download/v0.0.1/x-amd64.tar.gz
      sha256: \"2\"
      bin: x
";

    #[test]
    fn the_version_and_this_platforms_address_and_digest_are_filled_in_and_nothing_else() {
        let filled = fill_in(BEFORE, "1.2.3", "x-amd64.tar.gz", "abc").unwrap();
        let expected = BEFORE
            .replace("version: v0.0.1", "version: v1.2.3")
            .replace("download/v0.0.1/x-amd64", "download/v1.2.3/x-amd64")
            .replace("\"2\"", "\"abc\"");
        assert_eq!(filled, expected);
    }

    #[test]
    fn a_manifest_without_this_platform_is_refused() {
        let error = fill_in(BEFORE, "1.2.3", "x-riscv64.tar.gz", "abc").unwrap_err();
        assert!(error.to_string().contains("/x-riscv64.tar.gz"), "{error}");
    }

    /// Krew checks the digest, unpacks the archive, moves what `files` lists into the plugin's
    /// folder, and links `bin`.
    #[test]
    fn krew_gets_a_program_that_runs() {
        let project = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        // Any program will do, and this one is at hand.
        let archive = pack(&files(project, std::env::current_exe().unwrap())).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let [packed, unpacked, installed] =
            ["a.tar.gz", "unpacked", "installed"].map(|n| folder.path().join(n));
        fs_err::write(&packed, archive).unwrap();
        fs_err::create_dir(&unpacked).unwrap();
        output(Command::new("tar").arg("-xzf").arg(&packed).arg("-C").arg(&unpacked)).unwrap();

        let name = format!("{PROGRAM}-linux-amd64.tar.gz");
        let digest = output(Command::new("sha256sum").arg(&packed)).unwrap()[..64].to_owned();
        let manifest = fs_err::read_to_string(project.join(MANIFEST)).unwrap();
        let manifest = fill_in(&manifest, "1.2.3", &name, &digest).unwrap();
        // What is left of YAML in this file is simple enough: `key: value` lines below `platforms`.
        let value = |key: &str| {
            let lines = manifest.lines().map(|line| line.trim().trim_start_matches("- "));
            let values = lines.filter_map(|line| line.strip_prefix(&format!("{key}: ")));
            values.map(|value| value.trim_matches('"').to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(value("sha256"), [digest]);
        assert!(value("uri")[0].ends_with(&format!("/v1.2.3/{name}")), "{:?}", value("uri"));
        let moves = value("from").into_iter().zip(value("to"));
        for (from, to) in moves {
            let to = installed.join(to.trim_start_matches('.'));
            fs_err::create_dir_all(&to).unwrap();
            fs_err::rename(unpacked.join(&from), to.join(from)).unwrap();
        }
        let program = installed.join(&value("bin")[0]);
        assert!(
            output(Command::new(program).arg("--list")).unwrap().contains("krew_gets_a_program_that_runs")
        );
        let licence = |path: PathBuf| fs_err::read_to_string(path.join(LICENSE)).unwrap();
        assert_eq!(licence(installed), licence(project.to_owned()));
        assert_eq!(
            fs_err::read_dir(&unpacked).unwrap().count(),
            0,
            "the archive holds more than `files` lists"
        );
    }

    #[test]
    fn an_archive_is_the_same_whenever_it_is_packed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("f");
        fs_err::write(&file, "x").unwrap();
        let packed = || pack(&[("f", 0o755, file.clone())]).unwrap();
        let first = packed();
        std::fs::File::open(&file).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
        assert_eq!(first, packed());
    }
}
