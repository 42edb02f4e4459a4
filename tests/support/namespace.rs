//! A namespace of its own for each test, gone at its end; what a killed run left goes at the start
//! of the next.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Once;
use std::time::Instant;

use serde_json::Value;

use super::run::{Run, kubectl, program, run};
use super::tally::{Expect, State, Tally, Verdict, assert_tally};
use super::{STORAGE, note_time, wait_for};

/// Whose namespaces are whose: the test program's process id and a random part.
const LABEL: &str = "kubectl-flink-test";

/// Values that make Pods small and checkpoints frequent, with the image of the test job.
pub const IMAGE: &[&str] = &[
    "--set",
    "image.repository=flink-test,image.tag=2.3.0,jobManager.cpu=50m,taskManager.cpu=50m",
    "--set",
    "jobManager.memory=1g,taskManager.memory=1g,taskManager.replicaCount=1,taskManager.slots=2",
    "--set",
    "parallelism=2,checkpointing.interval=1s,terminationGracePeriodSeconds=5,storage.claim.size=1Gi",
    // Many short-lived JVMs on two cores: what a quick start costs in the long run does not matter
    // here. By the environment, for those too that Flink's scripts start to read its configuration.
    "--set-json",
    // With the archives of classes that the image has (docs/class-data-sharing.md): a third less of
    // a JobManager's start.
    concat!(
        r#"env=[{"name":"JAVA_TOOL_OPTIONS","value":"-XX:TieredStopAtLevel=1 -XX:+UseSerialGC "#,
        r#"-XX:SharedArchiveFile=/opt/flink/cds/scripts.jsa"},"#,
        r#"{"name":"JVM_ARGS","value":"-XX:SharedArchiveFile=/opt/flink/cds/flink.jsa"}]"#
    ),
];

/// Where the test job is in the image.
pub const JAR: &str = "local:///opt/flink/usrlib/counter.jar";

/// A namespace.
pub struct Namespace {
    /// Its name; the same length in every run, so that tables keep their widths.
    pub name: String,
    /// When the test began with it.
    begun: Instant,
}

impl Namespace {
    /// Makes one for a test of that name (a part of a DNS label, at most 40 characters).
    #[track_caller]
    pub fn new(test: &str) -> Self {
        static CLEANED: Once = Once::new();
        CLEANED.call_once(remove_left_behind);
        let mut bytes = [0; 3];
        getrandom::fill(&mut bytes).unwrap();
        let unique: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let name = format!("t-{test}-{unique}");
        kubectl(["create", "namespace", &name]).ok();
        let label = format!("{LABEL}={}", std::process::id());
        kubectl(["label", "namespace", &name, &label]).ok();
        Self { name, begun: Instant::now() }
    }

    /// Runs `kubectl flink -n NAMESPACE ARGS`.
    #[track_caller]
    pub fn flink<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Run {
        run(self.program().args(args))
    }

    /// The program with this namespace, not started yet.
    pub fn program(&self) -> Command {
        let mut command = program();
        command.args(["-n", &self.name]);
        command
    }

    /// Runs `kubectl -n NAMESPACE ARGS`.
    #[track_caller]
    pub fn kubectl<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Run {
        run(Command::new("kubectl").args(["-n", &self.name]).args(args))
    }

    /// An object as JSON; `None` where there is none.
    #[track_caller]
    pub fn get(&self, kind: &str, name: &str) -> Option<Value> {
        let found = self.kubectl(["get", kind, name, "-o", "json", "--ignore-not-found"]).ok();
        (!found.stdout.trim().is_empty()).then(|| found.json())
    }

    /// `kind/name` of all objects of those kinds (comma between them) with a selector, sorted.
    #[track_caller]
    pub fn names(&self, kinds: &str, selector: &str) -> Vec<String> {
        let listed = self.kubectl(["get", kinds, "-l", selector, "-o", "name"]).ok();
        let mut names: Vec<String> = listed.stdout.lines().map(ToOwned::to_owned).collect();
        names.sort();
        names
    }

    /// Takes a generation's JobManager away (0), or brings it back.
    pub fn job_managers(&self, generation: &str, count: usize) {
        let deployment = format!("deployment/{generation}-jobmanager");
        self.kubectl(["scale", &deployment, &format!("--replicas={count}")]).ok();
        let pods = || self.names("pods", "app.kubernetes.io/component=jobmanager").len();
        wait_for("the JobManagers to come or go", || (pods() == count).then_some(()));
    }

