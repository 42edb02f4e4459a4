//! Stopping a job: with a savepoint, whose path is recorded the moment it is known, or by
//! cancelling it.

use std::time::Duration;

use tokio::time::Instant;

use super::health::SILENCE;
use super::{Engine, POLL, World};
use crate::failure::Cause;
use crate::failure::chain;
use crate::flink::savepoint::same_path;
use crate::flink::{self, End, JobState, StopError, Waiting};
use crate::id::JobId;
use crate::layout::control::JobControl;
use crate::operation::{Event, JobMove, Look, Pods, Setback, StateFrom, Stop, Target};
use crate::progress::Progress;
use crate::progress::ticker;

/// Flink's statistics are up to three seconds old.
const STATISTICS: Duration = Duration::from_secs(4);
/// What is said of a job that runs on.
const NOT_ENDED: &str = "did not end after its savepoint";

impl<W: World> Engine<W> {
    pub(super) async fn stop(&mut self, index: usize) -> Result<Option<String>, Cause> {
        let stopped = self.stop_job(index).await?;
        self.refuse_to_run_again(index)?;
        Ok(stopped)
    }

    /// Pods that start their job by themselves would run one again that has finished.
    fn refuse_to_run_again(&self, index: usize) -> Result<(), Cause> {
        let job = &self.journal.jobs[index];
        let new_pods =
            self.journal.decided.pods == Pods::New && self.journal.traits(Target::New).starts_with_pods;
        if !job.forward.finished || !new_pods || self.journal.goes_back() {
            return Ok(());
        }
        Err(Cause::Step {
            step: format!("the job {} has finished by itself", job.name),
            reason: "new Pods would run it once more".to_owned(),
        })
    }

