//! The filters and functions that templates have besides Tera's own.
//!
//! Tera hands an undefined value on to a filter without a word: each of these checks for it, and
//! Tera's own that do not are replaced. All are pure.

use std::collections::BTreeMap;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use tera::{Error, Kwargs, Map, State, Tera, TeraResult, Value};

use super::memory;
use crate::package::Package;
use crate::version::{Range, parse_version};
use crate::yaml;

/// A file that is larger does not belong into an object: the API server takes 1.5 MiB in all.
const MAX_FILE: usize = 1 << 20;

/// Registers all of them. `package` gives `file(path=…)` its files.
pub(super) fn register(tera: &mut Tera, package: &Package) {
    tera.register_filter("to_yaml", to_yaml);
    tera.register_filter("to_json", to_json);
    tera.register_filter("quote", quote);
    tera.register_filter("required", required);
    tera.register_filter("str", text);
    tera.register_filter("safe", text);
    tera.register_filter("group_by", group_by);
    tera.register_filter("merge", merge);
    tera.register_filter("b64encode", b64encode);
    tera.register_filter("sha256", sha256);
    tera.register_filter("memory_bytes", |value: &Value, _: Kwargs, _: &State| bytes(value));
    tera.register_filter("flink_memory", |value: &Value, _: Kwargs, _: &State| {
        bytes(value).map(memory::flink)
    });
    tera.register_filter("k8s_memory", |value: &Value, _: Kwargs, _: &State| {
        bytes(value).map(memory::kubernetes)
    });
    tera.register_filter("version_matches", version_matches);
    tera.register_function("fail", fail);
    tera.register_function("file", file(package));
}

fn defined(value: &Value) -> TeraResult<&Value> {
    if holds_undefined(value) {
        Err(Error::message("the value, or a part of it, is not defined"))
    } else {
        Ok(value)
    }
}

/// `{"a": values.typo}` is a map with an undefined value, which would be written as null.
fn holds_undefined(value: &Value) -> bool {
    value.is_undefined()
        || value.as_array().is_some_and(|items| items.iter().any(holds_undefined))
        || value.as_map().is_some_and(|map| map.values().any(holds_undefined))
}

fn to_json_value(value: &Value) -> TeraResult<serde_json::Value> {
    serde_json::to_value(defined(value)?).map_err(Error::message)
}

/// `| to_yaml(indent=4)`: block style without the last newline; every line but the first is
/// indented, as the first stands where the template has it.
fn to_yaml(value: &Value, kwargs: Kwargs, _: &State) -> TeraResult<String> {
    let indent = kwargs.get::<usize>("indent")?.unwrap_or(0).min(100);
    let text = yaml::to_string(&to_json_value(value)?);
    // Only the last newline: the others may belong to a block scalar that keeps them (`|+`).
    let mut lines = text.strip_suffix('\n').unwrap_or(&text).split('\n');
    let mut indented = lines.next().unwrap_or_default().to_owned();
    for line in lines {
        indented.push('\n');
        if !line.is_empty() {
            indented.extend(std::iter::repeat_n(' ', indent));
        }
        indented.push_str(line);
    }
    Ok(indented)
}

/// `| to_json`: on one line.
fn to_json(value: &Value, _: Kwargs, _: &State) -> TeraResult<String> {
    Ok(to_json_value(value)?.to_string())
}

/// `| quote`: a string in double quotes, which YAML and JSON read alike; for a string, number or
/// boolean.
fn quote(value: &Value, _: Kwargs, _: &State) -> TeraResult<String> {
    match to_json_value(value)? {
        serde_json::Value::String(text) => Ok(serde_json::Value::String(text).to_string()),
        scalar @ (serde_json::Value::Bool(_) | serde_json::Value::Number(_)) => Ok(format!("\"{scalar}\"")),
        other => Err(Error::message(format!(
            "quote needs a string, a number or a boolean, found {}",
            crate::values::kind(&other)
        ))),
    }
}

/// `| required(message="…")`: the value, or an error where it is not defined, null or an empty
/// string.
fn required(value: &Value, kwargs: Kwargs, _: &State) -> TeraResult<Value> {
    let message = kwargs.must_get::<&str>("message")?;
    if value.is_undefined() || value.is_none() || value.as_str() == Some("") {
        return Err(Error::message(message));
    }
    Ok(value.clone())
}

/// Tera's `str`, which writes nothing for an undefined value. Also `safe`: nothing is escaped here
/// anyway.
fn text(value: &Value, _: Kwargs, _: &State) -> TeraResult<String> {
    Ok(defined(value)?.to_string())
}