    /// Installs release `demo` in the layout `session`, small, with a job `counter` of the image;
    /// `args` come last.
    #[track_caller]
    pub fn install_session(&self, release: &str, args: &[&str]) -> Run {
        self.flink([["install", release, "flink", "--layout", "session"].as_slice(), IMAGE, args].concat())
    }

    /// Installs a release in the layout `job`, small, with the test job `counter`; `args` come
    /// last.
    #[track_caller]
    pub fn install_job(&self, release: &str, args: &[&str]) -> Run {
        let jar = format!("job.name=counter,job.jar={JAR}");
        let job = ["install", release, "flink", "--layout", "job", "--set", &jar];
        self.flink([job.as_slice(), IMAGE, args].concat())
    }

    /// The status of a release as JSON.
    #[track_caller]
    pub fn status(&self, release: &str) -> Value {
        self.flink(["status", release, "-o", "json"]).ok().json()
    }

    /// What `status` prints once it has a checkpoint: Flink's statistics are up to three seconds
    /// old.
    #[track_caller]
    pub fn status_with_checkpoint(&self, release: &str) -> String {
        wait_for("a checkpoint in the status", || {
            let status = self.flink(["status", release]).ok().stdout;
            status.contains("\n  checkpoint ").then_some(status)
        })
    }

    /// The history of a release: `(revision, status)`, oldest first.
    #[track_caller]
    pub fn history(&self, release: &str) -> Vec<(u64, String)> {
        let rows = self.flink(["history", release, "-o", "json"]).ok().json();
        let row =
            |row: &Value| (row["revision"].as_u64().unwrap(), row["status"].as_str().unwrap().to_owned());
        rows.as_array().unwrap().iter().map(row).collect()
    }

    /// The id of a release's only job.
    #[track_caller]
    pub fn job_id(&self, release: &str) -> String {
        self.status(release)["jobs"][0]["id"].as_str().unwrap().to_owned()
    }

    /// A path of Flink's REST API behind a Service, by way of the API server.
    pub fn proxied(&self, service: &str, path: &str) -> String {
        format!("/api/v1/namespaces/{}/services/{service}:8081/proxy{path}", self.name)
    }

    /// What the Flink in charge of a release answers, asked without the program.
    #[track_caller]
    pub fn ask_flink(&self, release: &str, path: &str) -> Value {
        self.kubectl(["get", "--raw", &self.proxied(&format!("{release}-rest"), path)]).ok().json()
    }

    /// Each running job of a release was restored from exactly the savepoint that ended it last in
    /// that revision, as it is recorded: by Flink's word, not by the program's own.
    #[track_caller]
    pub fn restored_as_recorded(&self, release: &str, revision: u64) {
        let recorded = self.flink(["savepoint", "list", release, "-o", "json"]).ok().json();
        let status = self.status(release);
        let running = |job: &&Value| job["state"] == "RUNNING";
        let jobs: Vec<_> = status["jobs"].as_array().unwrap().iter().filter(running).collect();
        assert!(!jobs.is_empty(), "no job runs: {status:#}");
        for job in jobs {
            let row = recorded.as_array().unwrap().iter().rfind(|row| {
                row["revision"] == revision && row["job"] == job["name"] && row["origin"] == "stop"
            });
            let Some(row) = row else {
                panic!("no savepoint ended {} in revision {revision}: {recorded:#}", job["name"])
            };
            let path = format!("/jobs/{}/checkpoints", job["id"].as_str().unwrap());
            let restored = wait_for("where Flink restored a job from", || {
                let restored = self.ask_flink(release, &path)["latest"]["restored"].take();
                restored["external_path"].as_str().map(ToOwned::to_owned)
            });
            assert_eq!(local(&restored), local(row["path"].as_str().unwrap()), "{job:#}");
        }
    }

    /// Makes a claim that no release owns.
    #[track_caller]
    pub fn claim(&self, name: &str) {
        let claim = serde_json::json!({
            "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name},
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
        });
        self.apply(&claim);
    }

    /// Applies an object as `kubectl apply` does.
    #[track_caller]
    pub fn apply(&self, object: &Value) {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs_err::write(file.path(), object.to_string()).unwrap();
        self.kubectl(["apply", "-f", file.path().to_str().unwrap()]).ok();
    }

