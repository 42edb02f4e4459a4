//! An API server in memory, a controller that starts the jobs which its `JobCluster`s ask for, and
//! their Flink's REST API.
//!
//! Nothing is at once: the controller acts when a `JobCluster` was looked at some times, and starts
//! no job before it is up.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::{Map, Value, json};

use crate::context::testing::{Reply, Seen, merge_patch};
use crate::id::JobId;
use crate::package::Package;

/// How often a `JobCluster` is read after a change until its controller has seen the change.
const LOOKS: u32 = 3;
const NAMESPACE: &str = "namespaces/team/";

/// A package with a layout that has a `JobCluster`, `image` to change it by and `ui` for one object
/// more, and another one without Flink.
const PACKAGE: [(&str, &str); 6] = [
    (
        "package.yaml",
        "
apiVersion: flink.kubectl/v1
name: orders
version: 1.0.0
flinkVersion: 2.3.0
layouts: {operated: {kind: operator}, without: {kind: plain}}
",
    ),
    (
        "layouts/without/map.yaml",
        r"
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ release.name }}-map, labels: {flink.kubectl/release: {{ release.name }}}}
",
    ),
    ("values.yaml", "image: none\nui: false"),
    (
        "layouts/operated/jobcluster.yaml",
        r#"
apiVersion: test.example.com/v1
kind: JobCluster
metadata:
  name: {{ cluster.name }}
  labels: {flink.kubectl/release: {{ release.name }}, flink.kubectl/generation: "{{ cluster.number }}"}
spec: {image: {{ values.image }}}
"#,
    ),
    (
        "layouts/operated/services.yaml",
        r#"
apiVersion: v1
kind: Service
metadata:
  name: {{ cluster.name }}
  labels: {flink.kubectl/release: {{ release.name }}, flink.kubectl/generation: "{{ cluster.number }}"}
---
apiVersion: v1
kind: Service
metadata: {name: {{ release.name }}-rest, labels: {flink.kubectl/release: {{ release.name }}}}
spec: {selector: {cluster: {{ cluster.name }}}}
{% if values.ui %}
---
apiVersion: v1
kind: Service
metadata: {name: {{ release.name }}-ui, labels: {flink.kubectl/release: {{ release.name }}}}
spec: {selector: {cluster: {{ cluster.name }}}}
{% endif %}
"#,
    ),
    (
        "layouts/operated/descriptor.yaml",
        r#"
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ release.name }}-cluster
  labels: {flink.kubectl/release: {{ release.name }}, flink.kubectl/descriptor: "true"}
data:
  cluster.yaml: |
    generation: {{ cluster.number }}
    name: {{ cluster.name }}
    kind: operator
    control: assigned
    service: {name: {{ cluster.name }}, port: 8081}
    stableService: {name: {{ release.name }}-rest, port: 8081}
    jobManagerSelector: cluster={{ cluster.name }}
    taskManagerSelector: cluster={{ cluster.name }}
    haSelector: ha={{ cluster.name }}
    taskManagers: 1
    slotsPerTaskManager: 1
    flinkVersion: 2.3.0
    durable: true
    highAvailability: false
    savepointDirectory: file:///s
    jobs: [{name: orders, jar: "local:///orders.jar"}]
"#,
    ),
];

pub(super) fn package() -> Package {
    let files = PACKAGE.map(|(path, text)| (path.to_owned(), text.trim_start().as_bytes().to_vec()));
    Package::from_files(files.into()).unwrap()
}

/// All of it; clones share it.
#[derive(Clone, Default)]
pub(super) struct Model(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    /// By `plural/name`.
    objects: BTreeMap<String, Value>,
    /// How often a `JobCluster` is still looked at until its controller acts.
    looks: BTreeMap<String, u32>,
    jobs: Vec<Job>,
    changes: Vec<String>,
    /// What Flink says of a savepoint that it is to delete, where it cannot.
    undeletable: Option<&'static str>,
    /// An object that is refused.
    refused: Option<&'static str>,
}

struct Job {
    cluster: String,
    id: JobId,
    since: u64,
    restored: Option<String>,
    savepoint: Option<String>,
}

impl Model {
    /// Answers all requests but those about Secrets.
    pub(super) fn answer(&self, seen: &Seen) -> Option<Reply> {
        self.0.lock().unwrap().answer(seen)
    }

