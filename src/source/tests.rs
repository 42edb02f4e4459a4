//! Opening packages, and the index of those that are shipped.

use super::*;
use std::collections::BTreeMap;

fn files(version: &str) -> BTreeMap<String, Vec<u8>> {
    let metadata = format!(
        "apiVersion: flink.kubectl/v1\nname: demo\nversion: {version}\nflinkVersion: 2.3.0\n\
         layouts: {{session: {{kind: session}}}}\n"
    );
    [("package.yaml", metadata), ("layouts/session/a.yaml", String::new())]
        .map(|(path, text)| (path.to_owned(), text.into_bytes()))
        .into()
}

/// With `SNAPSHOTS=overwrite` it is written anew.
#[test]
fn the_index_in_the_source_tree_is_not_stale() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("index.yaml");
    let index = Index::of(&embedded().unwrap(), &|metadata| format!("packages/{}", metadata.name)).unwrap();
    if std::env::var_os("SNAPSHOTS").is_some_and(|value| value == "overwrite") {
        fs::write(&path, index.to_yaml()).unwrap();
    }
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(text, index.to_yaml(), "index.yaml is stale: SNAPSHOTS=overwrite cargo test --lib source");
    assert_eq!(Index::parse(&text, "index.yaml").unwrap(), index);
}

#[test]
fn newest_first_and_always_the_same() {
    let packages: Vec<Package> =
        ["1.9.0", "1.10.0", "1.10.0-rc.1"].map(|version| Package::from_files(files(version)).unwrap()).into();
    let of = |packages: &[Package]| {
        Index::of(packages, &|metadata| format!("{}-{}.tgz", metadata.name, metadata.version))
            .unwrap()
            .to_yaml()
    };
    let text = of(&packages);
    let reversed: Vec<Package> = packages.iter().rev().cloned().collect();
    assert_eq!(text, of(&reversed));
    let index = Index::parse(&text, "index.yaml").unwrap();
    let versions: Vec<String> =
        index.packages["demo"].iter().map(|entry| entry.version.to_string()).collect();
    assert_eq!(versions, ["1.10.0", "1.10.0-rc.1", "1.9.0"]);
    assert!(text.contains("demo-1.10.0.tgz"), "{text}");
}

#[test]
fn embedded_packages_are_the_folders() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("packages");
    for package in embedded().unwrap() {
        assert_eq!(package, Package::from_dir(&folder.join(&package.metadata.name)).unwrap());
    }
}

#[test]
fn a_folder_and_an_archive() {
    let temporary = tempfile::tempdir().unwrap();
    let package = Package::from_files(files("1.2.3")).unwrap();
    let folder = temporary.path().join("anything");
    for (path, content) in package.files() {
        let target = folder.join(path);
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::write(target, content).unwrap();
    }
    let archive = temporary.path().join("demo-1.2.3.tgz");
    fs::write(&archive, package.to_archive().unwrap()).unwrap();
    for reference in [&folder, &archive] {
        let reference = reference.to_str().unwrap();
        assert_eq!(open(reference, None).unwrap(), package);
        assert_eq!(open(reference, Some("^1.2")).unwrap(), package);
        let error = open(reference, Some(">=2")).unwrap_err().to_string();
        assert!(error.ends_with("is version 1.2.3, which is not in `>=2`"), "{error}");
    }
}

#[test]
fn what_is_not_there() {
    let message = |reference, version| open(reference, version).unwrap_err().to_string();
    assert!(
        message("no-such-package", None).starts_with("there is no package `no-such-package`; embedded are: ")
    );
    assert_eq!(message("./nowhere", None), "there is no package at ./nowhere: neither a folder nor a .tgz");
    assert_eq!(message("x.tgz", None), "there is no package at x.tgz: neither a folder nor a .tgz");
    assert!(message("oci://host/flink", None).contains("not supported yet"));
    assert!(message("x.tgz", Some("one")).starts_with("--version: `one` is not a range"));
    // a folder of that name: `src` is one, where tests run
    assert!(message("src", None).ends_with("(for the folder of that name write ./src)"));
}
