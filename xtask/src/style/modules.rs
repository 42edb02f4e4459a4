//! The module tree of a crate, and the file that a path leads to: through imports and re-exports to where the item is.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::Source;
use super::paths::{Contents, Found, Kind, read};

/// A module by the names on the way to it; the crate's root has none.
pub type ModulePath = Vec<String>;

/// Re-exports of re-exports are followed this far; a circle of them ends there.
const FOLLOWED: usize = 16;

/// The modules of a crate.
pub struct Modules<'a> {
    modules: BTreeMap<ModulePath, Module>,
    files: Vec<File<'a>>,
}

/// A file of the crate.
pub struct File<'a> {
    pub path: &'a str,
    pub module: ModulePath,
    contents: Contents,
}

#[derive(Default)]
struct Module {
    /// Its file, by its place in the list.
    file: usize,
    items: BTreeSet<String>,
    /// Names that it imports or re-exports, with their paths as they are written.
    names: BTreeMap<String, Vec<String>>,
    globs: Vec<Vec<String>>,
}

/// What a path leads to.
enum Target {
    /// Something in this file.
    Item(usize),
    Module(ModulePath),
}

impl<'a> Modules<'a> {
    /// Reads the crate whose root is `root` (`src/lib.rs`); programs beside a library are no part of it.
    pub fn of(sources: &'a [Source], root: &str) -> Self {
        let folder = Path::new(root).parent().unwrap_or(Path::new(""));
        let mut crate_ = Self { modules: BTreeMap::new(), files: Vec::new() };
        for source in sources {
            let Ok(path) = Path::new(&source.path).strip_prefix(folder) else { continue };
            let is_root = source.path == root;
            if !is_root && ["main.rs", "lib.rs"].iter().any(|name| path == Path::new(name)) {
                continue;
            }
            let module = if is_root { ModulePath::new() } else { module_of(path) };
            let contents = read(&source.text);
            crate_.files.push(File { path: &source.path, module, contents });
        }
        for file in 0..crate_.files.len() {
            crate_.enter(file);
        }
        crate_
    }

    fn enter(&mut self, file: usize) {
        let File { module, contents, .. } = &self.files[file];
        self.modules.entry(module.clone()).or_default().file = file;
        let inline = contents.paths.iter().map(|found| &found.inline);
        for names in inline.chain(contents.items.iter().map(|(names, _)| names)) {
            // Every module on the way, one that is empty but for others too.
            for length in 1..=names.len() {
                let path = [module.as_slice(), &names[..length]].concat();
                self.modules.entry(path).or_default().file = file;
            }
        }
        for (names, item) in &contents.items {
            let path = [module.as_slice(), names].concat();
            self.modules.entry(path).or_default().items.insert(item.clone());
        }
        for found in &contents.paths {
            let module = self.modules.entry([module.as_slice(), &found.inline].concat()).or_default();
            match &found.kind {
                Kind::Import { name } => _ = module.names.insert(name.clone(), found.path.clone()),
                Kind::Glob => module.globs.push(found.path.clone()),
                Kind::Written => {}
            }
        }
    }

    pub fn files(&self) -> &[File<'a>] {
        &self.files
    }

    /// Returns the files whose items a file uses, itself left out.
    pub fn used_by(&self, file: usize) -> BTreeSet<usize> {
        let File { module, contents, .. } = &self.files[file];
        let used = contents.paths.iter().filter_map(|found| self.file_of(module, found));
        used.filter(|used| *used != file).collect()
    }

    /// Returns the file that a path found in a module's file leads to; nothing for other crates.
    ///
    /// The import of a module alone uses nothing of it: what is used shows where its name is.
    fn file_of(&self, module: &[String], found: &Found) -> Option<usize> {
        let module = [module, &found.inline].concat();
        match (self.target(&module, &found.path, 0)?, &found.kind) {
            (Target::Item(file), _) => Some(file),
            (Target::Module(path), Kind::Glob) => Some(self.modules.get(&path)?.file),
            (Target::Module(_), _) => None,
        }
    }

    /// Follows a path as it is written in `module`.
    fn target(&self, module: &[String], path: &[String], followed: usize) -> Option<Target> {
        let (first, rest) = path.split_first()?;
        match first.as_str() {
            "crate" => self.descend(Vec::new(), rest, followed),
            "self" => self.descend(module.to_vec(), rest, followed),
            "super" => {
                let (_, parent) = module.split_last()?;
                if rest.is_empty() {
                    return Some(Target::Module(parent.to_vec()));
                }
                if rest[0] == "super" {
                    return self.target(parent, rest, followed);
                }
                self.descend(parent.to_vec(), rest, followed)
            }
            _ => self.named(module, path, followed),
        }
    }