    /// An object of a release that no record names.
    pub(super) fn leave_behind(&self, place: &str, release: &str) {
        let (_, name) = place.split_once('/').unwrap();
        let labels = json!({"flink.kubectl/release": release});
        let object = json!({"metadata": {"name": name, "namespace": "team", "uid": place, "labels": labels}});
        self.0.lock().unwrap().objects.insert(place.to_owned(), object);
    }

    /// An object of a generation, that an operation has left.
    pub(super) fn leave_generation(&self, place: &str, number: &str) {
        self.leave_behind(place, "demo");
        let mut inner = self.0.lock().unwrap();
        let object = inner.objects.get_mut(place).unwrap();
        object["metadata"]["labels"]["flink.kubectl/generation"] = number.into();
    }

    /// A job that another client submits to a generation.
    pub(super) fn submit_by_hand(&self, cluster: &str) {
        let (cluster, id) = (cluster.to_owned(), JobId::from_bytes([0xee; 16]));
        let job = Job { cluster, id, since: 1_767_323_045_000, restored: None, savepoint: None };
        self.0.lock().unwrap().jobs.push(job);
    }

    /// Flink can, or cannot, delete savepoints.
    pub(super) fn deletes(&self, refusal: Option<&'static str>) {
        self.0.lock().unwrap().undeletable = refusal;
    }

    /// From now on refuses an object, or none.
    pub(super) fn refuses(&self, place: Option<&'static str>) {
        self.0.lock().unwrap().refused = place;
    }

    pub(super) fn forget_requests(&self) {
        self.0.lock().unwrap().changes.clear();
    }

    /// What was changed since, in order; what is sent at once in the order of the alphabet.
    pub(super) fn changes(&self) -> Vec<String> {
        self.0.lock().unwrap().changes.clone()
    }

    /// The one job that was ever started in a generation.
    pub(super) fn job_in(&self, cluster: &str) -> Option<JobId> {
        self.0.lock().unwrap().only_job(cluster).map(|job| job.id)
    }

    pub(super) fn restored_in(&self, cluster: &str) -> Option<String> {
        self.0.lock().unwrap().only_job(cluster)?.restored.clone()
    }

    pub(super) fn savepoint_of(&self, id: JobId) -> Option<String> {
        self.0.lock().unwrap().jobs.iter().find(|job| job.id == id)?.savepoint.clone()
    }
}

impl Inner {
    fn only_job(&self, cluster: &str) -> Option<&Job> {
        let mut jobs = self.jobs.iter().filter(|job| job.cluster == cluster);
        let job = jobs.next();
        assert!(jobs.next().is_none(), "two jobs were started in {cluster}");
        job
    }

    fn answer(&mut self, seen: &Seen) -> Option<Reply> {
        let (path, query) = seen.path.split_once('?').unwrap_or((&seen.path, ""));
        if path.contains("/secrets") {
            return None;
        }
        if let Some((_, asked)) = path.split_once("/services/")
            && let Some((service, asked)) = asked.split_once(":8081/proxy")
        {
            return Some(self.flink(seen, service, asked));
        }
        Some(match path {
            "/version" => Reply::json(200, &version()),
            "/api" => served("", &[("configmaps", "ConfigMap"), ("services", "Service")]),
            "/apis" => served("test.example.com", &[("jobclusters", "JobCluster")]),
            "/api/v1/namespaces/team" => Reply::text(200, "{}"),
            _ if path.contains("accessreviews") => Reply::json(201, &json!({"status": {"allowed": true}})),
            _ => {
                let (_, place) = path.split_once(NAMESPACE).unwrap_or_else(|| panic!("{path}"));
                if place.contains('/') { self.object(seen, place, query) } else { self.list(place, query) }
            }
        })
    }

    fn list(&self, plural: &str, query: &str) -> Reply {
        let query: BTreeMap<_, _> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let selector = query.get("labelSelector").cloned().unwrap_or_default();
        let selects = |object: &Value| {
            selector.split(',').filter(|term| !term.is_empty()).all(|term| {
                let (name, value) = term.split_once('=').unwrap();
                object["metadata"]["labels"][name] == value
            })
        };
        let kind = format!("{plural}/");
        let all = self.objects.iter().filter(|(place, _)| place.starts_with(&kind));
        let items: Vec<_> = all.map(|(_, object)| object).filter(|object| selects(object)).collect();
        Reply::json(200, &json!({ "items": items }))
    }

