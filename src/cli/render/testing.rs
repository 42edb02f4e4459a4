//! Holds a result against every format, for the tests beside each report.

use serde_json::Value;

use super::{Render, render};
use crate::cli::flags::format::Format;
use crate::cli::next::Place;
use crate::operation::Kind;
use crate::plan::{ObjectChanges, Summary};
use crate::release::{JobState, Status};
use crate::run::{JobReport, Report};
use crate::verbs::query::ReleaseRow;

/// Renders a result in every format, and returns its names: lines for people, one document for
/// programs.
#[track_caller]
pub fn every_format<T: Render>(result: &T) -> Vec<String> {
    let text = |format| render(result, format, &Place::unnamed()).unwrap();
    let json: Value = serde_json::from_str(&text(Format::Json)).unwrap();
    let yaml = text(Format::Yaml);
    if let [document] = crate::yaml::documents(&yaml, "yaml").unwrap().as_slice() {
        assert!(*document == json || json["kind"] == "List", "JSON and YAML differ: {json:#}\n{yaml}");
    }
    for format in [Format::Table, Format::Wide, Format::Name] {
        let shown = text(format);
        assert!(
            shown.is_empty() || shown.ends_with('\n'),
            "{format:?} ends in the middle of a line: {shown:?}"
        );
    }
    let remark = result.remark(&Place::unnamed()).is_some();
    assert!(remark || !text(Format::Table).is_empty(), "a user is told nothing");
    assert_eq!(text(Format::Wide).is_empty(), text(Format::Table).is_empty());
    text(Format::Name).lines().map(str::to_owned).collect()
}

/// Returns a revision of the release `demo`.
pub fn release_row() -> ReleaseRow {
    ReleaseRow {
        name: "demo".to_owned(),
        namespace: "team".to_owned(),
        revision: 3,
        created: jiff::Timestamp::UNIX_EPOCH,
        updated: jiff::Timestamp::UNIX_EPOCH,
        status: Status::Deployed,
        package: "flink-1.0.0".to_owned(),
        flink_version: "2.3.0".to_owned(),
        layout: "session".to_owned(),
        description: "Upgrade complete".to_owned(),
        savepoints: Some(vec!["file:///s/1".to_owned()]),
    }
}

/// Returns what an operation on the release `demo` did.
pub fn changed() -> Report {
    Report {
        name: "demo".to_owned(),
        namespace: "team".to_owned(),
        revision: 3,
        status: Status::Deployed,
        package: "flink-1.0.0".to_owned(),
        layout: "session".to_owned(),
        generation: 2,
        description: "Upgrade complete".to_owned(),
        unchanged: false,
        objects: ObjectChanges::default(),
        jobs: vec![JobReport {
            name: "orders".to_owned(),
            id: None,
            state: JobState::Running,
            restored_from: None,
            savepoint: Some("file:///s/1".to_owned()),
        }],
        notes: "kubectl flink status demo".to_owned(),
    }
}

/// Returns the plan of an upgrade of the release `demo`.
pub fn planned() -> Summary {
    Summary {
        operation: Kind::Upgrade,
        release: "demo".to_owned(),
        namespace: "team".to_owned(),
        from_revision: Some(2),
        to_revision: 3,
        package: "flink-1.0.0".to_owned(),
        layout: "session".to_owned(),
        unchanged: false,
        new_pods: false,
        strategy: None,
        strategy_reason: None,
        meanwhile: None,
        from_generation: Some("demo-g1".to_owned()),
        to_generation: "demo-g1".to_owned(),
        objects: ObjectChanges::default(),
        jobs: Vec::new(),
        choice_needed: Vec::new(),
        on_failure: "nothing happens".to_owned(),
        diff: None,
    }
}