    async fn stop_job(&mut self, index: usize) -> Result<Option<String>, Cause> {
        let change = self.journal.jobs[index].clone();
        let Some(id) = change.decided.old else {
            self.record(Event::Stopped(index)).await?;
            return Ok(None);
        };
        let cluster = self.world.control(change.source())?;
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

    /// Finds out how a stop ended that this run or another one asked for: it is followed, never
    /// asked for again.
    pub(super) async fn resolve(&mut self, index: usize) -> Result<Option<String>, Cause> {
        let resolved = self.resolve_job(index).await?;
        self.refuse_to_run_again(index)?;
        Ok(resolved)
    }

    async fn resolve_job(&mut self, index: usize) -> Result<Option<String>, Cause> {
        let change = self.journal.jobs[index].clone();
        let Some(id) = change.decided.old else {
            self.record(Event::Stopped(index)).await?;
            return Ok(None);
        };
        let cluster = self.world.control(change.source())?;
        if let Some(request) = stop_request(&change) {
            let begun = Instant::now();
            let stopped = cluster.follow(id, &request, &mut tick(&self.world, &change.name)).await;
            let told = match &change.forward.savepoint {
                // What the user has said goes before what Flink says of our savepoint.
                Some(known) if names_another(&stopped, known) => {
                    self.stopped_with(&cluster, index, id, known).await
                }
                _ => self.savepoint_told(&cluster, index, &change, begun, stopped).await,
            };
            return match told {
                Err(_) if !self.journal.jobs[index].forward.stop_asked => self.runs_on(index).await,
                told => told,
            };
        }
        match self.cancelled(&cluster, index, id, &change).await {
            Err(_) if !self.journal.jobs[index].forward.stop_asked => self.runs_on(index).await,
            told => told,
        }
    }

    /// It runs on: that is known now. Going forward would ask for a second stop, so the operation
    /// goes back.
    async fn runs_on(&mut self, index: usize) -> Result<Option<String>, Cause> {
        let job = &self.journal.jobs[index];
        let runs_on = format!("the job {} runs on", job.name);
        if !self.journal.goes_back() && !job.forward.failed {
            let reason = "the stop that was asked for did not come about".to_owned();
            let setback = Setback { job: Some(index), step: runs_on.clone(), reason };
            self.record(Event::Failed(setback)).await?;
        }
        Ok(Some(runs_on))
    }

    /// The end of a job that was cancelled, and its newest checkpoint where that is what comes
    /// next.
    async fn cancelled(
        &mut self,
        cluster: &W::Control,
        index: usize,
        id: JobId,
        change: &JobMove,
    ) -> Result<Option<String>, Cause> {
        let end = self.must_end(cluster, index, id, "was not cancelled").await?;
        if change.decided.stop != Some(Stop::LatestCheckpoint) {
            self.record(Event::Stopped(index)).await?;
            return Ok(Some(format!("cancelled {}", change.name)));
        }
        // A run before has written it down, or the user has said it.
        if let Some(path) = &change.forward.savepoint {
            self.record(Event::Stopped(index)).await?;
            return Ok(Some(format!("cancelled {}; its latest checkpoint is {path}", change.name)));
        }
        // It came to its end before it could be cancelled; Flink has deleted its checkpoints.
        if self.is_finished(end, id, change).await {
            return self.stays_finished(index).await;
        }
        let told = match cluster.latest_checkpoint(id).await {
            // Another JobManager: it does not know a job that has ended.
            Err(error) if error.is_not_found() => Ok(None),
            // It may have completed its first one a moment ago, and there is no directory known to
            // look into.
            Ok(None) if change.decided.trigger.is_none() => {
                tokio::time::sleep(STATISTICS).await;
                cluster.latest_checkpoint(id).await
            }
            told => told,
        };
        let told = told.map_err(|source| Cause::Flink {
            doing: format!("the latest checkpoint of {} could not be found out", change.name),
            source,
        })?;
        let found = match (told, &change.decided.trigger) {
            (Some(path), _) => Look::Found(path),
            (None, Some(trigger)) => self.world.find_savepoint(change.source(), trigger).await,
            (None, None) if end == End::Gone => self.world.find_left(change.source(), id).await,
            (None, None) => Look::Nothing,
        };
        let Look::Found(path) = found else {
            let back = change.revert_start().map(|back| &back.from);
            let none = found == Look::Nothing || end != End::Gone;
            if none && matches!(back, Some(StateFrom::ItsStopOr(_))) {
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
        cluster: &W::Control,
        index: usize,
        change: &JobMove,
        begun: Instant,
        told: Result<String, StopError>,
    ) -> Result<Option<String>, Cause> {
        let Some(id) = change.decided.old else { return Ok(None) };
        match told {
            Ok(path) => {
                self.record(Event::Savepoint(index, path.clone())).await?;
                self.must_end(cluster, index, id, NOT_ENDED).await?;
                self.record(Event::Stopped(index)).await?;
                let seconds = begun.elapsed().as_secs_f32();
                Ok(Some(format!("stopped {} after {seconds:.1} s; savepoint {path}", change.name)))
            }
            Err(error) => self.stop_failed(cluster, index, change, error).await,
        }
    }

    /// Waits for the end of a job that was stopped or cancelled; an error where it runs on.
    async fn must_end(
        &mut self,
        cluster: &W::Control,
        index: usize,
        id: JobId,
        otherwise: &str,
    ) -> Result<End, Cause> {
        let end = self.await_end(cluster, id, &self.journal.jobs[index].name).await?;
        if end == End::RunsOn {
            let step = format!("the job {} {otherwise}", self.journal.jobs[index].name);
            // Its output goes past a savepoint that was taken: that is not one that ended it.
            self.record(Event::StopFailed(index)).await?;
            return Err(Cause::Step { step, reason: "all its tasks run on".to_owned() });
        }
        Ok(end)
    }

    /// Returns whether a job is FINISHED, by what Flink says, or by what it left where Flink does
    /// not know it any more. That is how a savepoint ends it, too.
    async fn is_finished(&self, end: End, id: JobId, change: &JobMove) -> bool {
        match end {
            End::Ended(state) => state == JobState::Finished,
            End::Gone => self.world.find_left(change.source(), id).await == Look::Finished,
            End::RunsOn => false,
        }
    }

    async fn stays_finished(&mut self, index: usize) -> Result<Option<String>, Cause> {
        self.record(Event::Finished(index)).await?;
        Ok(Some(format!("{} had finished by itself, and stays so", self.journal.jobs[index].name)))
    }

    /// A stop that failed leaves the job running, or ended with a savepoint or by itself, or nobody
    /// knows: each is told apart.
    async fn stop_failed(
        &mut self,
        cluster: &W::Control,
        index: usize,
        change: &JobMove,
        error: StopError,
    ) -> Result<Option<String>, Cause> {
        let Some(id) = change.decided.old else { return Ok(None) };
        match &error {
            // The savepoint is there, and usable once the job is terminal, unless Flink has brought
            // it back.
            StopError::FailedWhileStopping { location, .. } => {
                self.record(Event::Savepoint(index, location.clone())).await?;
                let end = self.must_end(cluster, index, id, NOT_ENDED).await?;
                if self.is_finished(end, id, change).await {
                    return match cluster.latest_savepoint(id).await {
                        Ok(Some(path)) if !same_path(&path, location) => Err(not_ours(change, &path)),
                        _ => self.stays_finished(index).await,
                    };
                }
                self.record(Event::Stopped(index)).await?;
                self.world.tell(Progress::Warning(format!(
                    "the job {} failed while it was stopping, after its savepoint was complete; transactions stay open until it is restored",
                    change.name
                )));
                return Ok(Some(format!("savepoint {location}")));
            }
            // A run before has written it down, or the user has said it.
            _ if let Some(path) = &change.forward.savepoint => {
                return self.stopped_with(cluster, index, id, path).await;
            }
            // The JobManager was another one before: it cannot say what became of the trigger, but
            // its directory can.
            StopError::Forgotten { state, .. } if state.is_none_or(JobState::is_terminal) => {
                if self.is_finished(state.map_or(End::Gone, End::Ended), id, change).await {
                    return self.finished(cluster, index, change, id, error).await;
                }
                if let Some(trigger) = &change.decided.trigger
                    && let Look::Found(path) = self.world.find_savepoint(change.source(), trigger).await
                {
                    self.record(Event::Savepoint(index, path.clone())).await?;
                    self.must_end(cluster, index, id, NOT_ENDED).await?;
                    return self.stopped_unseen(index, &path).await;
                }
            }
            StopError::NotBegun(_) | StopError::Failed { .. } => {
                let end = end_of(cluster, id).await;
                if self.is_finished(end, id, change).await {
                    return self.finished(cluster, index, change, id, error).await;
                }
            }
            // From a trigger that Flink does not know nothing can be concluded: it may be on its
            // way still.
            StopError::Forgotten { .. } | StopError::Flink(_) => {}
        }
        if error.leaves_job_running() {
            self.record(Event::StopFailed(index)).await?;
        }
        Err(Cause::Step { step: format!("the savepoint of {} failed", change.name), reason: chain(&error) })
    }

    /// A job whose savepoint is known from before, and that Flink says nothing of.
    async fn stopped_with(
        &mut self,
        cluster: &W::Control,
        index: usize,
        id: JobId,
        path: &str,
    ) -> Result<Option<String>, Cause> {
        let end = self.must_end(cluster, index, id, NOT_ENDED).await?;
        // This JobManager has brought it back since, and no savepoint has ended it.
        if end == End::Ended(JobState::Finished) && matches!(cluster.latest_savepoint(id).await, Ok(None)) {
            return self.stays_finished(index).await;
        }
        self.record(Event::Stopped(index)).await?;
        Ok(Some(format!("stopped {}; savepoint {path}", self.journal.jobs[index].name)))
    }

    async fn stopped_unseen(&mut self, index: usize, path: &str) -> Result<Option<String>, Cause> {
        self.record(Event::Stopped(index)).await?;
        let name = &self.journal.jobs[index].name;
        self.world.tell(Progress::Warning(format!(
            "the JobManager restarted while {name} was stopping; its savepoint was found in its directory"
        )));
        Ok(Some(format!("stopped {name}; savepoint {path}")))
    }

    /// A job that could not be seen to be stopped is FINISHED. By itself, unless there is a
    /// savepoint: then our request has come through, or another client has stopped it.
    async fn finished(
        &mut self,
        cluster: &W::Control,
        index: usize,
        change: &JobMove,
        id: JobId,
        error: StopError,
    ) -> Result<Option<String>, Cause> {
        let ours = match &change.decided.trigger {
            Some(trigger) => self.world.find_savepoint(change.source(), trigger).await,
            None => Look::Nothing,
        };
        let known = cluster.latest_savepoint(id).await;
        let cause = match (ours, known) {
            // Brought back, where there is one of ours.
            (_, Ok(None)) => return self.stays_finished(index).await,
            (Look::Found(path), Ok(Some(known))) if same_path(&path, &known) => {
                self.record(Event::Savepoint(index, path.clone())).await?;
                return self.stopped_unseen(index, &path).await;
            }
            (_, Ok(Some(path))) => not_ours(change, &path),
            // Another JobManager: it does not know what had ended it.
            (Look::Found(path), Err(_)) => {
                self.record(Event::Savepoint(index, path.clone())).await?;
                return self.stopped_unseen(index, &path).await;
            }
            (Look::Nothing, Err(error)) if error.is_not_found() => return self.stays_finished(index).await,
            (_, Err(_)) => Cause::Step {
                step: format!("the savepoint of {} failed", change.name),
                reason: chain(&error),
            },
        };
        if error.leaves_job_running() {
            self.record(Event::StopFailed(index)).await?;
        }
        Err(cause)
    }

    /// Waits until a job has ended, or is seen to run on; told while it lasts. One that Flink
    /// forgot after an answer of its own has ended.
    pub(super) async fn await_end(&self, cluster: &W::Control, id: JobId, name: &str) -> Result<End, Cause> {
        let what = format!("the end of {name}");
        let mut tick = ticker(what, Duration::from_secs(2), |progress| self.world.tell(progress));
        cluster.ended(id, &mut tick).await.map_err(|source| Cause::Flink {
            doing: format!("whether the job {name} has ended is not known"),
            source,
        })
    }
}

/// Another client has stopped it: it is not for us to say that it shall stay so.
fn not_ours(change: &JobMove, path: &str) -> Cause {
    Cause::Step {
        step: format!("the savepoint of {} failed", change.name),
        reason: format!("it has ended meanwhile, and there is a savepoint that is not ours: {path}"),
    }
}

/// Returns whether Flink tells of another savepoint than the one that is known.
fn names_another(told: &Result<String, StopError>, known: &str) -> bool {
    match told {
        Ok(path) | Err(StopError::FailedWhileStopping { location: path, .. }) => !same_path(path, known),
        Err(_) => false,
    }
}

/// Returns what Flink says now of a job that could not be stopped; where it does not answer, the
/// job counts as one that runs on.
async fn end_of(cluster: &impl JobControl, id: JobId) -> End {
    let begun = Instant::now();
    loop {
        match cluster.jobs().await.map(|jobs| jobs.into_iter().find(|job| job.id == id)) {
            Ok(Some(job)) if job.state.is_terminal() => return End::Ended(job.state),
            Ok(None) => return End::Gone,
            Err(error) if error.is_passing() && begun.elapsed() < SILENCE => {}
            Ok(Some(_)) | Err(_) => return End::RunsOn,
        }
        tokio::time::sleep(POLL).await;
    }
}

/// Tells once a second that Flink is still writing the savepoint.
fn tick<'a>(world: &'a impl World, name: &str) -> impl FnMut(&Waiting) + 'a {
    ticker(format!("the savepoint of {name}"), Duration::from_secs(1), |progress| world.tell(progress))
}

/// The request that stops a job with a savepoint; none for one that is cancelled.
fn stop_request(change: &JobMove) -> Option<flink::StopRequest> {
    let (Some(Stop::Savepoint { format, drain }), Some(trigger)) =
        (&change.decided.stop, &change.decided.trigger)
    else {
        return None;
    };
    Some(flink::StopRequest {
        trigger: trigger.id,
        directory: trigger.directory.clone(),
        format: *format,
        drain: *drain,
    })
}
