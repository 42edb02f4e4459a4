//! `plugin.yaml` against the rules by which Krew reads a manifest and its index takes one.
//!
//! Krew: <https://krew.sigs.k8s.io/docs/developer-guide/plugin-manifest/> and its validation
//! package; the index's rules for descriptions:
//! <https://krew.sigs.k8s.io/docs/developer-guide/release/>.

use std::collections::BTreeSet;
use std::path::Path;

use kubectl_flink::yaml;
use serde_json::Value;

fn manifest() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("plugin.yaml");
    yaml::value(&fs_err::read_to_string(path).unwrap(), "plugin.yaml").unwrap()
}

#[track_caller]
fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_else(|| panic!("plugin.yaml has no text at {pointer}"))
}

#[test]
fn names_and_version_are_krews() {
    let manifest = manifest();
    assert_eq!(text(&manifest, "/apiVersion"), "krew.googlecontainertools.github.com/v1alpha2");
    assert_eq!(text(&manifest, "/kind"), "Plugin");
    // The plugin's name is what comes after kubectl; its program is called kubectl-NAME.
    assert_eq!(text(&manifest, "/metadata/name"), "flink");
    let version = text(&manifest, "/spec/version").strip_prefix('v').expect("a version begins with v");
    semver::Version::parse(version).unwrap();
    assert_eq!(version, env!("CARGO_PKG_VERSION"), "Cargo.toml and plugin.yaml name different versions");
}

#[test]
fn descriptions_are_as_the_index_wants_them() {
    let manifest = manifest();
    let short = text(&manifest, "/spec/shortDescription");
    assert!(!short.is_empty() && short.chars().count() <= 50, "{short}: more than 50 characters");
    assert!(!short.ends_with('.'), "{short}: ends with a dot");
    assert!(!short.to_lowercase().contains("plugin"), "{short}: that it is a plugin is known");
    for place in ["/spec/description", "/spec/caveats"] {
        for line in text(&manifest, place).lines() {
            assert!(line.chars().count() <= 80, "{place}: more than 80 columns: {line}");
        }
    }
    assert!(text(&manifest, "/spec/homepage").starts_with("https://"));
}

#[test]
fn every_platform_can_be_chosen_fetched_checked_and_unpacked() {
    let manifest = manifest();
    let platforms = manifest["spec"]["platforms"].as_array().expect("platforms");
    assert!(!platforms.is_empty());
    let mut chosen = BTreeSet::new();
    for platform in platforms {
        let labels = platform["selector"]["matchLabels"].as_object().expect("matchLabels");
        assert!(labels.keys().all(|key| ["os", "arch"].contains(&key.as_str())), "{labels:?}");
        assert!(chosen.insert(serde_json::to_string(labels).unwrap()), "two platforms match {labels:?}");
        let uri = text(platform, "/uri");
        assert!(uri.starts_with("https://") && (uri.ends_with(".tar.gz") || uri.ends_with(".zip")), "{uri}");
        assert!(
            uri.contains(&format!("/{}/", text(&manifest, "/spec/version"))),
            "{uri} is of another version"
        );
        let digest = text(platform, "/sha256");
        assert!(
            digest.len() == 64 && digest.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')),
            "{digest}"
        );
        let bin = text(platform, "/bin");
        let inside = |path: &str| {
            !path.is_empty() && !path.starts_with('/') && !path.split('/').any(|part| part == "..")
        };
        assert!(inside(bin), "{bin}");
        let files = platform["files"].as_array().expect("files");
        assert!(!files.is_empty(), "an empty list of files is refused");
        for file in files {
            assert!(inside(text(file, "/from")) && inside(text(file, "/to")), "{file}");
        }
        let from: Vec<&str> = files.iter().map(|file| text(file, "/from")).collect();
        assert!(from.contains(&bin), "the program {bin} is not among the files: {from:?}");
        assert!(from.contains(&"LICENSE"), "the index wants the licence in the archive: {from:?}");
    }
}
