//! Output held against a recorded one; what differs from run to run is `[..]` in both.
//!
//! `SNAPSHOTS=overwrite cargo xtask test` records anew.

use std::path::Path;

/// Holds output against `tests/snapshots/NAME.txt`, redacted; it must also fit into 80 columns
/// without colours.
#[track_caller]
pub fn assert_snapshot(name: &str, text: &str) {
    assert!(!text.contains('\u{1b}'), "colours in {name}: {text:?}");
    for line in text.lines() {
        // A path or an id is one word that the user copies: it is not broken.
        let breakable = !line.contains("file:/");
        assert!(!breakable || line.chars().count() <= 80, "more than 80 columns in {name}: {line}");
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots").join(format!("{name}.txt"));
    // Raw: snapbox would take each `\` for a `/`.
    let recorded = snapbox::Data::read_from(&path, None).raw();
    snapbox::Assert::new().action_env("SNAPSHOTS").eq(redact(text), recorded);
}

/// The text with `[..]` for ids, times, namespaces of tests, seconds and sizes.
pub fn redact(text: &str) -> String {
    text.split_inclusive('\n').map(|line| words(&times(line))).collect()
}

/// `2026-01-31 09:15:00` as `[..]`.
fn times(line: &str) -> String {
    let shape = "dddd-dd-dd dd:dd:dd";
    let is_time = |text: &str| {
        text.len() >= shape.len()
            && text
                .bytes()
                .zip(shape.bytes())
                .all(|(byte, shape)| if shape == b'd' { byte.is_ascii_digit() } else { byte == shape })
    };
    let mut out = String::new();
    let mut rest = line;
    while let Some(c) = rest.chars().next() {
        if is_time(rest) {
            out.push_str("[..]");
            rest = &rest[shape.len()..];
        } else {
            out.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    out
}

/// Random parts of words, and numbers before a unit of time or size.
fn words(line: &str) -> String {
    let mut out = String::new();
    let mut word = String::new();
    let mut parts: Vec<String> = Vec::new();
    for c in line.chars() {
        if c.is_ascii_alphanumeric() {
            word.push(c);
            continue;
        }
        if !word.is_empty() {
            parts.push(std::mem::take(&mut word));
        }
        parts.push(c.to_string());
    }
    if !word.is_empty() {
        parts.push(word);
    }
    for (i, part) in parts.iter().enumerate() {
        let next = parts.get(i + 2).filter(|_| parts.get(i + 1).is_some_and(|space| space == " "));
        let number = part.bytes().all(|byte| byte.is_ascii_digit());
        let before = i.checked_sub(2).map(|at| parts[at].as_str());
        let counted = number
            && next.is_some_and(|unit| {
                ["ms", "bytes", "s"].contains(&unit.as_str())
                    || (unit == "at" && line.contains(" checkpoint "))
            });
        // Six random hex digits end a test's namespace and begin a savepoint's folder.
        let after_dash = i > 0 && parts[i - 1] == "-";
        let six = part.len() == 6 && after_dash && is_hex(part) && before.is_some();
        let twelve = part.len() == 12 && after_dash && is_hex(part);
        if counted || six || twelve || part.len() >= 32 && is_hex(part) {
            out.push_str("[..]");
        } else {
            out.push_str(part);
        }
    }
    out
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

#[test]
fn what_differs_from_run_to_run_is_redacted() {
    let text = "NAMESPACE:  t-session-0a1b2c\n\
        revision 2 of 2026-01-31 09:15:00\n  checkpoint  7 at 2026-01-31 09:15:00 (31 ms, 2048 bytes)\n\
        file:///flink-storage/t-session-0a1b2c/demo/savepoints/3-0123456789abcdef0123456789abcdef/savepoint-fc1eb5-9c54ab87be3e\n";
    assert_eq!(
        redact(text),
        "NAMESPACE:  t-session-[..]\n\
        revision 2 of [..]\n  checkpoint  [..] at [..] ([..] ms, [..] bytes)\n\
        file:///flink-storage/t-session-[..]/demo/savepoints/3-[..]/savepoint-[..]-[..]\n"
    );
}
