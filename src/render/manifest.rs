//! Rendered text to objects, and objects to a manifest and back.

use std::collections::BTreeMap;

use serde_json::Value;

use super::error::{RenderError, shown};
use super::object::{Object, ObjectKey};
use crate::yaml::{self, YamlError};

const SOURCE: &str = "# Source: ";

/// The objects in one template's output. The items of a `List` are objects of their own.
pub(super) fn objects(template: &str, text: &str) -> Result<Vec<Object>, RenderError> {
    let documents = yaml::documents(text, template).map_err(|source| {
        let index = usize::try_from(source.line).unwrap_or(0);
        let column = usize::try_from(source.column).unwrap_or(0);
        let line = text.lines().nth(index.saturating_sub(1)).unwrap_or_default();
        RenderError::NotYaml { template: template.to_owned(), shown: shown(index, column, 1, line), source }
    })?;
    let mut objects = Vec::new();
    for (index, document) in documents.into_iter().enumerate() {
        let items = match list_items(&document) {
            Some(items) => items.clone(),
            None => vec![document],
        };
        for value in items {
            let missing = missing(&value);
            if let Some(missing) = missing {
                return Err(RenderError::NotAnObject {
                    template: template.to_owned(),
                    number: index + 1,
                    missing,
                });
            }
            objects.push(Object { source: template.to_owned(), value });
        }
    }
    Ok(objects)
}

/// Apply order; the same object twice is an error.
pub(super) fn sort(mut objects: Vec<Object>) -> Result<Vec<Object>, RenderError> {
    let mut seen: BTreeMap<ObjectKey, &str> = BTreeMap::new();
    for object in &objects {
        if let Some(first) = seen.insert(object.key(), &object.source) {
            return Err(RenderError::Duplicate {
                object: Box::new(object.key()),
                first: first.to_owned(),
                second: object.source.clone(),
            });
        }
    }
    objects.sort_by_cached_key(Object::order);
    Ok(objects)
}

/// One YAML document an object, each after a line that names its template.
pub fn to_manifest(objects: &[Object]) -> String {
    use std::fmt::Write as _;
    objects.iter().fold(String::new(), |mut text, object| {
        // Writing to a String cannot fail.
        let _ = write!(text, "---\n{SOURCE}{}\n{}", object.source, yaml::to_string(&object.value));
        text
    })
}

/// Reads what [`to_manifest`] wrote; a document without a source line has an empty source.
pub fn parse_manifest(manifest: &str) -> Result<Vec<Object>, YamlError> {
    let mut objects = Vec::new();
    for (first, document) in split(manifest) {
        let source = document.lines().find_map(|line| line.strip_prefix(SOURCE)).unwrap_or_default();
        let documents = yaml::documents(&document, "manifest")
            .map_err(|error| YamlError { line: error.line + first, ..error })?;
        for value in documents {
            let object = Object { source: source.trim().to_owned(), value };
            if let Some(missing) = missing(&object.value) {
                let message = format!("not a Kubernetes object: {missing}");
                return Err(YamlError { origin: "manifest".to_owned(), line: first + 1, column: 1, message });
            }
            objects.push(object);
        }
    }
    Ok(objects)
}

/// The documents, each with the number of lines before it. No content that we write has a line
/// `---`: in a block scalar it is indented.
fn split(manifest: &str) -> Vec<(u64, String)> {
    let mut documents: Vec<(u64, String)> = vec![(0, String::new())];
    for (index, line) in (1u64..).zip(manifest.split_inclusive('\n')) {
        if line.trim_end() == "---" {
            documents.push((index, String::new()));
        } else if let Some((_, text)) = documents.last_mut() {
            text.push_str(line);
        }
    }
    documents
}

fn list_items(document: &Value) -> Option<&Vec<Value>> {
    let is_list = document.get("apiVersion")? == "v1" && document.get("kind")? == "List";
    document.get("items").filter(|_| is_list)?.as_array()
}

fn missing(value: &Value) -> Option<&'static str> {
    let filled =
        |pointer: &str| value.pointer(pointer).and_then(Value::as_str).is_some_and(|text| !text.is_empty());
    if !value.is_object() {
        Some("it is not a map")
    } else if !filled("/apiVersion") {
        Some("apiVersion is missing, or no string")
    } else if !filled("/kind") {
        Some("kind is missing, or no string")
    } else if !filled("/metadata/name") {
        Some("metadata.name is missing, or no string")
    } else {
        None
    }
}
