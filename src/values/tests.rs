//! Merging and `--set`, held against Helm's own answers.

use super::*;
use serde_json::json;

fn no_file(path: &str) -> io::Result<String> {
    Err(io::Error::new(io::ErrorKind::NotFound, format!("{path}: not found")))
}

fn collect_one(setting: Setting) -> Result<Value, ValuesError> {
    collect(&[setting], &|path| {
        if path == "/tmp/f.txt" { Ok("hello\nworld\n".into()) } else { no_file(path) }
    })
}

/// The verdicts of the real Helm; its JSON numbers are all floats, printed without a fraction.
#[test]
fn the_oracle_agrees() {
    let table = include_str!("../../tests/oracle/set.tsv");
    let mut wrong = Vec::new();
    for line in table.lines() {
        let cells: Vec<&str> = line.split('\t').collect();
        let expression: String = serde_json::from_str(cells[1]).unwrap();
        let setting = match cells[0] {
            "--set" => Setting::Set(expression),
            "--set-string" => Setting::SetString(expression),
            "--set-json" => Setting::SetJson(expression),
            "--set-literal" => Setting::SetLiteral(expression),
            "--set-file" => Setting::SetFile(expression),
            other => panic!("{other}"),
        };
        let expected =
            if cells[2].starts_with("ERR") { None } else { serde_json::from_str::<Value>(cells[2]).ok() };
        let got = collect_one(setting);
        let same = match (&expected, &got) {
            (None, Err(_)) => true,
            (Some(expected), Ok(got)) => {
                crate::yaml::documents(&crate::yaml::to_string(got), "").unwrap() == [expected.clone()]
            }
            _ => false,
        };
        if !same {
            wrong.push(format!("{line}\n    got {got:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn helms_order_whatever_the_order_given() {
    let settings = [
        Setting::SetLiteral("a=6".into()),
        Setting::SetFile("a=/f,e=/f".into()),
        Setting::SetString("a=4,d=4".into()),
        Setting::Set("a=3,c=3".into()),
        Setting::SetJson("a=2,b=2".into()),
        Setting::File { origin: "x.yaml".into(), text: "{a: 1, z: 1}".into() },
        Setting::File { origin: "y.yaml".into(), text: "z: 2".into() },
    ];
    let values = collect(&settings, &|_| Ok("5".into())).unwrap();
    assert_eq!(values, json!({"a": "6", "z": 2, "b": 2, "c": 3, "d": "4", "e": "5"}));
}

#[test]
fn a_flag_changes_one_item_of_a_files_list() {
    let settings = [
        Setting::File { origin: "x.yaml".into(), text: "jobs: [{name: a, n: 1}, {name: b}]".into() },
        Setting::Set("jobs[0].n=2".into()),
    ];
    let values = collect(&settings, &no_file).unwrap();
    assert_eq!(values, json!({"jobs": [{"name": "a", "n": 2}, {"name": "b"}]}));
}

#[test]
fn null_deletes_a_default() {
    let user = collect(&[Setting::Set("a.b=null,c=null,d.e=null,d.f=1".into())], &no_file).unwrap();
    let mut values = json!({"a": {"b": 1, "x": 2}, "c": {"y": 1}, "keep": null});
    merge(&mut values, &user);
    assert_eq!(values, json!({"a": {"x": 2}, "keep": null, "d": {"f": 1}}));
}

#[test]
fn lists_and_scalars_replace() {
    let mut values = json!({"l": [1, 2, 3], "m": {"a": 1}, "s": 1});
    merge(&mut values, &json!({"l": [4], "m": "text", "s": {"b": 1}}));
    assert_eq!(values, json!({"l": [4], "m": "text", "s": {"b": 1}}));
}

#[test]
fn errors_are_clear_and_hold_no_value() {
    let message = |setting| collect_one(setting).unwrap_err().to_string();
    assert_eq!(
        message(Setting::Set("password=hunter2,oops".into())),
        "--set: the key `oops` has no value: write `oops=VALUE`"
    );
    assert_eq!(message(Setting::Set("a={x,y".into())), "--set: the list at `a` has no closing `}`");
    assert_eq!(
        message(Setting::Set("a[x]=1".into())),
        "--set: `x` in `a[x]` is no index: a number from 0 to 65536 is expected"
    );
    assert_eq!(
        message(Setting::Set("a=hunter2,a.b=1".into())),
        "--set: `a` is already a string, so nothing below it can be set"
    );
    assert_eq!(
        message(Setting::SetJson("a={\"p\": hunter2}".into())),
        "--set-json: the value of `a` is not JSON, at its character 7"
    );
    assert!(
        message(Setting::SetFile("a=/nowhere".into())).contains("the file for `a` cannot be read: /nowhere")
    );
    let text = message(Setting::File { origin: "v.yaml".into(), text: "[1]".into() });
    assert_eq!(text, "v.yaml: a map of values is expected, found a list");
}

proptest::proptest! {
    #[test]
    fn no_expression_panics(text in "[a-c=,.\\[\\]{}0-9\\\\ \"é]{0,20}") {
        for setting in [Setting::Set(text.clone()), Setting::SetJson(text.clone()), Setting::SetLiteral(text)] {
            let _ = collect_one(setting);
        }
    }
}
