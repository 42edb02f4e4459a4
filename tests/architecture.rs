//! The map of the architecture in `src/lib.rs`, held against the code: which module names which,
//! and what each file says of itself.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use kubectl_flink::ALLOWED;

use crate::support::imports::{circles, imports};

/// Modules that are pure: neither a server nor an asynchronous runtime is in reach of them.
const PURE: &[&str] =
    &["archive", "digest", "id", "operation", "package", "render", "values", "version", "yaml"];

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Every file of `src/` by its path in it, with its text.
fn files() -> BTreeMap<String, String> {
    let found = files_of(&source());
    assert!(found.len() > 50, "these are not all files of src/: {found:?}");
    found
}

fn files_of(root: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs_err::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                found.insert(name, fs_err::read_to_string(&path).unwrap());
            }
        }
    }
    found
}

/// `cli/args.rs` and `cli/mod.rs` are of `cli`, `id.rs` is of `id`.
fn module(file: &str) -> &str {
    file.split('/').next().unwrap().trim_end_matches(".rs")
}

/// The code without lines that are comments: docs may link where code may not go.
fn code(text: &str) -> String {
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// The top-level modules that `crate::…` paths of a text name, those in `crate::{a::b, c}` too.
fn named(code: &str) -> BTreeSet<String> {
    let identifier = |text: &str| -> String {
        text.trim_start().chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect()
    };
    let mut names = BTreeSet::new();
    for (_, after) in code.match_indices("crate::").map(|(at, found)| (at, &code[at + found.len()..])) {
        let Some(group) = after.strip_prefix('{') else {
            names.insert(identifier(after));
            continue;
        };
        let mut depth = 0;
        let mut start = 0;
        for (at, c) in group.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth > 0 => depth -= 1,
                ',' | '}' if depth == 0 => {
                    names.insert(identifier(&group[start..at]));
                    start = at + 1;
                    if c == '}' {
                        break;
                    }
                }
                _ => {}
            }
        }
    }
    names.remove("");
    names
}

#[test]
fn paths_are_found_alone_and_in_groups() {
    let code = "use crate::a::{b, c};\nuse crate::{d::{self, e}, f};\nfn g() { crate::h::i() }\n";
    assert_eq!(named(code), ["a", "d", "f", "h"].map(str::to_owned).into());
}

#[test]
fn modules_name_only_what_the_table_allows() {
    let allowed: BTreeMap<&str, &[&str]> = ALLOWED.iter().copied().collect();
    let mut wrong = Vec::new();
    for (file, text) in files() {
        let Some(may) = allowed.get(module(&file)) else { continue };
        for name in named(&code(&text)) {
            // What begins with a capital letter is a macro's or a re-export's: lib.rs has none but
            // the table.
            if name != module(&file) && !may.contains(&name.as_str()) {
                wrong.push(format!("src/{file} names crate::{name}"));
            }
        }
    }
    assert!(wrong.is_empty(), "not in the table ALLOWED of src/lib.rs:\n{}", wrong.join("\n"));
}

#[test]
fn the_table_and_the_map_have_every_module_once() {
    let library = fs_err::read_to_string(source().join("lib.rs")).unwrap();
    let declared: Vec<&str> =
        library.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).collect();
    let mut table: Vec<&str> = ALLOWED.iter().map(|(name, _)| *name).collect();
    table.sort_unstable();
    assert_eq!(table, declared, "src/lib.rs: the modules in ALLOWED and the modules there are");
    for name in declared {
        assert!(
            library.contains(&format!("//! | [`{name}`] |")),
            "the map in src/lib.rs has no line for {name}"
        );
        let allowed = ALLOWED.iter().find(|(module, _)| *module == name).unwrap().1;
        for other in allowed {
            assert!(table.contains(other), "ALLOWED lets {name} use {other}, which does not exist");
        }
    }
}

#[test]
fn arrows_go_down_only() {
    let mut left: BTreeMap<&str, BTreeSet<&str>> =
        ALLOWED.iter().map(|(name, may)| (*name, may.iter().copied().collect())).collect();
    while let Some(leaf) = left.iter().find(|(_, may)| may.is_empty()).map(|(name, _)| *name) {
        left.remove(leaf);
        for may in left.values_mut() {
            may.remove(leaf);
        }
    }
    assert!(left.is_empty(), "ALLOWED has a circle among {:?}", left.keys());
}

/// A module and its own children may name each other; nobody else goes round.
#[test]
fn no_files_name_each_other_in_a_circle() {
    let roots = [source(), Path::new(env!("CARGO_MANIFEST_DIR")).join("xtask/src")];
    let found: Vec<_> = roots.iter().flat_map(|root| circles(&imports(&files_of(root)))).collect();
    assert!(found.is_empty(), "circles of files: {found:#?}");
}

