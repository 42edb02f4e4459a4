//! The table in docs/rights.md names every right that a verb is checked for.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use kubectl_flink::plan::rights::{Verb, needed};
use kubectl_flink::source;
use kubectl_flink::verbs::template::{Options, assumed_capabilities, template};
use serde_json::{Value, json};

/// `deployments`, `get`: a resource and a verb.
type Rights = BTreeSet<(String, String)>;

/// The rows of the table: commands, and the cell of their rights.
fn table() -> Vec<(Vec<String>, String)> {
    let text = fs_err::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/rights.md")).unwrap();
    let (_, after) = text.split_once("| command | rights |").expect("docs/rights.md has no table of rights");
    let rows = after.lines().skip(2).take_while(|line| line.starts_with('|'));
    rows.map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").collect();
        let commands = cells[0].split(',').map(|one| one.trim().trim_matches('`').to_owned()).collect();
        (commands, cells[1].trim().to_owned())
    })
    .collect()
}

/// Plurals of the kinds that the package renders with its defaults.
fn rendered() -> BTreeSet<String> {
    let options = Options {
        name: "demo".to_owned(),
        namespace: "default".to_owned(),
        package: source::embedded().unwrap().swap_remove(0),
        layout: Some("session".to_owned()),
        user_values: Value::Object(json!({}).as_object().unwrap().clone()),
        capabilities: assumed_capabilities(),
        is_upgrade: false,
    };
    let objects = template(&options).unwrap().objects;
    objects.iter().map(|object| format!("{}s", object.kind().to_lowercase())).collect()
}

fn comma(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split(',').map(|one| one.trim().to_owned()).filter(|one| !one.is_empty())
}

/// What a cell comes to: `as X` and `the same` are what other rows have, `A, B: c, d` is each verb
/// on each resource.
fn expand(cell: &str, before: &Rights, known: &BTreeMap<String, Rights>) -> Rights {
    let mut rights = Rights::new();
    for part in cell.split(';').map(str::trim) {
        if let Some(other) = part.strip_prefix("as `") {
            rights.extend(known[other.trim_end_matches('`')].clone());
        } else if let Some(without) = part.strip_prefix("the same") {
            let left_out = without.trim().trim_start_matches("without ");
            rights.extend(before.iter().filter(|(resource, _)| resource != left_out).cloned());
        } else if let Some((resources, verbs)) = part.split_once(": ") {
            let verbs = verbs.split(" (").next().unwrap_or_default();
            let resources: Vec<String> = if resources.starts_with("each kind") {
                rendered().into_iter().collect()
            } else {
                comma(resources).collect()
            };
            for verb in comma(verbs) {
                rights.extend(resources.iter().map(|resource| (resource.clone(), verb.clone())));
            }
        } else if part.starts_with("get of each") {
            rights.extend(rendered().into_iter().map(|resource| (resource, "get".to_owned())));
        } else {
            assert!(part.starts_with("no"), "docs/rights.md: {part:?} is not understood");
        }
    }
    rights
}

#[test]
fn the_table_names_every_right_that_is_checked() {
    let mut known: BTreeMap<String, Rights> = BTreeMap::new();
    let mut before = Rights::new();
    for (commands, cell) in table() {
        before = expand(&cell, &before, &known);
        known.extend(commands.into_iter().map(|command| (command, before.clone())));
    }
    for (verb, commands) in [
        (Verb::Install, &["install"][..]),
        (Verb::Upgrade, &["upgrade"]),
        (Verb::Rollback, &["rollback"]),
        (Verb::Uninstall, &["uninstall"]),
        (Verb::Jobs, &["job submit", "job stop", "job cancel", "savepoint trigger"]),
    ] {
        for command in commands {
            let named = known.get(*command).unwrap_or_else(|| panic!("the table has no row for {command}"));
            for right in needed(verb) {
                let one = (right.resource.clone(), right.verb.clone());
                assert!(named.contains(&one), "docs/rights.md: {command} needs {right} too");
            }
        }
    }
}
