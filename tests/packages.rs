//! The package `flink`: its values files all render, what it refuses it refuses in words, and what
//! it must hold it holds.

use std::path::Path;

use kubectl_flink::package::Package;
use kubectl_flink::render::{Object, Rendered};
use kubectl_flink::verbs::template::{Options, assumed_capabilities, template};
use kubectl_flink::yaml;
use serde_json::{Value, json};

fn package() -> Package {
    Package::from_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/packages/flink").as_ref()).unwrap()
}

/// Renders a layout with values; an error in the words that the user reads.
fn render(package: &Package, layout: &str, user_values: Value) -> Result<Rendered, String> {
    let options = Options {
        name: "demo".to_owned(),
        namespace: "streams".to_owned(),
        package: package.clone(),
        layout: Some(layout.to_owned()),
        user_values,
        capabilities: assumed_capabilities(),
        is_upgrade: false,
    };
    template(&options).map_err(|failure| {
        let mut words = failure.cause.to_string();
        let mut source = std::error::Error::source(&*failure.cause);
        while let Some(error) = source {
            words.push_str(&format!("\n{error}"));
            source = error.source();
        }
        words
    })
}

fn session(user_values: Value) -> Rendered {
    render(&package(), "session", user_values).unwrap()
}

#[track_caller]
fn refuses(layout: &str, user_values: Value, words: &str) {
    match render(&package(), layout, user_values.clone()) {
        Ok(_) => panic!("{layout} takes {user_values}"),
        Err(refusal) => assert!(refusal.contains(words), "{user_values}: {refusal}"),
    }
}

fn find<'a>(rendered: &'a Rendered, kind: &str, name: &str) -> &'a Value {
    let found = rendered.objects.iter().find(|object| object.kind() == kind && object.name() == name);
    &found.unwrap_or_else(|| panic!("no {kind}/{name}")).value
}

fn has(rendered: &Rendered, kind: &str) -> bool {
    rendered.objects.iter().any(|object| object.kind() == kind)
}

fn config(rendered: &Rendered) -> Value {
    let text = find(rendered, "ConfigMap", "demo-g1-config")["data"]["config.yaml"].as_str().unwrap();
    yaml::value(text, "config.yaml").unwrap()
}

fn descriptor(rendered: &Rendered) -> Value {
    let text = find(rendered, "ConfigMap", "demo-cluster")["data"]["cluster.yaml"].as_str().unwrap();
    yaml::value(text, "cluster.yaml").unwrap()
}

fn pod(rendered: &Rendered, role: &str) -> Value {
    find(rendered, "Deployment", &format!("demo-g1-{role}"))["spec"]["template"]["spec"].clone()
}

#[test]
fn every_values_file_of_its_tests_renders() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("packages/flink/tests");
    let package = with_report_jar();
    let mut seen = 0;
    for entry in fs_err::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let layout = if name.starts_with("job") { "job" } else { "session" };
        let values = yaml::value(&fs_err::read_to_string(&path).unwrap(), &name).unwrap();
        let rendered = render(&package, layout, values).unwrap_or_else(|error| panic!("{name}: {error}"));
        for object in &rendered.objects {
            assert_eq!(object.label("flink.kubectl/release"), Some("demo"), "{name}: {}", object.key());
            assert_eq!(
                object.label("app.kubernetes.io/managed-by"),
                Some("kubectl-flink"),
                "{}",
                object.key()
            );
        }
        for line in rendered.notes.lines().filter(|line| !line.contains("://")) {
            assert!(line.chars().count() <= 80, "{name}: a line of NOTES has more than 80 columns: {line}");
        }
        seen += 1;
    }
    assert!(seen >= 7, "only {seen} values files in {}", folder.display());
}

/// The package with the file that one of the values files names.
fn with_report_jar() -> Package {
    let package = package();
    let mut files: std::collections::BTreeMap<String, Vec<u8>> =
        package.files().map(|(path, content)| (path.to_owned(), content.to_vec())).collect();
    files.insert("files/report.jar".to_owned(), b"PK".to_vec());
    Package::from_files(files).unwrap()
}

