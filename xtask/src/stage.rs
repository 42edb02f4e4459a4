//! Where the commands of the demo and of the bench are run, as users type them: a folder and a
//! namespace of their own.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::cache::{Cache, remove};
use crate::command::{output, wait_until};
use crate::files::write_whole;
use crate::progress::say;
use crate::target::Target;

/// Marks a namespace as a stage's own: somebody else's of its name is left alone.
const MARK: &str = "flink.kubectl/demo=true";
/// A Pod that does nothing but hold an image or a volume.
const HELPER: &str = "helper";

/// The scene: commands run in a folder of its own, with a kubeconfig whose namespace is its own.
pub struct Stage<'a> {
    target: &'a Target,
    namespace: &'static str,
    folder: PathBuf,
}

impl<'a> Stage<'a> {
    /// Removes what an earlier run left in that namespace, and makes everything anew.
    pub fn set(target: &'a Target, namespace: &'static str) -> Result<Self> {
        let folders = Cache::open()?.folder("demo")?;
        // What a run that was killed has left holds credentials.
        for left in fs_err::read_dir(&folders)? {
            let left = left?;
            if !Path::new("/proc").join(left.file_name()).exists() {
                remove(&left.path())?;
            }
        }
        let folder = folders.join(std::process::id().to_string());
        remove(&folder)?;
        private_folder(&folder)?;
        let stage = Self { target, namespace, folder };
        stage.clear()?;
        let given = target.command("true")?;
        let config = given.get_envs().find(|(key, _)| *key == OsStr::new("KUBECONFIG"));
        let config = config.and_then(|(_, path)| path).context("the target has no KUBECONFIG")?;
        write_whole(&stage.kubeconfig(), fs_err::read(Path::new(config))?)?;
        stage.output(&format!("kubectl create namespace {namespace}"))?;
        stage.output(&format!("kubectl label namespace {namespace} {MARK}"))?;
        stage.output(&format!("kubectl config set-context --current --namespace {namespace}"))?;
        Ok(stage)
    }

    /// Removes the namespace and everything in it, also what a run that was killed left there.
    pub fn clear(&self) -> Result<()> {
        let namespace = self.namespace;
        let mut get = self.target.command("kubectl")?;
        get.args(["get", "namespace", namespace, "--ignore-not-found", "--show-labels", "--no-headers"]);
        let there = output(&mut get)?;
        if there.trim().is_empty() {
            return Ok(());
        }
        if !there.contains(MARK) {
            bail!(
                "the namespace {namespace} is there and was not made by cargo xtask: remove it, or its content, yourself"
            );
        }
        say(format_args!("==> removing the namespace {namespace}"));
        let mut delete = self.target.command("kubectl")?;
        output(delete.args(["delete", "namespace", namespace, "--timeout=5m"]))?;
        Ok(())
    }

    /// Says something about what comes.
    #[allow(clippy::unused_self, reason = "only somebody on a stage tells")]
    pub fn tell(&self, text: &str) {
        say("");
        for line in text.lines() {
            say(format_args!("# {line}"));
        }
    }

    /// Shows a command line as somebody would type it, and runs it.
    pub fn type_in(&self, line: &str) -> Result<()> {
        self.type_in_and_fail(line, 0)
    }

    /// Shows and runs a command line that ends with this exit code.
    pub fn type_in_and_fail(&self, line: &str, expected: i32) -> Result<()> {
        say(format_args!("\n$ {line}"));
        // Both of its outputs to where the talk goes: one story, in order.
        let status = self.command(line)?.stdin(Stdio::null()).stdout(std::io::stderr()).status();
        let code = status.with_context(|| format!("cannot run {line}"))?.code();
        if code != Some(expected) {
            bail!("{line}: the exit code is {code:?}, expected {expected}; all is left as it is, for a look");
        }
        if expected != 0 {
            say(format_args!("(exit code {expected})"));
        }
        Ok(())
    }

    /// Runs a command line unseen, and returns what it prints.
    pub fn output(&self, line: &str) -> Result<String> {
        output(&mut self.command(line)?)
    }

    /// Runs a command line whose talk (stderr) is shown, and returns what it prints.
    pub fn told(&self, line: &str) -> Result<String> {
        let done = self.command(line)?.stdin(Stdio::null()).stderr(Stdio::inherit()).output()?;
        if !done.status.success() {
            bail!("{line} failed ({})", done.status);
        }
        Ok(String::from_utf8_lossy(&done.stdout).into_owned())
    }

    /// Runs a command line of the plugin unseen; its machine output.
    pub fn json(&self, line: &str) -> Result<Value> {
        let line = format!("{line} --output json");
        let text = self.output(&line)?;
        serde_json::from_str(&text).with_context(|| format!("{line} printed no JSON: {text}"))
    }

    /// Has the commands find this program under its own name before any other.
    pub fn put_first(&self, program: &Path) -> Result<()> {
        let (bin, name) = (self.bin(), program.file_name().context("a program has a name")?);
        fs_err::create_dir_all(&bin)?;
        Ok(fs_err::os::unix::fs::symlink(program, bin.join(name))?)
    }

    /// Writes a file into the folder where the commands run.
    pub fn write(&self, name: &str, text: &str) -> Result<()> {
        write_whole(&self.folder.join(name), text)
    }

