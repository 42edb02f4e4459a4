//! Renders a recorded revision again: its own package and values, under the generation that runs it or another.

use serde_json::{Value, json};

use crate::failure::Cause;
use crate::layout::Descriptor;
use crate::package::Package;
use crate::release::{JobRecord, Record};
use crate::render::{self, Object, SavepointContext, generation_name};

/// A record's objects under the generation that runs it: as recorded, or rendered again after a revert gave it another, and
/// where they name the job's id and state, which are known only when it has stopped.
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

/// Returns what the templates are told of the start of the record's standalone job: its id, and the state that it is restored from.
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
    let (job, savepoint) = start_of(&record.jobs);
    let inputs = render::Inputs {
        values: &record.values,
        release: render::ReleaseContext {
            name: record.name.clone(),
            namespace: record.namespace.clone(),
            revision: record.revision,
            storage_id: record.storage_id.clone(),
            is_install: record.revision == 1,
            is_upgrade: record.revision != 1,
        },
        layout: &record.layout,
        capabilities: &record.capabilities,
        savepoint,
        cluster: render::ClusterContext {
            name: generation_name(&record.name, generation),
            number: generation,
        },
        job,
    };
    Ok(render::render(&package, &inputs)?.objects)
}