#[test]
fn defaults_fit_the_schema_and_every_key_is_described() {
    fn walk(defaults: &Value, schema: &Value, path: &str) {
        let Some(defaults) = defaults.as_object() else { return };
        let Some(properties) = schema["properties"].as_object() else { return };
        for (key, value) in defaults {
            let described = &properties.get(key).unwrap_or_else(|| panic!("no schema for {path}{key}"));
            let referred = described.get("$ref").is_some();
            assert!(referred || described["description"].is_string(), "{path}{key} has no description");
            walk(value, described, &format!("{path}{key}."));
        }
    }
    let package = package();
    package.check_values(package.default_values()).unwrap();
    let schema: Value = serde_json::from_slice(package.file("values.schema.json").unwrap()).unwrap();
    walk(package.default_values(), &schema, "");
}

#[test]
fn what_looks_like_a_credential_is_refused_in_flinks_options() {
    for (option, words) in [
        ("s3.secret-key", "s3.secret-key looks like a credential"),
        ("s3.access-key", "looks like a credential"),
        ("fs.s3a.session.token", "looks like a credential"),
        ("security.ssl.internal.key-password", "keep it in a Secret"),
        ("fs.azure.account.key.example", "looks like a credential"),
    ] {
        refuses("session", json!({"flinkConfiguration": {option: "x"}}), words);
    }
    refuses(
        "session",
        json!({"env": [{"name": "AWS_SECRET_ACCESS_KEY", "value": "x"}]}),
        "valueFrom.secretKeyRef",
    );
    // The value itself is never said.
    let value = "hunter2hunter2";
    let refusal =
        render(&package(), "session", json!({"flinkConfiguration": {"s3.secret-key": value}})).unwrap_err();
    assert!(!refusal.contains(value), "{refusal}");
    // What only has to do with credentials goes through.
    let fine = json!({"fs.s3a.aws.credentials.provider": "a.B", "security.delegation.tokens.enabled": false});
    session(json!({"flinkConfiguration": fine}));
}

#[test]
fn options_that_the_package_owns_name_the_value_to_set() {
    for (option, words) in [
        ("taskmanager.numberOfTaskSlots", "set taskManager.slots"),
        ("taskmanager.memory.process.size", "set taskManager.memory"),
        ("jobmanager.memory.process.size", "set jobManager.memory"),
        ("parallelism.default", "set parallelism"),
        ("high-availability.type", "set storage"),
        ("high-availability.storageDir", "set storage"),
        ("job-result-store.storage-path", "set storage"),
        ("execution.checkpointing.interval", "set checkpointing.interval"),
        ("kubernetes.cluster-id", "kubectl flink sets it"),
        ("rest.port", "service.port"),
    ] {
        refuses("session", json!({"flinkConfiguration": {option: "x"}}), words);
    }
    // Nested as well as dotted.
    refuses(
        "session",
        json!({"flinkConfiguration": {"high-availability": {"type": "zookeeper"}}}),
        "set storage",
    );
}

#[test]
fn what_cannot_work_is_refused() {
    refuses("job", json!({}), "--set job.jar=local:///opt/flink/usrlib/NAME.jar");
    refuses("session", json!({"storage": {"type": "uri"}}), "--set storage.uri=s3://bucket/flink");
    refuses(
        "session",
        json!({"storage": {"type": "none"}, "jobManager": {"replicaCount": 2}}),
        "more than one JobManager needs high availability",
    );
    refuses("session", json!({"rbac": {"create": false}}), "serviceAccount.name");
    refuses(
        "session",
        json!({"env": [{"name": "FLINK_PROPERTIES", "value": "a: b"}]}),
        "use flinkConfiguration",
    );
    refuses("session", json!({"taskManager": {"replicas": 2}}), "did you mean `taskManager.replicaCount`?");
    refuses(
        "session",
        json!({"taskManager": {"replicaCount": 0}}),
        "taskManager.replicaCount: must be at least 1",
    );
    refuses("session", json!({"taskManager": {"memory": "much"}}), "a size of memory, such as 1728m");
}

