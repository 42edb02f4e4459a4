//! Which files of a crate use which others, and the circles among them.
//!
//! A reader of Rust that is far from a parser and enough for this: imports, groups and re-exports
//! are followed to the file where the item is; comments and what stands in strings are no code.
//! What a module uses of its own children does not count: a parent and its child may name each
//! other.

pub mod code;
mod modules;
mod paths;

use std::collections::{BTreeMap, BTreeSet};

use modules::Modules;

/// The files that each file uses, by their paths in the crate's `src`; those of its own children
/// are left out.
pub fn imports(files: &BTreeMap<String, String>) -> BTreeMap<String, BTreeSet<String>> {
    Modules::of(files).imports()
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

#[cfg(test)]
mod tests {
    use super::*;

    fn circles_of(files: &[(&str, &str)]) -> Vec<Vec<String>> {
        let files = files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        circles(&imports(&files))
    }

    #[test]
    fn a_circle_is_found_and_a_family_is_none() {
        let files = [
            ("lib.rs", "pub mod a;"),
            ("a/mod.rs", "use self::b::B; use self::c::C;"),
            ("a/b.rs", "use super::A; use super::c::C;"),
            ("a/c.rs", "use crate::d::D;"),
            ("d.rs", "use crate::a::b::B;"),
            ("e.rs", "use crate::d;"),
        ];
        assert_eq!(circles_of(&files), [["a/b.rs", "a/c.rs", "d.rs"]]);
    }

    #[test]
    fn children_that_use_each_other_are_a_circle_through_their_parents_re_export_too() {
        let parent = ("a/mod.rs", "mod b; mod c; pub use b::B; pub struct A; fn d() { c::e() }");
        let child = ("a/b.rs", "use super::A; pub struct B;");
        assert!(circles_of(&[parent, child, ("a/c.rs", "use super::A; pub fn e() {}")]).is_empty());
        let child = ("a/b.rs", "pub struct B; fn d() { super::c::e() }");
        assert_eq!(circles_of(&[parent, child, ("a/c.rs", "use super::B;")]), [["a/b.rs", "a/c.rs"]]);
    }

    #[test]
    fn a_circle_that_leads_over_a_child_to_its_parent_is_found() {
        let parent = ("a/mod.rs", "use crate::d::D; pub struct A;");
        let child = ("a/b.rs", "use super::A; pub struct B;");
        let other = ("d.rs", "use crate::a::b::B; pub struct D;");
        assert_eq!(circles_of(&[parent, child, other]), [["a/b.rs", "a/mod.rs", "d.rs"]]);
    }
}
