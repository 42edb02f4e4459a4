//! The module tree of a crate, and the file that a path leads to: through imports and re-exports to
//! where the item is.

use std::collections::{BTreeMap, BTreeSet};

use super::paths::{Contents, Found, Kind, read};

/// A module by the names on the way to it; the crate's root has none.
type ModulePath = Vec<String>;

/// Imports of imports are followed this far; a circle of re-exports ends there.
const FOLLOWED: usize = 16;

/// The modules of a crate.
pub struct Modules<'a> {
    modules: BTreeMap<ModulePath, Module>,
    files: Vec<File<'a>>,
}

struct File<'a> {
    path: &'a String,
    module: ModulePath,
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

/// The end of a path.
enum Target {
    /// Something in this file.
    Item(usize),
    Module(ModulePath),
    /// Something of another crate.
    Foreign,
}

impl<'a> Modules<'a> {
    /// Reads a crate from its files, by their paths in its `src`. A program beside a library is no
    /// part of it.
    pub fn of(files: &'a BTreeMap<String, String>) -> Self {
        let mut modules = Self { modules: BTreeMap::new(), files: Vec::new() };
        let is_library = files.contains_key("lib.rs");
        for (path, text) in files.iter().filter(|(path, _)| !(is_library && *path == "main.rs")) {
            modules.files.push(File { path, module: module_of(path), contents: read(text) });
        }
        for file in 0..modules.files.len() {
            modules.enter(file);
        }
        modules
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

    /// The files that each file uses, by their paths; those of its own children are left out.
    pub fn imports(&self) -> BTreeMap<String, BTreeSet<String>> {
        let used = |file: &File<'_>| {
            let used = file.contents.paths.iter().filter_map(|found| self.file_of(&file.module, found));
            let others = used.map(|used| &self.files[used]);
            // Its own module is below it, too.
            let others = others.filter(|other| !other.module.starts_with(&file.module));
            others.map(|other| other.path.clone()).collect()
        };
        self.files.iter().map(|file| (file.path.clone(), used(file))).collect()
    }

    /// The file that a path found in a module's file leads to; nothing for other crates.
    ///
    /// The import of a module alone uses nothing of it: what is used shows where its name is.
    fn file_of(&self, module: &[String], found: &Found) -> Option<usize> {
        let module = [module, &found.inline].concat();
        match (self.target(&module, &found.path, 0)?, &found.kind) {
            (Target::Item(file), _) => Some(file),
            (Target::Module(path), Kind::Glob) => Some(self.modules.get(&path)?.file),
            (Target::Module(_) | Target::Foreign, _) => None,
        }
    }

    /// Follows a path as it is written in `module`.
    fn target(&self, module: &[String], path: &[String], followed: usize) -> Option<Target> {
        let (first, rest) = path.split_first()?;
        match first.as_str() {
            "crate" => self.descend(&[], rest, followed),
            "self" => self.descend(module, rest, followed),
            "super" => {
                let (_, parent) = module.split_last()?;
                match rest.first() {
                    Some(next) if next == "super" => self.target(parent, rest, followed),
                    _ => self.descend(parent, rest, followed),
                }
            }
            _ => self.named(module, path, followed),
        }
    }

    /// Follows the rest of a path from a module on. A name that is not found there (what a macro
    /// makes) is in its file.
    fn descend(&self, module: &[String], rest: &[String], followed: usize) -> Option<Target> {
        if rest.is_empty() {
            return Some(Target::Module(module.to_vec()));
        }
        let file = self.modules.get(module).map(|module| Target::Item(module.file));
        self.named(module, rest, followed).or(file)
    }

