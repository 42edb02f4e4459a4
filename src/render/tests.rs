//! Rendering: what templates see, what they may not do, and where their errors point.

use super::*;
use crate::package::Package;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

const METADATA: &str = "apiVersion: flink.kubectl/v1\nname: demo\nversion: 1.0.0\nflinkVersion: 2.3.0\n\
                        layouts: {session: {kind: session}}\n";

const SCHEMA: &str = r##"{"type": "object", "additionalProperties": false, "properties": {
    "replicas": {"type": "integer"},
    "role": {"$ref": "#/$defs/role"},
    "labels": {"type": "object", "additionalProperties": {"type": "string"}},
    "affinity": {"type": "object"}},
    "$defs": {"role": {"type": "object", "properties": {"slots": {"type": "integer"}, "memory": {}}}}}"##;

fn package(files: &[(&str, &str)]) -> Package {
    let mut all: BTreeMap<String, Vec<u8>> = [
        ("package.yaml", METADATA),
        ("values.yaml", "replicas: 2\nrole: {slots: 1, memory: 1728m}\nlabels: {}\naffinity: {}\n"),
        ("layouts/session/_keep.yaml", ""),
    ]
    .map(|(path, text)| (path.to_owned(), text.as_bytes().to_vec()))
    .into();
    all.extend(files.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())));
    Package::from_files(all).unwrap()
}

fn with_inputs<T>(values: &Value, then: impl FnOnce(&Inputs) -> T) -> T {
    let capabilities = Capabilities { kube_version: "v1.36.3".into(), api_versions: vec!["apps/v1".into()] };
    then(&Inputs {
        values,
        release: ReleaseContext {
            name: "demo".into(),
            namespace: "default".into(),
            revision: 3,
            storage_id: "0a1b2c3d".to_owned(),
            is_install: true,
            is_upgrade: false,
        },
        layout: "session",
        capabilities: &capabilities,
        savepoint: None,
        cluster: ClusterContext { name: generation_name("demo", 2), number: 2 },
        job: Value::Null,
    })
}

fn rendered(files: &[(&str, &str)]) -> Result<Rendered, RenderError> {
    let package = package(files);
    with_inputs(package.default_values(), |inputs| render(&package, inputs))
}

/// Returns what a template writes, as the value of the one key of a `ConfigMap`.
fn written(template: &str) -> Value {
    let text = format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: x}}\ndata:\n{template}\n");
    rendered(&[("layouts/session/a.yaml", &text), ("files/f.txt", "text\n")])
        .unwrap()
        .objects[0]
        .value["data"]
        .clone()
}

fn error(template: &str) -> String {
    rendered(&[("layouts/session/a.yaml", template), ("values.schema.json", SCHEMA)]).unwrap_err().to_string()
}

const LABELS: &str = "{% component labels(@release, @cluster, role) %}app: flink
    release: {{ release.name }}
    role: {{ role }}
    flink.kubectl/generation: \"{{ cluster.number }}\"{% endcomponent labels %}";

