//! The paths in a file's code: of its `use` declarations, and those written out in expressions and
//! types.

use super::code::{Token, blank, tokens};

/// A path in the code of a module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The modules within the file (`mod tests { … }`) that it is in.
    pub inline: Vec<String>,
    /// Its parts, `crate`, `self` and `super` among them.
    pub path: Vec<String>,
    pub kind: Kind,
}

/// Where a path stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// In a `use`, under the name that it has from there on.
    Import { name: String },
    /// In a `use`, with a `*` at its end.
    Glob,
    /// In an expression or a type.
    Written,
}

/// The paths and items that a file's text has.
#[derive(Debug, Default)]
pub struct Contents {
    pub paths: Vec<Found>,
    /// Items that are defined in it: the modules within the file that they are in, and their names.
    pub items: Vec<(Vec<String>, String)>,
}

/// Words before the name of an item.
const DEFINES: &[&str] = &["fn", "struct", "enum", "union", "trait", "type", "const", "static"];

/// Reads the text of a file.
pub fn read(text: &str) -> Contents {
    let blanked = blank(text);
    let tokens = tokens(&blanked);
    let mut reader =
        Reader { tokens: &tokens, at: 0, depth: 0, inline: Vec::new(), contents: Contents::default() };
    while reader.at < tokens.len() {
        reader.step();
    }
    reader.contents
}

struct Reader<'a> {
    tokens: &'a [Token<'a>],
    at: usize,
    depth: usize,
    /// Modules within the file, each with the depth of braces in it.
    inline: Vec<(String, usize)>,
    contents: Contents,
}

