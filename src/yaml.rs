//! The one way in and out of YAML.
//!
//! Reads YAML as kubectl and Helm do (`yes` is a boolean, `010` is eight) into
//! [`serde_json::Value`] or a typed struct, and writes YAML that Go reads back as the same data. It
//! never shows a neighbouring line or a value in an error: what is read here may hold passwords.

use std::borrow::Cow;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_yaml::{Budget, DeserializeError, Options, SerializerOptions};

#[cfg(test)]
mod tests;

/// Text that is not the YAML that was expected, with its place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{origin}:{line}:{column}: {message}")]
pub struct YamlError {
    /// The file, or what else the text is called.
    pub origin: String,
    /// The line, from 1; 0 where the parser knows none.
    pub line: u64,
    /// The column, from 1; 0 where the parser knows none.
    pub column: u64,
    /// What is wrong; never quotes a value.
    pub message: String,
}

/// Reads one document into `T`. `origin` names the text in errors.
pub fn from_str<T: DeserializeOwned>(text: &str, origin: &str) -> Result<T, YamlError> {
    serde_yaml::from_str_with_options(text, options()).map_err(|error| describe(&error, origin))
}

/// Returns a text as it means on every system: without a byte order mark, and with LF for CRLF.
/// Editors of Windows write both, and neither is part of what a template, a schema or a values file
/// says.
pub fn plain(text: &str) -> Cow<'_, str> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.contains("\r\n") { Cow::Owned(text.replace("\r\n", "\n")) } else { Cow::Borrowed(text) }
}

/// Reads one document as it comes; an empty text, or one of comments only, is `null`.
pub fn value(text: &str, origin: &str) -> Result<Value, YamlError> {
    let mut all: Vec<Value> =
        serde_yaml::from_multiple_with_options(text, options()).map_err(|error| describe(&error, origin))?;
    match all.len() {
        0 => Ok(Value::Null),
        1 => Ok(all.swap_remove(0)),
        count => Err(YamlError {
            origin: origin.to_owned(),
            line: 0,
            column: 0,
            message: format!("one document is expected, and there are {count} (separated by `---`)"),
        }),
    }
}

/// Reads a stream of documents, as `kubectl apply -f` does: empty ones are dropped, and a float
/// without a fraction becomes an integer (`2.0`, `1e3`), because Go writes it so and the API server
/// refuses it otherwise.
pub fn documents(text: &str, origin: &str) -> Result<Vec<Value>, YamlError> {
    let mut all: Vec<Value> =
        serde_yaml::from_multiple_with_options(text, options()).map_err(|error| describe(&error, origin))?;
    all.retain(|document| !document.is_null());
    all.iter_mut().for_each(integral_floats_to_integers);
    Ok(all)
}

/// Writes `value` as one block-style document that ends with a newline. A value that JSON cannot
/// hold (a map with keys that are no strings) is written as a comment that says so: there is no
/// such value in this program.
pub fn to_string<T: Serialize + ?Sized>(value: &T) -> String {
    let written = serde_json::to_value(value).map_err(|error| error.to_string()).and_then(|value| {
        // The folded style (`>`) is only another way to write one long line, and hard to read in a
        // manifest.
        let options = serde_yaml::ser_options! {
            prefer_block_scalars: !block_scalars_would_lose_a_tab(&value),
            folded_wrap_chars: usize::MAX,
        };
        write(&value, options).map_err(|error| error.to_string())
    });
    written.unwrap_or_else(|message| format!("# cannot be written as YAML: {message}\n"))
}

fn write(value: &Value, options: SerializerOptions) -> Result<String, serde_yaml::SerializeError> {
    serde_yaml::to_string_with_options(value, options).map(|mut text| {
        if !text.ends_with('\n') {
            text.push('\n');
        }
        text
    })
}

/// Go's reader takes a leading tab of a block scalar's first filled line for indentation. Gone when
/// `"\n\tx: 1\n"` as a block scalar comes back from sigs.k8s.io/yaml as it was.
fn block_scalars_would_lose_a_tab(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\n') && text.trim_start_matches(['\n', ' ']).starts_with('\t'),
        Value::Array(items) => items.iter().any(block_scalars_would_lose_a_tab),
        Value::Object(map) => map.values().any(block_scalars_would_lose_a_tab),
        _ => false,
    }
}

fn integral_floats_to_integers(value: &mut Value) {
    // 2^53: above it a float no longer says which integer was meant.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    match value {
        Value::Number(number) => {
            let float = number.as_f64().filter(|float| number.is_f64() && float.fract() == 0.0);
            if let Some(float) = float.filter(|float| float.abs() <= EXACT) {
                #[allow(clippy::cast_possible_truncation)] // exact: it has no fraction and fits in 53 bits
                let integer = float as i64;
                *value = Value::from(integer);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(integral_floats_to_integers),
        Value::Object(map) => map.values_mut().for_each(integral_floats_to_integers),
        _ => {}
    }
}

/// CRDs are the largest documents that come here (0.6 MB, some 20,000 nodes); ten times that is
/// allowed.
fn options() -> Options {
    let mut budget = Budget::default();
    budget.max_depth = 128;
    serde_yaml::options! {
        budget: Some(budget),
        legacy_octal_numbers: true,
        strict_booleans: false,
        with_snippet: false,
    }
}

fn describe(error: &DeserializeError, origin: &str) -> YamlError {
    let error = error.without_snippet();
    let (line, column) = error.location().map_or((0, 0), |at| (at.line(), at.column()));
    YamlError { origin: origin.to_owned(), line, column, message: message(error) }
}

/// Our words for what a user can meet; the library's for the rest, which name no value.
fn message(error: &DeserializeError) -> String {
    use serde_yaml::{MessageFormatter, UserMessageFormatter};
    match error {
        DeserializeError::DuplicateMappingKey { key: Some(key), .. } => {
            format!("the key `{key}` is there twice")
        }
        DeserializeError::DuplicateMappingKey { .. } => "a key is there twice".to_owned(),
        DeserializeError::SerdeInvalidType { unexpected, expected, .. }
        | DeserializeError::SerdeInvalidValue { unexpected, expected, .. } => {
            format!("expected {expected}, found {}", kind_only(unexpected))
        }
        DeserializeError::SerdeUnknownField { field, expected, .. } => {
            format!("unknown field `{field}`; there are: {}", expected.join(", "))
        }
        DeserializeError::SerdeMissingField { field, .. } => format!("the field `{field}` is missing"),
        DeserializeError::NonFiniteFloat { .. } => "not a finite number".to_owned(),
        DeserializeError::Budget { .. } => "the text is too large or too deeply nested".to_owned(),
        DeserializeError::AliasError { error, .. } => message(error.without_snippet()),
        other => UserMessageFormatter.format_message(other).into_owned(),
    }
}

/// serde says `string "the value"`: the kind is enough, the value may be secret.
fn kind_only(unexpected: &str) -> &str {
    unexpected.split(['"', '`']).next().map_or("something else", str::trim)
}