#[test]
fn a_small_package_becomes_ordered_objects() {
    let deployment = "apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ cluster.name }}-jobmanager
  labels:
    {{ <labels role=\"jobmanager\"/> }}
spec:
  replicas: {{ values.replicas }}
  ratio: 2.0
---
{% if values.replicas > 5 %}
apiVersion: v1
kind: ConfigMap
metadata: {name: never}
{% endif %}
";
    let service = "apiVersion: v1\nkind: Service\nmetadata: {name: {{ release.name }}-rest}\n";
    let crd = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: x.example.com}\n";
    let rendered = rendered(&[
        ("layouts/session/deployment.yaml", deployment),
        ("layouts/session/service.yaml", service),
        ("templates/labels.tera", LABELS),
        ("crds/x.yaml", crd),
        ("NOTES.tera", "{{ release.name }} is up.\n\n"),
    ])
    .unwrap();
    let names: Vec<String> = rendered.objects.iter().map(|object| object.key().to_string()).collect();
    assert_eq!(
        names,
        ["CustomResourceDefinition/x.example.com", "Service/demo-rest", "Deployment/demo-g2-jobmanager"]
    );
    assert_eq!(rendered.notes, "demo is up.");
    let deployment = &rendered.objects[2];
    assert_eq!(deployment.source, "layouts/session/deployment.yaml");
    assert_eq!(deployment.generation(), Some(2));
    assert_eq!(deployment.label("role"), Some("jobmanager"));
    assert_eq!(deployment.phase(), Phase::Workloads);
    assert_eq!(deployment.value["spec"], json!({"replicas": 2, "ratio": 2}));
    assert_eq!(rendered.objects[1].generation(), None);

    let manifest = to_manifest(&rendered.objects);
    assert!(manifest.starts_with("---\n# Source: crds/x.yaml\napiVersion: apiextensions"), "{manifest}");
    assert_eq!(parse_manifest(&manifest).unwrap(), rendered.objects);
}

#[test]
fn the_same_inputs_give_the_same_bytes() {
    let template = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata: {{ values | to_json }}\n\
        groups: {{ [{\"k\": \"b\"}, {\"k\": \"a\"}, {\"k\": \"c\"}] | group_by(attribute=\"k\") | to_json }}\n";
    let first = to_manifest(&rendered(&[("layouts/session/a.yaml", template)]).unwrap().objects);
    assert!(first.contains("  a:\n  - k: a\n  b:"), "{first}");
    for _ in 0..20 {
        assert_eq!(to_manifest(&rendered(&[("layouts/session/a.yaml", template)]).unwrap().objects), first);
    }
}

#[test]
fn filters_write_yaml() {
    assert_eq!(
        written("  a:\n    {{ values.role | to_yaml(indent=4) }}"),
        json!({"a": {"slots": 1, "memory": "1728m"}})
    );
    assert_eq!(
        written("  {{ {\"t\": \"a\\n\\n\"} | to_yaml(indent=2) }}\n  u: 1"),
        json!({"t": "a\n\n", "u": 1})
    );
    assert_eq!(written("  a:\n    {{ values.labels | to_yaml(indent=4) }}"), json!({"a": {}}));
    assert_eq!(
        written("  a: {{ values.replicas | quote }}\n  b: {{ 'x \"y\" \\n:' | quote }}"),
        json!({"a": "2", "b": "x \"y\" \n:"})
    );
    assert_eq!(
        written(
            "  a: {{ values.role.memory | k8s_memory }}\n  b: {{ '2Gi' | flink_memory }}\n  c: {{ '1g' | memory_bytes }}"
        ),
        json!({"a": "1728Mi", "b": "2048m", "c": 1_073_741_824})
    );
    assert_eq!(
        written("  a: {{ 'any carnal pleas' | b64encode }}\n  b: {{ '' | b64encode | quote }}"),
        json!({"a": "YW55IGNhcm5hbCBwbGVhcw==", "b": ""})
    );
    assert_eq!(
        written("  a: {{ 'abc' | sha256 }}"),
        json!({"a": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"})
    );
    assert_eq!(
        written("  {{ {'a': {'b': 1} } | merge(with={'a': {'c': 2} }) | to_yaml(indent=2) }}"),
        json!({"a": {"b": 1, "c": 2}})
    );
    assert_eq!(
        written("  a: {{ package.flinkVersion | version_matches(range='>=1.19') }}"),
        json!({"a": true})
    );
    assert_eq!(
        written("  a: |\n    {{ file(path='files/f.txt') | indent(width=4) }}\n  b: {{ files | to_json }}"),
        json!({"a": "text\n", "b": ["files/f.txt"]})
    );
    let file = "layouts/session/a.yaml";
    let from_windows = |ends: &str| {
        let template = "kind: ConfigMap\napiVersion: v1\nmetadata: {name: x}\ndata:\n  a: {{ file(path='files/f.txt') | to_json }}\n";
        rendered(&[(file, template), ("files/f.txt", &format!("\u{feff}text{ends}"))]).unwrap().objects
    };
    assert_eq!(from_windows("\r\n"), from_windows("\n"));
    assert_eq!(from_windows("\r\n")[0].value["data"]["a"], json!("text\n"));
    assert_eq!(written("  a: {{ values.labels.x | default(value='none') }}"), json!({"a": "none"}));
    assert_eq!(written("  a: {% if savepoint %}1{% else %}2{% endif %}"), json!({"a": 2}));
}

#[test]
fn an_undefined_value_shows_its_line() {
    assert_eq!(
        error("a: 1\nb:  {{ values.role.slotz }}\n"),
        "layouts/session/a.yaml:2:8: `values.role.slotz` does not exist; did you mean `values.role.slots`? \
         (neither in values.yaml nor in values.schema.json)\n  2 | b:  {{ values.role.slotz }}\n    |        ^^^^^^^^^^^^^^^^^"
    );
    let text = error("{% if release.nmae == 'x' %}{% endif %}");
    assert!(
        text.starts_with(
            "layouts/session/a.yaml:1:7: `release.nmae` does not exist; did you mean `release.name`?"
        ),
        "{text}"
    );
    let text = error("{{ valeus.role }}");
    assert!(
        text.starts_with("layouts/session/a.yaml:1:4: `valeus` is not defined; did you mean `values`?")
            || text.starts_with("layouts/session/a.yaml:1:4: `valeus.role` is not defined"),
        "{text}"
    );
    let text = error("{% if not nothing %}{% endif %}");
    assert!(text.starts_with("layouts/session/a.yaml:1:11: `nothing` is not defined"), "{text}");
    let text = error("x: {{ values.labels.unset }}");
    assert!(text.starts_with("layouts/session/a.yaml:1:21: `values.labels.unset` is not defined"), "{text}");
    let text = error("x: {{ values.labels.unset | to_json }}");
    assert!(text.contains(":1:") && text.contains("is not defined"), "{text}");
    let text = error("x: {{ {'a': values.labels.unset} | to_json }}");
    assert!(text.contains(":1:") && text.contains("is not defined"), "{text}");
    let text = error("x: {{ values.labels.unset | str }}");
    assert!(text.contains(":1:") && text.contains("is not defined"), "{text}");
}

#[test]
fn unknown_paths_are_errors_even_in_if() {
    for template in [
        "{% if values.replcas %}{% endif %}",
        "{{ values.role.x | default(value=1) }}",
        "{% set a = values.nope %}",
    ] {
        assert!(error(template).contains("does not exist"), "{template}");
    }
    for template in [
        "{% if values.affinity.nodeAffinity %}{% endif %}",
        "{% if values.labels.any %}{% endif %}",
        "{% if values.role.memory.any %}{% endif %}",
    ] {
        rendered(&[("layouts/session/a.yaml", template), ("values.schema.json", SCHEMA)]).unwrap();
    }
}

#[test]
fn a_component_must_declare_what_it_sees() {
    let files = [
        ("templates/c.tera", "{% component c(role) %}{{ values.replicas }}{% endcomponent c %}"),
        ("layouts/session/a.yaml", "{{ <c role=\"x\"/> }}"),
    ];
    let text = rendered(&files).unwrap_err().to_string();
    assert!(
        text.starts_with(
            "templates/c.tera:1:27: a component does not see `values` by itself: declare `@values`"
        ),
        "{text}"
    );
}

#[test]
fn errors_in_templates_have_a_place() {
    assert!(
        error("a: 1\n{{ 1 | nofilter }}").starts_with("layouts/session/a.yaml:2:"),
        "{}",
        error("a: 1\n{{ 1 | nofilter }}")
    );
    assert!(error("a: 1\n{% if %}").starts_with("layouts/session/a.yaml:2:"));
    assert!(error("{{ <nothing/> }}").contains("Unknown component `nothing`"));
    let text = error("x: 1\n{{ fail(message=\"no room\") }}");
    // It speaks of values, not of the template: the line that says it is of no use to who reads it.
    assert_eq!(text, "no room\n  (said by layouts/session/a.yaml:2:4 of the package)");
    let text = error("{{ values.labels.x | required(message=\"labels.x is needed\") }}");
    assert!(text.contains("labels.x is needed") && text.contains(":1:"), "{text}");
    let component = [
        ("templates/c.tera", "{% component c(m) %}\n{{ m | flink_memory }}{% endcomponent c %}"),
        ("layouts/session/a.yaml", "a: 1\nb: {{ <c m=\"1x\"/> }}"),
    ];
    let text = rendered(&component).unwrap_err().to_string();
    assert!(text.starts_with("templates/c.tera:2:"), "{text}");
    assert!(text.contains("`1x` is not a size of memory"), "{text}");
    assert!(text.ends_with("\n  called from layouts/session/a.yaml:2:7"), "{text}");
    assert!(error("{{ __tera_context }}").contains("not available"));
}

/// Without state to restore, also in a component that declares it.
#[test]
fn no_savepoint_is_false_and_has_no_path() {
    let component = "{% component c(@savepoint) %}{% if savepoint %}x: {{ savepoint.path }}{% endif %}{% endcomponent c %}";
    let files = [("templates/c.tera", component), ("layouts/session/a.yaml", "{{ <c/> }}")];
    assert_eq!(rendered(&files).unwrap().objects, []);
    let text = error("x: {{ savepoint.path }}");
    assert!(text.starts_with("layouts/session/a.yaml:1:17: `savepoint.path` is not defined"), "{text}");
    assert!(error("{% if savepoint.pth %}{% endif %}").contains("did you mean `savepoint.path`?"));
}

#[test]
fn recursion_names_a_template() {
    let files = [
        ("templates/c.tera", "{% component c(n) %}{{ <c n={n + 1}/> }}{% endcomponent c %}"),
        ("layouts/session/a.yaml", "{{ <c n={1}/> }}"),
    ];
    let text = rendered(&files).unwrap_err().to_string();
    assert!(text.contains("layouts/session/a.yaml") && text.contains("recursion"), "{text}");
}

#[test]
fn what_is_rendered_must_be_objects() {
    let text = error("a: 1\nb: [\n");
    assert!(text.starts_with("layouts/session/a.yaml: what it renders is not YAML, line "), "{text}");
    assert!(error("a: 1").contains("apiVersion is missing"));
    let twice = "apiVersion: v1\nkind: Secret\nmetadata: {name: x}\n";
    let text = rendered(&[("layouts/session/a.yaml", twice), ("layouts/session/b.yaml", twice)]).unwrap_err();
    assert_eq!(
        text.to_string(),
        "Secret/x is rendered twice: by layouts/session/a.yaml and by layouts/session/b.yaml"
    );
}

#[test]
fn a_list_is_its_items() {
    let list = "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Secret, metadata: {name: a}}\n\
                - {apiVersion: v1, kind: Secret, metadata: {name: b}}\n";
    assert_eq!(rendered(&[("layouts/session/a.yaml", list)]).unwrap().objects.len(), 2);
}

const LOOP: &str =
    "{% for a in range(end=99999) %}{% for b in range(end=99999) %}{{ b }}{% endfor %}{% endfor %}";

#[test]
fn a_loop_without_an_end_meets_the_deadline_or_the_cap() {
    let package = package(&[("layouts/session/a.yaml", LOOP)]);
    let limits = engine::Limits { deadline: Duration::from_millis(100), output: usize::MAX };
    let started = Instant::now();
    let error = with_inputs(package.default_values(), |inputs| engine::render(&package, inputs, &limits))
        .unwrap_err();
    assert!(matches!(error, RenderError::Deadline { .. }), "{error}");
    assert!(started.elapsed() < Duration::from_secs(5));
    let limits = engine::Limits { deadline: Duration::from_mins(1), output: 1 << 20 };
    let error = with_inputs(package.default_values(), |inputs| engine::render(&package, inputs, &limits))
        .unwrap_err();
    assert_eq!(error.to_string(), "layouts/session/a.yaml: it renders more than 1 MiB");
}

#[test]
fn phases_in_their_order() {
    let object = |api: &str, kind: &str| Object {
        source: String::new(),
        value: json!({"apiVersion": api, "kind": kind, "metadata": {"name": "x"}}),
    };
    let phases = [
        object("v1", "Namespace"),
        object("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
        object("rbac.authorization.k8s.io/v1", "RoleBinding"),
        object("v1", "PersistentVolumeClaim"),
        object("v1", "Service"),
        object("batch/v1", "Job"),
        object("flink.apache.org/v1beta1", "FlinkDeployment"),
    ]
    .map(|object| object.phase());
    assert!(phases.is_sorted() && phases[0] == Phase::Namespaces && phases[6] == Phase::Rest, "{phases:?}");
    assert_eq!(object("serving.knative.dev/v1", "Service").phase(), Phase::Rest);
    let claims = ["v1", "example.com/v1"].map(|api| object(api, "PersistentVolumeClaim").key().is_claim());
    assert_eq!(claims, [true, false]);
    assert!(!object("v1", "PersistentVolume").key().is_claim());
}
