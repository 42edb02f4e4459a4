//! What YAML comes to, held case by case.

use super::*;
use serde_json::json;

#[test]
fn reads_as_kubectl_does() {
    let read = value("a: yes\nb: 010\nc: '010'\nd: 1.0\ne: ~\nf: 2024-01-01\ng: 0o17\n", "x").unwrap();
    assert_eq!(read, json!({"a": true, "b": 8, "c": "010", "d": 1.0, "e": null, "f": "2024-01-01", "g": 15}));
}

#[test]
fn nothing_is_null() {
    for text in ["", "\n", "# only a comment\n", "---\n"] {
        assert_eq!(value(text, "x").unwrap(), Value::Null, "{text:?}");
        assert!(documents(text, "x").unwrap().is_empty(), "{text:?}");
    }
}

#[test]
fn two_documents_where_one_is_expected() {
    let error = value("a: 1\n---\nb: 2\n", "values.yaml").unwrap_err();
    assert!(error.message.contains("there are 2"), "{error}");
}

#[test]
fn documents_have_integers_and_no_gaps() {
    let read = documents("---\n# nothing\n---\na: 2.0\nb: 1e3\nc: 2.5\n---\n---\nd: [1.0]\n", "x").unwrap();
    assert_eq!(read, [json!({"a": 2, "b": 1000, "c": 2.5}), json!({"d": [1]})]);
}

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Typed {
    #[allow(dead_code)]
    count: u32,
}

#[test]
fn errors_name_the_place_and_never_a_value() {
    let error = value("a: 1\nb: [1, 2\nc: hunter2\n", "values.yaml").unwrap_err();
    assert_eq!(error.origin, "values.yaml");
    assert!(error.line >= 2 && error.column >= 1, "{error}");
    assert!(!error.to_string().contains("hunter2"), "{error}");

    let error = value("a: 1\na: hunter2\n", "values.yaml").unwrap_err();
    assert_eq!(error.to_string(), "values.yaml:2:1: the key `a` is there twice");

    let error = from_str::<Typed>("count: hunter2\n", "p.yaml").unwrap_err();
    assert!(!error.to_string().contains("hunter2"), "{error}");
    assert_eq!((error.line, error.column), (1, 8), "{error}");
    let error = from_str::<Typed>("count: 1\ncuont: 2\n", "p.yaml").unwrap_err();
    assert!(error.message.contains("`cuont`") && error.message.contains("count"), "{error}");
    let error = from_str::<Typed>("{}\n", "p.yaml").unwrap_err();
    assert!(error.message.contains("`count`"), "{error}");
}

#[test]
fn what_looks_like_something_else_is_quoted() {
    let original = json!({
        "a": "yes", "b": "1_000", "c": "010", "d": "null", "e": "1e3", "f": "2024-01-01", "g": "on", "h": "",
        "i": "a: b", "j": "- x", "k": "#no", "l": "~", "m": "12:30:45", "n": "0x1f", "o": "*x", "p": "y",
    });
    let text = to_string(&original);
    assert_eq!(value(&text, "x").unwrap(), original, "{text}");
    assert!(text.contains("a: \"yes\"") || text.contains("a: 'yes'"), "{text}");
}

#[test]
fn multi_line_strings_come_back() {
    for string in [
        "a\nb\n",
        "a\nb",
        "\n\tx\n",
        "  \tx\ny",
        "\n\nx",
        "x\n\n\n",
        " lead\nx",
        "tab\there\n",
        "a: 1\r\nb: 2\n",
    ] {
        let original = json!({"text": string, "list": [{"deep": string}]});
        let text = to_string(&original);
        assert_eq!(value(&text, "x").unwrap(), original, "{text}");
    }
    assert!(to_string(&json!({"conf": "a: 1\nb: 2\n"})).contains("conf: |\n"));
    assert!(!to_string(&json!({"conf": "\n\ta\n"})).contains('|'));
}

#[test]
fn long_lines_stay_on_one_line() {
    let long = "word ".repeat(60) + "end";
    assert_eq!(to_string(&json!({ "args": long })), format!("args: {long}\n"));
}

proptest::proptest! {
    #[test]
    fn any_string_comes_back(string in "[ \\n\\t:#\\-a-z0-9\"'{}\\[\\]&*!|>%@`,?~\\\\é]{0,24}") {
        let original = json!({"k": string.clone(), string.clone(): [string]});
        let text = to_string(&original);
        proptest::prop_assert_eq!(value(&text, "x").unwrap(), original, "{}", text);
    }
}
