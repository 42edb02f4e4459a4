//! Packages and their archives, hostile ones too.

use super::*;
use flate2::write::GzEncoder;
use serde_json::json;
use std::io::Write as _;
use tar::{EntryType, Header};

const METADATA: &str = "apiVersion: flink.kubectl/v1\nname: demo\nversion: 1.0.0\nflinkVersion: 2.3.0\n\
                        layouts: {session: {kind: session}, job: {kind: job}}\n";

fn files(changes: &[(&str, &str)]) -> BTreeMap<String, Vec<u8>> {
    let mut all: BTreeMap<String, Vec<u8>> = [
        ("package.yaml", METADATA),
        ("values.yaml", "a: 1\n"),
        ("layouts/session/a.yaml", "x"),
        ("layouts/job/a.yaml", "y"),
    ]
    .map(|(path, text)| (path.to_owned(), text.as_bytes().to_vec()))
    .into();
    all.extend(changes.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())));
    all
}

fn message(changes: &[(&str, &str)]) -> String {
    Package::from_files(files(changes)).unwrap_err().to_string()
}

#[test]
fn a_package_is_what_its_metadata_says() {
    let package = Package::from_files(files(&[])).unwrap();
    assert_eq!(package.metadata.name, "demo");
    assert_eq!(package.default_values(), &json!({"a": 1}));
    assert_eq!(package.layout(Some("job")).unwrap().1.kind, LayoutKind::Job);
    assert_eq!(package.file("layouts/job/a.yaml"), Some(&b"y"[..]));
    assert!(package.check_values(&json!({"anything": 1})).is_ok(), "without a schema anything goes");
}

#[test]
fn a_layout_that_is_not_there_lists_those_there_are() {
    let package = Package::from_files(files(&[])).unwrap();
    let message = |layout| package.layout(layout).unwrap_err().to_string();
    assert_eq!(message(Some("operator")), "the package demo has no layout `operator`; it has: job, session");
    assert_eq!(
        message(None),
        "the package demo has no default layout: add --layout with one of job, session"
    );
    let with_default = format!("{METADATA}defaultLayout: session\n");
    let package = Package::from_files(files(&[("package.yaml", &with_default)])).unwrap();
    assert_eq!(package.layout(None).unwrap().0, "session");
}

#[test]
fn metadata_that_cannot_be() {
    let changed = |from: &str, to: &str| message(&[("package.yaml", &METADATA.replace(from, to))]);
    assert_eq!(
        changed("name: demo", "name: Demo"),
        "package.yaml: name: `Demo` is not a name: lower-case letters, digits and `-`, at most 63"
    );
    assert_eq!(
        changed("kubectl/v1", "kubectl/v9"),
        "package.yaml: apiVersion: `flink.kubectl/v9` is not supported: `flink.kubectl/v1` is"
    );
    assert_eq!(
        changed("flinkVersion: 2.3.0", "flinkVersion: 2.3.0\nflinkVersionRange: '>=1.19 <2'"),
        "package.yaml: flinkVersion: 2.3.0 is not in flinkVersionRange"
    );
    assert_eq!(
        changed("flinkVersion: 2.3.0", "flinkVersion: 2.3.0\ndefaultLayout: x"),
        "package.yaml: defaultLayout: there is no layout `x`"
    );
    assert!(
        changed("flinkVersion", "flinkversion").starts_with("package.yaml:4:1: unknown field `flinkversion`"),
        "{}",
        changed("flinkVersion", "flinkversion")
    );
    assert!(changed("1.0.0", "1.0").starts_with("package.yaml:"), "{}", changed("1.0.0", "1.0"));
    assert!(
        changed("{kind: job}", "{kind: jop}").contains("session"),
        "{}",
        changed("{kind: job}", "{kind: jop}")
    );
    assert_eq!(
        changed("job: {kind: job}", "other: {kind: job}"),
        "package.yaml declares the layout `other`, and there is no file in layouts/other/"
    );
    assert_eq!(message(&[("values.yaml", "- 1")]), "values.yaml: a map of values is expected, found a list");
    assert_eq!(
        Package::from_files(BTreeMap::new()).unwrap_err().to_string(),
        "not a package: there is no package.yaml in it"
    );
}

// --- archives

/// An archive of entries as an attacker would write them: no check on the way in.
fn archive(entries: &[(&str, EntryType, &[u8])]) -> Vec<u8> {
    gzip(&tar(entries))
}