#[test]
fn pure_modules_reach_no_server() {
    for (file, text) in files() {
        let code = code(&text);
        let uses = |name: &str| {
            code.match_indices(name).any(|(at, _)| {
                let before = code[..at].chars().next_back();
                code[at + name.len()..].starts_with("::")
                    && !before.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_' || c == ':')
            })
        };
        if PURE.contains(&module(&file)) {
            for name in ["kube", "reqwest", "tokio", "hyper", "k8s_openapi"] {
                assert!(!uses(name), "src/{file} uses {name}: {} is pure", module(&file));
            }
        }
        // Types of Kubernetes objects (k8s_openapi) are no client.
        if !["cluster", "flink"].contains(&module(&file)) {
            for name in ["reqwest", "hyper", "kube"] {
                assert!(!uses(name), "src/{file} uses {name}: only cluster and flink talk to servers");
            }
        }
    }
}

/// Files that name kinds of layouts as data: what `package.yaml` and a record may say.
const KINDS_AS_DATA: &[(&str, &[&str])] = &[
    ("package/metadata.rs", &["LayoutKind", "\"session\"", "\"operator\"", "\"plain\""]),
    ("package/mod.rs", &["LayoutKind"]),
    ("release/record.rs", &["JobMode", "Standalone"]),
];

/// The names of kinds of layouts, and of what only one of them has, in code that is no test.
fn kinds_named(text: &str) -> Vec<String> {
    let text = code(text.split("mod tests {").next().unwrap_or_default());
    let mut found = Vec::new();
    // A kind's own file, type or resource; and each way to begin a decision by kind.
    let names =
        ["ControlKind", "LayoutKind", "PodsControl", "OperatorControl", "Standalone", "standalone-job"];
    let resources = ["flink.apache.org", "FlinkDeployment", "FlinkSessionJob", "FlinkBlueGreen"];
    let words = ["\"session\"", "\"operator\"", "\"plain\""];
    for name in names.into_iter().chain(resources).chain(words) {
        found.extend(vec![name.to_owned(); text.matches(name).count()]);
    }
    // `Driver::of` is how a driver is made, `Driver::Rest` and `JobMode::Cluster` are kinds.
    for name in ["Driver", "JobMode"] {
        let path = format!("{name}::");
        let after = text.match_indices(&path).map(|(at, path)| text[at + path.len()..].chars().next());
        found.extend(after.filter(|c| c.is_some_and(char::is_uppercase)).map(|_| name.to_owned()));
    }
    found
}

#[test]
fn kinds_of_layouts_are_found_in_code_and_not_in_tests() {
    for planted in [
        "if descriptor.control == ControlKind::Pods {}",
        "match driver { Driver::Pods(pods) => {} }",
        "if kind == LayoutKind::Session {}",
        "let mode = JobMode::Application;",
        "let resource = Resource::known(\"flink.apache.org/v1beta1\", \"flinkdeployments\");",
        "if layout == \"operator\" {}",
        "if object.kind() == \"FlinkDeployment\" {}",
    ] {
        assert!(!kinds_named(planted).is_empty(), "{planted}");
        assert_eq!(kinds_named(&format!("// {planted}")), Vec::<String>::new(), "a comment may say it");
        let in_test = format!("#[cfg(test)]\nmod tests {{\n{planted}\n}}");
        assert_eq!(kinds_named(&in_test), Vec::<String>::new());
    }
    let asks =
        "let driver = Driver::of(c); if descriptor.traits().starts_with_pods && JobMode::is_default(m) {}";
    assert_eq!(kinds_named(asks), Vec::<String>::new());
}

/// Plan, state machine and engine ask the traits of a driver and its tables: a new kind is learnt
/// by `layout/` alone.
#[test]
fn no_kind_of_layout_is_named_outside_layout() {
    let of_tests = |file: &str| {
        let name = file.rsplit('/').next().unwrap_or_default();
        ["tests.rs", "testing.rs"].contains(&name)
            || file.contains("/simulation/")
            || file.contains("/tests/")
    };
    let mut wrong = Vec::new();
    for (file, text) in files() {
        if module(&file) == "layout" || of_tests(&file) {
            continue;
        }
        let data = KINDS_AS_DATA.iter().find(|(known, _)| *known == file).map_or(&[][..], |(_, names)| names);
        let found = kinds_named(&text).into_iter().filter(|name| !data.contains(&name.as_str()));
        wrong.extend(found.map(|name| format!("src/{file} names {name}")));
    }
    assert!(wrong.is_empty(), "ask ControlTraits, or a table in src/layout/:\n{}", wrong.join("\n"));
}

#[test]
fn every_file_says_what_it_is_for() {
    for (file, text) in files() {
        assert!(
            text.starts_with("//! "),
            "src/{file} does not begin with a //! line that says what it is for"
        );
    }
}

