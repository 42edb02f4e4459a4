//! `cargo xtask style`: the shape of this code in figures, beside those of projects that it wants
//! to be read like.
//!
//! Reads the project's own files and its history, and nothing else. No figure is a rule; the tests
//! hold the rules.

mod comments;
mod functions;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::command::output;
use crate::imports::{circles, imports};

use self::comments::DocComments;
use self::functions::Functions;

/// How many commits are looked at where no revision is named.
const COMMITS: &str = "--max-count=50";
/// The longest subject of a commit, in characters.
const SUBJECT: usize = 72;
/// The widest line of the README, in columns.
const COLUMNS: usize = 120;
/// From how many lines on a function is a long one.
const LONG_FUNCTION: usize = 60;
/// Folders that hold the project's Rust.
const FOLDERS: &[&str] = &["src", "xtask/src", "tests"];
/// The crates of which circles are looked for, by their folders.
const CRATES: &[&str] = &["src/", "xtask/src/"];

/// Flags of `cargo xtask style`.
#[derive(clap::Args)]
pub struct Options {
    /// Look at the subjects of commits since this revision; without it at the last 50
    #[arg(long, value_name = "REV")]
    since: Option<String>,
}

/// A line of the table: what is measured, here, and in cargo, jj, uv, kube and helm (measured in
/// November 2026).
struct Row {
    what: &'static str,
    here: String,
    others: &'static str,
}

/// A file of the project: its path from the project's folder, and its text.
pub struct Source {
    pub path: String,
    pub text: String,
}

/// Prints the table, and the files of each circle.
pub fn run(project: &Path, options: &Options) -> Result<()> {
    let sources = sources(project)?;
    let readme = fs_err::read_to_string(project.join("README.md"))?;
    let subjects = subjects(project, options.since.as_deref())?;
    let circles: Vec<Vec<String>> = CRATES.iter().flat_map(|folder| circles_in(&sources, folder)).collect();
    print!("{}", table(&rows(&sources, &circles, &subjects, &readme)));
    for circle in circles {
        println!("\nthese files use each other:");
        println!("  {}", circle.join("\n  "));
    }
    Ok(())
}

fn rows(sources: &[Source], circles: &[Vec<String>], subjects: &[String], readme: &str) -> Vec<Row> {
    let lines: Vec<usize> = sources.iter().map(|source| source.text.lines().count()).collect();
    let functions = Functions::of(sources);
    let comments = DocComments::of(sources);
    let circle = circles.iter().map(Vec::len).max().unwrap_or_default();
    let row = |what, here, others| Row { what, here, others };
    vec![
        row(
            "file: lines, median / largest",
            format!("{} / {}", median(&lines), lines.iter().max().unwrap_or(&0)),
            "113–294 / 1354–6027",
        ),
        row(
            "function: lines, median; over 60",
            format!("{}; {}", median(&functions.lines()), functions.share_over(LONG_FUNCTION)),
            "8–15; 4.0–19.9 %",
        ),
        row(
            "alike pairs of functions per 100 files",
            format!("{:.1}", 100.0 * ratio(functions.alike_pairs(), sources.len())),
            "(a measure of its own)",
        ),
        row(
            "largest circle of files",
            if circle == 0 { "none".to_owned() } else { circle.to_string() },
            "0–158",
        ),
        row("doc comments of three words or less", comments.share_short(), "4–8 %"),
        row("doc comments that open with It, Whether, Who, What", comments.share_weak(), "2–5 %"),
        row(
            "commit subjects over 72 characters",
            format!("{} of {}", share_over(subjects, SUBJECT), subjects.len()),
            "4–11 %",
        ),
        row("README: lines over 120 columns", over_columns(readme), "3–23"),
    ]
}

/// Returns the circles among the files of a crate, the paths of their files from the project's
/// folder.
fn circles_in(sources: &[Source], folder: &str) -> Vec<Vec<String>> {
    let inside = sources.iter().filter_map(|source| Some((source.path.strip_prefix(folder)?, &source.text)));
    let files: BTreeMap<String, String> =
        inside.map(|(path, text)| (path.to_owned(), text.clone())).collect();
    let named = |circle: Vec<String>| circle.into_iter().map(|path| format!("{folder}{path}")).collect();
    circles(&imports(&files)).into_iter().map(named).collect()
}

