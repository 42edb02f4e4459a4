//! Rust's text without what is no code, and its tokens: enough to find functions and paths, far
//! from a parser.

/// Returns the text with comments and the contents of literals as spaces; each line stays where it
/// was.
pub fn blank(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let end = literal_end(&chars, at);
        if end == at {
            out.push(chars[at]);
            at += 1;
        } else {
            out.extend(chars[at..end].iter().map(|c| if *c == '\n' { '\n' } else { ' ' }));
            at = end;
        }
    }
    out
}

/// Returns where the comment or literal that begins here ends; the same place where none begins.
fn literal_end(chars: &[char], at: usize) -> usize {
    let next = chars.get(at + 1).copied();
    let in_word = at > 0 && is_word(chars[at - 1]);
    match chars[at] {
        '/' if next == Some('/') => find(chars, at, |c| c == '\n'),
        '/' if next == Some('*') => block_comment_end(chars, at),
        '"' => string_end(chars, at + 1),
        '\'' => char_end(chars, at),
        'r' if !in_word => raw_string_end(chars, at, at + 1),
        'b' | 'c' if !in_word && next == Some('r') => raw_string_end(chars, at, at + 2),
        _ => at,
    }
}

fn find(chars: &[char], at: usize, is_it: impl Fn(char) -> bool) -> usize {
    chars[at..].iter().position(|c| is_it(*c)).map_or(chars.len(), |found| at + found)
}

fn block_comment_end(chars: &[char], mut at: usize) -> usize {
    let mut depth = 0;
    while at < chars.len() {
        match (chars[at], chars.get(at + 1)) {
            ('/', Some('*')) => {
                depth += 1;
                at += 1;
            }
            ('*', Some('/')) => {
                depth -= 1;
                at += 1;
                if depth == 0 {
                    return at + 1;
                }
            }
            _ => {}
        }
        at += 1;
    }
    chars.len()
}

fn string_end(chars: &[char], mut at: usize) -> usize {
    while at < chars.len() {
        match chars[at] {
            '\\' => at += 2,
            '"' => return at + 1,
            _ => at += 1,
        }
    }
    chars.len()
}

/// Tells `'a'` and `'\n'` from the lifetime `'a`.
fn char_end(chars: &[char], at: usize) -> usize {
    match (chars.get(at + 1), chars.get(at + 2)) {
        (Some('\\'), Some(_)) => (find(chars, at + 3, |c| c == '\'') + 1).min(chars.len()),
        (Some(_), Some('\'')) => at + 3,
        _ => at,
    }
}

/// Returns the end of `r"…"` or `r#"…"#`, whose hashes or quote are at `hashes`; `at` where it is
/// none (`r#type`, `ready`).
fn raw_string_end(chars: &[char], at: usize, hashes: usize) -> usize {
    let quote = find(chars, hashes, |c| c != '#');
    if chars.get(quote) != Some(&'"') {
        return at;
    }
    let count = quote - hashes;
    let mut close = quote + 1;
    while close < chars.len() {
        if chars[close] == '"'
            && chars[close + 1..].iter().take(count).filter(|c| **c == '#').count() == count
        {
            return close + 1 + count;
        }
        close += 1;
    }
    chars.len()
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// A word, `::`, or one other character, with its line (from 0).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token<'a> {
    pub text: &'a str,
    pub line: usize,
}

impl Token<'_> {
    pub fn is_word(&self) -> bool {
        self.text.starts_with(is_word)
    }
}

/// Returns the tokens of a blanked text.
pub fn tokens(blanked: &str) -> Vec<Token<'_>> {
    let mut found = Vec::new();
    for (line, mut rest) in blanked.lines().enumerate() {
        while let Some(c) = rest.chars().next() {
            let length = if is_word(c) {
                rest.find(|c| !is_word(c)).unwrap_or(rest.len())
            } else if rest.starts_with("::") {
                2
            } else {
                c.len_utf8()
            };
            if !c.is_whitespace() {
                found.push(Token { text: &rest[..length], line });
            }
            rest = &rest[length..];
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> String {
        let blanked = blank(text);
        assert_eq!(blanked.lines().count(), text.lines().count());
        tokens(&blanked).iter().map(|token| token.text).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn comments_and_literals_are_no_code() {
        assert_eq!(words("a // b {\nc /* d /* e */ f */ g"), "a c g");
        assert_eq!(words(r#"a("b \" {", 'c', '\'', '\u{7d}', b"d{")"#), "a ( , , , , b )");
        assert_eq!(words("r#\"a \" {\"# b r\"c{\" br##\"\"# {\"## d"), "b d");
        assert_eq!(words("let r#type = ready;"), "let r # type = ready ;");
    }

    #[test]
    fn lifetimes_are_code() {
        assert_eq!(
            words("fn a<'b>(c: &'b str) -> &'static str {"),
            "fn a < ' b > ( c : & ' b str ) - > & ' static str {"
        );
    }

    #[test]
    fn what_never_ends_ends_with_the_file() {
        for text in ["\"a", "/* a", "r#\"a", "'\\", "b'\\x", "'"] {
            blank(text);
        }
    }

    #[test]
    fn tokens_know_their_line() {
        let found = tokens("a::b\n  {");
        let found: Vec<_> = found.iter().map(|token| (token.text, token.line)).collect();
        assert_eq!(found, [("a", 0), ("::", 0), ("b", 0), ("{", 1)]);
    }
}