#[test]
fn a_pods_memory_is_exactly_flinks_process_size() {
    for (given, kubernetes, flink) in [
        ("2g", "2048Mi", "2048m"),
        ("1728m", "1728Mi", "1728m"),
        ("2Gi", "2048Mi", "2048m"),
        ("1600Mi", "1600Mi", "1600m"),
        ("1.5g", "1536Mi", "1536m"),
    ] {
        let size = json!({"memory": given});
        let rendered = session(json!({"jobManager": size, "taskManager": size}));
        let config = config(&rendered);
        for role in ["jobmanager", "taskmanager"] {
            let resources = &pod(&rendered, role)["containers"][0]["resources"];
            assert_eq!(resources["requests"]["memory"], kubernetes, "{role} {given}");
            assert_eq!(resources["limits"]["memory"], kubernetes, "{role} {given}");
            assert_eq!(config[format!("{role}.memory.process.size")], flink, "{role} {given}");
        }
    }
}

#[test]
fn without_storage_there_is_no_high_availability() {
    let rendered = session(json!({"storage": {"type": "none"}}));
    let config = config(&rendered);
    assert!(!config.to_string().contains("high-availability"), "{config}");
    assert!(!has(&rendered, "PersistentVolumeClaim"));
    let descriptor = descriptor(&rendered);
    assert_eq!((&descriptor["durable"], &descriptor["highAvailability"]), (&json!(false), &json!(false)));
    assert!(descriptor.get("savepointDirectory").is_none() && descriptor.get("storageClaim").is_none());
    assert!(rendered.notes.contains("STATE IS VOLATILE"));
}

#[test]
fn high_availability_and_its_files_are_the_generations_own() {
    let rendered = session(json!({}));
    let config = config(&rendered);
    assert_eq!(config["high-availability.type"], "kubernetes");
    assert_eq!(config["high-availability.cluster-id"], "demo-g1");
    assert_eq!(config["kubernetes.cluster-id"], "demo-g1");
    let text = config.to_string();
    assert!(text.contains("/flink-storage/streams/demo/"), "{text}");
    let descriptor = descriptor(&rendered);
    assert_eq!(descriptor["savepointDirectory"], "file:///flink-storage/streams/demo/savepoints");
    let selector = descriptor["haSelector"].as_str().unwrap();
    assert!(selector.starts_with("app=demo-g1,"), "{selector}");
    assert_eq!(descriptor["storageClaim"], "demo-storage");
}

#[test]
fn a_claim_for_one_node_binds_the_pods_to_one_and_any_other_does_not() {
    let bound = |user_values: Value| {
        let rendered = session(user_values);
        let affinity = &pod(&rendered, "taskmanager")["affinity"]["podAffinity"];
        affinity.get("requiredDuringSchedulingIgnoredDuringExecution").is_some()
    };
    assert!(bound(json!({})));
    assert!(!bound(json!({"storage": {"claim": {"accessMode": "ReadWriteMany"}}})));
    assert!(!bound(json!({"storage": {"type": "uri", "uri": "s3://b/flink"}})));
    assert!(session(json!({})).notes.contains("run on the same node"));
}

/// Two clusters may have one bucket, and the same namespace and name in it.
#[test]
fn on_a_storage_that_clusters_may_share_every_path_is_the_releases_own() {
    let rendered = session(json!({"storage": {"type": "uri", "uri": "s3://b/flink/"}}));
    let own = "s3://b/flink/streams/demo-00000000/";
    let (config, descriptor) = (config(&rendered), descriptor(&rendered));
    let values = [&config, &descriptor].into_iter().flat_map(|map| map.as_object().unwrap().values());
    let paths: Vec<&str> = values.filter_map(Value::as_str).filter(|text| text.contains("s3:")).collect();
    assert!(paths.len() >= 8, "{paths:?}");
    assert!(paths.iter().all(|path| path.starts_with(own)), "{paths:?}");
}