    fn object(&mut self, seen: &Seen, place: &str, query: &str) -> Reply {
        match seen.method.as_str() {
            "GET" => {
                self.look(place);
                self.objects.get(place).map_or(Reply::no(404, "not found"), |live| Reply::json(200, live))
            }
            "PATCH" if query.contains("dryRun") => Reply::json(200, &seen.body),
            "PATCH" if self.refused == Some(place) => Reply::no(422, "invalid"),
            "PATCH" => {
                let said = if query.contains("fieldManager") {
                    format!("apply {place}")
                } else {
                    asked(place, &seen.body)
                };
                self.changed(said);
                let is_new = !self.objects.contains_key(place);
                let live = self.objects.entry(place.to_owned()).or_insert_with(|| json!({}));
                let is_up = live["status"]["phase"] == "UP";
                assert!(
                    is_up || seen.body["spec"]["jobs"].is_null(),
                    "{place} is not up yet: it takes no job"
                );
                merge_patch(live, &seen.body);
                let generation = live["metadata"]["generation"].as_u64().unwrap_or(0) + 1;
                live["metadata"]["generation"] = generation.into();
                live["metadata"]["uid"] = place.into();
                self.looks.insert(place.to_owned(), LOOKS);
                Reply::json(if is_new { 201 } else { 200 }, live)
            }
            "DELETE" => {
                self.changed(format!("delete {place}"));
                match self.objects.remove(place) {
                    Some(live) => Reply::json(200, &live),
                    None => Reply::no(404, "not found"),
                }
            }
            other => panic!("{other} {place}"),
        }
    }

    fn changed(&mut self, change: String) {
        // What is sent at once arrives in any order: objects of a kind that are applied, and all
        // that are deleted.
        let at_once = |change: &str| match change.split_once(' ') {
            Some(("delete", _)) => Some("delete".to_owned()),
            Some(("apply", place)) => place.split('/').next().map(str::to_owned),
            _ => None,
        };
        let with = at_once(&change);
        let same =
            self.changes.iter().rev().take_while(|last| with.is_some() && at_once(last) == with).count();
        self.changes.push(change);
        let from = self.changes.len() - 1 - same;
        self.changes[from..].sort();
    }

    /// The controller acts, some looks after a change.
    fn look(&mut self, place: &str) {
        let Some(cluster) = place.strip_prefix("jobclusters/") else { return };
        let Some(live) = self.objects.get_mut(place) else { return };
        let left = self.looks.entry(place.to_owned()).or_default();
        if *left > 0 {
            *left -= 1;
            return;
        }
        let mut status = live["status"].clone();
        status["phase"] = "UP".into();
        status["observedGeneration"] = live["metadata"]["generation"].clone();
        for (id, stop) in entries(&live["spec"]["stops"]) {
            let job = self.jobs.iter_mut().find(|job| job.id.to_string() == id).unwrap();
            let path = format!("{}/savepoint-1", stop["directory"].as_str().unwrap());
            job.savepoint = Some(path.clone());
            status["savepoints"][stop["trigger"].as_str().unwrap()] = path.into();
            status["jobs"]["orders"]["ended"] = true.into();
        }
        for (name, wanted) in entries(&live["spec"]["jobs"]) {
            if status["jobs"][&name]["nonce"] == wanted["nonce"] {
                continue;
            }
            let number = u8::try_from(self.jobs.len()).unwrap();
            let job = Job {
                cluster: cluster.to_owned(),
                id: JobId::from_bytes([0xa0 + number; 16]),
                since: 1_767_323_045_000 + u64::from(number) * 60_000,
                restored: wanted["savepoint"].as_str().map(str::to_owned),
                savepoint: None,
            };
            status["jobs"][&name] = json!({
                "nonce": wanted["nonce"], "id": job.id, "since": job.since, "restored": job.restored,
            });
            self.jobs.push(job);
        }
        live["status"] = status;
    }

