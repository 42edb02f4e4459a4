//! How an operation ended, written into the records.

use super::Site;
use super::kept::{keep_ends_of, keep_jar, savepoints_of};
use crate::failure::Cause;
use crate::operation::{JobMove, Journal, Kind, Outcome, StateFrom, Target};
use crate::release::{Elsewhere, JobRecord, JobState, Record, Status, Summary};

impl Site<'_> {
    /// Writes into the records how it ended.
    pub(super) async fn close_records(&mut self, outcome: Outcome, journal: &Journal) -> Result<(), Cause> {
        let now = (self.context.now)();
        self.keep_savepoints(journal, outcome, now).await?;
        self.keep_finished(journal);
        self.keep_jars(journal);
        self.keep_ids(journal);
        let mut record = self.operation.record.clone();
        record.updated = now;
        match outcome {
            Outcome::Deployed => {
                record.status = Status::Deployed;
                // Where a run recovers what another left, the words are those of the pending
                // record.
                if record.description == format!("{} in progress", journal.decided.kind) {
                    record.description = format!("{} complete", journal.decided.kind);
                }
                self.context.store.update(&record).await?;
                self.operation.record = record;
                if let Some(mut base) = self.operation.base.clone() {
                    base.status =
                        if base.status == Status::Deployed { Status::Superseded } else { base.status };
                    base.updated = now;
                    self.context.store.update(&base).await?;
                }
                self.supersede_others().await?;
                self.drop_old_revisions().await?;
            }
            Outcome::Uninstalled => self.close_uninstalled(journal, now).await?,
            Outcome::Undone | Outcome::Failed => {
                if journal.decided.kind != Kind::Uninstall && self.is_recorded(journal).await? {
                    record.status = Status::Failed;
                    Self::forget_unstarted(journal, &mut record);
                    record.description = journal.forward.setback.as_ref().map_or_else(
                        || "failed".to_owned(),
                        |setback| format!("{}: {}", setback.step, setback.reason),
                    );
                    if journal.stays_with_old() || outcome == Outcome::Undone {
                        // At most Pods of it are left, or jobs that the revision in charge knows to
                        // be there.
                        record.generation = 0;
                        record.description.push_str(&went_back(journal));
                        for job in &mut record.jobs {
                            job.id = None;
                            job.restored_from = None;
                        }
                    }
                    self.context.store.update(&record).await?;
                }
                if let Some(mut base) = self.operation.base.clone() {
                    base.updated = now;
                    if outcome == Outcome::Undone && base.status == Status::Uninstalling {
                        base.status = Status::Deployed;
                        "Its uninstallation was undone".clone_into(&mut base.description);
                    }
                    bring_back(journal, &mut base, &self.operation.record);
                    self.context.store.update(&base).await?;
                }
                if outcome == Outcome::Undone && journal.decided.kind == Kind::Jobs {
                    self.delete_uploads(journal).await;
                }
            }
        }
        Ok(())
    }

    /// Returns whether the revision is there: also where the answer to its writing was lost.
    async fn is_recorded(&self, journal: &Journal) -> Result<bool, Cause> {
        if journal.forward.recorded {
            return Ok(true);
        }
        let history = self.context.store.history(self.operation.name()).await?;
        let to = journal.decided.to;
        Ok(history.iter().any(|summary| summary.revision == to && summary.status.is_pending()))
    }

    /// Records the savepoints of the current revision's jobs, and which of them ended a job; but
    /// for state that was given up for another: the newest that is recorded would be that.
    async fn keep_savepoints(
        &mut self,
        journal: &Journal,
        outcome: Outcome,
        now: jiff::Timestamp,
    ) -> Result<(), Cause> {
        let given_up = |job: &JobMove| outcome == Outcome::Deployed && job.gives_up_its_state();
        let kept: Vec<&JobMove> = journal.jobs.iter().filter(|job| !given_up(job)).collect();
        if let Some(base) = &self.operation.base {
            let version = |target| {
                let descriptor = self.descriptor(target);
                descriptor.map(|descriptor| descriptor.flink_version.clone()).unwrap_or_default()
            };
            let new = version(Target::New);
            let of_job =
                |job: &&JobMove| savepoints_of(job, base.revision, &version(job.source()), &new, now);
            let savepoints: Vec<_> = kept.iter().flat_map(of_job).collect();
            self.context.store.record_savepoints(self.operation.name(), &savepoints).await?;
        }
        for job in kept {
            if let Some(base) = &mut self.operation.base {
                keep_ends_of(job, base);
            }
            let Some(path) = &job.forward.savepoint else { continue };
            for next in self.operation.record.jobs.iter_mut().filter(|record| record.name == job.name) {
                if job.start().is_none() {
                    next.ended_by = Some(path.clone()); // it is only stopped
                } else if job.start().is_some_and(|start| start.from == StateFrom::ItsStop) {
                    next.restored_from = Some(path.clone());
                }
            }
        }
        Ok(())
    }

    /// A job that finished by itself is recorded as what it was when it did.
    fn keep_finished(&mut self, journal: &Journal) {
        for moved in journal.jobs.iter().filter(|moved| moved.forward.finished) {
            let before = self
                .operation
                .base
                .as_mut()
                .and_then(|base| base.jobs.iter_mut().find(|job| job.name == moved.name));
            let Some(before) = before else { continue };
            before.state = JobState::Finished;
            for next in self.operation.record.jobs.iter_mut().filter(|job| job.name == moved.name) {
                *next = JobRecord {
                    id: before.id,
                    state: JobState::Finished,
                    restored_from: before.restored_from.clone(),
                    ended_by: before.ended_by.clone(),
                    ..next.clone()
                };
            }
        }
    }

    /// A jar that was given is the job's from now on.
    fn keep_jars(&mut self, journal: &Journal) {
        for job in &mut self.operation.record.jobs {
            if let Some(moved) = journal.jobs.iter().find(|moved| moved.name == job.name) {
                keep_jar(moved, job);
            }
        }
    }

    /// An id that was assigned is known only now.
    fn keep_ids(&mut self, journal: &Journal) {
        for moved in journal.jobs.iter().filter(|moved| moved.forward.id.is_some()) {
            for job in self.operation.record.jobs.iter_mut().filter(|job| job.name == moved.name) {
                job.id = moved.new_id();
            }
        }
    }

    /// A job that was never started has no id: nothing of it is anywhere.
    fn forget_unstarted(journal: &Journal, record: &mut Record) {
        for moved in journal.jobs.iter().filter(|moved| moved.start().is_some() && !moved.forward.start_asked)
        {
            for job in record.jobs.iter_mut().filter(|job| job.name == moved.name) {
                job.id = None;
                job.state = JobState::Failed;
            }
        }
    }

    /// Where the running revision was a failed one, an older one still says `deployed`.
    /// A revision that is pending beside this one came late from an operation that is over.
    async fn supersede_others(&self) -> Result<(), Cause> {
        let (name, store) = (self.operation.name(), &self.context.store);
        for summary in store.history(name).await? {
            let status = match summary.status {
                _ if summary.revision == self.operation.record.revision => continue,
                Status::Deployed => Status::Superseded,
                status if status.is_pending() => Status::Failed,
                _ => continue,
            };
            store.set_status(name, summary.revision, status, &summary.description).await?;
        }
        Ok(())
    }

    /// Keeps at most `history_max` revisions, but never drops one whose savepoint exists.
    async fn drop_old_revisions(&self) -> Result<(), Cause> {
        let max = self.operation.settings.history_max as usize;
        if max == 0 {
            return Ok(());
        }
        let (name, store) = (self.operation.name(), &self.context.store);
        let (history, savepoints) = tokio::try_join!(store.history(name), store.savepoints(name))?;
        let surplus = history.len().saturating_sub(max);
        let runs = |summary: &Summary| {
            let elsewhere = self.operation.record.jobs.iter().filter_map(|job| job.elsewhere);
            elsewhere.into_iter().any(|place| place.revision == summary.revision)
        };
        let droppable = history.iter().filter(|summary| {
            savepoints.of_revision(summary.revision).next().is_none()
                && matches!(summary.status, Status::Superseded | Status::Failed)
                && !runs(summary)
        });
        for summary in droppable.take(surplus) {
            store.delete(name, summary.revision).await?;
        }
        Ok(())
    }
}

