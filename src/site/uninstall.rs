//! The end of a release: its objects are deleted, and its records closed or deleted.
//!
//! Never a claim while a recorded savepoint may be in it.

use std::collections::BTreeSet;

use super::Site;
use crate::cluster::delete;
use crate::failure::Cause;
use crate::layout::control::owned_kinds;
use crate::operation::Journal;
use crate::release::{JobState, Status};
use crate::render::ObjectKey;

impl Site<'_> {
    /// Deletes the release's objects, but for the claim while a recorded savepoint lives in it.
    pub(super) async fn delete_objects(&self, journal: &Journal) -> Result<(), Cause> {
        let context = &self.context;
        let name = self.operation.name();
        let keep_claims = !self.operation.journal.decided.purge && self.keeps_state(journal).await?;
        let owned =
            delete::list_owned(&context.cluster, &context.namespace, name, &owned_kinds()).await?.objects;
        let keys: BTreeSet<ObjectKey> = owned
            .iter()
            .chain(&self.operation.objects)
            .map(|object| self.placed(object))
            .filter(|key| !(keep_claims && key.is_claim()))
            .collect();
        let keys: Vec<ObjectKey> = keys.into_iter().collect();
        delete::delete(&context.cluster, &context.namespace, name, &keys, &mut |_, _| {})
            .await
            .map_err(Cause::not_deleted)?;
        delete::wait_gone(&context.cluster, &context.namespace, &keys, context.timeout).await?;
        Ok(())
    }

    /// Returns whether any savepoint is recorded, by this operation or before.
    async fn keeps_state(&self, journal: &Journal) -> Result<bool, Cause> {
        if journal.jobs.iter().any(|job| job.forward.savepoint.is_some()) {
            return Ok(true);
        }
        Ok(!self.context.store.savepoints(self.operation.name()).await?.is_empty())
    }

    /// Writes how it ended: an `uninstalled` record while there is a savepoint to come back to,
    /// else no record at all.
    pub(super) async fn close_uninstalled(
        &mut self,
        journal: &Journal,
        now: jiff::Timestamp,
    ) -> Result<(), Cause> {
        let keep = !self.operation.journal.decided.purge && self.keeps_state(journal).await?;
        let store = &self.context.store;
        let name = self.operation.name().to_owned();
        if !keep {
            return Ok(store.delete_release(&name).await?);
        }
        if let Some(base) = &mut self.operation.base {
            for job in &mut base.jobs {
                let moved = journal.jobs.iter().find(|moved| moved.name == job.name);
                if moved.is_some_and(|moved| moved.forward.savepoint.is_none() && !moved.forward.finished) {
                    job.state = JobState::Canceled;
                }
                job.elsewhere = None;
            }
            base.status = Status::Uninstalled;
            base.updated = now;
            let said = self.operation.settings.description.clone();
            base.description = said.unwrap_or_else(|| "Uninstallation complete".to_owned());
            store.update(base).await?;
            self.operation.record = base.clone();
        }
        let latest = self.operation.record.revision;
        for summary in store.history(&name).await? {
            if summary.revision > latest {
                // A failed attempt after the revision that ran: its generation's number stays
                // known, it is gone like the rest.
                store.set_status(&name, summary.revision, Status::Uninstalled, &summary.description).await?;
            } else if summary.status == Status::Deployed {
                store.set_status(&name, summary.revision, Status::Superseded, &summary.description).await?;
            }
        }
        Ok(())
    }
}
