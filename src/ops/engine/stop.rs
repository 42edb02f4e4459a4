//! Stopping a job: with a savepoint, whose path is written down the moment it is known, or by cancelling it.

use std::time::Duration;

use tokio::time::Instant;

use super::{Engine, World};
use crate::flink::{self, End, Source, StopError, Waiting};
use crate::id::JobId;
use crate::operation::{Event, JobMove, Pods, Setback, StateFrom, Stop, Target};
use crate::ops::execute::chain;
use crate::ops::progress::ticker;
use crate::ops::{Cause, Progress};

/// Flink's statistics are up to three seconds old.
const STATISTICS: Duration = Duration::from_secs(4);

impl<W: World> Engine<W> {
    pub(super) async fn stop(&mut self, index: usize) -> Result<Option<String>, Cause> {
        let stopped = self.stop_job(index).await?;
        let job = &self.journal.jobs[index];
        if job.finished && self.journal.pods == Pods::New && self.world.starts_by_pods(Target::New) {
            return Err(Cause::Step {
                step: format!("the job {} has finished by itself", job.name),
                reason: "new Pods would run it once more".to_owned(),
            });
        }
        Ok(stopped)
    }

    async fn stop_job(&mut self, index: usize) -> Result<Option<String>, Cause> {
        let change = self.journal.jobs[index].clone();
        let Some(id) = change.old else {
            self.record(Event::Stopped(index)).await?;
            return Ok(None);
        };
        let cluster = self.world.cluster(change.source())?;
        self.record(Event::StopAsked(index)).await?;
        if let Some(request) = stop_request(&change) {
            let begun = Instant::now();
            let stopped = cluster.stop(id, &request, &mut tick(&self.world, &change.name)).await;
            return self.savepoint_told(&cluster, index, &change, begun, stopped).await;
        }
        if let Err(source) = cluster.cancel(id).await {
            if !source.may_have_acted() {
                self.record(Event::StopFailed(index)).await?;
            }
            let doing = format!("the job {} could not be cancelled", change.name);
            return Err(Cause::Flink { doing, source });
        }
        self.cancelled(&cluster, index, id, &change).await
    }

    /// Finds out how a stop ended that this run or another one asked for: it is followed, never asked for again.
    pub(super) async fn settle(&mut self, index: usize) -> Result<Option<String>, Cause> {
        let change = self.journal.jobs[index].clone();
        let Some(id) = change.old else {
            self.record(Event::Stopped(index)).await?;
            return Ok(None);
        };
        let cluster = self.world.cluster(change.source())?;
        if let (Some(request), None) = (stop_request(&change), &change.savepoint) {
            let begun = Instant::now();
            let stopped = cluster.follow(id, &request, &mut tick(&self.world, &change.name)).await;
            return match self.savepoint_told(&cluster, index, &change, begun, stopped).await {
                Err(_) if !self.journal.jobs[index].stop_asked => self.runs_on(index).await,
                told => told,
            };
        }
        match self.cancelled(&cluster, index, id, &change).await {
            Err(_) if !self.journal.jobs[index].stop_asked => self.runs_on(index).await,
            told => told,
        }
    }

    /// It runs on: that is known now. Going forward would ask for a second stop, so the operation goes back.
    async fn runs_on(&mut self, index: usize) -> Result<Option<String>, Cause> {
        let job = &self.journal.jobs[index];
        let runs_on = format!("the job {} runs on", job.name);
        if !self.journal.goes_back() && !job.failed {
            let reason = "the stop that was asked for did not come about".to_owned();
            let setback = Setback { job: Some(index), step: runs_on.clone(), reason };
            self.record(Event::Failed(setback)).await?;
        }
        Ok(Some(runs_on))
    }