    /// Follows a path whose first part is a name in `module`: of a child, an item or an import.
    /// Nothing where it is none.
    fn named(&self, module: &[String], path: &[String], followed: usize) -> Option<Target> {
        let (first, rest) = path.split_first()?;
        let child = [module, std::slice::from_ref(first)].concat();
        if self.modules.contains_key(&child) {
            return self.descend(&child, rest, followed);
        }
        let here = self.modules.get(module)?;
        if here.items.contains(first) {
            return Some(Target::Item(here.file));
        }
        if followed == FOLLOWED {
            return None;
        }
        if let Some(import) = here.names.get(first) {
            // `use json::json`: the crate of that name, not the import itself.
            let itself = import.first() == Some(first);
            let found = || self.target(module, &[import, rest].concat(), followed + 1);
            return if itself { None } else { found() }.or(Some(Target::Foreign));
        }
        here.globs.iter().find_map(|glob| match self.target(module, glob, followed + 1)? {
            Target::Module(other) if other != module => self.named(&other, path, followed + 1),
            _ => None,
        })
    }
}

/// `cli/args.rs` is `cli::args`, `cli/mod.rs` is `cli`, `lib.rs` and `main.rs` are the crate
/// itself.
fn module_of(file: &str) -> ModulePath {
    let mut parts: ModulePath = file.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    let is_root = matches!(&parts[..], [one] if one == "lib" || one == "main");
    if is_root || parts.last().is_some_and(|last| last == "mod") {
        parts.pop();
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the files that the first of some uses.
    #[track_caller]
    fn used(files: &[(&str, &str)]) -> Vec<String> {
        let all = files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        Modules::of(&all).imports()[files[0].0].iter().cloned().collect()
    }

    #[test]
    fn files_are_modules() {
        let path = |path: &str| module_of(path).join("::");
        assert_eq!(
            ["lib.rs", "a.rs", "a/mod.rs", "a/b.rs", "a/b/c.rs"].map(path),
            ["", "a", "a", "a::b", "a::b::c"]
        );
    }

    #[test]
    fn paths_lead_to_files() {
        let b = ("b.rs", "pub struct B; pub mod c { pub fn d() {} }");
        let e = ("a/e.rs", "pub fn f() {}");
        let z = ("z/y.rs", "use crate::b::B; use super::super::b::c::d;");
        assert_eq!(used(&[z, b]), ["b.rs"]);
        for (text, file) in [
            ("use crate::b::B;", "b.rs"),
            ("use crate::{x, b::{self, c::d}};", "b.rs"),
            ("fn g() { super::b::c::d() }", "b.rs"),
            ("use crate::b; fn g() { b::c::d() }", "b.rs"),
            ("use crate::b as h; fn g() { h::B }", "b.rs"),
            ("use crate::b::made_by_a_macro;", "b.rs"),
            ("mod tests { use super::super::b::*; }", "b.rs"),
            ("mod tests { use super::*; fn g() { b::B } } use crate::b;", "b.rs"),
        ] {
            assert_eq!(used(&[("a.rs", text), b, e]), [file], "{text}");
        }
        for nothing in [
            "use crate::b;",
            "use std::b::B;",
            "fn g() { serde::b::B }",
            "mod tests { use super::*; }",
            "mod e; fn g() { self::e::f() }",
        ] {
            assert!(used(&[("a.rs", nothing), b, e]).is_empty(), "{nothing}");
        }
    }

    #[test]
    fn re_exports_lead_to_where_the_item_is() {
        let files = [
            ("a.rs", "use crate::b::{One, Two, Three, Value};"),
            (
                "b/mod.rs",
                "pub use c::One; pub(crate) use d::*; pub use e::Four as Three; pub use serde_json::Value;",
            ),
            ("b/c.rs", "pub struct One;"),
            ("b/d.rs", "pub enum Two { A }"),
            ("b/e.rs", "pub struct Four;"),
        ];
        assert_eq!(used(&files), ["b/c.rs", "b/d.rs", "b/e.rs"], "and nothing for what is of another crate");
    }

    #[test]
    fn re_exports_that_go_round_end() {
        let a = ("a.rs", "pub use crate::b::X; pub use crate::b::*;");
        assert_eq!(used(&[a, ("b.rs", "pub use crate::a::X; pub use crate::a::*;")]), ["b.rs"]);
    }
}
