//! Files that use each other in a circle.
//!
//! What a module uses of its own children is no part of one: a parent and its child are one thing.

use std::collections::BTreeSet;

use super::Source;
use super::modules::Modules;

/// Returns the files of the largest circle in the crate with this root, in order; none where nothing goes round.
pub fn largest_circle(sources: &[Source], root: &str) -> Vec<String> {
    let modules = Modules::of(sources, root);
    let files = modules.files();
    let used = |file: usize| -> BTreeSet<usize> {
        let is_below = |other: &usize| files[*other].module.starts_with(&files[file].module);
        modules.used_by(file).into_iter().filter(|other| !is_below(other)).collect()
    };
    let edges: Vec<BTreeSet<usize>> = (0..files.len()).map(used).collect();
    let circle = largest_component(&edges);
    circle.into_iter().map(|file| files[file].path.to_owned()).collect()
}

/// Returns the largest set of more than one node in which each reaches all others; the first of several.
fn largest_component(edges: &[BTreeSet<usize>]) -> BTreeSet<usize> {
    let reached: Vec<BTreeSet<usize>> = (0..edges.len()).map(|node| reachable(edges, node)).collect();
    let mut largest = BTreeSet::new();
    for (node, from_here) in reached.iter().enumerate() {
        let circle: BTreeSet<usize> =
            from_here.iter().copied().filter(|other| reached[*other].contains(&node)).collect();
        if circle.len() > 1 && circle.len() > largest.len() {
            largest = circle;
        }
    }
    largest
}

/// Returns the nodes that can be reached from one, itself only where a way leads there again.
fn reachable(edges: &[BTreeSet<usize>], from: usize) -> BTreeSet<usize> {
    let mut found = BTreeSet::new();
    let mut open = vec![from];
    while let Some(node) = open.pop() {
        open.extend(edges[node].iter().copied().filter(|next| found.insert(*next)));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn circle(files: &[(&str, &str)]) -> Vec<String> {
        let source =
            |(path, text): &(&str, &str)| Source { path: (*path).to_owned(), text: (*text).to_owned() };
        let sources: Vec<Source> = files.iter().map(source).collect();
        largest_circle(&sources, "src/lib.rs")
    }

    #[test]
    fn the_largest_circle_is_found() {
        let edges = [&[1][..], &[0], &[3], &[4], &[2, 0], &[5], &[5]].map(|to| to.iter().copied().collect());
        assert_eq!(largest_component(&edges), [2, 3, 4].into());
        assert!(largest_component(&[[0].into(), [0].into()]).is_empty());
    }

    #[test]
    fn files_that_name_each_other_are_a_circle() {
        let a = ("src/a.rs", "use crate::b::B; pub struct A;");
        let b = ("src/b.rs", "fn c() -> crate::d::D {} pub struct B;");
        let d = ("src/d.rs", "use super::a::A; pub struct D;");
        assert_eq!(circle(&[a, b, d]), ["src/a.rs", "src/b.rs", "src/d.rs"]);
        assert!(circle(&[a, b]).is_empty());
    }

    #[test]
    fn a_parent_and_its_children_are_none() {
        let parent = ("src/a/mod.rs", "mod b; mod c; pub use b::B; pub struct A; fn d() { c::e() }");
        let child = ("src/a/b.rs", "use super::A; pub struct B;");
        assert!(circle(&[parent, child, ("src/a/c.rs", "use super::A; pub fn e() {}")]).is_empty());
        // Two children that name each other are, through the parent's re-export too.
        let other = ("src/a/c.rs", "use super::B; pub fn e() {}");
        let child = ("src/a/b.rs", "pub struct B; fn d() { super::c::e() }");
        assert_eq!(circle(&[parent, child, other]), ["src/a/b.rs", "src/a/c.rs"]);
    }

    #[test]
    fn a_circle_that_leads_over_a_child_to_its_parent_is_found() {
        let parent = ("src/a/mod.rs", "use crate::d::D; pub struct A;");
        let child = ("src/a/b.rs", "use super::A; pub struct B;");
        let other = ("src/d.rs", "use crate::a::b::B; pub struct D;");
        assert_eq!(circle(&[parent, child, other]).len(), 3);
    }
}
