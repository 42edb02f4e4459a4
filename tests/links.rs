//! The documents hang together: the book has every page, links lead somewhere, and named files
//! exist.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn markdown_in(folder: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs_err::read_dir(root().join(folder)).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name.ends_with(".md") {
            found.push(format!("{folder}/{name}"));
        }
    }
    found.sort();
    found
}

/// Every document that links, by its path from the root.
fn documents() -> Vec<String> {
    let mut found: Vec<String> = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"].map(str::to_owned).into();
    found.extend(markdown_in("docs"));
    for entry in fs_err::read_dir(root().join("packages")).unwrap() {
        let package = entry.unwrap().file_name().into_string().unwrap();
        if root().join("packages").join(&package).is_dir() {
            found.extend(markdown_in(&format!("packages/{package}")));
        }
    }
    found
}

fn read(document: &str) -> String {
    fs_err::read_to_string(root().join(document)).unwrap()
}

/// The lines outside of code blocks, each with its number.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    text.lines().enumerate().filter_map(move |(at, line)| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        (!fence && !fenced).then_some((at + 1, line))
    })
}

/// Targets of `[text](target)` and `[text](<target>)` outside of code spans.
fn links(line: &str) -> Vec<String> {
    // A back-tick opens a span only where another one closes it; a link's text may hold spans.
    line.match_indices("](")
        .filter(|(at, _)| line[..*at].matches('`').count().is_multiple_of(2))
        .filter_map(|(at, _)| line[at + 2..].split_once(')'))
        .map(|(target, _)| target.trim_matches(['<', '>']).split(' ').next().unwrap_or_default().to_owned())
        .collect()
}

/// The anchor that GitHub and mdBook give a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().to_lowercase();
    let kept = kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// The anchors of a document; the second of the same name ends in `-1`.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let headings = prose(text).filter(|(_, line)| line.starts_with('#'));
    headings
        .map(|(_, line)| {
            let name = anchor(line.trim_start_matches('#'));
            let before = seen.entry(name.clone()).or_default();
            *before += 1;
            if *before == 1 { name } else { format!("{name}-{}", *before - 1) }
        })
        .collect()
}

/// A path without `.` and `..`; nothing where it leaves the project.
fn normal(path: &Path) -> Option<PathBuf> {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => out.push(name),
            Component::CurDir => {}
            Component::ParentDir if out.pop() => {}
            _ => return None,
        }
    }
    Some(out)
}

/// Why a link leads nowhere.
fn broken(document: &str, target: &str) -> Option<String> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let (file, heading) = target.split_once('#').map_or((target, None), |(file, at)| (file, Some(at)));
    let folder = Path::new(document).parent().unwrap_or(Path::new(""));
    let path = if file.is_empty() { Some(PathBuf::from(document)) } else { normal(&folder.join(file)) };
    let Some(path) = path else { return Some("leaves the project".to_owned()) };
    if !root().join(&path).exists() {
        return Some("there is no such file".to_owned());
    }
    let heading = heading.filter(|_| path.extension().is_some_and(|end| end == "md"))?;
    let there = anchors(&fs_err::read_to_string(root().join(&path)).unwrap());
    (!there.contains(heading)).then(|| "there is no such heading".to_owned())
}

#[test]
fn every_link_leads_somewhere() {
    let mut wrong = Vec::new();
    let mut seen = 0;
    for document in documents() {
        let text = read(&document);
        for (at, line) in prose(&text) {
            for target in links(line) {
                seen += 1;
                wrong.extend(
                    broken(&document, &target).map(|why| format!("{document}:{at}: {target}: {why}")),
                );
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(seen > 50, "only {seen} links were found: they are written in another way now");
}

#[test]
fn broken_links_are_found() {
    assert_eq!(links("see [a](b.md#c), `[no](d.md)` and [`e`](<f.md>)"), ["b.md#c", "f.md"]);
    assert_eq!(broken("README.md", "docs/README.md"), None);
    assert_eq!(broken("docs/state.md", "output.md#exit-codes"), None);
    assert_eq!(broken("docs/state.md", "#state"), None);
    assert_eq!(broken("docs/state.md", "nothing.md").unwrap(), "there is no such file");
    assert_eq!(broken("docs/state.md", "output.md#nothing").unwrap(), "there is no such heading");
    assert_eq!(broken("README.md", "../README.md").unwrap(), "leaves the project");
    assert_eq!(anchor(" `kubectl flink job list`, and more"), "kubectl-flink-job-list-and-more");
    let twice = anchors("# A b\n## A b\n```sh\n# no heading\n```\n");
    assert_eq!(twice, ["a-b", "a-b-1"].map(str::to_owned).into());
}

#[test]
fn the_book_has_every_page_once() {
    let summary = read("docs/SUMMARY.md");
    let mut listed: Vec<String> =
        summary.lines().flat_map(links).map(|target| format!("docs/{target}")).collect();
    listed.sort();
    let pages: Vec<String> =
        markdown_in("docs").into_iter().filter(|page| page != "docs/SUMMARY.md").collect();
    assert_eq!(listed, pages, "docs/SUMMARY.md, and the pages that there are");
}

/// `src/cli/commands/`, `tests/upgrade.rs`: a code span that names a file of the project.
#[test]
fn named_files_exist() {
    let folders: Vec<String> = fs_err::read_dir(root())
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().is_dir() && entry.file_name() != "target")
        .map(|entry| format!("{}/", entry.file_name().to_str().unwrap()))
        .collect();
    let mut seen = 0;
    for document in documents().iter().filter(|document| !document.starts_with("packages/")) {
        let text = read(document);
        for (at, line) in prose(&text) {
            for span in line.split('`').skip(1).step_by(2) {
                let whole = !span.contains([' ', '*', '<', '{']);
                if whole && folders.iter().any(|folder| span.starts_with(folder.as_str())) {
                    seen += 1;
                    assert!(root().join(span).exists(), "{document}:{at}: there is no {span}");
                }
            }
        }
    }
    assert!(seen > 20, "only {seen} named files were found: they are written in another way now");
}