    /// Flink's REST API, as far as it is asked.
    fn flink(&mut self, seen: &Seen, service: &str, asked: &str) -> Reply {
        let path = asked.split('?').next().unwrap();
        if (seen.method.as_str(), path) == ("DELETE", "/cluster") {
            self.changed(format!("shut down {service}"));
            return Reply::text(202, "{}");
        }
        if (seen.method.as_str(), path) == ("POST", "/savepoint-disposal") {
            self.changed(format!("dispose {}", seen.body["savepoint-path"].as_str().unwrap()));
            return Reply::json(202, &json!({"request-id": "07".repeat(16)}));
        }
        assert_eq!(seen.method.as_str(), "GET", "{asked}: only the controller may change a job");
        let jobs = self.jobs.iter().filter(|job| job.cluster == service);
        let of_job = path.strip_prefix("/jobs/").map(|rest| rest.split_once('/').unwrap_or((rest, "")));
        let answer = match (path, of_job) {
            ("/overview", _) => {
                json!({"taskmanagers": 1, "slots-total": 1, "slots-available": 1, "flink-version": "2.3.0"})
            }
            ("/config", _) => json!({"flink-version": "2.3.0", "refresh-interval": 0}),
            _ if path.starts_with("/savepoint-disposal/") => {
                let failure = self.undeletable.map(|why| json!({"class": "x", "stack-trace": why}));
                json!({"status": {"id": "COMPLETED"}, "operation": {"failure-cause": failure}})
            }
            ("/jobs/overview", _) => json!({"jobs": jobs.map(Job::overview).collect::<Vec<_>>()}),
            (_, Some((id, of))) => {
                let found = self.jobs.iter().find(|job| job.cluster == service && job.id.to_string() == id);
                let Some(job) = found else {
                    return Reply::json(404, &json!({"errors": ["Job could not be found"]}));
                };
                job.told(of).unwrap_or_else(|| panic!("{asked}"))
            }
            _ => panic!("{asked}"),
        };
        Reply::json(200, &answer)
    }
}

impl Job {
    fn state(&self) -> &'static str {
        if self.savepoint.is_some() { "FINISHED" } else { "RUNNING" }
    }

    fn overview(&self) -> Value {
        let (running, finished) = if self.savepoint.is_some() { (0, 1) } else { (1, 0) };
        json!({
            "jid": self.id, "name": "Orders", "state": self.state(), "start-time": self.since, "end-time": -1,
            "tasks": {"total": 1, "running": running, "finished": finished},
        })
    }

    fn told(&self, of: &str) -> Option<Value> {
        Some(match of {
            "" => {
                let mut job = self.overview();
                let vertex = json!({"id": "v", "name": "v", "parallelism": 1, "status": self.state()});
                job["vertices"] = json!([vertex]);
                job
            }
            "status" => json!({"status": self.state()}),
            "checkpoints" => {
                let restored = self.restored.as_ref().map(|path| {
                    json!({"id": 1, "restore_timestamp": 1, "is_savepoint": true, "external_path": path})
                });
                json!({
                    "counts": {"total": 1, "in_progress": 0, "completed": 1, "failed": 0},
                    "latest": {"restored": restored},
                })
            }
            "checkpoints/config" => json!({"interval": 1000, "timeout": 600_000}),
            "exceptions" => json!({"exceptionHistory": {"entries": []}}),
            "metrics" => json!([]),
            _ => return None,
        })
    }
}

fn entries(map: &Value) -> Vec<(String, Value)> {
    map.as_object().into_iter().flatten().map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// A patch of a `JobCluster` in words: which jobs it is about.
fn asked(place: &str, body: &Value) -> String {
    let [(what, about)] = &entries(&body["spec"])[..] else { panic!("{place}: {body}") };
    let names: Vec<_> = entries(about).into_iter().map(|(name, _)| name).collect();
    format!("ask {place} for {what} {}", names.join(", "))
}

fn version() -> Value {
    let names = ["buildDate", "compiler", "gitCommit", "gitTreeState", "goVersion", "platform"];
    let mut version: Map<String, Value> =
        names.map(|name| (name.to_owned(), "".into())).into_iter().collect();
    for (name, value) in [("major", "1"), ("minor", "36"), ("gitVersion", "v1.36.3")] {
        version.insert(name.to_owned(), value.into());
    }
    Value::Object(version)
}

/// A group's kinds, as discovery names them.
fn served(group: &str, kinds: &[(&str, &str)]) -> Reply {
    let kind = |(plural, kind): &(&str, &str)| json!({"resource": plural, "scope": "Namespaced", "responseKind": {"kind": kind}});
    let versions = json!([{"version": "v1", "resources": kinds.iter().map(kind).collect::<Vec<_>>()}]);
    Reply::json(200, &json!({"items": [{"metadata": {"name": group}, "versions": versions}]}))
}