fn tar(entries: &[(&str, EntryType, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, kind, content) in entries {
        let mut header = Header::new_ustar();
        header.set_entry_type(*kind);
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
        if matches!(kind, EntryType::Link | EntryType::Symlink) {
            header.set_link_name("/etc/passwd").unwrap();
        }
        header.set_cksum();
        builder.append(&header, *content).unwrap();
    }
    builder.into_inner().unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn refusal(entries: &[(&str, EntryType, &[u8])]) -> String {
    let mut all: Vec<(&str, EntryType, &[u8])> =
        vec![("demo/package.yaml", EntryType::Regular, METADATA.as_bytes())];
    all.extend(entries);
    Package::from_archive(&archive(&all)).unwrap_err().to_string()
}

#[test]
fn an_archive_comes_back_and_is_always_the_same() {
    let long = format!("files/{}/{}", "d".repeat(120), "f".repeat(150));
    let package = Package::from_files(files(&[(&long, "content"), ("files/empty", "")])).unwrap();
    let first = package.to_archive().unwrap();
    assert_eq!(first, package.to_archive().unwrap());
    let back = Package::from_archive(&first).unwrap();
    assert_eq!(back, package);
    assert_eq!(back.digest().unwrap(), package.digest().unwrap());
    assert!(package.digest().unwrap().starts_with("sha256:"));
    let other = Package::from_files(files(&[])).unwrap();
    assert_ne!(other.digest().unwrap(), package.digest().unwrap());
}

#[test]
fn the_digest_is_of_the_uncompressed_tar() {
    use sha2::{Digest, Sha256};
    use std::io::Read as _;
    let package = Package::from_files(files(&[])).unwrap();
    let mut tar = Vec::new();
    flate2::read::GzDecoder::new(&package.to_archive().unwrap()[..]).read_to_end(&mut tar).unwrap();
    assert_eq!(package.digest().unwrap(), format!("sha256:{}", hex(&Sha256::digest(&tar))));
    for entry in tar::Archive::new(&tar[..]).entries().unwrap() {
        let header = entry.unwrap().header().clone();
        assert_eq!((header.mtime().unwrap(), header.uid().unwrap(), header.gid().unwrap()), (0, 0, 0));
    }
}

/// Expected: what an editor of Windows makes of a package means the same, and is packed byte for
/// byte as it is.
#[test]
fn line_ends_and_byte_order_marks_are_packed_and_not_read() {
    let plain =
        files(&[("values.yaml", "a: |\n  x\n  y\n"), ("values.schema.json", "{\n\"type\": \"object\"}\n")]);
    let windows = |content: &Vec<u8>| {
        let text = std::str::from_utf8(content).unwrap().replace('\n', "\r\n");
        format!("\u{feff}{text}").into_bytes()
    };
    let twin: BTreeMap<_, _> = plain.iter().map(|(path, content)| (path.clone(), windows(content))).collect();
    let plain = Package::from_files(plain).unwrap();
    let package = Package::from_files(twin.clone()).unwrap();
    assert_eq!(package.metadata, plain.metadata);
    assert_eq!(package.default_values(), &json!({"a": "x\ny\n"}));
    assert_eq!(package.schema().unwrap(), plain.schema().unwrap());
    for (path, _) in plain.files() {
        assert_eq!(package.text(path).unwrap(), plain.text(path).unwrap(), "{path}");
    }
    assert_ne!(package.digest().unwrap(), plain.digest().unwrap());
    let packed = Package::from_archive(&package.to_archive().unwrap()).unwrap();
    assert!(packed.files().eq(twin.iter().map(|(path, content)| (path.as_str(), content.as_slice()))));
    assert_eq!(packed.digest().unwrap(), package.digest().unwrap());
}

#[test]
fn archives_as_other_tools_write_them() {
    let entries: &[(&str, EntryType, &[u8])] = &[
        ("./", EntryType::Directory, b""),
        ("./demo/", EntryType::Directory, b""),
        ("./demo/package.yaml", EntryType::Regular, METADATA.as_bytes()),
        ("./demo/layouts/", EntryType::Directory, b""),
        ("./demo/layouts/session/a.yaml", EntryType::Regular, b"x"),
        ("./demo/layouts/job/a.yaml", EntryType::Regular, b"y"),
    ];
    assert_eq!(Package::from_archive(&archive(entries)).unwrap().metadata.name, "demo");
}

#[test]
fn paths_that_lead_elsewhere_are_refused() {
    let refused = |path: &str| refusal(&[(path, EntryType::Regular, b"x")]);
    assert_eq!(
        refused("/etc/passwd"),
        "refused: `/etc/passwd` is an absolute path, which could write outside the package"
    );
    assert!(refused("C:\\x").contains("is an absolute path"));
    assert_eq!(
        refused("demo/../../x"),
        "refused: `demo/../../x` has `..` in it, which could write outside the package"
    );
    assert!(refused("demo\\..\\x").contains("has `..` in it"));
    assert!(refused("demo//x").contains("is not a plain path"));
    assert!(refused("demo/./x").contains("is not a plain path"));
    assert!(refused("demo/a\\b").contains("is not a plain path"));
    assert!(refused("demo/a\nb").contains("is not a plain path"));
    assert!(refused(&format!("demo{}", "/d".repeat(40))).contains("nested too deep"));
}

#[test]
fn links_and_devices_are_refused() {
    assert_eq!(
        refusal(&[("demo/l", EntryType::Symlink, b"")]),
        "refused: `demo/l` is a link, which could point outside the package"
    );
    assert!(refusal(&[("demo/l", EntryType::Link, b"")]).contains("is a link"));
    for kind in [EntryType::Block, EntryType::Char, EntryType::Fifo, EntryType::new(b'V')] {
        assert!(refusal(&[("demo/d", kind, b"")]).contains("a device or another special file"), "{kind:?}");
    }
}

#[test]
fn what_is_there_twice_is_refused() {
    assert!(
        refusal(&[("demo/package.yaml", EntryType::Regular, b"other")])
            .starts_with("refused: `package.yaml` is in the archive twice")
    );
    assert!(
        refusal(&[("demo/x", EntryType::Regular, b""), ("demo/x/y", EntryType::Regular, b"")])
            .contains("twice")
    );
    assert!(
        refusal(&[("demo/x/y", EntryType::Regular, b""), ("demo/x", EntryType::Regular, b"")])
            .contains("twice")
    );
    assert!(
        refusal(&[("demo/x/", EntryType::Directory, b""), ("demo/x", EntryType::Regular, b"")])
            .contains("twice")
    );
}

#[test]
fn one_root_and_it_is_the_package() {
    assert_eq!(
        refusal(&[("other/x", EntryType::Regular, b"")]),
        "refused: the archive has two folders at its top, `demo` and `other`: one is expected"
    );
    assert_eq!(refusal(&[("x", EntryType::Regular, b"")]), "refused: `x` is outside the package's folder");
    assert_eq!(
        Package::from_archive(&archive(&[])).unwrap_err().to_string(),
        "refused: the archive is empty"
    );
    let renamed: Vec<(&str, EntryType, &[u8])> = vec![
        ("x/package.yaml", EntryType::Regular, METADATA.as_bytes()),
        ("x/layouts/session/a.yaml", EntryType::Regular, b""),
        ("x/layouts/job/a.yaml", EntryType::Regular, b""),
    ];
    let message = Package::from_archive(&archive(&renamed)).unwrap_err().to_string();
    assert_eq!(message, "the archive's folder is called `x`, and the package in it `demo`");
}

#[test]
fn what_is_too_much_is_refused() {
    let package = Package::from_files(files(&[("files/zeros", &"0".repeat(3 << 20))])).unwrap();
    let archive = package.to_archive().unwrap();
    let within = |limits| Package::from_archive_within(&archive, &limits).map_err(|error| error.to_string());
    let limits = Limits { ratio: 10_000, ..Limits::default() };
    assert!(within(limits).is_ok());
    let error = within(Limits { entries: 4, ..limits }).unwrap_err();
    assert_eq!(error, "refused: more than 4 files and folders");
    let error = within(Limits { bytes: 1 << 20, ..limits }).unwrap_err();
    assert_eq!(error, "refused: larger than 1 MiB unpacked");
    let error = within(Limits::default()).unwrap_err();
    assert_eq!(error, "refused: it unpacks to more than 200 times its size, as a decompression bomb does");
}

/// A header may claim any size: what counts is what comes.
#[test]
fn a_header_that_lies_allocates_nothing() {
    let mut bytes = tar(&[("demo/package.yaml", EntryType::Regular, METADATA.as_bytes())]);
    let mut header = Header::from_byte_slice(&bytes[..512]).clone();
    header.set_size(400 << 20);
    header.set_cksum();
    bytes[..512].copy_from_slice(header.as_bytes());
    assert!(Package::from_archive(&gzip(&bytes)).is_err());
}

#[test]
fn nothing_follows_the_end() {
    let package = Package::from_files(files(&[])).unwrap();
    let good = package.to_archive().unwrap();
    let mut trailing = good.clone();
    trailing.extend(b"extra");
    assert_eq!(
        Package::from_archive(&trailing).unwrap_err().to_string(),
        "refused: 5 bytes follow the end of the archive"
    );
    let mut twice = good.clone();
    twice.extend(&good);
    assert!(Package::from_archive(&twice).unwrap_err().to_string().contains("follow the end of the archive"));
    let mut inner = package.tar().unwrap();
    inner.extend(tar(&[("demo/hidden", EntryType::Regular, b"x")]));
    assert_eq!(
        Package::from_archive(&gzip(&inner)).unwrap_err().to_string(),
        "refused: data follows the end of the tar inside the archive"
    );
    let cut = &good[..good.len() - 20];
    assert!(
        Package::from_archive(cut).unwrap_err().to_string().starts_with("not a readable package archive")
    );
    assert!(
        Package::from_archive(b"PK\x03\x04")
            .unwrap_err()
            .to_string()
            .starts_with("not a readable package archive")
    );
}

proptest::proptest! {
    /// One byte of a good archive changed: read or refused, never a panic, and never another
    /// package that looks good.
    #[test]
    fn a_broken_archive_does_not_panic(position in 0usize..400, byte: u8) {
        let mut archive = Package::from_files(files(&[])).unwrap().to_archive().unwrap();
        let position = position % archive.len();
        archive[position] = byte;
        let _ = Package::from_archive(&archive);
    }
}

// --- folders

#[cfg(unix)]
#[test]
fn a_folder_without_its_hidden_files_and_links() {
    let folder = tempfile::tempdir().unwrap();
    for (path, content) in files(&[(".git/config", "x"), (".hidden", "x")]) {
        let target = folder.path().join(path);
        fs_err::create_dir_all(target.parent().unwrap()).unwrap();
        fs_err::write(target, content).unwrap();
    }
    assert_eq!(Package::from_dir(folder.path()).unwrap(), Package::from_files(files(&[])).unwrap());
    std::os::unix::fs::symlink("/etc/passwd", folder.path().join("link")).unwrap();
    let message = Package::from_dir(folder.path()).unwrap_err().to_string();
    assert!(
        message.ends_with("link: a symbolic link cannot be part of a package: only files and folders can"),
        "{message}"
    );
    assert!(Package::from_dir(&folder.path().join("nowhere")).unwrap_err().to_string().contains("nowhere"));
}

// --- schema

const SCHEMA: &str = r##"{"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object",
  "additionalProperties": false, "required": ["image"], "properties": {
    "image": {"type": "string", "minLength": 1},
    "taskManager": {"$ref": "#/$defs/role"},
    "password": {"type": "string", "pattern": "^[a-z]+$"},
    "memory": {"type": "string", "pattern": "^[0-9]+[mg]$", "$comment": "a size such as 1728m or 2g"},
    "cpu": {"anyOf": [{"type": "number"}, {"type": "string"}]},
    "kind": {"enum": ["Deployment", "Job"]},
    "jobs": {"type": "array", "items": {"type": "object", "additionalProperties": false,
      "properties": {"name": {"type": "string"}, "parallelism": {"type": "integer", "minimum": 1}}}},
    "storage": {"oneOf": [
      {"type": "object", "additionalProperties": false, "required": ["type"], "properties": {"type": {"const": "none"}}},
      {"type": "object", "additionalProperties": false, "required": ["type"], "properties": {"type": {"const": "claim"}, "claim": {"type": "object", "properties": {"size": {"type": "string"}}}}}]},
    "site": {"type": "string", "format": "uri"}},
  "$defs": {"role": {"type": "object", "additionalProperties": false,
    "properties": {"slots": {"type": "integer"}, "memory": {"type": "string"}}}}}"##;

fn violations(mut values: serde_json::Value) -> Vec<String> {
    let package = Package::from_files(files(&[("values.schema.json", SCHEMA)])).unwrap();
    if let Some(map) = values.as_object_mut() {
        map.entry("image").or_insert(json!("flink"));
    }
    match package.check_values(&values) {
        Ok(()) => Vec::new(),
        Err(SchemaError::Violations { violations }) => violations.iter().map(ToString::to_string).collect(),
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn values_that_fit() {
    let all = json!({"taskManager": {"slots": 2}, "cpu": "500m", "jobs": [{"name": "a", "parallelism": 2}],
        "storage": {"type": "none"}, "site": "https://example.com"});
    assert_eq!(violations(all), [""; 0]);
}

#[test]
fn a_wrong_type_says_what_was_expected_and_what_was_given() {
    assert_eq!(
        violations(json!({"taskManager": {"slots": "two"}})),
        ["taskManager.slots: expected an integer, found a string"]
    );
    assert_eq!(
        violations(json!({"taskManager": {"slots": 1.5}})),
        ["taskManager.slots: expected an integer, found a number"]
    );
    assert_eq!(violations(json!({"taskManager": []})), ["taskManager: expected a map, found a list"]);
    assert_eq!(violations(json!({"cpu": true})), ["cpu: expected a number or a string, found a boolean"]);
    assert_eq!(
        violations(json!({"jobs": [{"parallelism": 0}]})),
        ["jobs[0].parallelism: must be at least 1"]
    );
    assert_eq!(violations(json!({"kind": "StatefulSet"})), ["kind: expected one of Deployment, Job"]);
    assert_eq!(violations(json!({"image": ""})), ["image: must not be empty"]);
    assert_eq!(violations(json!({"image": null})), ["image: expected a string, found null"]);
    assert_eq!(violations(json!({"site": "not a uri"})), ["site: expected the format uri"]);
    assert_eq!(violations(json!({"memory": "2 gigs"})), ["memory: expected a size such as 1728m or 2g"]);
}

#[test]
fn an_unknown_key_has_a_suggestion() {
    assert_eq!(
        violations(json!({"taskmanager": {}})),
        ["taskmanager: unknown key; did you mean `taskManager`?"]
    );
    assert_eq!(
        violations(json!({"taskManager": {"slot": 1}})),
        ["taskManager.slot: unknown key; did you mean `taskManager.slots`?"]
    );
    assert_eq!(
        violations(json!({"jobs": [{}, {"nmae": "x"}]})),
        ["jobs[1].nmae: unknown key; did you mean `jobs[1].name`?"]
    );
    assert_eq!(
        violations(json!({"taskManager": {"example.com/x": 1}})),
        ["taskManager.example\\.com/x: unknown key; there are: slots, memory"]
    );
}

#[test]
fn all_at_once_and_a_missing_one() {
    let package = Package::from_files(files(&[("values.schema.json", SCHEMA)])).unwrap();
    let error = package.check_values(&json!({"imag": "x", "taskManager": {"slots": "x"}})).unwrap_err();
    assert_eq!(
        error.to_string(),
        "imag: unknown key; did you mean `image`?\nimage: is missing\ntaskManager.slots: expected an integer, found a string"
    );
}

#[test]
fn of_several_forms_the_nearest_speaks() {
    assert_eq!(
        violations(json!({"storage": {"type": "claim", "claim": {"size": 8}}})),
        ["storage.claim.size: expected a string, found an integer"]
    );
}

#[test]
fn a_secret_value_is_never_quoted() {
    let text =
        violations(json!({"password": "HUNTER2", "memory": "HUNTER2", "kind": "HUNTER2", "cpu": ["HUNTER2"],
        "storage": {"type": "HUNTER2"}, "site": "HUNTER2", "jobs": "HUNTER2"}));
    assert_eq!(text.len(), 7, "{text:?}");
    assert!(!text.join("\n").contains("HUNTER2"), "{text:?}");
}

#[test]
fn a_schema_that_cannot_be_used() {
    let check = |schema: &str| {
        let package = Package::from_files(files(&[("values.schema.json", schema)])).unwrap();
        package.check_values(&json!({})).unwrap_err().to_string()
    };
    assert!(check("{").starts_with("values.schema.json: "), "{}", check("{"));
    assert!(check(r#"{"type": "objekt"}"#).starts_with("values.schema.json: "));
    for remote in ["https://example.com/schema.json", "http://127.0.0.1:1/x", "file:///etc/passwd"] {
        let text = check(&format!(r#"{{"$ref": "{remote}"}}"#));
        assert!(text.starts_with("values.schema.json: "), "{text}");
    }
}

/// As in Helm: in draft 07 `items` may be a list, which 2020-12 refuses; without `$schema` it is
/// 2020-12.
#[test]
fn the_draft_that_the_schema_names_counts() {
    let check = |schema: &str, values: serde_json::Value| {
        let package = Package::from_files(files(&[("values.schema.json", schema)])).unwrap();
        package.check_values(&values).map_err(|error| error.to_string())
    };
    let old = r#"{"$schema": "http://json-schema.org/draft-07/schema#",
        "properties": {"pair": {"items": [{"type": "string"}, {"type": "integer"}]}}}"#;
    assert_eq!(check(old, json!({"pair": ["a", 1]})), Ok(()));
    assert_eq!(
        check(old, json!({"pair": ["a", "b"]})),
        Err("pair[1]: expected an integer, found a string".to_owned())
    );
    let new = r#"{"properties": {"pair": {"prefixItems": [{"type": "string"}]}}}"#;
    assert_eq!(
        check(new, json!({"pair": [1]})),
        Err("pair[0]: expected a string, found an integer".to_owned())
    );
}
