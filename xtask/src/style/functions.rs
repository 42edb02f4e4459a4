//! How long functions are, and how many are nearly the same.

use std::collections::{BTreeMap, BTreeSet};

use super::{Source, percent};
use crate::imports::code::{Token, blank, tokens};

/// How many different lines a function must have to be compared with others.
const COMPARED: usize = 6;
/// Two functions are alike where they share this many of a hundred lines.
const ALIKE: usize = 60;

/// The functions of some files.
pub struct Functions(Vec<Function>);

struct Function {
    lines: usize,
    /// The different lines of its body, without literals, comments and space.
    body: BTreeSet<String>,
}

impl Functions {
    pub fn of(sources: &[Source]) -> Self {
        Self(sources.iter().flat_map(|source| in_text(&source.text)).collect())
    }

    /// Returns the length of each, from the line of `fn` to the one of its last brace.
    pub fn lines(&self) -> Vec<usize> {
        self.0.iter().map(|function| function.lines).collect()
    }

    pub fn share_over(&self, limit: usize) -> String {
        percent(self.0.iter().filter(|function| function.lines > limit).count(), self.0.len())
    }

    /// Counts the pairs of functions that share nearly all of their lines, whatever their names and
    /// literals.
    pub fn alike_pairs(&self) -> usize {
        let compared: Vec<&BTreeSet<String>> =
            self.0.iter().map(|function| &function.body).filter(|body| body.len() >= COMPARED).collect();
        let mut with_line: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        let mut pairs = 0;
        for (at, body) in compared.iter().enumerate() {
            let mut shared: BTreeMap<usize, usize> = BTreeMap::new();
            for line in *body {
                let others = with_line.entry(line).or_default();
                for other in others.iter() {
                    *shared.entry(*other).or_default() += 1;
                }
                others.push(at);
            }
            let is_alike = |(other, shared): &(usize, usize)| {
                shared * 100 >= ALIKE * (body.len() + compared[*other].len() - shared)
            };
            pairs += shared.into_iter().filter(is_alike).count();
        }
        pairs
    }
}

fn in_text(text: &str) -> Vec<Function> {
    let blanked = blank(text);
    let lines: Vec<&str> = blanked.lines().collect();
    let tokens = tokens(&blanked);
    let mut found = Vec::new();
    for (at, pair) in tokens.windows(2).enumerate() {
        // `fn(u8)` is a type.
        if pair[0].text != "fn" || !pair[1].is_word() {
            continue;
        }
        if let Some((open, close)) = body(&tokens, at) {
            let inner = lines.get(tokens[open].line + 1..tokens[close].line).unwrap_or_default();
            found.push(Function {
                lines: tokens[close].line - tokens[at].line + 1,
                body: inner
                    .iter()
                    .map(|line| line.split_whitespace().collect::<String>())
                    .filter(|line| line.len() > 1)
                    .collect(),
            });
        }
    }
    found
}

/// Returns the braces of the function whose `fn` is at `at`; nothing for a declaration without a
/// body.
fn body(tokens: &[Token<'_>], at: usize) -> Option<(usize, usize)> {
    let mut nested = 0;
    let mut open = None;
    for (place, token) in tokens.iter().enumerate().skip(at) {
        match (token.text, open) {
            ("(" | "[", None) | ("{", Some(_)) => nested += 1,
            (")" | "]", None) => nested -= 1,
            (";", None) if nested == 0 => return None,
            ("{", None) if nested == 0 => {
                open = Some(place);
                nested = 1;
            }
            ("}", Some(open)) => {
                nested -= 1;
                if nested == 0 {
                    return Some((open, place));
                }
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Functions {
        Functions::of(&[Source { path: String::new(), text: text.to_owned() }])
    }

    #[test]
    fn a_function_reaches_from_fn_to_its_last_brace() {
        let text = "fn a() {}\n\
            /// fn x() {\n\
            fn b(c: [u8; 2]) -> Option<fn(u8)>\nwhere\n    A: B,\n{\n    if c { \"}\" }\n}\n\
            trait T {\n    fn d(&self);\n    fn e() {\n    }\n}\n";
        assert_eq!(of(text).lines(), [1, 6, 2]);
        assert_eq!(of(text).share_over(5), "33.3 %");
    }

    /// Calls of `call_N` for each of the numbers, with a literal.
    fn calls(numbers: std::ops::Range<u8>, literal: &str) -> String {
        let lines: Vec<String> = numbers.map(|number| format!("    call_{number}({literal});")).collect();
        format!("{{\n{}\n}}\n", lines.join("\n"))
    }

    #[test]
    fn functions_are_alike_whatever_their_names_and_literals() {
        let pairs = |first: &str, second: &str| of(&format!("fn a() {first}fn b() {second}")).alike_pairs();
        assert_eq!(pairs(&calls(0..10, "\"x\""), &calls(1..11, "\"yz\"")), 1);
        assert_eq!(pairs(&calls(0..10, "1"), &calls(5..15, "1")), 0, "half of the lines are others");
        assert_eq!(pairs(&calls(0..3, "1"), &calls(0..3, "1")), 0, "too short to say anything");
    }
}