/// Returns what is said of a revision that did not come to be.
fn went_back(journal: &Journal) -> String {
    let moved: Vec<_> =
        journal.jobs.iter().filter(|job| job.is_moved()).map(|job| job.name.as_str()).collect();
    match moved.as_slice() {
        [] => " (undone)".to_owned(),
        [job] => format!(" (undone, but for the job {job}, which stays as it is)"),
        jobs => format!(" (undone, but for the jobs {}, which stay as they are)", jobs.join(", ")),
    }
}

/// After a revert the base revision's jobs have new ids, and perhaps another generation; those that
/// stay as the new revision, `next`, has them are part of the base.
pub(crate) fn bring_back(journal: &Journal, base: &mut Record, next: &Record) {
    let asked = |job: &JobMove| (job.revert.started || job.revert.asked) && !job.forward.finished;
    if journal.forward.old_removed
        && (journal.revert.applied || journal.jobs.iter().any(asked))
        && let Some(number) = journal.decided.revert
    {
        let before = std::mem::replace(&mut base.generation, number);
        for place in base.jobs.iter_mut().filter_map(|job| job.elsewhere.as_mut()) {
            if place.generation == before {
                place.generation = number;
            }
        }
    }
    // One that may have been started runs under that id, or not at all.
    for moved in journal.jobs.iter().filter(|job| asked(job)) {
        let Some(start) = moved.revert_start() else { continue };
        for job in base.jobs.iter_mut().filter(|job| job.name == moved.name) {
            *job = JobRecord {
                id: moved.reverted_id(),
                state: JobState::Running,
                restored_from: moved.restored_from(&start.from),
                ended_by: None,
                ..job.clone()
            };
        }
    }
    if journal.stays_with_old() {
        for moved in journal.jobs.iter().filter(|job| job.is_moved()) {
            keep_moved(journal, moved, base, next);
        }
        let down = |job: &&JobMove| {
            job.forward.stopped && !job.forward.finished && !job.is_as_it_was() && !job.is_moved()
        };
        for moved in journal.jobs.iter().filter(down) {
            for job in base.jobs.iter_mut().filter(|job| job.name == moved.name) {
                // One that the new revision does not have was stopped on purpose.
                job.state = match (moved.start(), &job.ended_by) {
                    (Some(_), _) => JobState::Failed,
                    (None, Some(_)) => JobState::Stopped,
                    (None, None) => JobState::Canceled,
                };
            }
        }
    }
}

/// A job that stays as the new revision has it.
fn keep_moved(journal: &Journal, moved: &JobMove, base: &mut Record, next: &Record) {
    let (Some(start), Some(job)) = (moved.start(), next.jobs.iter().find(|job| job.name == moved.name))
    else {
        return;
    };
    let before = base.jobs.iter().position(|job| job.name == moved.name);
    // Another run has recorded already where it runs.
    let known = [moved.new_id(), moved.reverted_id()];
    if before.is_some_and(|index| base.jobs[index].id.is_some() && known.contains(&base.jobs[index].id)) {
        return;
    }
    let kept = JobRecord {
        id: moved.new_id(),
        state: JobState::Running,
        elsewhere: Some(Elsewhere { generation: journal.decided.new, revision: journal.decided.to }),
        restored_from: moved.restored_from(&start.from),
        ended_by: None,
        ..job.clone()
    };
    match before {
        Some(index) => base.jobs[index] = kept,
        None => base.jobs.push(kept),
    }
}