    /// The end of a job that was cancelled, and its newest checkpoint where that is what comes next.
    async fn cancelled(
        &mut self,
        cluster: &W::Cluster,
        index: usize,
        id: JobId,
        change: &JobMove,
    ) -> Result<Option<String>, Cause> {
        if change.stop != Some(Stop::LatestCheckpoint) {
            self.must_end(cluster, index, id, &change.name).await?;
            return Ok(Some(format!("cancelled {}", change.name)));
        }
        if !self.await_terminal(cluster, id, &change.name).await? {
            self.record(Event::StopFailed(index)).await?;
            return Err(Cause::Step {
                step: format!("the job {} was not cancelled", change.name),
                reason: "all its tasks run on".to_owned(),
            });
        }
        // It came to its end before it could be cancelled; Flink has deleted its checkpoints.
        if has_finished(cluster, id).await {
            self.record(Event::Finished(index)).await?;
            return Ok(Some(format!("{} had finished by itself, and stays so", change.name)));
        }
        let told = match cluster.latest_checkpoint(id).await {
            // Another JobManager: it does not know a job that has ended.
            Err(error) if error.is_not_found() => Ok(None),
            // It may have completed its first one a moment ago, and there is no directory known to look into.
            Ok(None) if change.trigger.is_none() => {
                tokio::time::sleep(STATISTICS).await;
                cluster.latest_checkpoint(id).await
            }
            told => told,
        };
        let told = told.map_err(|source| Cause::Flink {
            doing: format!("the latest checkpoint of {} could not be found out", change.name),
            source,
        })?;
        let found = match (told, &change.trigger) {
            (None, Some(trigger)) => self.world.find_savepoint(trigger).await,
            (told, _) => told,
        };
        let Some(path) = found else {
            let back = change.back.as_ref().map(|back| &back.from);
            if matches!(back, Some(StateFrom::ItsStopOr(_))) {
                self.record(Event::Stopped(index)).await?;
                return Ok(Some(format!("cancelled {}, which had completed no checkpoint", change.name)));
            }
            return Err(Cause::Step {
                step: format!("the job {} is cancelled", change.name),
                reason: "neither Flink nor its directory knows a completed checkpoint of it".to_owned(),
            });
        };
        self.record(Event::Savepoint(index, path.clone())).await?;
        self.record(Event::Stopped(index)).await?;
        Ok(Some(format!("cancelled {}; its latest checkpoint is {path}", change.name)))
    }

    async fn savepoint_told(
        &mut self,
        cluster: &W::Cluster,
        index: usize,
        change: &JobMove,
        begun: Instant,
        told: Result<String, StopError>,
    ) -> Result<Option<String>, Cause> {
        let Some(id) = change.old else { return Ok(None) };
        match told {
            Ok(path) => {
                self.record(Event::Savepoint(index, path.clone())).await?;
                self.must_end(cluster, index, id, &change.name).await?;
                let seconds = begun.elapsed().as_secs_f32();
                Ok(Some(format!("stopped {} after {seconds:.1} s; savepoint {path}", change.name)))
            }
            Err(error) => self.stop_failed(cluster, index, change, error).await,
        }
    }

    /// Waits for the end of a job whose savepoint is there.
    async fn must_end(
        &mut self,
        cluster: &W::Cluster,
        index: usize,
        id: JobId,
        name: &str,
    ) -> Result<(), Cause> {
        if self.await_terminal(cluster, id, name).await? {
            self.record(Event::Stopped(index)).await?;
            return Ok(());
        }
        // Its output goes past the savepoint: that is one that was taken, not one that ended it.
        self.record(Event::StopFailed(index)).await?;
        Err(Cause::Step {
            step: format!("the job {name} did not end after its savepoint"),
            reason: "all its tasks run on".to_owned(),
        })
    }