    /// The folder of a claim's volume on this host.
    #[track_caller]
    pub fn volume(&self, name: &str) -> PathBuf {
        let claim = self.get("persistentvolumeclaim", name).unwrap();
        let storage = std::env::var_os(STORAGE).unwrap();
        PathBuf::from(storage)
            .join(&self.name)
            .join(format!("{name}-{}", claim["metadata"]["uid"].as_str().unwrap()))
    }

    /// The tally that jobs write on a claim's volume.
    #[track_caller]
    pub fn tally(&self, claim: &str) -> JobTally {
        JobTally { folder: self.volume(claim).join("tally"), job: "counter".to_owned() }
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.tell();
        }
        kubectl(["delete", "namespace", &self.name, "--wait=false"]);
        note_time(self.begun.elapsed());
    }
}

impl Namespace {
    /// Says what there is, for whoever looks for the reason of a failure.
    fn tell(&self) {
        for args in [
            &["get", "pods,deployments,configmaps,pvc", "-o", "wide"][..],
            &["get", "events", "--sort-by=.lastTimestamp"],
            &["get", "secrets", "--show-labels"],
            &["logs", "-l", "app.kubernetes.io/component=jobmanager", "--tail=60", "--prefix"],
        ] {
            println!("{}", run(Command::new("kubectl").args(["-n", &self.name]).args(args)));
        }
    }
}

/// Namespaces of test programs that live no more.
fn remove_left_behind() {
    let column = format!(
        "jsonpath={{range .items[*]}}{{.metadata.name}} {{.metadata.labels.{LABEL}}}{{\"\\n\"}}{{end}}"
    );
    let listed = kubectl(["get", "namespaces", "-l", LABEL, "-o", &column]).ok();
    for line in listed.stdout.lines() {
        let Some((name, process)) = line.split_once(' ') else { continue };
        if !PathBuf::from("/proc").join(process).exists() {
            kubectl(["delete", "namespace", name, "--wait=false"]);
        }
    }
}

/// A job's tally.
#[derive(Clone, Debug)]
pub struct JobTally {
    /// Its folder, as seen from here.
    pub folder: PathBuf,
    /// The job's name in it.
    pub job: String,
}

impl JobTally {
    /// What is in it.
    #[track_caller]
    pub fn read(&self) -> Tally {
        Tally::read(&[&self.folder], &self.job).unwrap()
    }

    /// Numbers emitted so far.
    #[track_caller]
    pub fn emitted(&self) -> usize {
        self.read().emitted.len()
    }

    /// Waits until so many more numbers were emitted.
    #[track_caller]
    pub fn await_more(&self, more: usize) {
        let wanted = self.emitted() + more;
        wait_for(&format!("{wanted} numbers emitted by {}", self.job), || {
            (self.emitted() >= wanted).then_some(())
        });
    }

    /// Waits until so many more numbers were committed.
    #[track_caller]
    pub fn await_committed(&self, more: usize) {
        let wanted = self.read().committed.len() + more;
        wait_for(&format!("{wanted} numbers committed by {}", self.job), || {
            (self.read().committed.len() >= wanted).then_some(())
        });
    }

    /// Waits until the job's latest run is past all that earlier ones emitted: what it repeats is
    /// then known.
    #[track_caller]
    pub fn await_caught_up(&self) {
        wait_for(&format!("{} to be past what it had emitted before", self.job), || {
            let runs = self.read().runs;
            let (latest, earlier) = runs.split_last()?;
            let end = |key: &u32| earlier.iter().filter_map(|run| run.span.get(key)).map(|span| span.1).max();
            let past = latest.span.iter().all(|(key, (_, last))| end(key).is_none_or(|end| *last > end));
            (past && latest.span.len() == runs[0].span.len()).then_some(())
        });
    }

    /// Prints the checker's line and holds it against what the test expected.
    #[track_caller]
    pub fn check(&self, state: State, expected: &Expect) -> Verdict {
        assert_tally(&[&self.folder], &self.job, state, expected)
    }
}

/// The path of a `file:` URI, which is written with one slash or with three.
#[track_caller]
fn local(uri: &str) -> String {
    let path = uri.strip_prefix("file:").unwrap_or_else(|| panic!("not a file: {uri}"));
    format!("/{}", path.trim_start_matches('/'))
}

/// `--set` for the test job's arguments.
pub fn job_args(args: &str) -> String {
    format!("job.args={{{args}}}")
}
