//! The grammar of `--set` and its relatives, as Helm's `strvals` reads it: `a.b=1,c[0].d={x,y}`, a
//! backslash takes the next character as it is.
//!
//! The corners are Helm's too (`tests/oracle/set.tsv`): an empty key sets nothing, an index fills
//! the gap before it with `null`, `01` is a string. Only a key is ever quoted in an error: a value
//! may be a password.

use std::io;

use serde_json::{Map, Value};

/// Helm's limit on an index.
const MAX_INDEX: usize = 65_536;
/// Helm's limit on the dots in one key.
const MAX_NESTING: usize = 30;

/// Why an expression cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SetError {
    /// There is a key and no `=` after it.
    #[error("the key `{key}` has no value: write `{key}=VALUE`")]
    NoValue { key: String },
    /// `a={x,y` has no end.
    #[error("the list at `{key}` has no closing `}}`")]
    OpenList { key: String },
    /// `a[x]`: not a number from 0.
    #[error("`{index}` in `{key}[{index}]` is no index: a number from 0 to {MAX_INDEX} is expected")]
    Index {
        /// The key before the bracket.
        key: String,
        /// The text in the brackets.
        index: String,
    },
    #[error("after `{key}[…]` a `=`, a `.` or a `[` is expected")]
    AfterIndex {
        /// The key before the bracket.
        key: String,
    },
    /// More than 30 dots.
    #[error("the key is nested more than {MAX_NESTING} levels deep")]
    Nesting,
    /// Something below `key` is set, and `key` is already a plain value.
    #[error("`{key}` is already {found}, so nothing below it can be set")]
    Conflict {
        key: String,
        /// Its kind: "a string".
        found: &'static str,
    },
    /// The value of `--set-json` is not JSON.
    #[error("the value of `{key}` is not JSON, at its character {column}")]
    Json {
        /// The key; empty for a whole object.
        key: String,
        /// The character in the value where it stops being JSON, from 1.
        column: usize,
    },
    /// The file of `--set-file` cannot be read.
    #[error("the file for `{key}` cannot be read: {source}")]
    File {
        key: String,
        /// Why; names the file where the reader does.
        source: io::Error,
    },
}

/// `--set`.
pub(super) fn typed(text: &str, into: &mut Map<String, Value>) -> Result<(), SetError> {
    Parser::new(text, &|_, value| Ok(recognize(value))).parse(into)
}

/// `--set-string`.
pub(super) fn strings(text: &str, into: &mut Map<String, Value>) -> Result<(), SetError> {
    Parser::new(text, &|_, value| Ok(Value::String(value))).parse(into)
}

/// `--set-file`.
pub(super) fn files(
    text: &str,
    into: &mut Map<String, Value>,
    read: &dyn Fn(&str) -> io::Result<String>,
) -> Result<(), SetError> {
    let value = |key: &str, path: String| {
        read(&path).map(Value::String).map_err(|source| SetError::File { key: key.to_owned(), source })
    };
    Parser::new(text, &value).parse(into)
}

/// `--set-json`.
pub(super) fn json(text: &str, into: &mut Map<String, Value>) -> Result<(), SetError> {
    if text.trim_start().starts_with('{') {
        let whole: Map<String, Value> = serde_json::from_str(text)
            .map_err(|error| SetError::Json { key: String::new(), column: error.column() })?;
        super::lay_over(into, whole);
        return Ok(());
    }
    let mut parser = Parser::new(text, &|_, value| Ok(Value::String(value)));
    parser.json = true;
    parser.parse(into)
}

/// `--set-literal`.
pub(super) fn literal(text: &str, into: &mut Map<String, Value>) -> Result<(), SetError> {
    let mut parser = Parser::new(text, &|_, value| Ok(Value::String(value)));
    parser.literal = true;
    parser.parse(into)
}

/// Returns what `--set` makes of a bare value: an integer without a leading zero, a boolean,
/// `null`, else a string.
fn recognize(value: String) -> Value {
    if value.eq_ignore_ascii_case("true") {
        return Value::Bool(true);
    }
    if value.eq_ignore_ascii_case("false") {
        return Value::Bool(false);
    }
    if value.eq_ignore_ascii_case("null") {
        return Value::Null;
    }
    if value == "0" {
        return Value::from(0);
    }
    match value.parse::<i64>() {
        Ok(number) if !value.starts_with('0') => Value::from(number),
        _ => Value::String(value),
    }
}

type Reader<'a> = dyn Fn(&str, String) -> Result<Value, SetError> + 'a;

struct Parser<'a> {
    rest: std::str::Chars<'a>,
    reader: &'a Reader<'a>,
    json: bool,
    literal: bool,
}

/// The end of a piece of text: a stop character, or the end of the expression.
type Stop = Option<char>;

impl<'a> Parser<'a> {
    fn new(text: &'a str, reader: &'a Reader<'a>) -> Self {
        Self { rest: text.chars(), reader, json: false, literal: false }
    }

    fn parse(mut self, into: &mut Map<String, Value>) -> Result<(), SetError> {
        while self.key(into, 0)? {}
        Ok(())
    }

