//! Holding values against `values.schema.json`.
//!
//! Every violation is named by its path in the values (`taskManager.slots`), in words that never
//! quote a value, which may be a password.

use jsonschema::error::{TypeKind, ValidationErrorKind};
use std::sync::{Arc, OnceLock};

use jsonschema::{PatternOptions, ValidationError, Validator};
use serde_json::Value;

use super::suggest::closest;
use crate::values::kind;

/// The values do not fit the package.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    /// The package's own schema cannot be used.
    #[error("values.schema.json: {message}")]
    Unreadable { message: String },
    /// What does not fit, in the order of the paths.
    #[error("{}", listed(violations))]
    Violations { violations: Vec<Violation> },
}

/// One place where the values do not fit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    /// The path in the values, as `jobs[0].parallelism`; empty for the whole.
    pub path: String,
    /// What is wrong there, without the value.
    pub message: String,
    /// The key that was probably meant.
    pub suggestion: Option<String>,
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let path = if self.path.is_empty() { "values" } else { &self.path };
        write!(f, "{path}: {}", self.message)?;
        match &self.suggestion {
            Some(suggestion) => write!(f, "; did you mean `{suggestion}`?"),
            None => Ok(()),
        }
    }
}

fn listed(violations: &[Violation]) -> String {
    violations.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// A package's schema, made ready on a thread of its own: that takes as long as reading and
/// rendering the whole package, and begins before either.
#[derive(Clone)]
pub(super) struct Schema {
    text: Arc<str>,
    document: Arc<OnceLock<Result<Value, SchemaError>>>,
    validator: Arc<OnceLock<Result<Validator, SchemaError>>>,
}

impl std::fmt::Debug for Schema {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Schema")
    }
}

impl PartialEq for Schema {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Schema {
    /// Begins. What is wrong with the schema shows when values are held against it.
    pub(super) fn begin(text: &str) -> Self {
        let schema = Self { text: text.into(), document: Arc::default(), validator: Arc::default() };
        let ours = schema.clone();
        // Where no thread is to be had, who needs it first makes it.
        let _ = std::thread::Builder::new().name("schema".to_owned()).spawn(move || {
            let _ = ours.validator();
        });
        schema
    }

    /// The schema as it is written.
    pub(super) fn document(&self) -> Result<&Value, SchemaError> {
        let read = || {
            serde_json::from_str(&self.text)
                .map_err(|error| SchemaError::Unreadable { message: error.to_string() })
        };
        self.document.get_or_init(read).as_ref().map_err(Clone::clone)
    }

    fn validator(&self) -> Result<&Validator, SchemaError> {
        self.validator.get_or_init(|| validator(self.document()?)).as_ref().map_err(Clone::clone)
    }

    /// Holds values against it.
    pub(super) fn check(&self, values: &Value) -> Result<(), SchemaError> {
        let (document, validator) = (self.document()?, self.validator()?);
        let mut violations = Vec::new();
        for error in validator.iter_errors(values) {
            collect(document, &error, &mut violations);
        }
        violations.sort();
        violations.dedup();
        if violations.is_empty() { Ok(()) } else { Err(SchemaError::Violations { violations }) }
    }
}

fn validator(document: &Value) -> Result<Validator, SchemaError> {
    // The masked wording: the library's own quotes the value.
    let unreadable =
        |error: ValidationError<'_>| SchemaError::Unreadable { message: error.masked().to_string() };
    // The draft is the one that `$schema` names, as in Helm; the newest where it names none.
    let options = || jsonschema::options().should_validate_formats(true).offline();
    // The plain engine is quicker to make; look-arounds and back references need the other one.
    options()
        .with_pattern_options(PatternOptions::regex())
        .build(document)
        .or_else(|_| options().build(document))
        .map_err(unreadable)
}

fn collect(schema: &Value, error: &ValidationError<'_>, into: &mut Vec<Violation>) {
    let path = dotted(error.instance_path().as_str());
    let plain = |message: String| Violation { path: path.clone(), message, suggestion: None };
    match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected }
        | ValidationErrorKind::UnevaluatedProperties { unexpected } => {
            for key in unexpected {
                into.push(unknown_key(schema, error, &path, key));
            }
        }
        ValidationErrorKind::FalseSchema => into.push(plain("not allowed here".to_owned())),
        ValidationErrorKind::Required { property } => {
            let key = property.as_str().unwrap_or_default();
            into.push(Violation {
                path: join(&path, key),
                message: "is missing".to_owned(),
                suggestion: None,
            });
        }
        ValidationErrorKind::Type { kind: expected } => {
            let message = format!("expected {}, found {}", types(expected), kind(error.instance()));
            into.push(plain(message));
        }
        ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context } => {
            alternatives(schema, error, context, &path, into);
        }
        ValidationErrorKind::Enum { options } => {
            let options = options.as_array().map(Vec::as_slice).unwrap_or_default();
            let options: Vec<String> = options.iter().map(written).collect();
            into.push(plain(format!("expected one of {}", options.join(", "))));
        }
        ValidationErrorKind::Constant { expected_value } => {
            into.push(plain(format!("expected {}", written(expected_value))));
        }
        ValidationErrorKind::Pattern { pattern } => {
            into.push(plain(match hint(schema, error) {
                Some(hint) => format!("expected {hint}"),
                None => format!("does not match the pattern {pattern}"),
            }));
        }
        ValidationErrorKind::Format { format } => into.push(plain(format!("expected the format {format}"))),
        ValidationErrorKind::Minimum { limit } => into.push(plain(match hint(schema, error) {
            Some(hint) => format!("must be at least {limit}; expected {hint}"),
            None => format!("must be at least {limit}"),
        })),
        ValidationErrorKind::Maximum { limit } => into.push(plain(format!("must be at most {limit}"))),
        ValidationErrorKind::ExclusiveMinimum { limit } => {
            into.push(plain(format!("must be more than {limit}")));
        }
        ValidationErrorKind::ExclusiveMaximum { limit } => {
            into.push(plain(format!("must be less than {limit}")));
        }
        ValidationErrorKind::MinLength { limit: 1 } => into.push(plain("must not be empty".to_owned())),
        _ => into.push(plain(error.masked().to_string())),
    }
}