impl<'a> Reader<'a> {
    fn text(&self, at: usize) -> &'a str {
        self.tokens.get(at).map_or("", |token| token.text)
    }

    fn is_word(&self, at: usize) -> bool {
        self.tokens.get(at).is_some_and(Token::is_word)
    }

    fn step(&mut self) {
        let at = self.at;
        self.at += 1;
        match self.text(at) {
            "{" => self.depth += 1,
            "}" => {
                if self.inline.last().is_some_and(|(_, depth)| *depth == self.depth) {
                    self.inline.pop();
                }
                self.depth = self.depth.saturating_sub(1);
            }
            "mod" if self.is_word(at + 1) && self.text(at + 2) == "{" => {
                self.depth += 1;
                self.inline.push((self.text(at + 1).to_owned(), self.depth));
                self.at = at + 3;
            }
            // `use<'a>` is a bound.
            "use" if self.is_word(self.at) || ["{", "::"].contains(&self.text(self.at)) => {
                self.tree(&mut Vec::new());
            }
            word if DEFINES.contains(&word) && self.is_word(at + 1) => self.item(at + 1),
            "macro_rules" if self.is_word(at + 2) => self.item(at + 2),
            _ if self.is_word(at) && self.text(at + 1) == "::" && !self.continues(at) => self.written(at),
            _ => {}
        }
    }

    /// Tells whether the word is a later part of a path or a call.
    fn continues(&self, at: usize) -> bool {
        at > 0 && ["::", "."].contains(&self.text(at - 1))
    }

    fn modules(&self) -> Vec<String> {
        self.inline.iter().map(|(name, _)| name.clone()).collect()
    }

    /// Records an item, unless it is within another one (a method, a function's own).
    fn item(&mut self, name: usize) {
        if self.inline.last().map_or(0, |(_, depth)| *depth) == self.depth {
            self.contents.items.push((self.modules(), self.text(name).to_owned()));
        }
    }

    fn written(&mut self, mut at: usize) {
        let mut path = vec![self.text(at).to_owned()];
        while self.text(at + 1) == "::" && self.is_word(at + 2) {
            path.push(self.text(at + 2).to_owned());
            at += 2;
        }
        self.at = at + 1;
        self.push(path, Kind::Written);
    }

    fn push(&mut self, path: Vec<String>, kind: Kind) {
        let inline = self.modules();
        self.contents.paths.push(Found { inline, path, kind });
    }

    /// Reads one tree of a `use`, below a prefix: `a::{b, c::*, d as e}`. Stops at what ends it.
    fn tree(&mut self, prefix: &mut Vec<String>) {
        let outer = prefix.len();
        loop {
            let at = self.at;
            self.at += 1;
            match self.text(at) {
                "::" => {}
                "{" => {
                    while !["}", ""].contains(&self.text(self.at)) {
                        self.tree(prefix);
                        self.at += usize::from(self.text(self.at) == ",");
                    }
                    self.at += 1;
                    break;
                }
                "*" => {
                    self.push(prefix.clone(), Kind::Glob);
                    break;
                }
                _ if self.is_word(at) => {
                    prefix.push(self.text(at).to_owned());
                    if self.text(self.at) != "::" {
                        self.leaf(prefix, outer);
                        break;
                    }
                }
                // Not Rust as it is written: go on behind it.
                _ => break,
            }
        }
        prefix.truncate(outer);
    }

    /// Records the path of a name that is imported; `a::self` is `a`.
    fn leaf(&mut self, path: &[String], outer: usize) {
        let path = if path.len() > 1 && outer > 0 && path.last().is_some_and(|last| last == "self") {
            &path[..path.len() - 1]
        } else {
            path
        };
        let mut name = path.last().cloned().unwrap_or_default();
        if self.text(self.at) == "as" {
            self.text(self.at + 1).clone_into(&mut name);
            self.at += 2;
        }
        self.push(path.to_vec(), Kind::Import { name });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `tests: a::b as c`, `a::*`, `written a::b`.
    fn paths(text: &str) -> Vec<String> {
        let show = |found: Found| {
            let path = found.path.join("::");
            let shown = match found.kind {
                Kind::Import { name } if found.path.last() == Some(&name) => path,
                Kind::Import { name } => format!("{path} as {name}"),
                Kind::Glob => format!("{path}::*"),
                Kind::Written => format!("written {path}"),
            };
            [found.inline.as_slice(), &[shown]].concat().join(": ")
        };
        read(text).paths.into_iter().map(show).collect()
    }

    #[test]
    fn trees_of_use_are_taken_apart() {
        let text = "pub use crate::a;\nuse super::{b, c::{self, d as e, f::*}, self};\nuse {g::h, ::i::j};\n";
        assert_eq!(
            paths(text),
            [
                "crate::a",
                "super::b",
                "super::c",
                "super::c::d as e",
                "super::c::f::*",
                "super",
                "g::h",
                "i::j"
            ]
        );
    }

    #[test]
    fn paths_are_found_in_expressions_and_types() {
        let text = "fn a(b: &crate::c::D) -> Vec<super::E> {\n  // crate::x::y\n  f::g::<u8>(\"crate::x\", h.i::<J>(), <K as l::M>::N)\n}";
        assert_eq!(paths(text), ["written crate::c::D", "written super::E", "written f::g", "written l::M"]);
        assert!(paths("fn a<'b>() -> impl C + use<'b> {}").is_empty());
    }

    #[test]
    fn modules_within_a_file_are_known() {
        let text = "mod a { use super::b; mod c { fn d() { e::f() } } use g::h; }\nuse i::j;\nmod k;\n";
        assert_eq!(paths(text), ["a: super::b", "a: c: written e::f", "a: g::h", "i::j"]);
    }

    #[test]
    fn items_are_those_of_a_module_not_methods() {
        let text = "pub struct A { b: u8 }\nimpl A { fn c() {} }\nmod d { const E: u8 = 1; }\nmacro_rules! f { () => {} }\n";
        let items: Vec<(usize, String)> =
            read(text).items.into_iter().map(|(inline, name)| (inline.len(), name)).collect();
        assert_eq!(items, [(0, "A".to_owned()), (1, "E".to_owned()), (0, "f".to_owned())]);
    }

    #[test]
    fn broken_code_ends() {
        for text in
            ["use", "use {", "use a::{b", "use a::", "use ;", "use a::{,}", "mod a {", "}}", "use a as"]
        {
            read(text);
        }
    }
}
