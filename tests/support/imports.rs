//! Which files of a crate name which others, and the circles among them.
//!
//! Reads `use` declarations and paths that begin with `crate`, `super` or `self`; comments and what stands in strings are
//! no code. A module and its own children may name each other.

use std::collections::{BTreeMap, BTreeSet};

/// The files that each file names, by their paths in the crate's `src`; a file's own ancestors and descendants are left out.
pub fn imports(files: &BTreeMap<String, String>) -> BTreeMap<String, BTreeSet<String>> {
    let modules: BTreeMap<Vec<String>, &String> = files.keys().map(|file| (module(file), file)).collect();
    let named = |file: &String, text: &str| {
        let own = module(file);
        let found = paths(text).into_iter().filter_map(|path| resolve(&own, &path, &modules));
        found.filter(|other| !is_family(&own, &module(other))).cloned().collect()
    };
    files.iter().map(|(file, text)| (file.clone(), named(file, text))).collect()
}

/// The circles among files: of each, its members in order.
pub fn circles(imports: &BTreeMap<String, BTreeSet<String>>) -> Vec<Vec<String>> {
    let reach: BTreeMap<&String, BTreeSet<&String>> =
        imports.keys().map(|file| (file, reachable(file, imports))).collect();
    let mut circles = BTreeSet::new();
    for (file, from_it) in &reach {
        if from_it.contains(file) {
            let members = from_it.iter().filter(|other| reach[*other].contains(file));
            circles.insert(members.map(|member| (*member).clone()).collect::<Vec<_>>());
        }
    }
    circles.into_iter().collect()
}

fn reachable<'a>(from: &String, imports: &'a BTreeMap<String, BTreeSet<String>>) -> BTreeSet<&'a String> {
    let mut seen = BTreeSet::new();
    let mut left: Vec<&String> = imports.get(from).into_iter().flatten().collect();
    while let Some(file) = left.pop() {
        if seen.insert(file) {
            left.extend(imports.get(file).into_iter().flatten());
        }
    }
    seen
}

/// `cli/output.rs` is `cli::output`, `cli/mod.rs` is `cli`, `lib.rs` and `main.rs` are the crate itself.
fn module(file: &str) -> Vec<String> {
    let mut parts: Vec<String> = file.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    if parts.last().is_some_and(|last| last == "mod")
        || matches!(parts[..], [ref one] if one == "lib" || one == "main")
    {
        parts.pop();
    }
    parts
}

/// Whether one of two modules is the other's ancestor, or both are the same.
fn is_family(one: &[String], other: &[String]) -> bool {
    one.starts_with(other) || other.starts_with(one)
}

/// The file that a path leads to: that of the longest beginning which is a module.
fn resolve<'a>(
    own: &[String],
    path: &[String],
    modules: &BTreeMap<Vec<String>, &'a String>,
) -> Option<&'a String> {
    let mut at = match path.first()?.as_str() {
        "crate" => Vec::new(),
        _ => own.to_vec(),
    };
    for part in path {
        match part.as_str() {
            "crate" | "self" => {}
            "super" => drop(at.pop()),
            part => at.push(part.to_owned()),
        }
    }
    (1..=at.len()).rev().find_map(|length| modules.get(&at[..length]).copied())
}

/// Paths that begin with `crate`, `super` or `self`, groups in braces spelt out: `crate::a::{b, c::d}` is two.
fn paths(text: &str) -> Vec<Vec<String>> {
    let code: String = text
        .split("#[cfg(test)]\nmod tests {")
        .next()
        .unwrap_or_default()
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n");
    let mut found = Vec::new();
    for root in ["crate::", "super::", "self::"] {
        for (at, _) in code.match_indices(root) {
            let before = code[..at].chars().next_back();
            if !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
                spell_out(&code[at..], &mut Vec::new(), &mut found);
            }
        }
    }
    found
}

/// Reads one path or one group after `prefix`; gives what follows it.
fn spell_out<'a>(text: &'a str, prefix: &mut Vec<String>, found: &mut Vec<Vec<String>>) -> &'a str {
    let mut rest = text.trim_start();
    let depth = prefix.len();
    loop {
        let word: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        rest = &rest[word.len()..];
        if word.is_empty() {
            break;
        }
        prefix.push(word);
        match rest.strip_prefix("::") {
            None => break,
            Some(after) if after.starts_with('{') => {
                rest = &after[1..];
                loop {
                    rest = spell_out(rest, prefix, found).trim_start();
                    if let Some(as_name) = rest.strip_prefix("as ") {
                        rest = as_name
                            .trim_start_matches(|c: char| c.is_alphanumeric() || c == '_')
                            .trim_start();
                    }
                    match rest.strip_prefix(',') {
                        Some(after) => rest = after,
                        None => break,
                    }
                }
                prefix.truncate(depth);
                return rest.strip_prefix('}').unwrap_or(rest);
            }
            Some(after) => rest = after,
        }
    }
    if prefix.len() > depth || depth > 0 {
        found.push(prefix.clone());
    }
    prefix.truncate(depth);
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crate_of(files: &[(&str, &str)]) -> BTreeMap<String, String> {
        files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    }

    #[test]
    fn groups_are_spelt_out_and_comments_are_no_code() {
        let text = "use crate::a::{self, b::{C, d}, e as f};\n// crate::no\nfn g() { super::h::i() }\n";
        let found: Vec<String> = paths(text).iter().map(|path| path.join("::")).collect();
        assert_eq!(
            found,
            ["crate::a::self", "crate::a::b::C", "crate::a::b::d", "crate::a::e", "super::h::i"]
        );
    }

    #[test]
    fn a_circle_is_found_and_a_family_is_none() {
        let files = crate_of(&[
            ("lib.rs", "pub mod a;"),
            ("a/mod.rs", "use self::b::B; use self::c::C;"),
            ("a/b.rs", "use super::A; use super::c::C;"),
            ("a/c.rs", "use crate::d::D;"),
            ("d.rs", "use crate::a::b::B;"),
            ("e.rs", "use crate::d;"),
        ]);
        assert_eq!(circles(&imports(&files)), [["a/b.rs", "a/c.rs", "d.rs"]]);
    }
}
