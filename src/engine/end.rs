//! The end of a new job when an operation is reverted: never of one whose output is committed.

use std::time::Duration;

use tokio::time::Instant;

use super::health::SILENCE;
use super::{Engine, POLL, World};
use crate::failure::Cause;
use crate::flink::{self, End, FlinkError, Health, StartError};
use crate::id::JobId;
use crate::layout::control::JobControl;
use crate::operation::{Event, Look, Start, Target};

/// How often a job is cancelled until it counts as one that does not end.
const CANCELS: u32 = 3;

impl<W: World> Engine<W> {
    /// Ends a new job, unless it completed a checkpoint: then its output is committed and it stays
    /// as it is.
    pub(super) async fn end(&mut self, index: usize) -> Result<Option<String>, Cause> {
        let change = self.journal.jobs[index].clone();
        let Some(start) = change.start().cloned() else { return Ok(None) };
        let cluster = self.world.control(Target::New)?;
        let Some(id) = self.id_of_new(&cluster, index, &start).await? else {
            if self.journal.jobs[index].forward.checkpointed {
                return Ok(None);
            }
            self.record(Event::Ended(index)).await?;
            return Ok(Some(format!("the new job {} was never started", change.name)));
        };
        let doing = |source| Cause::Flink {
            doing: format!("the new job {} could not be ended", change.name),
            source,
        };
        // A JobManager that has answered before is not given up for one answer that is missing.
        let patience = if self.journal.forward.ready { SILENCE } else { Duration::ZERO };
        match self.look(&cluster, id, patience).await {
            Ok(health) => {
                self.note_checkpoint(index, Target::New, &health).await?;
                if self.journal.jobs[index].forward.checkpointed {
                    return Ok(None);
                }
                if !health.state.is_terminal() {
                    self.cancel(&cluster, id, &change.name).await?;
                    self.note_what_it_left(index, &cluster, id).await?;
                }
            }
            // Its main() may be on its way to submit it, or it cannot be asked: without its
            // JobManager it ends in any case.
            Err(error)
                if self.journal.traits(Target::New).starts_with_pods
                    && (error.is_not_found() || error.is_passing()) =>
            {
                let completed = cluster.halt(id).await?;
                if completed == Some(true) {
                    // Its output is committed: it goes on from its latest checkpoint.
                    self.stay_with_pods(&cluster, index).await?;
                    return Ok(None);
                }
                // It never ran, or it has come to its end: what it left tells them apart.
                let left = match &change.revert.left {
                    Some(path) => Look::Found(path.clone()),
                    None => self.world.find_left(Target::New, id).await,
                };
                if let Look::Found(path) = &left {
                    self.record(Event::Left(index, path.clone())).await?;
                    self.record(Event::Checkpointed(index)).await?;
                    return Ok(None);
                }
                // Once the old job may run again, nothing is started beside it.
                let alone = !change.revert.asked && !self.journal.decided.late;
                let unseen = left == Look::Unknown && self.unseen[index] && alone;
                if left == Look::Finished || completed.is_none() && (change.forward.started || unseen) {
                    self.stay_with_pods(&cluster, index).await?;
                    return Ok(None);
                }
            }
            // Flink knew it and has forgotten it, with its JobManager: whether it completed a
            // checkpoint cannot be known.
            Err(FlinkError::NotFound { .. }) if change.forward.started => {
                self.record(Event::Checkpointed(index)).await?;
                return Ok(None);
            }
            Err(FlinkError::NotFound { .. }) => {
                // Once the old job may run again, nothing is started beside it.
                if !change.revert.asked
                    && !self.journal.decided.late
                    && self.use_up(index, &cluster, &start, id).await?
                {
                    return Ok(None);
                }
            }
            Err(source) => return Err(doing(source)),
        }
        self.record(Event::Ended(index)).await?;
        Ok(Some(format!("ended the new job {}", change.name)))
    }
}