#[test]
fn credentials_come_from_secrets_and_the_plugin_by_itself() {
    let uri = json!({"storage": {"type": "uri", "uri": "s3://b/flink", "credentialsSecret": "s3"}});
    let rendered = session(uri);
    for role in ["jobmanager", "taskmanager"] {
        let container = &pod(&rendered, role)["containers"][0];
        assert_eq!(container["envFrom"][0]["secretRef"]["name"], "s3");
        let plugins =
            container["env"].as_array().unwrap().iter().find(|one| one["name"] == "ENABLE_BUILT_IN_PLUGINS");
        assert_eq!(plugins.unwrap()["value"], "flink-s3-fs-hadoop-2.3.0.jar");
    }
    assert!(!has(&rendered, "PersistentVolumeClaim"));
}

#[test]
fn rights_are_the_least_and_can_be_somebody_elses() {
    let rendered = session(json!({}));
    let role = find(&rendered, "Role", "demo-flink");
    let rules = role["rules"].as_array().unwrap();
    let resources: Vec<&str> = rules
        .iter()
        .flat_map(|rule| rule["resources"].as_array().unwrap())
        .map(|one| one.as_str().unwrap())
        .collect();
    assert_eq!(resources, ["configmaps"], "{role}");
    for kind in ["ClusterRole", "ClusterRoleBinding"] {
        assert!(!has(&rendered, kind), "{kind}");
    }
    let given = session(json!({"rbac": {"create": false}, "serviceAccount": {"name": "flink"}}));
    assert!(!["ServiceAccount", "Role", "RoleBinding"].iter().any(|kind| has(&given, kind)));
    assert_eq!(pod(&given, "jobmanager")["serviceAccountName"], "flink");
}

#[test]
fn pods_are_not_root_and_a_change_of_labels_makes_no_new_ones() {
    let plain = session(json!({}));
    for role in ["jobmanager", "taskmanager"] {
        let pod = pod(&plain, role);
        assert_eq!(pod["securityContext"]["runAsNonRoot"], true, "{pod}");
        assert_eq!(pod["containers"][0]["securityContext"]["allowPrivilegeEscalation"], false);
    }
    // A new generation is needed where an object with the generation's label changes more than its
    // metadata.
    let generation = |rendered: &Rendered| -> Vec<Value> {
        let of_it = |object: &&Object| object.generation().is_some();
        let bare = |object: &Object| {
            let mut value = object.value.clone();
            value.as_object_mut().unwrap().shift_remove("metadata");
            value
        };
        rendered.objects.iter().filter(of_it).map(bare).collect()
    };
    let labelled = session(json!({"labels": {"team": "a"}, "annotations": {"a/b": "c"}}));
    assert_eq!(generation(&labelled), generation(&plain));
    let pods = session(json!({"podLabels": {"team": "a"}}));
    assert_ne!(generation(&pods), generation(&plain));
}

/// Expected: the descriptor says whether the scheduler is adaptive, by the option alone, nested or
/// not; a name that has the word in it says nothing.
#[test]
fn an_adaptive_scheduler_is_told_by_its_option() {
    let adaptive = |name: &str, values: Value| {
        let rendered = template(&Options {
            name: name.to_owned(),
            namespace: "team".to_owned(),
            package: package(),
            layout: None,
            user_values: values,
            capabilities: assumed_capabilities(),
            is_upgrade: false,
        })
        .unwrap();
        let text = serde_json::to_string(&rendered.objects.iter().map(|one| &one.value).collect::<Vec<_>>())
            .unwrap();
        text.contains("adaptiveScheduler: true")
    };
    let options = |option: Value| json!({"flinkConfiguration": option});
    assert!(!adaptive("adaptive-x", json!({})));
    assert!(!adaptive("demo", options(json!({"jobmanager.scheduler": "Default"}))));
    assert!(adaptive("demo", options(json!({"jobmanager.scheduler": "Adaptive"}))));
    assert!(adaptive("demo", options(json!({"jobmanager": {"scheduler": "adaptive"}}))));
    assert!(adaptive("demo", options(json!({"scheduler-mode": "reactive"}))));
}
