//! Generations of a release beside the one that runs: what earlier operations could not remove, or
//! left jobs in.

use std::collections::BTreeSet;

use super::render_record;
use crate::cluster::delete;
use crate::context::Context;
use crate::failure::Cause;
use crate::layout::Descriptor;
use crate::layout::control::owned_kinds;
use crate::release::Record;
use crate::render::Object;

/// A generation beside the one that runs.
#[derive(Clone)]
pub(crate) struct Orphan {
    pub number: u32,
    /// Its objects, as they live.
    pub objects: Vec<Object>,
    /// How it is reached.
    pub descriptor: Option<Descriptor>,
    /// The package's archive of the revision that made it, where jobs of the release run in it.
    pub archive: Option<Vec<u8>>,
}

/// The generations of a release that have objects in the cluster, but for those that are named.
pub(crate) async fn orphans(context: &Context, base: &Record, known: &[u32]) -> Result<Vec<Orphan>, Cause> {
    let owned =
        delete::list_owned(&context.cluster, &context.namespace, &base.name, &owned_kinds()).await?.objects;
    let numbers: BTreeSet<u32> = owned.iter().filter_map(Object::generation).collect();
    let mut orphans = Vec::new();
    for number in numbers.into_iter().filter(|number| !known.contains(number)) {
        let hosts = base.jobs.iter().filter_map(|job| job.elsewhere).find(|place| place.generation == number);
        let made = match hosts {
            Some(place) => Some(context.store.get(&base.name, place.revision).await?),
            None => None,
        };
        // Of one without a job all that is needed is named after its number; unless the running
        // revision has no Flink.
        let descriptor = match Descriptor::find(&render_record(made.as_ref().unwrap_or(base), number)?)? {
            None => descriptor_of_maker(context, &base.name, number).await?,
            found => found,
        };
        let objects = owned.iter().filter(|object| object.generation() == Some(number)).cloned().collect();
        orphans.push(Orphan { number, objects, descriptor, archive: made.map(|record| record.archive) });
    }
    Ok(orphans)
}

/// The descriptor of a generation, by the newest revision on record that had it.
async fn descriptor_of_maker(
    context: &Context,
    release: &str,
    number: u32,
) -> Result<Option<Descriptor>, Cause> {
    let history = context.store.history(release).await?;
    let Some(maker) = history.iter().rfind(|summary| summary.generation == number) else { return Ok(None) };
    let record = context.store.get(release, maker.revision).await?;
    Descriptor::find(&render_record(&record, number)?)
}