impl<W: World> Engine<W> {
    /// The new job's output is committed, or may be: its Pods begin again, and Flink's high
    /// availability says from where.
    async fn stay_with_pods(&mut self, cluster: &W::Control, index: usize) -> Result<(), Cause> {
        self.record(Event::Checkpointed(index)).await?;
        self.world.apply(Target::New, &self.journal).await?;
        cluster.unsuspend().await?;
        self.world.await_pods(Target::New).await
    }

    /// A start was asked for by an interrupted run, and Flink does not know the job: it was never
    /// started, or it has ended and its JobManager has restarted since, or that run is only
    /// suspended and its request comes yet. So the id is used up: submitted once more, and
    /// cancelled at once. `true`: it had been used up before, so its output may be committed, and
    /// it stays.
    async fn use_up(
        &mut self,
        index: usize,
        cluster: &W::Control,
        start: &Start,
        id: JobId,
    ) -> Result<bool, Cause> {
        let name = self.journal.jobs[index].name.clone();
        let Some((jar, request)) = self.request(index, Target::New, start, id).await? else {
            return Ok(false);
        };
        match cluster.start(&jar, &request).await {
            Ok(_) => self.cancel(cluster, id, &name).await?,
            // An application may have come to its end without a job.
            Err(StartError::Ended { .. })
                if request.application && cluster.health(id).await.is_err_and(|e| e.is_not_found()) =>
            {
                return Ok(false);
            }
            Err(StartError::Ended { .. }) => {}
            Err(StartError::IdUsed { .. }) => {
                self.record(Event::Checkpointed(index)).await?;
                return Ok(true);
            }
            // It cannot be started, by that run either.
            Err(StartError::Refused { .. }) => return Ok(false),
            Err(source) => return Err(Cause::Start { job: name, source }),
        }
        self.note_what_it_left(index, cluster, id).await?;
        Ok(false)
    }

    /// A checkpoint may have completed between the last look at a job and its end: what it had is
    /// in there.
    async fn note_what_it_left(
        &mut self,
        index: usize,
        cluster: &W::Control,
        id: JobId,
    ) -> Result<(), Cause> {
        match self.look(cluster, id, self.world.waits().timeout).await {
            Ok(health) => {
                self.note_checkpoint(index, Target::New, &health).await?;
                if health.state == flink::JobState::Finished {
                    return Ok(()); // by itself, before it was cancelled: its checkpoints are deleted
                }
            }
            Err(FlinkError::NotFound { .. }) => self.record(Event::Checkpointed(index)).await?,
            Err(source) => {
                let name = &self.journal.jobs[index].name;
                let doing = format!("whether the new job {name} completed a checkpoint is not known");
                return Err(Cause::Flink { doing, source });
            }
        }
        if self.journal.jobs[index].forward.checkpointed
            && let Ok(Some(path)) = cluster.latest_checkpoint(id).await
        {
            self.record(Event::Left(index, path)).await?;
        }
        Ok(())
    }

    /// The health of a job; a JobManager that does not answer is asked again for so long.
    async fn look(&self, cluster: &W::Control, id: JobId, patience: Duration) -> Result<Health, FlinkError> {
        let begun = Instant::now();
        loop {
            match cluster.health(id).await {
                Err(error) if error.is_passing() && begun.elapsed() < patience => {}
                answer => return answer,
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Cancels a job and waits for its end. A JobManager that restarts forgets that it was asked:
    /// it is asked again.
    pub(super) async fn cancel(&self, cluster: &W::Control, id: JobId, name: &str) -> Result<(), Cause> {
        for _ in 0..CANCELS {
            match cluster.cancel(id).await {
                // One whose answer is missing may end the job yet: a job that is left to it would
                // be nowhere.
                Err(source) if !source.may_have_acted() => {
                    let doing = format!("the job {name} could not be cancelled");
                    return Err(Cause::Flink { doing, source });
                }
                _ => {}
            }
            if self.await_end(cluster, id, name).await? != End::RunsOn {
                return Ok(());
            }
        }
        Err(Cause::Step {
            step: format!("the job {name} does not end"),
            reason: "it goes on, though it was cancelled".to_owned(),
        })
    }
}
