//! Words that this project once used and a user of Flink or Kubernetes had to guess do not come
//! back.
//!
//! Words with an honest second meaning (base, silent, elsewhere, settle, rehearsal) are left to
//! review.

use std::path::{Path, PathBuf};

use crate::reference::reference;

/// Phrases that must not occur, each with what to say instead.
///
/// A `*` stands for any ending of its word. Case, line breaks, `_`, `-` and the humps of a
/// `CamelCase` name make no difference.
const PATTERNS: &[(&str, &str)] = &[
    ("classic order", "recreate"),
    ("way* back", "rollback, revert"),
    ("stranger*", "unmanaged job"),
    ("somebody*", "the user, another client, the caller"),
    ("a person", "the user"),
    ("whoever", "the user, the caller, who"),
    ("run that died", "interrupted operation"),
    ("dead run*", "interrupted operation"),
    ("stray*", "orphaned generation"),
    ("parted", "partially migrated"),
    ("put out", "emitted; reprocessed"),
    ("puts out", "emits"),
    ("count from the start", "start with empty state"),
    ("counts from the start", "starts with empty state"),
    ("for a look", "kept for inspection"),
    ("try out", "check"),
    ("tries out", "checks"),
    ("tried out", "checked"),
    ("trying out", "checking"),
    ("let go", "unsuspend"),
    ("lets go", "unsuspends"),
    ("held back", "suspended"),
    ("holds back", "suspends"),
    ("hold back", "suspend"),
    ("give* the lock back", "release the lock"),
    ("write down", "record"),
    ("writes down", "records"),
    ("written down", "recorded"),
    ("wrote down", "recorded"),
    ("service lead*", "switch the Service to"),
];

/// Set once the texts of `--help`, and `docs/commands.md` that is made from them, are converted and
/// held to the list.
const HELP_DONE: bool = true;

/// Folders of the code (and of the packages) that are held to the list: the ones that are
/// converted. `src/cli` is every file below it.
const SRC_DONE: &[&str] = &["src", "packages"];

/// A word in lower case, or the end of a clause as an empty one, with its line.
type Word = (usize, String);

/// Splits a text into words; `way_back`, `way-back` and `WayBack` are two.
fn words(text: &str) -> Vec<Word> {
    let mut found = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let mut word = String::new();
        let mut lower_before = false;
        for c in line.chars().chain([' ']) {
            if c.is_alphanumeric() && !(c.is_uppercase() && lower_before) {
                word.extend(c.to_lowercase());
            } else {
                if !word.is_empty() {
                    found.push((at + 1, std::mem::take(&mut word)));
                }
                if c.is_alphanumeric() {
                    word.extend(c.to_lowercase());
                } else if matches!(c, '.' | ',' | ';' | ':' | '(' | ')' | '|' | '"') {
                    found.push((at + 1, String::new()));
                }
            }
            lower_before = c.is_lowercase();
        }
    }
    found
}

/// Tells whether the words from `at` on are those of a pattern.
fn is_at(words: &[Word], at: usize, pattern: &str) -> bool {
    pattern.split(' ').enumerate().all(|(i, wanted)| {
        let Some((_, word)) = words.get(at + i) else { return false };
        match wanted.strip_suffix('*') {
            Some(beginning) => word.starts_with(beginning),
            None => word == wanted,
        }
    })
}

/// Returns each phrase of a text that must not occur: the line, the pattern, and what to say
/// instead.
fn found_in(text: &str) -> Vec<(usize, &'static str, &'static str)> {
    let words = words(text);
    let mut found = Vec::new();
    for (at, (line, _)) in words.iter().enumerate() {
        let hits = PATTERNS.iter().filter(|(pattern, _)| is_at(&words, at, pattern));
        found.extend(hits.map(|(pattern, instead)| (*line, *pattern, *instead)));
    }
    found
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every file below a folder, or the file itself.
fn below(path: &Path, into: &mut Vec<PathBuf>) {
    if path.is_dir() {
        for entry in fs_err::read_dir(path).unwrap() {
            below(&entry.unwrap().path(), into);
        }
    } else {
        into.push(path.to_owned());
    }
}

#[track_caller]
fn assert_clean(texts: impl IntoIterator<Item = (String, String)>) {
    let mut wrong = Vec::new();
    for (origin, text) in texts {
        for (line, pattern, instead) in found_in(&text) {
            wrong.push(format!("{origin}:{line}: {pattern} (say: {instead})"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn texts(files: Vec<PathBuf>) -> impl Iterator<Item = (String, String)> {
    files.into_iter().filter_map(|file| {
        let origin = file.strip_prefix(root()).unwrap_or(&file).display().to_string();
        // A jar is no text.
        Some((origin, String::from_utf8(fs_err::read(&file).unwrap()).ok()?))
    })
}

#[test]
fn documents_speak_the_fields_language() {
    let mut files: Vec<PathBuf> =
        ["README.md", "CHANGELOG.md", "CONTRIBUTING.md"].map(|name| root().join(name)).into();
    below(&root().join("docs"), &mut files);
    assert!(files.len() > 10, "{files:?}");
    files.retain(|file| HELP_DONE || !file.ends_with("docs/commands.md"));
    assert_clean(texts(files));
}

#[test]
fn help_speaks_the_fields_language() {
    if HELP_DONE {
        assert_clean([("--help".to_owned(), reference())]);
    }
}

#[test]
fn converted_code_speaks_the_fields_language() {
    let mut files = Vec::new();
    for folder in SRC_DONE {
        let path = root().join(folder);
        assert!(path.exists(), "SRC_DONE names {folder}, which does not exist");
        below(&path, &mut files);
    }
    assert_clean(texts(files));
}

#[test]
fn patterns_are_found_however_they_are_written() {
    let patterns = |text: &str| -> Vec<&str> { found_in(text).into_iter().map(|hit| hit.1).collect() };
    assert_eq!(patterns("The Classic\n    order"), ["classic order"]);
    assert_eq!(patterns("fn way_back() -> WayBack"), ["way* back", "way* back"]);
    assert_eq!(patterns("/// somebody's own job"), ["somebody*"]);
    assert_eq!(patterns("strays; a stray\ngeneration"), ["stray*", "stray*"]);
    assert_eq!(found_in("a\nb held\nback")[0].0, 2, "the line where it begins");
    // A part of another word, or of two clauses, is none.
    assert!(patterns("the output out of an entry outside; put, out; a personal outlet go").is_empty());
    assert!(patterns("the only way. Back to the start").is_empty());
}
