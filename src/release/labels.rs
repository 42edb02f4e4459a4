//! What a record's Secret says in its labels and annotations, so that lists need no more than
//! metadata.
//!
//! They are the only place of what may change about a record, but its jobs: its status,
//! description, generation, and when it was changed.

use super::ReleaseError;
use super::record::{Record, Status, Summary};
use super::secrets::OWNER;
use serde_json::{Map, Value, json};

/// The highest generation number that the release had used when the record was written.
const HIGHEST: &str = "flink.kubectl/highest-generation";
const GENERATION: &str = "flink.kubectl/generation";
const DESCRIPTION: &str = "flink.kubectl/description";
const CREATED: &str = "flink.kubectl/created";
const UPDATED: &str = "flink.kubectl/updated";
const VERSION: &str = "flink.kubectl/version";
const FLINK_VERSION: &str = "flink.kubectl/flink-version";
const OPERATION: &str = "flink.kubectl/operation";
const STORAGE: &str = "flink.kubectl/storage-id";
/// SHA-256 of the archive that the record names.
const ARCHIVE: &str = "flink.kubectl/archive";
/// Longest description kept, in characters: all annotations of an object share 256 KiB.
const LONGEST_DESCRIPTION: usize = 4096;
/// What stands for the middle of a longer one.
const CUT: &str = " … ";

/// The labels of a record.
pub(super) fn labels(record: &Record) -> Value {
    json!({
        "owner": OWNER,
        "name": record.name,
        "revision": record.revision.to_string(),
        "status": record.status.as_str(),
        "package": label_value(&record.package.name),
        "version": label_value(&record.package.version),
        "layout": label_value(&record.layout),
    })
}

/// The annotations of a record; `highest` is the highest generation number ever used by the
/// release, `archive` the SHA-256 of the package's archive.
pub(super) fn annotations(record: &Record, highest: u32, archive: &str) -> Value {
    let mut all = json!({
        CREATED: record.created.to_string(),
        VERSION: record.package.version,
        FLINK_VERSION: record.package.flink_version,
        OPERATION: record.operation,
        STORAGE: record.storage_id,
        ARCHIVE: archive,
    });
    if let (Some(all), Value::Object(more)) = (all.as_object_mut(), changing_annotations(record, highest)) {
        all.extend(more);
    }
    all
}

/// Those annotations that an update writes again.
pub(super) fn changing_annotations(record: &Record, highest: u32) -> Value {
    json!({
        DESCRIPTION: short(&record.description),
        UPDATED: record.updated.to_string(),
        GENERATION: record.generation.to_string(),
        HIGHEST: highest.max(record.generation).to_string(),
    })
}

/// The metadata of a new status.
pub(super) fn status_metadata(status: Status, description: &str, updated: jiff::Timestamp) -> Value {
    json!({
        "labels": {"status": status.as_str()},
        "annotations": {DESCRIPTION: short(description), UPDATED: updated.to_string()},
    })
}

/// A text that is too long loses its middle: how it began is at its start, and what was added last,
/// such as where a savepoint would be, at its end.
fn short(text: &str) -> String {
    let length = text.chars().count();
    if length <= LONGEST_DESCRIPTION {
        return text.to_owned();
    }
    let start = LONGEST_DESCRIPTION / 4;
    let end = length - (LONGEST_DESCRIPTION - start - CUT.chars().count());
    text.chars().take(start).chain(CUT.chars()).chain(text.chars().skip(end)).collect()
}

/// A text as a label can hold it: `+` becomes `_`, as Helm writes versions; at most 63 characters.
fn label_value(text: &str) -> String {
    let fits = |c: char| {
        if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' }
    };
    let value: String = text.chars().take(63).map(fits).collect();
    value.trim_matches(|c: char| !c.is_ascii_alphanumeric()).to_owned()
}

/// The summary of a record from its Secret's `metadata`.
pub(super) fn summary(object: &Value) -> Result<Summary, ReleaseError> {
    let reader = Reader { object };
    Ok(Summary {
        name: reader.label("name")?.to_owned(),
        namespace: reader.text("/metadata/namespace")?.to_owned(),
        revision: reader.number(reader.label("revision")?, "revision")?,
        status: reader.label("status")?.parse().map_err(|_| reader.wrong("status"))?,
        package: reader.label("package")?.to_owned(),
        version: reader.annotation(VERSION)?.to_owned(),
        flink_version: reader.annotation(FLINK_VERSION)?.to_owned(),
        layout: reader.label("layout")?.to_owned(),
        generation: reader.number(reader.annotation(GENERATION)?, GENERATION)?,
        description: reader.annotation(DESCRIPTION)?.to_owned(),
        created: reader.time(CREATED)?,
        updated: reader.time(UPDATED)?,
        operation: reader.annotation(OPERATION)?.to_owned(),
        storage_id: reader.annotation(STORAGE)?.to_owned(),
    })
}

