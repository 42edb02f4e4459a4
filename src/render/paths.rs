//! Whether the literal paths in templates lead anywhere: an unknown one is an error even inside
//! `if`, where Tera would take it for false.

use serde_json::Value;

use super::context::ROOTS;
use super::error::TemplateError;
use super::source::{Names, Reference};
use crate::package::closest;

/// The values that paths are held against.
pub(super) struct Known<'a> {
    /// The merged values, and the package's defaults: a user's `null` may have deleted a key.
    pub(super) values: [&'a Value; 2],
    pub(super) schema: Option<&'a Value>,
    /// The context, of which everything but `values`, `job` and `savepoint` has fixed fields.
    pub(super) context: &'a Value,
}

/// Fields of `savepoint`, which is null in the context unless state is to be restored.
const SAVEPOINT: [&str; 3] = ["path", "allowNonRestoredState", "nonce"];

/// All unknown paths of one template.
pub(super) fn check(template: &str, source: &str, names: &Names, known: &Known) -> Vec<TemplateError> {
    let problem = |reference: &Reference| {
        let message = problem(reference, names, known)?;
        Some(at(template, source, reference.span.clone(), message))
    };
    names.references.iter().filter_map(problem).collect()
}

fn problem(reference: &Reference, names: &Names, known: &Known) -> Option<String> {
    let root = reference.root.as_str();
    if root == "__tera_context" {
        return Some("`__tera_context` is not available: its order varies from run to run".to_owned());
    }
    if names.assigned.contains(root) || !ROOTS.contains(&root) {
        return None;
    }
    if reference.invisible {
        return Some(format!(
            "a component does not see `{root}` by itself: declare `@{root}` in its parameters"
        ));
    }
    match root {
        "values" => unknown_value(reference, known),
        "job" | "files" => None,
        "savepoint" => {
            let field = reference.path.first().filter(|field| !SAVEPOINT.contains(&field.as_str()))?;
            Some(unknown(root, field, closest(field, SAVEPOINT)))
        }
        _ => {
            let fields = known.context.get(root)?.as_object()?;
            let field = reference.path.first().filter(|field| !fields.contains_key(*field))?;
            Some(unknown(root, field, closest(field, fields.keys().map(String::as_str))))
        }
    }
}

fn unknown(parent: &str, field: &str, suggestion: Option<&str>) -> String {
    let message = format!("`{parent}.{field}` does not exist");
    match suggestion {
        Some(suggestion) => format!("{message}; did you mean `{parent}.{suggestion}`?"),
        None => message,
    }
}

fn unknown_value(reference: &Reference, known: &Known) -> Option<String> {
    let mut values: Vec<&Value> = known.values.to_vec();
    let mut schemas: Vec<&Value> = Vec::new();
    if let Some(schema) = known.schema {
        expand(schema, schema, 0, &mut schemas);
    }
    let mut parent = "values".to_owned();
    for field in &reference.path {
        if open(&values, &schemas, known.schema.is_some()) {
            return None;
        }
        let below: Vec<&Value> = values.iter().filter_map(|value| value.get(field)).collect();
        let mut deeper = Vec::new();
        if let Some(root) = known.schema {
            for schema in &schemas {
                if let Some(next) = schema.get("properties").and_then(|all| all.get(field)) {
                    expand(root, next, 0, &mut deeper);
                }
            }
        }
        if below.is_empty() && deeper.is_empty() {
            let properties = schemas.iter().filter_map(|schema| schema.get("properties")?.as_object());
            let maps = values.iter().filter_map(|value| value.as_object());
            let candidates = properties.chain(maps).flat_map(|map| map.keys().map(String::as_str));
            let message = unknown(&parent, field, closest(field, candidates));
            return Some(format!("{message} (neither in values.yaml nor in values.schema.json)"));
        }
        (values, schemas) = (below, deeper);
        parent = format!("{parent}.{field}");
    }
    None
}

/// Returns whether any key may be below: a map for free use, as `podLabels`.
fn open(values: &[&Value], schemas: &[&Value], has_schema: bool) -> bool {
    let has = |key: &str| schemas.iter().any(|schema| schema.get(key).is_some());
    let more = |wanted: fn(&Value) -> bool| {
        schemas.iter().any(|schema| schema.get("additionalProperties").is_some_and(wanted))
    };
    if schemas.is_empty() {
        let free =
            |value: &&Value| value.is_null() || value.as_object().is_some_and(serde_json::Map::is_empty);
        return !has_schema && !values.is_empty() && values.iter().all(free);
    }
    if has("patternProperties") || more(|more| more.is_object() || *more == true) {
        return true;
    }
    // Where keys are listed they are all there are, although a schema without
    // `additionalProperties` allows others.
    !has("properties") && !more(|more| *more == false) && schemas.iter().any(|schema| takes_any_map(schema))
}