    /// Follows a path whose first part is a name in `module`: of a child, an item or an import.
    fn named(&self, module: &[String], path: &[String], followed: usize) -> Option<Target> {
        let (first, rest) = path.split_first()?;
        let child = [module, std::slice::from_ref(first)].concat();
        if self.modules.contains_key(&child) {
            return self.descend(child, rest, followed);
        }
        let here = self.modules.get(module)?;
        if here.items.contains(first) {
            return Some(Target::Item(here.file));
        }
        if followed == FOLLOWED {
            return None;
        }
        if let Some(import) = here.names.get(first) {
            // `use serde_json::json` and `use json::json`: the crate, not the import itself.
            let itself = import.first() == Some(first);
            return if itself { None } else { self.target(module, &[import, rest].concat(), followed + 1) };
        }
        here.globs
            .iter()
            .find_map(|glob| self.target(module, &[glob.as_slice(), path].concat(), followed + 1))
    }

    /// Follows the rest of a path from a module on.
    fn descend(&self, module: ModulePath, rest: &[String], followed: usize) -> Option<Target> {
        if rest.is_empty() {
            return Some(Target::Module(module));
        }
        if rest[0] == "self" {
            return self.descend(module, &rest[1..], followed);
        }
        self.named(&module, rest, followed)
    }
}

/// `cli/args.rs` and `cli/args/mod.rs` are the module `cli::args`.
fn module_of(path: &Path) -> ModulePath {
    let mut names: ModulePath = path
        .with_extension("")
        .components()
        .map(|part| part.as_os_str().to_string_lossy().into_owned())
        .collect();
    if names.last().is_some_and(|name| name == "mod") {
        names.pop();
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(files: &[(&str, &str)]) -> Vec<Source> {
        let source =
            |(path, text): &(&str, &str)| Source { path: (*path).to_owned(), text: (*text).to_owned() };
        files.iter().map(source).collect()
    }

    /// What the first of some files uses.
    #[track_caller]
    fn used(files: &[(&str, &str)]) -> Vec<String> {
        let sources = sources(files);
        let modules = Modules::of(&sources, "src/lib.rs");
        let first = modules.files().iter().position(|file| file.path == files[0].0).unwrap();
        modules.used_by(first).into_iter().map(|file| modules.files()[file].path.to_owned()).collect()
    }

    #[test]
    fn files_are_modules() {
        let path = |path: &str| module_of(Path::new(path)).join("::");
        assert_eq!(["a.rs", "a/mod.rs", "a/b.rs", "a/b/c.rs"].map(path), ["a", "a", "a::b", "a::b::c"]);
        let other =
            sources(&[("src/main.rs", "use crate::x::y;"), ("src/x.rs", "fn y() {}"), ("tests/a.rs", "")]);
        assert_eq!(
            Modules::of(&other, "src/lib.rs").files().len(),
            1,
            "neither a program's root nor other folders"
        );
    }

    #[test]
    fn paths_lead_to_files() {
        let b = ("src/b.rs", "pub struct B; pub mod c { pub fn d() {} }");
        let e = ("src/a/e.rs", "pub fn f() {}");
        for (text, file) in [
            ("use crate::b::B;", "src/b.rs"),
            ("use crate::{x, b::{self, c::d}};", "src/b.rs"),
            ("fn g() { super::b::c::d() }", "src/b.rs"),
            ("use crate::b; fn g() { b::c::d() }", "src/b.rs"),
            ("use crate::b as h; fn g() { h::B }", "src/b.rs"),
            ("mod e; fn g() { e::f() }", "src/a/e.rs"),
            ("fn g() { self::e::f() }", "src/a/e.rs"),
            ("mod tests { use super::super::b::*; }", "src/b.rs"),
            ("mod tests { use super::*; fn g() { e::f() } }", "src/a/e.rs"),
        ] {
            assert_eq!(used(&[("src/a.rs", text), b, e]), [file], "{text}");
        }
        for nothing in
            ["use crate::b;", "use std::b::B;", "fn g() { serde::b::B }", "mod tests { use super::*; }"]
        {
            assert!(used(&[("src/a.rs", nothing), b, e]).is_empty(), "{nothing}");
        }
    }

    #[test]
    fn re_exports_lead_to_where_the_item_is() {
        let files = [
            ("src/a.rs", "use crate::b::{One, Two, Three};"),
            (
                "src/b/mod.rs",
                "mod c; mod d; mod e; pub use c::One; pub(crate) use d::*; pub use e::Four as Three;",
            ),
            ("src/b/c.rs", "pub struct One;"),
            ("src/b/d.rs", "pub enum Two { A }"),
            ("src/b/e.rs", "pub struct Four;"),
        ];
        assert_eq!(used(&files), ["src/b/c.rs", "src/b/d.rs", "src/b/e.rs"]);
    }

    #[test]
    fn re_exports_that_go_round_end() {
        let files = [
            ("src/a.rs", "pub use crate::b::X; pub use crate::b::*;"),
            ("src/b.rs", "pub use crate::a::X; pub use crate::a::*;"),
        ];
        assert_eq!(used(&files), ["src/b.rs"]);
    }
}
