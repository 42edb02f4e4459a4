//! Reading a template's source for the names that it uses.
//!
//! Tera looks a name up only when it gets there, and says nothing of an undefined one in `if`, `==`
//! or `~`. So the literal paths (`values.image.tag`) are read off the source, wherever they stand.
//! This is no parser: whether the source is a template at all is for Tera to say.

use std::collections::BTreeSet;
use std::ops::Range;

/// A literal path: `values.image.tag`, `values["image"].tag`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reference {
    pub(super) root: String,
    /// The path that follows, up to the first index that is computed.
    pub(super) path: Vec<String>,
    /// Where it stands, in bytes.
    pub(super) span: Range<usize>,
    /// In a component, whose parameters do not name the root.
    pub(super) invisible: bool,
}

/// The names in a template.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// All references, in their order.
    pub(super) references: Vec<Reference>,
    /// Names that the template gives a meaning of its own: `set`, `for`, a component's parameters.
    pub(super) assigned: BTreeSet<String>,
}

/// Reads the names off `source`.
pub(super) fn names(source: &str) -> Names {
    let mut scan = Scan { source, names: Names::default(), component: None };
    let mut at = 0;
    while let Some(next) = opening(source, at) {
        let opening = &source[next..next + 2];
        at = match opening {
            "{#" => end_of(source, next + 2, "#}"),
            "{{" => scan.code(next + 2, "}}"),
            _ => scan.tag(next + 2),
        };
    }
    scan.names
}

/// The next `{{`, `{%` or `{#`.
fn opening(source: &str, from: usize) -> Option<usize> {
    let bytes = source.as_bytes().get(from..)?;
    bytes.windows(2).position(|two| matches!(two, b"{{" | b"{%" | b"{#")).map(|index| from + index)
}

fn find(source: &str, from: usize, pattern: &str) -> Option<usize> {
    source.get(from..)?.find(pattern).map(|index| from + index)
}

fn end_of(source: &str, from: usize, pattern: &str) -> usize {
    find(source, from, pattern).map_or(source.len(), |index| index + pattern.len())
}

struct Scan<'a> {
    source: &'a str,
    names: Names,
    /// The names that the component around sees of the context: those declared with `@`.
    component: Option<BTreeSet<String>>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Token<'a> {
    Name(&'a str),
    Text(&'a str),
    Mark(char),
}

/// A token, where it begins and where it ends.
type Placed<'a> = (Token<'a>, usize, usize);

impl<'a> Scan<'a> {
    /// A `{% … %}`; gives where to go on.
    fn tag(&mut self, start: usize) -> usize {
        let rest = self.source[start..].trim_start_matches('-').trim_start();
        let word: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        if word == "raw" {
            return find(self.source, start, "endraw")
                .map_or(self.source.len(), |index| end_of(self.source, index, "%}"));
        }
        let end = self.end_of_code(start, "%}");
        let tokens = self.tokens(start, end);
        match word.as_str() {
            "component" => self.component = Some(self.parameters(&tokens)),
            "endcomponent" => self.component = None,
            "set" | "set_global" => self.assign(tokens.get(1)),
            _ => {}
        }
        if !matches!(word.as_str(), "component" | "endcomponent") {
            self.references(&tokens);
        }
        end + 2
    }

    fn code(&mut self, start: usize, close: &str) -> usize {
        let end = self.end_of_code(start, close);
        let tokens = self.tokens(start, end);
        self.references(&tokens);
        end + 2
    }

