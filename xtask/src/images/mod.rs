//! The container images of the test cluster, made without a container engine.
//!
//! Layers are made by the scripts in `tests/cluster/image` and cached; Debian with its Java is one
//! layer that all Flink images share. No image is pulled from anywhere: the cluster has no way out.

mod oci;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use crate::cache::{Cache, Inputs, remove};
use crate::{command, install};
use oci::Layer;
pub use oci::{Image, Start, architecture, write_archive};

/// The image that holds a Pod's namespaces.
pub const PAUSE: &str = "localhost/pause:1";
/// The Flink versions there are images of; the first is the one that the test job is compiled with.
pub const FLINK_VERSIONS: &[&str] = &["2.3.0", "1.20.5"];
/// Flink's user in the images, by the number that the official image gives it too.
const FLINK_USER: &str = "9999";

/// All images of the test cluster, made where they are not in the cache.
pub fn all(cache: &Cache, project: &Path) -> Result<Vec<Image>> {
    let scripts = Scripts { cache, folder: project.join("tests/cluster/image") };
    let pause = scripts.layer("pause", "making the pause image", &["pause.sh", "pause.c"], &[])?;
    let what = "making the Debian and Java layer (about a minute)";
    let base = scripts.layer("base", what, &["base.sh"], &[])?;
    let mut flinks = Vec::new();
    for version in FLINK_VERSIONS {
        let what = format!("making the Flink {version} layer");
        let layer = scripts.layer("flink", &what, &["flink.sh", "entrypoint.sh"], &[version])?;
        flinks.push((*version, vec![base.clone(), layer]));
    }
    let job = job(cache, project, &flinks[0].1[1])?;

    let mut images = vec![pause_image(pause)];
    for (version, layers) in flinks {
        images.push(Image::new(&name("flink", version), layers.clone(), &start()));
        let Some(job) = &job else { continue };
        let mut layers = [layers, vec![job.clone()]].concat();
        let what = format!("letting Flink {version} run, for an archive of its classes (half a minute)");
        layers.push(scripts.layer_upon(&layers, "cds", &what, version)?);
        let test = Image::new(&name("flink-test", version), layers, &start());
        if version == FLINK_VERSIONS[0] {
            images.push(test.named(&name("flink-test", &format!("{version}-v2")))); // the same again, to upgrade to
        }
        images.push(test);
    }
    Ok(images)
}

fn name(repository: &str, tag: &str) -> String {
    format!("docker.io/library/{repository}:{tag}")
}

fn pause_image(layer: Layer) -> Image {
    let start = Start { entrypoint: vec!["/pause".into()], ..Start::default() };
    Image::new(PAUSE, vec![layer], &start)
}

/// How the official image starts, in what users and packages rely on.
fn start() -> Start {
    Start {
        entrypoint: vec!["/docker-entrypoint.sh".into()],
        command: vec!["help".into()],
        environment: vec![
            "PATH=/opt/flink/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".into(),
            "FLINK_HOME=/opt/flink".into(),
            "JAVA_HOME=/opt/java/openjdk".into(),
        ],
        user: format!("{FLINK_USER}:{FLINK_USER}"),
        folder: "/opt/flink".into(),
    }
}

/// The scripts that make layers.
struct Scripts<'a> {
    cache: &'a Cache,
    folder: PathBuf,
}

impl Scripts<'_> {
    /// The layer that a script makes: `SCRIPT OUT ARGUMENTS…` writes `OUT/layer.tar`. The first of
    /// `files` is the script.
    fn layer(&self, kind: &str, what: &str, files: &[&str], arguments: &[&str]) -> Result<Layer> {
        let mut inputs = Inputs::new().word(architecture());
        for file in files {
            inputs = inputs.path(&self.folder.join(file))?;
        }
        for argument in arguments {
            inputs = inputs.word(argument);
        }
        let kind = format!("image-{}", [&[kind], arguments].concat().join("-"));
        self.made(&kind, what, inputs, files[0], arguments.iter().map(OsStr::new))
    }

    /// The layer that a script makes of those it comes on top of: `KIND.sh OUT LAYER…`.
    fn layer_upon(&self, layers: &[Layer], kind: &str, what: &str, version: &str) -> Result<Layer> {
        let script = format!("{kind}.sh");
        let mut inputs = Inputs::new().word(architecture()).path(&self.folder.join(&script))?;
        for layer in layers {
            inputs = inputs.word(&layer.digest);
        }
        let paths = layers.iter().map(|layer| layer.path.as_os_str());
        self.made(&format!("image-{kind}-{version}"), what, inputs, &script, paths)
    }

    fn made<'a>(
        &self,
        kind: &str,
        what: &str,
        inputs: Inputs,
        script: &str,
        arguments: impl Iterator<Item = &'a OsStr>,
    ) -> Result<Layer> {
        let folder = self.cache.entry(kind, what, inputs, |building| {
            install::require(install::IMAGES)?;
            install::require_pip()?;
            let mut script = Command::new(self.folder.join(script));
            script.arg(&building.out).args(arguments).env("PATH", install::full_path());
            building.run(&mut script)?;
            Layer::seal(&building.out)
        })?;
        Layer::read(&folder)
    }
}

/// The layer with the test job, or none where the project has none. One for all versions: what is
/// compiled with the newest runs on the older too.
fn job(cache: &Cache, project: &Path, flink: &Layer) -> Result<Option<Layer>> {
    let sources = project.join("tests/job");
    let script = sources.join("build.sh");
    if !script.is_file() {
        return Ok(None);
    }
    let inputs = Inputs::new().word(&flink.digest).path(&sources)?;
    let folder = cache.entry("image-job", "compiling the test job", inputs, |building| {
        install::require(install::JOB)?;
        let out = &building.out;
        let (unpacked, tree) = (out.join("flink"), out.join("tree"));
        let home = tree.join("opt/flink");
        for folder in [&unpacked, &home] {
            fs_err::create_dir_all(folder)?;
        }
        let mut unpack = Command::new("tar");
        unpack
            .args(["--extract", "--no-same-owner", "--file"])
            .arg(&flink.path)
            .arg("--directory")
            .arg(&unpacked);
        command::output(unpack.arg("opt/flink/lib"))?;
        let mut build = Command::new(&script);
        build.arg(&home).current_dir(&sources).env("FLINK_LIB", unpacked.join("opt/flink/lib"));
        building.run(&mut build)?;
        if !home.join("usrlib").is_dir() {
            bail!("{} made no usrlib in {}", script.display(), home.display());
        }
        let mut pack = Command::new("tar");
        pack.args(["--create", "--sort=name", "--mtime=@0", "--numeric-owner"]);
        pack.args([format!("--owner={FLINK_USER}"), format!("--group={FLINK_USER}")]);
        pack.arg("--file").arg(out.join("layer.tar")).arg("--directory").arg(&tree).arg("opt/flink/usrlib");
        command::output(&mut pack)?;
        remove(&unpacked)?;
        Layer::seal(out)
    })?;
    Ok(Some(Layer::read(&folder)?))
}
