//! OCI images put together from layers on disk, as a stream that containerd imports.
//!
//! Layers stay uncompressed: compressing and decompressing 700 MB costs more than writing them, and
//! nothing is sent anywhere. An image's digest is known before it is imported, so what is there
//! already is not imported again.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::cache::hex;
use crate::command::output;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// A tar with one layer of files, on disk.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Layer {
    pub path: PathBuf,
    /// sha256, hexadecimal; the same for the layer's blob and its content, as it is not compressed.
    pub digest: String,
    /// Bytes.
    pub size: u64,
}

impl Layer {
    /// Looks over `FOLDER/layer.tar` and writes its digest beside it, for [`Layer::read`].
    pub fn seal(folder: &Path) -> Result<()> {
        // The program, and not the crate: this one is compiled without optimization, the layers are
        // large.
        let line = output(Command::new("sha256sum").arg(folder.join("layer.tar")))?;
        let digest = line.split_whitespace().next().context("sha256sum printed nothing")?;
        Ok(fs_err::write(folder.join("digest"), digest)?)
    }

    /// The layer in a folder that was sealed.
    pub fn read(folder: &Path) -> Result<Self> {
        let path = folder.join("layer.tar");
        Ok(Self {
            digest: fs_err::read_to_string(folder.join("digest"))?,
            size: fs_err::metadata(&path)?.len(),
            path,
        })
    }
}

/// How a container of an image starts, in the words of the OCI image configuration.
#[derive(Clone, Debug, Default)]
pub struct Start {
    pub entrypoint: Vec<String>,
    pub command: Vec<String>,
    pub environment: Vec<String>,
    pub user: String,
    pub folder: String,
}

/// An image under one name.
#[derive(Clone, Debug)]
pub struct Image {
    /// As containerd knows it: `docker.io/library/flink:2.3.0`.
    pub name: String,
    layers: Vec<Layer>,
    config: Vec<u8>,
    manifest: Vec<u8>,
}

impl Image {
    pub fn new(name: &str, layers: Vec<Layer>, start: &Start) -> Self {
        let config = json!({
            "architecture": architecture(),
            "os": "linux",
            "config": {
                "User": start.user, "WorkingDir": start.folder, "Env": start.environment,
                "Entrypoint": start.entrypoint, "Cmd": start.command,
            },
            "rootfs": { "type": "layers", "diff_ids": layers.iter().map(|layer| format!("sha256:{}", layer.digest)).collect::<Vec<_>>() },
        });
        let config = config.to_string().into_bytes();
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": descriptor("application/vnd.oci.image.config.v1+json", &sha256(&config), config.len() as u64),
            "layers": layers.iter().map(|layer| descriptor("application/vnd.oci.image.layer.v1.tar", &layer.digest, layer.size)).collect::<Vec<_>>(),
        });
        Self { name: name.to_owned(), layers, config, manifest: manifest.to_string().into_bytes() }
    }

    /// The same image under another name.
    pub fn named(&self, name: &str) -> Self {
        Self { name: name.to_owned(), ..self.clone() }
    }

    /// The digest that containerd shows: `sha256:…`, of the manifest.
    pub fn digest(&self) -> String {
        format!("sha256:{}", sha256(&self.manifest))
    }
}

/// Writes images as one OCI archive, each blob once, however many images share it, and none whose
/// digest (`sha256:…`) is in `known`: the reader has it.
pub fn write_archive(images: &[Image], known: &BTreeSet<String>, out: impl Write) -> Result<()> {
    let mut archive = tar::Builder::new(out);
    let mut written: BTreeSet<String> =
        known.iter().filter_map(|digest| digest.strip_prefix("sha256:")).map(str::to_owned).collect();
    append(&mut archive, "oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#)?;
    append(&mut archive, "index.json", index(images).to_string().as_bytes())?;
    for image in images {
        for layer in &image.layers {
            if written.insert(layer.digest.clone()) {
                let mut header = header(layer.size);
                archive.append_data(&mut header, blob(&layer.digest), fs_err::File::open(&layer.path)?)?;
            }
        }
        for bytes in [&image.config, &image.manifest] {
            if written.insert(sha256(bytes)) {
                append(&mut archive, &blob(&sha256(bytes)), bytes)?;
            }
        }
    }
    archive.into_inner()?.flush()?;
    Ok(())
}

fn index(images: &[Image]) -> Value {
    let manifests: Vec<Value> = images
        .iter()
        .map(|image| {
            let mut found = descriptor(MANIFEST, &sha256(&image.manifest), image.manifest.len() as u64);
            found["annotations"] = json!({ "io.containerd.image.name": image.name });
            found["platform"] = json!({ "architecture": architecture(), "os": "linux" });
            found
        })
        .collect();
    json!({ "schemaVersion": 2, "manifests": manifests })
}

fn append(archive: &mut tar::Builder<impl Write>, name: &str, bytes: &[u8]) -> Result<()> {
    Ok(archive.append_data(&mut header(bytes.len() as u64), name, bytes)?)
}

fn header(size: u64) -> tar::Header {
    let mut header = tar::Header::new_ustar();
    header.set_size(size);
    header.set_mode(0o644);
    header
}

fn blob(digest: &str) -> String {
    format!("blobs/sha256/{digest}")
}

fn descriptor(media_type: &str, digest: &str, size: u64) -> Value {
    json!({ "mediaType": media_type, "digest": format!("sha256:{digest}"), "size": size })
}

fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// The machine's architecture in OCI's words.
pub fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    fn layer(folder: &Path, content: &str) -> Layer {
        fs_err::create_dir_all(folder).unwrap();
        fs_err::write(folder.join("layer.tar"), content).unwrap();
        Layer::seal(folder).unwrap();
        Layer::read(folder).unwrap()
    }

    #[test]
    fn a_shared_layer_is_written_once_and_every_blob_is_under_its_digest() {
        let folder = tempfile::tempdir().unwrap();
        let base = layer(&folder.path().join("base"), "base");
        let more = layer(&folder.path().join("more"), "more");
        let first = Image::new("docker.io/library/a:1", vec![base.clone()], &Start::default());
        let second = Image::new("docker.io/library/b:1", vec![base, more], &Start::default());
        let mut bytes = Vec::new();
        write_archive(
            &[first.clone(), second.clone(), second.named("docker.io/library/b:2")],
            &BTreeSet::new(),
            &mut bytes,
        )
        .unwrap();

        let mut names = Vec::new();
        let mut index = Value::Null;
        for entry in tar::Archive::new(bytes.as_slice()).entries().unwrap() {
            let mut entry = entry.unwrap();
            let name = entry.path().unwrap().display().to_string();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            if let Some(digest) = name.strip_prefix("blobs/sha256/") {
                assert_eq!(digest, sha256(&content));
            } else if name == "index.json" {
                index = serde_json::from_slice(&content).unwrap();
            }
            names.push(name);
        }
        let all = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), all);
        assert_eq!(all, 2 + 2 + 4); // layout and index, two layers, two images' config and manifest
        let known = BTreeSet::from([format!("sha256:{}", first.layers[0].digest)]);
        let mut fewer = Vec::new();
        write_archive(std::slice::from_ref(&first), &known, &mut fewer).unwrap();
        assert_eq!(tar::Archive::new(fewer.as_slice()).entries().unwrap().count(), 2 + 2);

        let digests: Vec<&str> = index["manifests"]
            .as_array()
            .unwrap()
            .iter()
            .map(|found| found["digest"].as_str().unwrap())
            .collect();
        assert_eq!(digests, [first.digest(), second.digest(), second.digest()]);
    }
}