    /// One `key=value`; false at the end of the expression.
    fn key(&mut self, map: &mut Map<String, Value>, nesting: usize) -> Result<bool, SetError> {
        let stops: &[char] = if self.literal { &['=', '[', '.'] } else { &['=', '[', ',', '.'] };
        let (key, stop) = self.until(stops);
        match stop {
            None if key.is_empty() => Ok(false),
            None | Some(',') => Err(SetError::NoValue { key }),
            Some('[') => {
                let index = self.index(&key)?;
                let list = match map.get_mut(&key) {
                    None => Vec::new(),
                    Some(Value::Array(list)) => std::mem::take(list),
                    Some(other) => return Err(conflict(&key, other)),
                };
                let list = self.item(&key, list, index, nesting)?;
                set(map, key, Value::Array(list));
                Ok(true)
            }
            Some('.') => {
                if nesting >= MAX_NESTING {
                    return Err(SetError::Nesting);
                }
                let mut inner = match map.get_mut(&key) {
                    None => Map::new(),
                    Some(Value::Object(inner)) => std::mem::take(inner),
                    Some(other) => return Err(conflict(&key, other)),
                };
                let more = self.key(&mut inner, nesting + 1)?;
                if inner.is_empty() {
                    return if more { Err(SetError::NoValue { key }) } else { Ok(false) };
                }
                set(map, key, Value::Object(inner));
                Ok(more)
            }
            Some(_) => {
                let value = self.value(&key)?;
                set(map, key, value);
                Ok(true)
            }
        }
    }

    /// Returns what follows `key[index]`.
    fn item(
        &mut self,
        key: &str,
        mut list: Vec<Value>,
        index: usize,
        nesting: usize,
    ) -> Result<Vec<Value>, SetError> {
        let (between, stop) = self.until(&['[', '.', '=']);
        if !between.is_empty() {
            return Err(SetError::AfterIndex { key: key.to_owned() });
        }
        let value = match stop {
            None => {
                return Err(SetError::NoValue { key: format!("{key}[{index}]") });
            }
            Some('=') => self.value(key)?,
            Some('[') => {
                let next = self.index(key)?;
                let inner = match list.get_mut(index) {
                    None | Some(Value::Null) => Vec::new(),
                    Some(Value::Array(inner)) => std::mem::take(inner),
                    Some(other) => return Err(conflict(&format!("{key}[{index}]"), other)),
                };
                Value::Array(self.item(key, inner, next, nesting)?)
            }
            Some(_) => {
                let mut inner = match list.get_mut(index) {
                    Some(Value::Object(inner)) => std::mem::take(inner),
                    _ => Map::new(),
                };
                if !self.key(&mut inner, nesting)? {
                    return Err(SetError::NoValue { key: format!("{key}[{index}]") });
                }
                Value::Object(inner)
            }
        };
        if list.len() <= index {
            list.resize(index + 1, Value::Null);
        }
        list[index] = value;
        Ok(list)
    }

    /// The number up to the `]`.
    fn index(&mut self, key: &str) -> Result<usize, SetError> {
        let (text, stop) = self.until(&[']']);
        let number = text.parse::<usize>().ok().filter(|index| *index <= MAX_INDEX && stop == Some(']'));
        number.ok_or(SetError::Index { key: key.to_owned(), index: text })
    }

    /// Returns what follows the `=`.
    fn value(&mut self, key: &str) -> Result<Value, SetError> {
        if self.json {
            return self.json_value(key);
        }
        if self.literal {
            return Ok(Value::String(self.rest.by_ref().collect()));
        }
        if self.rest.as_str().starts_with('{') {
            return self.list(key);
        }
        if self.rest.as_str().is_empty() {
            return Ok(Value::String(String::new()));
        }
        let (text, _) = self.until(&[',']);
        (self.reader)(key, text)
    }

    fn list(&mut self, key: &str) -> Result<Value, SetError> {
        self.rest.next();
        let mut list = Vec::new();
        loop {
            let (text, stop) = self.until(&[',', '}']);
            if stop.is_none() {
                return Err(SetError::OpenList { key: key.to_owned() });
            }
            list.push((self.reader)(key, text)?);
            if stop == Some('}') {
                self.skip_comma();
                return Ok(Value::Array(list));
            }
        }
    }

    fn json_value(&mut self, key: &str) -> Result<Value, SetError> {
        if self.blank_to_comma_or_end() {
            return Ok(Value::Null);
        }
        let text = self.rest.as_str();
        let mut stream = serde_json::Deserializer::from_str(text).into_iter::<Value>();
        let value = match stream.next() {
            Some(Ok(value)) => value,
            Some(Err(error)) => {
                return Err(SetError::Json { key: key.to_owned(), column: error.column() });
            }
            None => Value::Null,
        };
        let read = stream.byte_offset();
        self.rest = text.get(read..).unwrap_or_default().chars();
        self.blank_to_comma_or_end();
        Ok(value)
    }

    /// Skips blanks, and the comma after them; true where there was nothing but blanks before a
    /// comma or the end.
    fn blank_to_comma_or_end(&mut self) -> bool {
        self.rest = self.rest.as_str().trim_start().chars();
        self.skip_comma() || self.rest.as_str().is_empty()
    }

    fn skip_comma(&mut self) -> bool {
        let comma = self.rest.as_str().starts_with(',');
        if comma {
            self.rest.next();
        }
        comma
    }

    /// The text before the first of `stops`, with backslashes resolved, and what ended it.
    fn until(&mut self, stops: &[char]) -> (String, Stop) {
        let mut text = String::new();
        while let Some(next) = self.rest.next() {
            if stops.contains(&next) {
                return (text, Some(next));
            }
            if next == '\\' && !self.literal {
                text.extend(self.rest.next());
            } else {
                text.push(next);
            }
        }
        (text, None)
    }
}

/// As Helm does, an empty key sets nothing.
fn set(map: &mut Map<String, Value>, key: String, value: Value) {
    if !key.is_empty() {
        map.insert(key, value);
    }
}

fn conflict(key: &str, found: &Value) -> SetError {
    SetError::Conflict { key: key.to_owned(), found: super::kind(found) }
}