/// Tera's `group_by` in the order of the keys: its own varies from run to run.
fn group_by(value: &[Value], kwargs: Kwargs, _: &State) -> TeraResult<Map> {
    let attribute = kwargs.must_get::<&str>("attribute")?;
    let mut groups: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for (index, item) in value.iter().enumerate() {
        let key = item
            .get_from_path(attribute)
            .filter(|key| !key.is_undefined())
            .ok_or_else(|| Error::message(format!("item {index} has no `{attribute}`")))?;
        if !key.is_none() {
            groups.entry(key.to_string()).or_default().push(item.clone());
        }
    }
    Ok(groups.into_iter().map(|(key, items)| (key.into(), items.into())).collect())
}

/// `| merge(with=other)`: two maps, as values merge: deep, `null` in `with` deletes.
fn merge(value: &Value, kwargs: Kwargs, _: &State) -> TeraResult<Value> {
    let mut base = to_json_value(value)?;
    let over = to_json_value(kwargs.must_get::<&Value>("with")?)?;
    if !base.is_object() || !over.is_object() {
        return Err(Error::message(format!(
            "merge needs two maps, found {} and {}",
            crate::values::kind(&base),
            crate::values::kind(&over)
        )));
    }
    crate::values::merge(&mut base, &over);
    Value::try_from_serializable(&base)
}

/// `| b64encode`: of a string's bytes, RFC 4648 with padding.
fn b64encode(value: &Value, _: Kwargs, _: &State) -> TeraResult<String> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let text = string(value, "b64encode")?;
    let mut encoded = String::with_capacity(text.len().div_ceil(3) * 4);
    for chunk in text.as_bytes().chunks(3) {
        let group =
            chunk.iter().fold(0u32, |group, byte| (group << 8) | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for index in 0..4 {
            let sextet = (group >> (18 - 6 * index)) & 63;
            encoded.push(if index <= chunk.len() { char::from(ALPHABET[sextet as usize]) } else { '=' });
        }
    }
    Ok(encoded)
}

/// `| sha256`: 64 hex digits, of a string; of anything else, of its JSON.
fn sha256(value: &Value, _: Kwargs, _: &State) -> TeraResult<String> {
    use std::fmt::Write as _;
    let json = to_json_value(value)?;
    let digest = Sha256::digest(json.as_str().map_or_else(|| json.to_string(), str::to_owned));
    Ok(digest.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}"); // writing to a String cannot fail
        text
    }))
}

/// A size of memory, as a string or as a number of bytes.
fn bytes(value: &Value) -> TeraResult<u64> {
    match value.as_str() {
        Some(text) => memory::parse_memory(text).map_err(Error::message),
        None => defined(value)?.as_u64().ok_or_else(|| {
            Error::message(format!("a size of memory is expected (1728m, 2Gi), found {}", value.name()))
        }),
    }
}

/// `| version_matches(range=">=1.19")`: whether a version is in a range; a pre-release counts as
/// its release.
fn version_matches(value: &Value, kwargs: Kwargs, _: &State) -> TeraResult<bool> {
    let mut version = parse_version(string(value, "version_matches")?).map_err(Error::message)?;
    version.pre = semver::Prerelease::EMPTY;
    let range = Range::parse(kwargs.must_get::<&str>("range")?).map_err(Error::message)?;
    Ok(range.matches(&version))
}

fn string<'a>(value: &'a Value, filter: &str) -> TeraResult<&'a str> {
    defined(value)?
        .as_str()
        .ok_or_else(|| Error::message(format!("{filter} needs a string, found {}", value.name())))
}

/// `fail(message="…")`: the template refuses the values.
fn fail(kwargs: Kwargs, _: &State) -> TeraResult<bool> {
    Err(Error::message(kwargs.must_get::<&str>("message")?))
}

/// `file(path="files/log4j.properties")`: the text of one of the package's files, by
/// [`yaml::plain`].
fn file(package: &Package) -> impl Fn(Kwargs, &State) -> TeraResult<String> + Send + Sync + 'static {
    let texts: BTreeMap<String, Option<String>> = package
        .files()
        .filter(|(path, _)| path.starts_with("files/"))
        .map(|(path, content)| {
            let text = std::str::from_utf8(content).ok().filter(|text| text.len() <= MAX_FILE);
            (path.to_owned(), text.map(|text| yaml::plain(text).into_owned()))
        })
        .collect();
    let texts = Arc::new(texts);
    move |kwargs: Kwargs, _: &State| {
        let path = kwargs.must_get::<&str>("path")?;
        match texts.get(path) {
            Some(Some(text)) => Ok(text.clone()),
            Some(None) => Err(Error::message(format!("{path} is not text, or larger than 1 MiB"))),
            None => Err(Error::message(format!("the package has no file {path}; file() reads below files/"))),
        }
    }
}