/// What to type next is data until `cli` renders it: as text a command would lack the flags that
/// lead to the user's cluster.
#[test]
fn no_command_line_is_text_below_cli() {
    let mut wrong = Vec::new();
    for (file, text) in files().into_iter().filter(|(file, _)| module(file) != "cli") {
        let text = code(text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default());
        let lines = text.lines().filter(|line| line.contains("kubectl "));
        wrong.extend(lines.map(|line| format!("src/{file}: {}", line.trim())));
    }
    assert!(wrong.is_empty(), "commands as text, which are a NextStep:\n{}", wrong.join("\n"));
}

/// Requests leave in one place for each server, and whatever changes something asks the fence right
/// before it there.
#[test]
fn requests_are_sent_in_one_place_for_each_server() {
    let places = |call: &str| -> Vec<String> {
        let found = |(file, text): (String, String)| {
            let text = code(text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default());
            vec![file; text.matches(call).count()]
        };
        files().into_iter().flat_map(found).collect()
    };
    assert_eq!(places(".pass(&change)"), ["cluster/call.rs", "flink/client.rs"]);
    assert_eq!(places(".client()"), ["cluster/call.rs"]);
    assert_eq!(places("transport.send("), ["flink/client.rs"]);
    assert_eq!(
        places("self.exchange(&request"),
        ["flink/client.rs"; 2],
        "a read, and a change behind the fence"
    );
    // Streams: logs, a command in a Pod that looks for files, and forwarded ports, through which
    // Flink's client goes.
    let streams = places(".streaming_client()");
    assert_eq!(streams, ["cluster/exec.rs", "cluster/forward.rs", "cluster/pods.rs", "context/mod.rs"]);
    // Without a fence: what a client is until it gets one, and the operation object, which is the
    // lock.
    let unfenced = ["cluster/mod.rs", "cluster/mod.rs", "flink/client.rs", "release/operation/place.rs"];
    assert_eq!(places("Arc::new(Unfenced)"), unfenced);
}

/// What is public says what it is for; a field or a variant that its name explains need not.
#[test]
fn public_items_are_documented() {
    let item = |line: &str| {
        let line = line.trim_start();
        let rest = line.strip_prefix("pub ")?;
        let rest = rest.trim_start_matches("async ").trim_start_matches("const fn").trim_start();
        let kinds = ["fn ", "struct ", "enum ", "trait ", "const ", "type ", "static "];
        kinds.iter().any(|kind| rest.starts_with(kind)).then_some(())
    };
    let mut bare = Vec::new();
    for (file, text) in files() {
        let lines: Vec<&str> =
            text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().lines().collect();
        for (at, line) in lines.iter().enumerate().filter(|(_, line)| item(line).is_some()) {
            let mut above = lines[..at]
                .iter()
                .rev()
                .map(|line| line.trim())
                .take_while(|line| !line.is_empty() && !line.ends_with(['{', '}', ';']));
            if !above.any(|line| line.starts_with("///")) {
                bare.push(format!("src/{file}:{}: {}", at + 1, line.trim()));
            }
        }
    }
    bare.retain(|found| !found.contains("testing.rs") && !found.contains("simulation/"));
    assert!(bare.is_empty(), "public, and not documented:\n{}", bare.join("\n"));
}

/// Expected: what Flink itself calls things, and how a jar is named, is written down in
/// `flink/names.rs` alone.
#[test]
fn flinks_own_names_are_in_one_place() {
    const NAMES: [&str; 9] = [
        "-config-map\"",
        "\"jobGraph-",
        "\"executionPlan-",
        "\"checkpointID-",
        "chk-\"",
        "/_metadata",
        "_DIRTY",
        "\"upload:",
        "\"package:",
    ];
    let for_tests = |file: &str| {
        file.contains("simulation/") || file.ends_with("tests.rs") || file.ends_with("recordings.rs")
    };
    for (file, text) in files().into_iter().filter(|(file, _)| !for_tests(file)) {
        let text = text.split("#[cfg(test)]").next().unwrap_or_default();
        for name in NAMES.iter().filter(|name| text.contains(*name)) {
            assert_eq!(file, "flink/names.rs", "it says {name}");
        }
    }
}

/// Expected: comments are read, not scrolled; a row of a table cannot be broken, and neither a
/// word.
#[test]
fn comments_fit_into_100_columns() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for folder in ["src", "tests", "xtask/src"] {
        for (file, text) in files_of(&root.join(folder)) {
            for (number, line) in text.lines().enumerate() {
                let comment = line.trim_start();
                let breaks =
                    comment.trim_start_matches(['/', '!', ' ']).contains(' ') && !comment.contains("! |");
                let long = comment.starts_with("//") && breaks && line.chars().count() > 100;
                assert!(!long, "{folder}/{file}:{}: {line}", number + 1);
            }
        }
    }
}