    /// The names with `@` of a component; those without are names of its own.
    fn parameters(&mut self, tokens: &[Placed<'a>]) -> BTreeSet<String> {
        let mut visible = BTreeSet::from(["body".to_owned()]);
        let open = tokens.iter().position(|(token, ..)| *token == Token::Mark('(')).unwrap_or(tokens.len());
        for (index, (token, ..)) in tokens.iter().enumerate().skip(open) {
            let Token::Name(name) = token else { continue };
            match index.checked_sub(1).map(|before| &tokens[before].0) {
                Some(Token::Mark('@')) => {
                    visible.insert((*name).to_owned());
                }
                Some(Token::Mark('(' | ',' | '.')) => {
                    visible.insert((*name).to_owned());
                    self.names.assigned.insert((*name).to_owned());
                }
                _ => {}
            }
        }
        visible
    }

    fn assign(&mut self, token: Option<&Placed<'a>>) {
        if let Some((Token::Name(name), ..)) = token {
            self.names.assigned.insert((*name).to_owned());
        }
    }

    fn references(&mut self, tokens: &[Placed<'a>]) {
        let mut index = 0;
        while index < tokens.len() {
            let (token, start, mut end) = tokens[index];
            let before = index.checked_sub(1).map(|before| tokens[before].0);
            index += 1;
            let Token::Name(root) = token else { continue };
            if root == "for" {
                // `for a, b in …`, in a tag and in a list comprehension
                self.assign(tokens.get(index));
                if tokens.get(index + 1).is_some_and(|(token, ..)| *token == Token::Mark(',')) {
                    self.assign(tokens.get(index + 2));
                }
            }
            let next = tokens.get(index).map(|(token, ..)| token);
            let after_next = tokens.get(index + 1).map(|(token, ..)| token);
            let keyword = next == Some(&Token::Mark('=')) && after_next != Some(&Token::Mark('='));
            let component = before == Some(Token::Mark('<'))
                && tokens[index - 1].1.checked_sub(1).map(|at| &self.source[at..=at]) == Some("<");
            // After a `.` or a `|` a name is an attribute or a filter; after `</` a component.
            let part = match before {
                Some(Token::Mark('.' | '|')) => true,
                Some(Token::Mark('/')) => index >= 3 && tokens[index - 3].0 == Token::Mark('<'),
                _ => false,
            };
            if part || keyword || component || next == Some(&Token::Mark('(')) {
                continue;
            }
            let mut path = Vec::new();
            while let Some((part, used, to)) = step(&tokens[index..]) {
                path.push(part);
                index += used;
                end = to;
            }
            let invisible = self.component.as_ref().is_some_and(|visible| !visible.contains(root));
            self.names.references.push(Reference {
                root: root.to_owned(),
                path,
                span: start..end,
                invisible,
            });
        }
    }

    /// Where the code that begins at `start` ends: its closing mark, outside of strings. Tera takes
    /// the first, also where it would close two maps: there one writes `} }`.
    fn end_of_code(&self, start: usize, close: &str) -> usize {
        let bytes = self.source.as_bytes();
        let mut at = start;
        while at < bytes.len() {
            match bytes[at] {
                quote @ (b'"' | b'\'' | b'`') => at = end_of_string(bytes, at, quote),
                _ if bytes[at..].starts_with(close.as_bytes()) => return at,
                _ => at += 1,
            }
        }
        bytes.len()
    }

    fn tokens(&self, start: usize, end: usize) -> Vec<Placed<'a>> {
        let bytes = self.source.as_bytes();
        let mut tokens = Vec::new();
        let mut at = start;
        while at < end {
            let from = at;
            let byte = bytes[at];
            if byte == b'"' || byte == b'\'' || byte == b'`' {
                at = end_of_string(bytes, at, byte).min(end);
                let text = self.source.get(from + 1..at.saturating_sub(1)).unwrap_or_default();
                tokens.push((Token::Text(text), from, at));
            } else if byte.is_ascii_alphabetic() || byte == b'_' {
                while at < end && (bytes[at].is_ascii_alphanumeric() || bytes[at] == b'_') {
                    at += 1;
                }
                tokens.push((Token::Name(&self.source[from..at]), from, at));
            } else if byte.is_ascii_digit() {
                while at < end && (bytes[at].is_ascii_digit() || bytes[at] == b'.') {
                    at += 1;
                }
                tokens.push((Token::Mark('0'), from, at));
            } else {
                at += 1;
                if !byte.is_ascii_whitespace() {
                    tokens.push((Token::Mark(char::from(byte)), from, at));
                }
            }
        }
        tokens
    }
}

/// One step of a path: `.name`, `?.name` or `["name"]`; the name, the tokens it took, where it
/// ends.
fn step(tokens: &[Placed<'_>]) -> Option<(String, usize, usize)> {
    let optional = usize::from(matches!(tokens.first(), Some((Token::Mark('?'), ..))));
    match tokens.get(optional..)? {
        [(Token::Mark('.'), ..), (Token::Name(name), _, end), ..] => {
            Some(((*name).to_owned(), optional + 2, *end))
        }
        [(Token::Mark('['), ..), (Token::Text(name), ..), (Token::Mark(']'), _, end), ..] => {
            Some(((*name).to_owned(), optional + 3, *end))
        }
        _ => None,
    }
}

fn end_of_string(bytes: &[u8], start: usize, quote: u8) -> usize {
    let mut at = start + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            byte if byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(source: &str) -> Vec<String> {
        let join = |reference: &Reference| {
            std::iter::once(&reference.root).chain(&reference.path).cloned().collect::<Vec<_>>().join("/")
        };
        names(source).references.iter().map(join).filter(|path| path.contains('/')).collect()
    }

    #[test]
    fn literal_paths_wherever_they_stand() {
        assert_eq!(paths("{{ values.a.b | quote }}"), ["values/a/b"]);
        assert_eq!(
            paths("{% if values.a and not values.b == values.c %}{% endif %}"),
            ["values/a", "values/b", "values/c"]
        );
        assert_eq!(paths("{%- for x in values.list -%}{{ x.y }}{% endfor %}"), ["values/list", "x/y"]);
        assert_eq!(paths(r#"{{ values["a.b"].c[0].d }}"#), ["values/a.b/c"]);
        assert_eq!(paths("{{ values?.a?.b }}"), ["values/a/b"]);
        assert_eq!(paths("{{ f(x=values.a) ~ '}}' ~ values.b }}"), ["values/a", "values/b"]);
        assert_eq!(paths("{{ x | default(value=values.a) | to_yaml(indent=2) }}"), ["values/a"]);
        assert_eq!(
            paths("{{ {\"k\": {\"l\": values.a} } | merge(with=values.b) }}"),
            ["values/a", "values/b"]
        );
        assert_eq!(paths("{{<c x={values.a} y={1}/>}}"), ["values/a"]);
    }

    #[test]
    fn what_is_no_reference() {
        assert_eq!(
            paths("{# values.a #} values.b {% raw %}{{ values.c }}{% endraw %}{{ 'values.d' }}"),
            [""; 0]
        );
        assert_eq!(paths("{{ a.values.b }}"), ["a/values/b"]);
        assert_eq!(paths("{{ a[0].values.b }}"), [""; 0]);
        assert_eq!(paths("{% <ui.values.x> %}{% </ui.values.x> %}"), [""; 0]);
    }

    #[test]
    fn components_see_what_they_declare() {
        let source = "{% component x(@values, role, ...rest) %}{{ values.a }}{{ role.b }}{{ release.c }}\
                      {% endcomponent x %}{{ release.d }}";
        let names = names(source);
        let invisible: Vec<&str> =
            names.references.iter().filter(|one| one.invisible).map(|one| one.root.as_str()).collect();
        assert_eq!(invisible, ["release"]);
        assert!(names.assigned.contains("role") && !names.assigned.contains("values"));
    }

    #[test]
    fn names_of_its_own() {
        let names = names("{% set a = 1 %}{% for k, v in x %}{% endfor %}{{ [i for i in x] }}");
        assert_eq!(names.assigned, ["a", "i", "k", "v"].map(str::to_owned).into());
    }

    proptest::proptest! {
        #[test]
        fn no_source_panics(source in "[{}%#\"'`a.\\\\\\[\\]<>/@=|? é-]{0,40}(\\{\\{ values\\.)?") {
            names(&source);
        }
    }
}