    /// A stop that failed leaves the job running, or ended with a savepoint, or nobody knows: each is told apart.
    async fn stop_failed(
        &mut self,
        cluster: &W::Cluster,
        index: usize,
        change: &JobMove,
        error: StopError,
    ) -> Result<Option<String>, Cause> {
        if let StopError::FailedWhileStopping { location, .. } = &error
            && let Some(id) = change.old
        {
            // The savepoint is there and usable once the job is terminal.
            self.record(Event::Savepoint(index, location.clone())).await?;
            self.must_end(cluster, index, id, &change.name).await?;
            self.world.tell(Progress::Warning(format!(
                "the job {} failed while it was stopping, after its savepoint was complete; transactions stay open until it is restored",
                change.name
            )));
            return Ok(Some(format!("savepoint {location}")));
        }
        // The JobManager was another one before: it cannot say what became of the trigger, but its directory can.
        if let (StopError::Forgotten { state, .. }, Some(trigger), Some(id)) =
            (&error, &change.trigger, change.old)
            && state.is_none_or(flink::JobState::is_terminal)
            && let Some(path) = self.world.find_savepoint(trigger).await
        {
            self.record(Event::Savepoint(index, path.clone())).await?;
            self.must_end(cluster, index, id, &change.name).await?;
            self.world.tell(Progress::Warning(format!(
                "the JobManager restarted while {} was stopping; its savepoint was found in its directory",
                change.name
            )));
            return Ok(Some(format!("stopped {}; savepoint {path}", change.name)));
        }
        if error.leaves_job_running() {
            // From a trigger that Flink does not know nothing can be concluded: it may be on its way still.
            let told = matches!(error, StopError::NotBegun(_) | StopError::Failed { .. });
            if told
                && let Some(id) = change.old
                && has_finished(cluster, id).await
            {
                return self.finished(cluster, index, change, id, error).await;
            }
            self.record(Event::StopFailed(index)).await?;
        }
        Err(Cause::Step { step: format!("the savepoint of {} failed", change.name), reason: chain(&error) })
    }

    /// A job that could not be stopped has come to its end. By itself, unless there is a savepoint: then somebody stopped it,
    /// and it is not for us to say that it shall stay so.
    async fn finished(
        &mut self,
        cluster: &W::Cluster,
        index: usize,
        change: &JobMove,
        id: JobId,
        error: StopError,
    ) -> Result<Option<String>, Cause> {
        let ours = match &change.trigger {
            Some(trigger) => self.world.find_savepoint(trigger).await,
            None => None,
        };
        let reason = match (ours, cluster.latest_savepoint(id).await) {
            (Some(path), _) => {
                self.record(Event::Savepoint(index, path.clone())).await?;
                self.record(Event::Stopped(index)).await?;
                return Ok(Some(format!("stopped {}; savepoint {path}", change.name)));
            }
            (None, Ok(None)) => {
                self.record(Event::Finished(index)).await?;
                return Ok(Some(format!("{} had finished by itself, and stays so", change.name)));
            }
            (None, Ok(Some(path))) => {
                format!("it has ended meanwhile, and there is a savepoint that is not ours: {path}")
            }
            (None, Err(_)) => chain(&error),
        };
        self.record(Event::StopFailed(index)).await?;
        Err(Cause::Step { step: format!("the savepoint of {} failed", change.name), reason })
    }

    /// Waits until a job is terminal; told while it lasts. A job that Flink forgot after an answer of its own has ended.
    /// `false`: it does not end, all its tasks run on.
    pub(super) async fn await_terminal(
        &self,
        cluster: &W::Cluster,
        id: JobId,
        name: &str,
    ) -> Result<bool, Cause> {
        let what = format!("the end of {name}");
        let mut tick = ticker(what, Duration::from_secs(2), |progress| self.world.tell(progress));
        match cluster.ended(id, &mut tick).await {
            Ok(End::Ended(_) | End::Gone) => Ok(true),
            Ok(End::RunsOn) => Ok(false),
            Err(source) => {
                Err(Cause::Flink { doing: format!("whether the job {name} has ended is not known"), source })
            }
        }
    }
}

/// Whether a job that could not be stopped had come to its end.
async fn has_finished(cluster: &impl Source, id: JobId) -> bool {
    let jobs = cluster.jobs().await.unwrap_or_default();
    jobs.iter().any(|job| job.id == id && job.state == flink::JobState::Finished)
}

/// Tells once a second that Flink is still writing the savepoint.
fn tick<'a>(world: &'a impl World, name: &str) -> impl FnMut(&Waiting) + 'a {
    ticker(format!("the savepoint of {name}"), Duration::from_secs(1), |progress| world.tell(progress))
}

/// The request that stops a job with a savepoint; none for one that is cancelled.
fn stop_request(change: &JobMove) -> Option<flink::StopRequest> {
    let (Some(Stop::Savepoint { format, drain }), Some(trigger)) = (&change.stop, &change.trigger) else {
        return None;
    };
    Some(flink::StopRequest {
        trigger: trigger.id,
        directory: trigger.directory.clone(),
        format: format.parse().unwrap_or_default(),
        drain: *drain,
    })
}