/// Lays the rows out in columns.
fn table(rows: &[Row]) -> String {
    let width = |cell: fn(&Row) -> &str| rows.iter().map(|row| cell(row).chars().count()).max().unwrap_or(0);
    let (what, here) = (width(|row| row.what), width(|row| &row.here));
    let line = |row: &Row| format!("{:what$}  {:here$}  {}\n", row.what, row.here, row.others);
    let head = Row { what: "", here: "here".to_owned(), others: "cargo, jj, uv, kube, helm" };
    std::iter::once(&head).chain(rows).map(line).collect()
}

fn sources(project: &Path) -> Result<Vec<Source>> {
    let mut found = Vec::new();
    for folder in FOLDERS {
        collect(project, &project.join(folder), &mut found)?;
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

fn collect(project: &Path, folder: &Path, into: &mut Vec<Source>) -> Result<()> {
    for entry in fs_err::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(project, &path, into)?;
        } else if path.extension().is_some_and(|end| end == "rs") {
            let text = fs_err::read_to_string(&path)?;
            let path = path.strip_prefix(project).context("a file of the project is below its folder")?;
            into.push(Source { path: path.display().to_string(), text });
        }
    }
    Ok(())
}

/// Returns the subjects of the commits that are looked at, merges left out.
fn subjects(project: &Path, since: Option<&str>) -> Result<Vec<String>> {
    let mut git = Command::new("git");
    git.current_dir(project).args(["log", "--no-merges", "--format=%s"]);
    match since {
        Some(revision) => git.arg(format!("{revision}..HEAD")).arg("--"),
        None => git.arg(COMMITS),
    };
    Ok(output(&mut git)?.lines().map(str::to_owned).collect())
}

fn share_over(subjects: &[String], limit: usize) -> String {
    percent(subjects.iter().filter(|subject| subject.chars().count() > limit).count(), subjects.len())
}

fn over_columns(readme: &str) -> String {
    let wide = readme.lines().filter(|line| line.chars().count() > COLUMNS).count();
    format!("{wide} of {}", readme.lines().count())
}

/// Returns the middle one of the values, the upper one of two.
fn median(values: &[usize]) -> usize {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

fn percent(part: usize, whole: usize) -> String {
    format!("{:.1} %", 100.0 * ratio(part, whole))
}

#[allow(clippy::cast_precision_loss, reason = "counts of lines and files")]
fn ratio(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_right_for_none_one_and_many() {
        assert_eq!((median(&[]), median(&[3]), median(&[9, 1, 5])), (0, 3, 5));
        assert_eq!((percent(0, 0), percent(1, 3)), ("0.0 %".to_owned(), "33.3 %".to_owned()));
        let subjects = ["a".repeat(72), "ä".repeat(72), "a".repeat(73)];
        assert_eq!(share_over(&subjects, 72), "33.3 %");
        assert_eq!(over_columns(&format!("a\n{}\n", "b".repeat(121))), "1 of 2");
    }

    #[test]
    fn circles_are_those_of_one_crate() {
        let source = |path: &str, text: &str| Source { path: path.to_owned(), text: text.to_owned() };
        let sources = [
            source("src/a.rs", "use crate::b::B; pub struct A;"),
            source("src/b.rs", "use crate::a::A; pub struct B;"),
            source("xtask/src/a.rs", "use crate::b::B; pub struct A;"),
        ];
        assert_eq!(circles_in(&sources, "src/"), [["src/a.rs", "src/b.rs"]]);
        assert!(circles_in(&sources, "xtask/src/").is_empty());
    }

    #[test]
    fn the_table_is_in_columns() {
        let row = |what, here: &str| Row { what, here: here.to_owned(), others: "1–2" };
        assert_eq!(
            table(&[row("long name", "1"), row("b", "12345")]),
            "           here   cargo, jj, uv, kube, helm\nlong name  1      1–2\nb          12345  1–2\n"
        );
    }

    #[test]
    fn every_row_is_there_for_a_small_project() {
        let source = Source { path: "src/lib.rs".to_owned(), text: "/// It is.\nfn a() {}\n".to_owned() };
        let rows = rows(&[source], &[], &["subject".to_owned()], "# Name\n");
        let here: Vec<&str> = rows.iter().map(|row| row.here.as_str()).collect();
        assert_eq!(here, ["2 / 2", "1; 0.0 %", "0.0", "none", "100.0 %", "100.0 %", "0.0 % of 1", "0 of 1"]);
    }
}