    /// Fails where the nodes do not have an image, and says how it gets there.
    pub fn require_image(&self, image: &str) -> Result<()> {
        if self.target.storage().is_some() {
            return Ok(()); // `cluster up` has imported it
        }
        self.run_helper(image, None).with_context(|| {
            format!(
                "the test image {image} is not on the nodes of this cluster. Make the images and load them:
  cargo xtask images flink-test.tar
  kind load image-archive flink-test.tar        (kind; --name CLUSTER for another than `kind`)
  minikube image load flink-test.tar            (minikube)
  ctr -n k8s.io images import flink-test.tar    (any other with containerd, on each node)"
            )
        })?;
        self.end_helper()
    }

    /// The job's own record as it is in the volume now, in a folder: on this machine that is the
    /// volume itself, elsewhere a copy.
    pub fn tally(&self, release: &str, runs: bool) -> Result<PathBuf> {
        let claim = format!("{release}-storage");
        if let Some(storage) = self.target.storage() {
            let uid = self.output(&format!("kubectl get pvc {claim} -o jsonpath={{.metadata.uid}}"))?;
            return Ok(storage.join(self.namespace).join(format!("{claim}-{uid}")).join("tally"));
        }
        let pod = if runs {
            let of = format!("app.kubernetes.io/instance={release},app.kubernetes.io/component=jobmanager");
            let line = format!("kubectl get pod -l {of} -o jsonpath={{.items[0].metadata.name}}");
            self.output(&line)?
        } else {
            self.run_helper("flink-test:2.3.0", Some(&claim))?;
            HELPER.to_owned()
        };
        let copy = self.folder.join("copy");
        remove(&copy)?;
        let packed = self
            .command(&format!(
                "kubectl exec {pod} -- tar -C /flink-storage --warning=no-file-changed -cf - tally"
            ))?
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .output()?;
        // The job writes while tar reads, which is an error to tar; the checker reads up to the
        // last whole line.
        tar::Archive::new(packed.stdout.as_slice()).unpack(&copy).context("the tally could not be read")?;
        if !runs {
            self.end_helper()?;
        }
        Ok(copy.join("tally"))
    }

    /// Runs a Pod with an image that must be on the node, and a claim mounted where the job has it.
    fn run_helper(&self, image: &str, claim: Option<&str>) -> Result<()> {
        let (mut volumes, mut mounts) = (serde_json::json!([]), serde_json::json!([]));
        if let Some(claim) = claim {
            volumes = serde_json::json!([{"name": "state", "persistentVolumeClaim": {"claimName": claim}}]);
            mounts = serde_json::json!([{"name": "state", "mountPath": "/flink-storage"}]);
        }
        let pod = serde_json::json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": HELPER},
            "spec": {
                "terminationGracePeriodSeconds": 0,
                "securityContext": {"runAsNonRoot": true, "runAsUser": 9999, "fsGroup": 9999},
                "volumes": volumes,
                "containers": [{
                    "name": HELPER, "image": image, "imagePullPolicy": "Never",
                    "command": ["sleep", "3600"], "volumeMounts": mounts,
                }],
            },
        });
        self.write("helper.json", &pod.to_string())?;
        self.output("kubectl apply -f helper.json")?;
        let state = || self.json(&format!("kubectl get pod {HELPER}")).unwrap_or_default();
        wait_until("a Pod with the test image", Duration::from_mins(2), || {
            let pod = state();
            pod["status"]["phase"] == "Running" || waits_for_an_image(&pod)
        })?;
        if waits_for_an_image(&state()) {
            self.end_helper()?;
            bail!("a Pod with imagePullPolicy Never does not find it");
        }
        Ok(())
    }

    fn end_helper(&self) -> Result<()> {
        self.output(&format!("kubectl delete pod {HELPER} --wait")).map(drop)
    }

    fn kubeconfig(&self) -> PathBuf {
        self.folder.join("kubeconfig")
    }

    /// Words are divided by blanks; there is no quoting.
    fn command(&self, line: &str) -> Result<Command> {
        let mut words = line.split_whitespace();
        let mut command = self.target.command(words.next().unwrap_or_default())?;
        let mut path = vec![self.bin()];
        let given = command.get_envs().find(|(key, _)| *key == OsStr::new("PATH"));
        path.extend(given.and_then(|(_, path)| path).map(std::env::split_paths).into_iter().flatten());
        command.args(words).env("PATH", std::env::join_paths(path)?);
        command.env("KUBECONFIG", self.kubeconfig()).current_dir(&self.folder);
        Ok(command)
    }

    fn bin(&self) -> PathBuf {
        self.folder.join("bin")
    }
}

impl Drop for Stage<'_> {
    fn drop(&mut self) {
        let _ = remove(&self.folder); // holds credentials; at worst it stays, readable by its owner only
    }
}

fn waits_for_an_image(pod: &Value) -> bool {
    pod["status"]["containerStatuses"][0]["state"]["waiting"]["reason"] == "ErrImageNeverPull"
}

fn private_folder(folder: &Path) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    let mut builder = std::fs::DirBuilder::new();
    builder.mode(0o700).create(folder).with_context(|| format!("cannot make {}", folder.display()))
}
