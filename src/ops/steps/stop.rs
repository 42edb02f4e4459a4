//! Stopping a job: with a savepoint, whose path is written down the moment it is known, or by cancelling it.

use std::time::{Duration, Instant};

use crate::flink::{self, Client, FlinkError, savepoint};
use crate::id::JobId;
use crate::operation::{Event, JobMove, Setback, Stop, Target};
use crate::ops::execute::{Executor, chain};
use crate::ops::{Cause, Progress};

impl Executor<'_> {
    pub(super) async fn stop(&mut self, index: usize) -> Result<Option<String>, Cause> {
        let change = self.journal.jobs[index].clone();
        let Some(id) = change.old else {
            self.record(Event::Stopped(index)).await?;
            return Ok(None);
        };
        let client = self.client(Target::Old)?;
        self.record(Event::StopAsked(index)).await?;
        if let Some(request) = stop_request(&change) {
            let begun = Instant::now();
            let stopped =
                savepoint::stop_with_savepoint(&client, id, &request, &mut self.tick(&change.name)).await;
            return self.savepoint_told(&client, index, &change, begun, stopped).await;
        }
        match client.cancel(id).await {
            // 404 and 409: there is no such job, or it has ended already.
            Ok(()) | Err(FlinkError::NotFound { .. } | FlinkError::Refused { status: 409, .. }) => {}
            Err(source) => {
                if !source.may_have_acted() {
                    self.record(Event::StopFailed(index)).await?;
                }
                return Err(Cause::Flink {
                    doing: format!("the job {} could not be cancelled", change.name),
                    source,
                });
            }
        }
        self.cancelled(&client, index, id, &change).await
    }

    /// Finds out how a stop ended that this run or another one asked for: it is followed, never asked for again.
    pub(super) async fn settle(&mut self, index: usize) -> Result<Option<String>, Cause> {
        let change = self.journal.jobs[index].clone();
        let Some(id) = change.old else {
            self.record(Event::Stopped(index)).await?;
            return Ok(None);
        };
        let client = self.client(Target::Old)?;
        if let (Some(request), None) = (stop_request(&change), &change.savepoint) {
            let begun = Instant::now();
            let stopped = savepoint::follow(&client, id, &request, &mut self.tick(&change.name)).await;
            return match self.savepoint_told(&client, index, &change, begun, stopped).await {
                Err(_) if !self.journal.jobs[index].stop_asked => self.runs_on(&change.name).await,
                told => told,
            };
        }
        match self.cancelled(&client, index, id, &change).await {
            Err(_) if !self.journal.jobs[index].stop_asked => self.runs_on(&change.name).await,
            told => told,
        }
    }

    /// It runs on: that is known now. Going forward would ask for a second stop, so the operation goes back.
    async fn runs_on(&mut self, name: &str) -> Result<Option<String>, Cause> {
        if self.journal.setback.is_none() {
            let reason = "the stop that was asked for did not come about".to_owned();
            self.record(Event::Failed(Setback { step: format!("the job {name} runs on"), reason })).await?;
        }
        Ok(Some(format!("the job {name} runs on")))
    }

    /// The end of a job that was cancelled, and its newest checkpoint where that is what comes next.
    async fn cancelled(
        &mut self,
        client: &Client,
        index: usize,
        id: JobId,
        change: &JobMove,
    ) -> Result<Option<String>, Cause> {
        if change.stop != Some(Stop::LatestCheckpoint) {
            self.must_end(client, index, id, &change.name).await?;
            return Ok(Some(format!("cancelled {}", change.name)));
        }
        if !self.await_terminal(client, id, &change.name).await? {
            self.record(Event::StopFailed(index)).await?;
            return Err(Cause::Step {
                step: format!("the job {} was not cancelled", change.name),
                reason: "all its tasks run on".to_owned(),
            });
        }
        // Flink answers from a cache: one that was filled before the end may name a checkpoint that is gone by now.
        let doing = |source| Cause::Flink {
            doing: format!("the latest checkpoint of {} could not be found out", change.name),
            source,
        };
        let cached = client.config().await.map_err(doing)?.refresh_interval;
        tokio::time::sleep(Duration::from_millis(cached + 100)).await;
        let newest = client.checkpoints(id).await.map_err(doing)?.latest.completed;
        let path = newest.and_then(|checkpoint| checkpoint.external_path).ok_or_else(|| Cause::Step {
            step: format!("the job {} is cancelled", change.name),
            reason: "Flink knows no completed checkpoint of it".to_owned(),
        })?;
        self.record(Event::Savepoint(index, path.clone())).await?;
        self.record(Event::Stopped(index)).await?;
        Ok(Some(format!("cancelled {}; its latest checkpoint is {path}", change.name)))
    }

    /// Tells once a second that Flink is still writing the savepoint.
    fn tick<'a>(&'a self, name: &'a str) -> impl FnMut(&savepoint::Waiting) + Send + 'a {
        let observer = self.observer;
        let mut told = Duration::ZERO;
        move |waiting: &savepoint::Waiting| {
            if waiting.elapsed >= told + Duration::from_secs(1) {
                told = waiting.elapsed;
                observer.progress(Progress::Waiting {
                    what: format!("the savepoint of {name}"),
                    why: vec![waiting.to_string()],
                    since: waiting.elapsed,
                });
            }
        }
    }

    async fn savepoint_told(
        &mut self,
        client: &Client,
        index: usize,
        change: &JobMove,
        begun: Instant,
        told: Result<String, savepoint::StopError>,
    ) -> Result<Option<String>, Cause> {
        let Some(id) = change.old else { return Ok(None) };
        match told {
            Ok(path) => {
                self.record(Event::Savepoint(index, path.clone())).await?;
                self.must_end(client, index, id, &change.name).await?;
                let seconds = begun.elapsed().as_secs_f32();
                Ok(Some(format!("stopped {} after {seconds:.1} s; savepoint {path}", change.name)))
            }
            Err(error) => self.stop_failed(client, index, change, error).await,
        }
    }

    /// Waits for the end of a job whose savepoint is there.
    async fn must_end(&mut self, client: &Client, index: usize, id: JobId, name: &str) -> Result<(), Cause> {
        if self.await_terminal(client, id, name).await? {
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
        client: &Client,
        index: usize,
        change: &JobMove,
        error: savepoint::StopError,
    ) -> Result<Option<String>, Cause> {
        if let savepoint::StopError::FailedWhileStopping { location, .. } = &error
            && let Some(id) = change.old
        {
            // The savepoint is there and usable once the job is terminal.
            self.record(Event::Savepoint(index, location.clone())).await?;
            self.must_end(client, index, id, &change.name).await?;
            self.observer.progress(Progress::Warning(format!(
                "the job {} failed while it was stopping, after its savepoint was complete; transactions stay open until it is restored",
                change.name
            )));
            return Ok(Some(format!("savepoint {location}")));
        }
        // The JobManager was another one before: it cannot say what became of the trigger, but its directory can.
        if let (savepoint::StopError::Forgotten { state, .. }, Some(trigger), Some(id)) =
            (&error, &change.trigger, change.old)
            && state.is_none_or(flink::JobState::is_terminal)
            && let Some(path) = self.search(trigger).await
        {
            self.record(Event::Savepoint(index, path.clone())).await?;
            self.must_end(client, index, id, &change.name).await?;
            self.observer.progress(Progress::Warning(format!(
                "the JobManager restarted while {} was stopping; its savepoint was found in its directory",
                change.name
            )));
            return Ok(Some(format!("stopped {}; savepoint {path}", change.name)));
        }
        if error.leaves_job_running() {
            self.record(Event::StopFailed(index)).await?;
        }
        Err(Cause::Step { step: format!("the savepoint of {} failed", change.name), reason: chain(&error) })
    }

    /// Waits until a job is terminal; told while it lasts. A job that Flink forgot after an answer of its own has ended.
    /// `false`: it does not end, all its tasks run on.
    pub(super) async fn await_terminal(&self, client: &Client, id: JobId, name: &str) -> Result<bool, Cause> {
        let observer = self.observer;
        let mut told = Duration::ZERO;
        let mut tick = |waiting: &savepoint::Waiting| {
            if waiting.elapsed >= told + Duration::from_secs(2) {
                told = waiting.elapsed;
                observer.progress(Progress::Waiting {
                    what: format!("the end of {name}"),
                    why: vec![waiting.to_string()],
                    since: waiting.elapsed,
                });
            }
        };
        match savepoint::await_end(client, id, &mut tick).await {
            Ok(savepoint::End::Ended(_) | savepoint::End::Gone) => Ok(true),
            Ok(savepoint::End::RunsOn) => Ok(false),
            Err(source) => {
                Err(Cause::Flink { doing: format!("whether the job {name} has ended is not known"), source })
            }
        }
    }
}

/// The request that stops a job with a savepoint; none for one that is cancelled.
fn stop_request(change: &JobMove) -> Option<flink::StopRequest> {
    let (Some(Stop::Savepoint { format }), Some(trigger)) = (&change.stop, &change.trigger) else {
        return None;
    };
    Some(flink::StopRequest {
        trigger: trigger.id,
        directory: trigger.directory.clone(),
        format: format.parse().unwrap_or_default(),
        drain: false,
    })
}
