//! The settings that a user may change: files and `--set…` flags become one tree, which is laid
//! over a package's defaults.
//!
//! The grammar and the order are Helm's, so that what people have in their scripts goes on working.
//! This module reads no file by itself and knows no package.

mod merge;
mod set;
#[cfg(test)]
mod tests;

use std::io;

use serde_json::{Map, Value};

pub use merge::merge;
pub use set::SetError;

/// One flag that the user gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Setting {
    /// `-f`: a file's text; `origin` is its name.
    File {
        /// The file's name, for errors.
        origin: String,
        /// Its text, YAML or JSON.
        text: String,
    },
    /// `--set-json KEY=JSON,…` or a whole JSON object.
    SetJson(String),
    /// `--set KEY=VALUE,…`: numbers, booleans and `null` are recognized.
    Set(String),
    /// `--set-string KEY=VALUE,…`: every value is a string.
    SetString(String),
    /// `--set-file KEY=PATH,…`: the value is the file's text.
    SetFile(String),
    /// `--set-literal KEY=TEXT`: all after the `=` is the value, commas and braces too.
    SetLiteral(String),
}

/// Why settings could not be read. No message quotes a value.
#[derive(Debug, thiserror::Error)]
pub enum ValuesError {
    /// A values file is not YAML.
    #[error(transparent)]
    Yaml(#[from] crate::yaml::YamlError),
    /// A values file holds something other than a map.
    #[error("{origin}: a map of values is expected, found {found}")]
    NotAMap {
        origin: String,
        /// The kind that it holds: "a list".
        found: &'static str,
    },
    /// A flag's expression cannot be read.
    #[error("{flag}: {source}")]
    Set {
        /// The flag, as `--set`.
        flag: &'static str,
        /// The reason.
        source: SetError,
    },
}

/// Lays the settings over each other in Helm's order, whatever the order they are given in: files,
/// `--set-json`, `--set`, `--set-string`, `--set-file`, `--set-literal`; within each kind the later
/// wins. A `null` stays in the result: [`merge`] lets it delete the package's default. `read` reads
/// the files that `--set-file` names.
pub fn collect(
    settings: &[Setting],
    read: &dyn Fn(&str) -> io::Result<String>,
) -> Result<Value, ValuesError> {
    let mut values = Map::new();
    let mut ordered: Vec<&Setting> = settings.iter().collect();
    ordered.sort_by_key(|setting| rank(setting)); // a stable sort: the later of a kind stays the later
    for setting in ordered {
        match setting {
            Setting::File { origin, text } => match crate::yaml::value(&crate::yaml::plain(text), origin)? {
                Value::Null => {}
                Value::Object(map) => lay_over(&mut values, map),
                other => {
                    return Err(ValuesError::NotAMap { origin: origin.clone(), found: kind(&other) });
                }
            },
            Setting::SetJson(text) => set::json(text, &mut values).map_err(flagged("--set-json"))?,
            Setting::Set(text) => set::typed(text, &mut values).map_err(flagged("--set"))?,
            Setting::SetString(text) => set::strings(text, &mut values).map_err(flagged("--set-string"))?,
            Setting::SetFile(text) => set::files(text, &mut values, read).map_err(flagged("--set-file"))?,
            Setting::SetLiteral(text) => set::literal(text, &mut values).map_err(flagged("--set-literal"))?,
        }
    }
    Ok(Value::Object(values))
}

fn lay_over(values: &mut Map<String, Value>, over: Map<String, Value>) {
    let mut base = Value::Object(std::mem::take(values));
    merge::overlay(&mut base, Value::Object(over));
    if let Value::Object(map) = base {
        *values = map;
    }
}

fn rank(setting: &Setting) -> u8 {
    match setting {
        Setting::File { .. } => 0,
        Setting::SetJson(_) => 1,
        Setting::Set(_) => 2,
        Setting::SetString(_) => 3,
        Setting::SetFile(_) => 4,
        Setting::SetLiteral(_) => 5,
    }
}

fn flagged(flag: &'static str) -> impl Fn(SetError) -> ValuesError {
    move |source| ValuesError::Set { flag, source }
}

/// Returns what kind of value it is, with its article, for messages.
pub fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(number) if number.is_f64() => "a number",
        Value::Number(_) => "an integer",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "a map",
    }
}