/// Where no alternative fits: the types that would, or else what is wrong with the one that came
/// furthest.
fn alternatives(
    schema: &Value,
    error: &ValidationError<'_>,
    context: &[Vec<ValidationError<'static>>],
    path: &str,
    into: &mut Vec<Violation>,
) {
    let here = error.instance_path().as_str();
    let mut expected = Vec::new();
    let mut deepest: Option<(usize, &Vec<ValidationError<'static>>)> = None;
    for branch in context {
        let wrong_type = branch.iter().find_map(|error| match error.kind() {
            ValidationErrorKind::Type { kind } if error.instance_path().as_str() == here => Some(types(kind)),
            _ => None,
        });
        if let Some(types) = wrong_type {
            expected.push(types);
        } else {
            let depth = branch.iter().map(|error| error.instance_path().as_str().len()).max().unwrap_or(0);
            if deepest.is_none_or(|(most, _)| depth > most) {
                deepest = Some((depth, branch));
            }
        }
    }
    if let Some((_, branch)) = deepest {
        for error in branch {
            collect(schema, error, into);
        }
        return;
    }
    let message = if expected.is_empty() {
        "fits none of the forms that are allowed here".to_owned()
    } else {
        format!("expected {}, found {}", expected.join(" or "), kind(error.instance()))
    };
    into.push(Violation { path: path.to_owned(), message, suggestion: None });
}

fn unknown_key(schema: &Value, error: &ValidationError<'_>, path: &str, key: &str) -> Violation {
    let siblings =
        parent(schema, error).and_then(|parent| parent.get("properties")).and_then(Value::as_object);
    let keys = || siblings.into_iter().flat_map(|map| map.keys().map(String::as_str));
    let suggestion = closest(key, keys()).map(|key| join(path, key));
    let known: Vec<&str> = keys().collect();
    let message = if suggestion.is_some() || known.is_empty() {
        "unknown key".to_owned()
    } else {
        format!("unknown key; there are: {}", known.join(", "))
    };
    Violation { path: join(path, key), message, suggestion }
}

/// The part of the schema that holds the keyword that failed.
fn parent<'a>(schema: &'a Value, error: &ValidationError<'_>) -> Option<&'a Value> {
    let pointer = error.schema_path().as_str();
    schema.pointer(pointer.rsplit_once('/')?.0)
}

/// A schema's author may say what a pattern means: `"$comment": "a size such as 1g"`.
fn hint<'a>(schema: &'a Value, error: &ValidationError<'_>) -> Option<&'a str> {
    parent(schema, error)?.get("$comment")?.as_str()
}

fn types(expected: &TypeKind) -> String {
    let named = |name: &str| -> &'static str {
        match name {
            "null" => "null",
            "boolean" => "a boolean",
            "integer" => "an integer",
            "number" => "a number",
            "string" => "a string",
            "array" => "a list",
            _ => "a map",
        }
    };
    match expected {
        TypeKind::Single(one) => named(&one.to_string()).to_owned(),
        TypeKind::Multiple(set) => {
            set.iter().map(|one| named(&one.to_string())).collect::<Vec<_>>().join(" or ")
        }
    }
}

/// A value that the schema's author wrote; not the user's.
fn written(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// `/jobs/0/name` as `jobs[0].name`.
fn dotted(pointer: &str) -> String {
    let mut path = String::new();
    for part in pointer.split('/').skip(1) {
        let part = part.replace("~1", "/").replace("~0", "~");
        if !path.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()) {
            path = format!("{path}[{part}]");
        } else {
            path = join(&path, &part);
        }
    }
    path
}

/// A key with a dot in it is written as `--set` wants it: `podLabels.example\.com/x`.
fn join(path: &str, key: &str) -> String {
    let key = key.replace('.', "\\.");
    if path.is_empty() { key } else { format!("{path}.{key}") }
}
