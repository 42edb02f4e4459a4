//! What each kind of layout must render, and what a package without Flink may not be asked for.

use std::path::Path;

use crate::support::flink;

/// A package of one layout: its kind, and one object more than a `ConfigMap` of settings.
fn package(kind: &str, object: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = folder.path().join("small").join(path);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
    };
    write(
        "package.yaml",
        &format!(
            "apiVersion: flink.kubectl/v1\nname: small\nversion: 0.1.0\nflinkVersion: 2.3.0\n\
             layouts: {{only: {{kind: {kind}}}}}\n"
        ),
    );
    write("values.yaml", "level: INFO\n");
    let settings = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ release.name }}-settings\n  \
                    labels: {flink.kubectl/release: {{ release.name }}}\ndata: {level: {{ values.level }}}\n";
    write("layouts/only/settings.yaml", settings);
    if !object.is_empty() {
        write("layouts/only/other.yaml", object);
    }
    folder
}

fn at(folder: &Path) -> String {
    folder.join("small").to_str().unwrap().to_owned()
}

/// Expected: a layout that renders no descriptor is no session by mistake, and a plain one none
/// that has a Flink after all.
#[test]
fn a_layout_renders_what_its_kind_says() {
    let plain = package("plain", "");
    flink(["template", "demo", &at(plain.path())]).ok().prints("demo-settings");
    let resource = "apiVersion: flink.apache.org/v1beta1\nkind: FlinkDeployment\nmetadata: {name: orders}\n";
    for (kind, object, reason) in [
        ("session", "", "of the kind session in package.yaml, and renders no descriptor"),
        ("operator", resource, "of the kind operator in package.yaml, and renders no descriptor"),
        ("plain", resource, "of the kind plain in package.yaml, and renders a Flink resource"),
    ] {
        let folder = package(kind, object);
        flink(["template", "demo", &at(folder.path())]).exits(3).says(reason);
    }
}

/// Expected: a package without Flink is installed, upgraded and uninstalled; what is said about
/// state is refused.
#[test]
fn a_plain_package_has_no_state() {
    let namespace = crate::cluster!("plain");
    let folder = package("plain", "");
    let package = at(folder.path());
    namespace.flink(["install", "demo", &package]).ok();
    for choice in ["--with-savepoint", "--stateless", "--from-checkpoint=latest"] {
        let upgrade = ["upgrade", "demo", &package, "--set", "level=DEBUG", choice];
        namespace.flink(upgrade).exits(3).says("the layout \"only\" has no Flink");
    }
    let broken = self::package("session", "");
    namespace.flink(["upgrade", "demo", &at(broken.path())]).exits(3).says("renders no descriptor");
    assert_eq!(namespace.history("demo"), [(1, "deployed".to_owned())]);
    namespace.flink(["upgrade", "demo", &package, "--set", "level=DEBUG"]).ok();
    assert_eq!(namespace.get("configmap", "demo-settings").unwrap()["data"]["level"], "DEBUG");
    // Each verb has each format.
    for verb in [
        &["status", "demo"][..],
        &["plan", "upgrade", "demo", "--set", "level=WARN"],
        &["upgrade", "demo", "--set", "level=WARN", "--dry-run"],
        &["get", "all", "demo"],
        &["list"],
    ] {
        let printed = |format: &str| namespace.flink(verb.iter().chain(&["-o", format])).ok().stdout;
        assert_eq!(printed("name"), "release/demo\n", "{verb:?}");
        assert!(printed("wide").lines().count() > 1, "{verb:?}");
        serde_json::from_str::<serde_json::Value>(&printed("json")).unwrap();
    }
    let uninstalled = namespace.flink(["uninstall", "demo", "--yes", "-o", "name"]).ok();
    assert_eq!(uninstalled.stdout, "release/demo\n");
    assert!(namespace.get("configmap", "demo-settings").is_none());
}
