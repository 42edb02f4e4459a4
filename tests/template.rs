//! `template`: what Helm's users type by habit, both layouts as they come out, and that the API
//! server accepts them.

use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;

use kubectl_flink::yaml;
use serde_json::Value;

use crate::support::{Namespace, flink, kubectl};

/// What people type after `helm install`, word for word.
const HABIT: &str = "image.tag=2.3.0,jobManager.replicaCount=1,taskManager.replicaCount=2,taskManager.cpu=1,taskManager.memory=2g";

/// `template ARGS`, as objects.
#[track_caller]
fn objects(args: &[&str]) -> Vec<Value> {
    let rendered = flink(["template", "demo", "flink"].iter().chain(args)).ok();
    assert!(rendered.stderr.is_empty(), "template talks: {rendered}");
    yaml::documents(&rendered.stdout, "stdout").unwrap()
}

#[track_caller]
fn find<'a>(objects: &'a [Value], kind: &str, name: &str) -> &'a Value {
    let found = objects.iter().find(|object| object["kind"] == kind && object["metadata"]["name"] == name);
    found.unwrap_or_else(|| panic!("no {kind}/{name}"))
}

/// Holds a rendered manifest against `tests/snapshots/NAME.yaml`; its lines are as long as
/// Kubernetes wants them.
#[track_caller]
fn assert_manifest(name: &str, text: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/snapshots/{name}.yaml"));
    snapbox::Assert::new().action_env("SNAPSHOTS").eq(text, snapbox::Data::read_from(&path, None).raw());
}

#[test]
fn what_helms_users_type_works_word_for_word() {
    let objects = objects(&["--set", HABIT]);
    let replicas = |role: &str| &find(&objects, "Deployment", &format!("demo-g1-{role}"))["spec"]["replicas"];
    assert_eq!((replicas("jobmanager"), replicas("taskmanager")), (&Value::from(1), &Value::from(2)));
    let task_manager = find(&objects, "Deployment", "demo-g1-taskmanager");
    let container = &task_manager["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(container["image"], "flink:2.3.0");
    assert_eq!(container["resources"]["requests"]["cpu"], "1");
    assert_eq!(container["resources"]["requests"]["memory"], "2048Mi");
    assert_eq!(container["resources"]["limits"]["memory"], "2048Mi");
    let config = &find(&objects, "ConfigMap", "demo-g1-config")["data"]["config.yaml"];
    let config = yaml::value(config.as_str().unwrap(), "config.yaml").unwrap();
    assert_eq!(config["taskmanager.memory.process.size"], "2048m");
    // One flag a value, and strings where numbers are meant, come to the same.
    let apart: Vec<String> = HABIT.split(',').flat_map(|one| ["--set".to_owned(), one.to_owned()]).collect();
    let apart: Vec<&str> = apart.iter().map(String::as_str).collect();
    assert_eq!(self::objects(&apart), objects);
}

#[test]
fn both_layouts_come_out_as_recorded() {
    assert_manifest("template-session", &flink(["template", "demo", "flink", "-n", "streams"]).ok().stdout);
    let jar = "job.jar=local:///opt/flink/usrlib/orders.jar";
    let job = ["template", "demo", "flink", "-n", "streams", "--layout", "job", "--set", jar];
    assert_manifest("template-job", &flink(job).ok().stdout);
    // The same inputs give the same bytes.
    assert_eq!(flink(job).ok().stdout, flink(job).ok().stdout);
}

#[test]
fn as_json_it_is_the_list_that_kubectl_has_and_by_name_a_line_an_object() {
    let template = |format: &str| flink(["template", "demo", "flink", "-o", format]).ok();
    let list = template("json").json();
    assert_eq!((&list["apiVersion"], &list["kind"]), (&"v1".into(), &"List".into()));
    let rendered = objects(&[]);
    assert_eq!(list["items"].as_array().unwrap(), &rendered);
    let names = template("name").stdout;
    assert_eq!(names.lines().count(), rendered.len());
    assert!(names.contains("Deployment/demo-g1-jobmanager\n"), "{names}");
}

#[test]
fn the_name_may_be_left_out_as_with_helm() {
    let named = flink(["template", "release-name", "flink"]).ok().stdout;
    assert_eq!(flink(["template", "flink"]).ok().stdout, named);
}

#[test]
fn a_folder_and_an_archive_render_as_the_embedded_package() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/packages/flink");
    let embedded = flink(["template", "demo", "flink"]).ok().stdout;
    assert_eq!(flink(["template", "demo", folder]).ok().stdout, embedded);
    let place = tempfile::tempdir().unwrap();
    let archive = place.path().join("flink.tgz");
    fs_err::write(&archive, kubectl_flink::source::embedded().unwrap().swap_remove(0).to_archive().unwrap())
        .unwrap();
    assert_eq!(flink(["template", "demo", archive.to_str().unwrap()]).ok().stdout, embedded);
    // A bare name never means a folder of the present directory.
    let bare = crate::support::run(
        crate::support::program().args(["template", "demo", "here"]).current_dir(place.path()),
    );
    bare.exits(3).says("there is no package `here`");
}

