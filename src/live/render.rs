//! Renders a recorded revision again: its own package and values, under the generation that runs it
//! or another.

use serde_json::{Value, json};

use crate::failure::Cause;
use crate::layout::Descriptor;
use crate::operation::Kind;
use crate::package::Package;
use crate::release::{JobRecord, Record};
use crate::render::{self, Inputs, Object, ReleaseContext, SavepointContext};

/// A record's objects under the generation that runs it: as recorded, or rendered again after a
/// revert gave it another, and where they name the job's id and state, which are known only when it
/// has stopped.
pub(crate) fn objects_of(record: &Record) -> Result<Vec<Object>, Cause> {
    let recorded = render::parse_manifest(&record.manifest)?;
    match Descriptor::find(&recorded)? {
        Some(descriptor) if record.generation != 0 => {
            if descriptor.generation == record.generation && !descriptor.traits().starts_with_pods {
                return Ok(recorded);
            }
            render_record(record, record.generation)
        }
        _ => Ok(recorded),
    }
}

/// Returns what the templates are told of the start of the record's standalone job: its id, and the
/// state that it is restored from.
pub(crate) fn start_of(jobs: &[JobRecord]) -> (Value, Option<SavepointContext>) {
    let Some((job, id)) =
        jobs.iter().find(|job| job.mode.starts_with_pods()).and_then(|job| Some((job, job.id?)))
    else {
        return (Value::Null, None);
    };
    let savepoint = job.restored_from.clone().map(|path| SavepointContext {
        path,
        allow_non_restored_state: job.allow_non_restored_state,
        nonce: 0,
    });
    (json!({ "id": id.to_string() }), savepoint)
}

/// A record rendered again under another generation's number.
pub(crate) fn render_record(record: &Record, generation: u32) -> Result<Vec<Object>, Cause> {
    let package = Package::from_archive(&record.archive)?;
    let Record { name, namespace, revision, layout, values, capabilities, .. } = record;
    // An install is not always the first revision: an uninstalled release may come back.
    let is_install = record.operation == Kind::Install.verb();
    let release = ReleaseContext::new(name, namespace, *revision, record.storage_id.clone(), is_install);
    let inputs =
        Inputs::new(release, generation, layout, values, capabilities).starting(start_of(&record.jobs));
    Ok(render::render(&package, &inputs)?.objects)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::release::testing::record;

    /// Expected: as it was rendered first, so that a rollback to it is never refused for being
    /// another.
    #[test]
    fn an_install_that_is_not_the_first_revision_renders_as_an_install() {
        let files = [
            (
                "package.yaml",
                "apiVersion: flink.kubectl/v1\nname: demo\nversion: 1.0.0\nflinkVersion: 2.3.0\nlayouts:\n  plain: {kind: plain}\n",
            ),
            ("values.yaml", "{}\n"),
            (
                "layouts/plain/a.yaml",
                "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {install: \"{{ release.isInstall }}\", upgrade: \"{{ release.isUpgrade }}\"}\n",
            ),
        ];
        let files: BTreeMap<_, _> =
            files.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect();
        let archive = Package::from_files(files).unwrap().to_archive().unwrap();
        for (operation, install) in [("install", "true"), ("upgrade", "false"), ("rollback", "false")] {
            let operation = operation.to_owned();
            let record =
                Record { archive: archive.clone(), layout: "plain".to_owned(), operation, ..record(3) };
            let objects = render_record(&record, 0).unwrap();
            assert_eq!(objects[0].value["data"]["install"], install, "{}", record.operation);
        }
    }
}