/// `{"type": "object"}`, or a schema that says nothing of the type.
fn takes_any_map(schema: &Value) -> bool {
    const ANNOTATIONS: [&str; 6] = ["title", "description", "default", "examples", "deprecated", "$comment"];
    match schema.get("type") {
        Some(Value::Array(kinds)) => kinds.iter().any(|kind| kind == "object"),
        Some(kind) => kind == "object",
        None => {
            let annotation = |key: &String| ANNOTATIONS.contains(&key.as_str());
            *schema == true || schema.as_object().is_some_and(|map| map.keys().all(annotation))
        }
    }
}

/// A schema with those that it refers to or combines.
fn expand<'a>(root: &'a Value, schema: &'a Value, depth: usize, into: &mut Vec<&'a Value>) {
    if depth > 16 {
        return; // a `$ref` to itself
    }
    into.push(schema);
    let reference = schema.get("$ref").and_then(Value::as_str).and_then(|text| text.strip_prefix('#'));
    if let Some(target) = reference.and_then(|pointer| root.pointer(pointer)) {
        expand(root, target, depth + 1, into);
    }
    for key in ["allOf", "anyOf", "oneOf"] {
        let parts = schema.get(key).and_then(Value::as_array).into_iter().flatten();
        parts.for_each(|part| expand(root, part, depth + 1, into));
    }
    for key in ["then", "else"] {
        if let Some(part) = schema.get(key) {
            expand(root, part, depth + 1, into);
        }
    }
}

/// An error at a place in a template.
pub(super) fn at(
    template: &str,
    source: &str,
    span: std::ops::Range<usize>,
    message: String,
) -> TemplateError {
    let before = source.get(..span.start).unwrap_or_default();
    let line_start = before.rfind('\n').map_or(0, |index| index + 1);
    let text = source[line_start..].lines().next().unwrap_or_default();
    TemplateError {
        template: template.to_owned(),
        line: before.matches('\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
        message,
        text: text.to_owned(),
        width: source.get(span).map_or(1, |part| part.chars().count().max(1)),
        called_from: Vec::new(),
        refused: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::source::names;
    use serde_json::json;

    fn unknown(path: &str, values: &Value, schema: Option<&Value>) -> bool {
        let names = names(&format!("{{{{ {path} }}}}"));
        let known = Known { values: [values, &Value::Null], schema, context: &json!({}) };
        !check("t", "", &names, &known).is_empty()
    }

    #[test]
    fn a_schema_says_which_keys_there_can_be() {
        let schema = json!({
            "type": "object", "properties": {
                "listed": {"type": "object", "properties": {"a": {}}},
                "closed": {"type": "object", "additionalProperties": false},
                "labels": {"type": "object", "additionalProperties": {"type": "string"}},
                "any": {"description": "whatever"},
                "map": {"type": ["object", "null"]},
                "scalar": {"type": "string"},
                "referred": {"$ref": "#/$defs/role"},
                "either": {"oneOf": [{"type": "string"}, {"$ref": "#/$defs/role"}]},
                "all": {"type": "object", "allOf": [{"$ref": "#/$defs/role"}]},
                "endless": {"$ref": "#/properties/endless"}},
            "if": {"required": ["any"]}, "then": {"required": ["map"]}, "anyOf": [{"required": ["map"]}],
            "$defs": {"role": {"type": "object", "properties": {"slots": {}}}}});
        let unknown = |path: &str| unknown(path, &json!({"extra": 1}), Some(&schema));
        let good = [
            "listed.a",
            "labels.x",
            "any.x.y",
            "map.x",
            "referred.slots",
            "either.slots",
            "all.slots",
            "extra",
        ];
        let bad = [
            "nope",
            "listed.b",
            "closed.x",
            "scalar.x",
            "referred.x",
            "either.x",
            "all.x",
            "endless.x",
            "extra.x",
        ];
        for path in good {
            assert!(!unknown(&format!("values.{path}")), "{path}");
        }
        for path in bad {
            assert!(unknown(&format!("values.{path}")), "{path}");
        }
    }

    #[test]
    fn without_a_schema_the_defaults_say() {
        let values = json!({"a": {"b": 1}, "empty": {}, "nothing": null});
        for (path, bad) in [
            ("a.b", false),
            ("a.c", true),
            ("empty.x", false),
            ("nothing.x", false),
            ("x", true),
            ("a.b.c", true),
        ] {
            assert_eq!(unknown(&format!("values.{path}"), &values, None), bad, "{path}");
        }
    }
}