#[test]
fn values_files_and_flags_win_in_helms_order() {
    let place = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = place.path().join(name);
        fs_err::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let first = file("a.yaml", "taskManager: {replicaCount: 5, slots: 3}\nparallelism: 4\n");
    let second = file("b.yaml", "taskManager: {replicaCount: 6}\n");
    let all = objects(&["-f", &first, "-f", &second, "--set", "parallelism=7"]);
    assert_eq!(find(&all, "Deployment", "demo-g1-taskmanager")["spec"]["replicas"], 6);
    let config =
        find(&all, "ConfigMap", "demo-g1-config")["data"]["config.yaml"].as_str().unwrap().to_owned();
    let config = yaml::value(&config, "config.yaml").unwrap();
    assert_eq!(config["taskmanager.numberOfTaskSlots"], 3);
    assert_eq!(config["parallelism.default"], 7);
    // From stdin.
    let mut child = crate::support::program()
        .args(["template", "demo", "flink", "-f", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"taskManager: {replicaCount: 9}\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && String::from_utf8(output.stdout).unwrap().contains("replicas: 9"));
}

#[test]
fn the_api_server_accepts_what_is_rendered() {
    let namespace: Namespace = crate::cluster!("template");
    let jar = "job.jar=local:///opt/flink/usrlib/orders.jar";
    for layout in [&["--layout", "session"][..], &["--layout", "job", "--set", jar]] {
        let rendered = namespace.flink(["template", "demo", "flink"].iter().chain(layout)).ok();
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("manifest.yaml");
        fs_err::write(&file, &rendered.stdout).unwrap();
        let file = file.to_str().unwrap();
        let applied =
            kubectl(["apply", "-n", &namespace.name, "--dry-run=server", "--validate=strict", "-f", file]);
        let applied = applied.ok().prints("deployment.apps/demo-g1-taskmanager created (server dry run)");
        assert_eq!(applied.stderr, "", "warnings of the API server: {applied}");
    }
}

/// Expected: what an editor of Windows makes of a package and of a values file (CRLF, a byte order
/// mark) renders as its plain twin.
#[test]
fn line_ends_and_byte_order_marks_change_nothing() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("packages/flink");
    let folder = tempfile::tempdir().unwrap();
    let twin = folder.path().join("flink");
    copy_as_windows_has_it(&package, &twin);
    let values = folder.path().join("values.yaml");
    fs_err::write(&values, "\u{feff}env:\r\n  - name: TEXT\r\n    value: |\r\n      a\r\n      b\r\n")
        .unwrap();
    let rendered = |package: &Path| {
        let (package, values) = (package.to_str().unwrap(), values.to_str().unwrap());
        flink(["template", "demo", package, "-f", values]).ok().stdout
    };
    assert_eq!(rendered(&twin), rendered(&package));
    assert!(!rendered(&twin).contains('\r'));
}

fn copy_as_windows_has_it(from: &Path, to: &Path) {
    fs_err::create_dir_all(to).unwrap();
    for entry in fs_err::read_dir(from).unwrap() {
        let (path, name) = {
            let entry = entry.unwrap();
            (entry.path(), entry.file_name())
        };
        if path.is_dir() {
            copy_as_windows_has_it(&path, &to.join(name));
        } else {
            let text = fs_err::read_to_string(&path).unwrap().replace('\n', "\r\n");
            fs_err::write(to.join(name), format!("\u{feff}{text}")).unwrap();
        }
    }
}
