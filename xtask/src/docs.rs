//! `cargo xtask docs`: a book of `docs/` by mdBook, in `target/book`.
//!
//! mdBook comes from crates.io into the user's cache, a folder for each version: a mdBook of the
//! user's own stays as it is.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::cache::Cache;
use crate::command::shown;
use crate::progress::{say, step};

const MDBOOK: &str = "0.5.4";

/// Makes the book, and says where it is.
pub fn run(project: &Path) -> Result<()> {
    let mdbook = mdbook(&Cache::open()?)?;
    let book = project.join("target/book");
    let pages = tempfile::tempdir()?;
    let settings = fs_err::read_to_string(project.join("docs/book.toml"))?;
    let address = repository(&settings).context("docs/book.toml has no git-repository-url")?;
    stage(&project.join("docs"), pages.path(), &address)?;
    shown(Command::new(mdbook).arg("build").arg(pages.path()).arg("--dest-dir").arg(&book))?;
    say(format_args!("{}", book.join("index.html").display()));
    Ok(())
}

/// Returns the program, which is built where the cache does not have it.
fn mdbook(cache: &Cache) -> Result<PathBuf> {
    let root = cache.folder(&format!("mdbook-{MDBOOK}"))?;
    let program = root.join("bin/mdbook");
    if !program.exists() {
        step(&format!("building mdBook {MDBOOK}, some minutes"), || {
            let mut cargo = Command::new("cargo");
            cargo.args(["install", "--quiet", "--locked", "--version", MDBOOK, "--root"]);
            shown(cargo.arg(&root).arg("mdbook"))
        })?;
    }
    Ok(program)
}

/// Returns the address of the repository that the book's settings name.
fn repository(settings: &str) -> Option<String> {
    let line = settings.lines().find_map(|line| line.trim().strip_prefix("git-repository-url"))?;
    let value = line.trim_start().strip_prefix('=')?.trim();
    Some(value.trim_matches('"').trim_end_matches('/').to_owned())
}

/// Copies the pages; what they link outside of their folder, the book has not, so that leads to the
/// repository.
fn stage(docs: &Path, to: &Path, address: &str) -> Result<()> {
    for entry in fs_err::read_dir(docs)? {
        let entry = entry?;
        let text = fs_err::read_to_string(entry.path())?;
        fs_err::write(to.join(entry.file_name()), links_outside(&text, address))?;
    }
    Ok(())
}

/// `](../README.md)` as `](https://…/blob/main/README.md)`.
fn links_outside(text: &str, address: &str) -> String {
    text.replace("](../", &format!("]({address}/blob/main/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_out_of_the_book_lead_to_the_repository() {
        let text = "[a](state.md#b), [c](../packages/flink/README.md)";
        let staged = "[a](state.md#b), [c](https://host/x/blob/main/packages/flink/README.md)";
        assert_eq!(links_outside(text, "https://host/x"), staged);
    }

    #[test]
    fn the_repository_is_read_from_the_settings() {
        let settings = "[output.html]\ngit-repository-url = \"https://host/x/\"\n";
        assert_eq!(repository(settings).as_deref(), Some("https://host/x"));
        assert_eq!(repository("[book]\n"), None);
    }
}