/// The highest generation number that a record knows of; 0 where it says none.
pub(super) fn highest_generation(object: &Value) -> u32 {
    let reader = Reader { object };
    reader.annotation(HIGHEST).ok().and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// The SHA-256 of the archive that a record names.
pub(super) fn archive(object: &Value) -> Result<&str, ReleaseError> {
    Reader { object }.annotation(ARCHIVE)
}

/// Puts what may have changed since into a record that was just unpacked.
pub(super) fn refresh(record: &mut Record, summary: Summary) {
    record.status = summary.status;
    record.description = summary.description;
    record.updated = summary.updated;
    record.generation = summary.generation;
}

struct Reader<'a> {
    object: &'a Value,
}

impl<'a> Reader<'a> {
    fn text(&self, pointer: &str) -> Result<&'a str, ReleaseError> {
        self.object.pointer(pointer).and_then(Value::as_str).ok_or_else(|| self.wrong(pointer))
    }

    fn label(&self, name: &str) -> Result<&'a str, ReleaseError> {
        self.entry("labels", name)
    }

    fn annotation(&self, name: &str) -> Result<&'a str, ReleaseError> {
        self.entry("annotations", name)
    }

    fn entry(&self, map: &str, name: &str) -> Result<&'a str, ReleaseError> {
        let all: Option<&'a Map<String, Value>> =
            self.object.get("metadata").and_then(|m| m.get(map)?.as_object());
        all.and_then(|all| all.get(name)?.as_str()).ok_or_else(|| self.wrong(name))
    }

    fn number(&self, text: &str, field: &str) -> Result<u32, ReleaseError> {
        text.parse().map_err(|_| self.wrong(field))
    }

    fn time(&self, name: &str) -> Result<jiff::Timestamp, ReleaseError> {
        self.annotation(name)?.parse().map_err(|_| self.wrong(name))
    }

    fn wrong(&self, field: &str) -> ReleaseError {
        let secret = self.object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or("?");
        ReleaseError::Metadata { secret: secret.to_owned(), field: field.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::super::codec::tests::record;
    use super::*;

    #[test]
    fn a_summary_comes_back_from_the_metadata() {
        let record = record(3);
        let object = json!({"metadata": {
            "name": "s", "namespace": "team", "labels": labels(&record), "annotations": annotations(&record, 7, "00"),
        }});
        assert_eq!(object["metadata"]["labels"]["version"], "1.2.3_build.5");
        let summary = summary(&object).unwrap();
        assert_eq!((summary.revision, summary.version.as_str()), (3, "1.2.3+build.5"));
        assert_eq!((summary.status, summary.updated), (record.status, record.updated));
        assert_eq!(highest_generation(&object), 7);
        assert_eq!(archive(&object).unwrap(), "00");
        assert_eq!(summary.storage_id, record.storage_id);
    }

    #[test]
    fn a_description_that_is_too_long_keeps_how_it_began_and_what_came_last() {
        let said = format!("could not start: {}; a savepoint is in file:///s/7", "é".repeat(5000));
        let kept = short(&said);
        assert_eq!(kept.chars().count(), LONGEST_DESCRIPTION);
        assert!(kept.starts_with("could not start: é") && kept.ends_with("é; a savepoint is in file:///s/7"));
        assert_eq!(short("é"), "é");
    }

    #[test]
    fn a_label_someone_removed_is_named() {
        let record = record(3);
        let mut object = json!({"metadata": {
            "name": "s", "namespace": "team", "labels": labels(&record), "annotations": annotations(&record, 7, "00"),
        }});
        object["metadata"]["labels"]["status"] = json!("gone");
        assert_eq!(
            summary(&object).unwrap_err().to_string(),
            "the Secret s is not a release record: status is missing or wrong"
        );
    }

    #[test]
    fn label_values_fit_the_rules_for_labels() {
        assert_eq!(label_value("-a+b/c-"), "a_b_c");
        assert_eq!(label_value(&"x".repeat(80)).len(), 63);
    }
}
