//! The health gate, and the end of a new job on the way back.

use std::time::{Duration, Instant};

use super::{POLL, path_for};
use crate::flink::{self, FlinkError, health::Health, savepoint};
use crate::operation::{Event, Kind, Target};
use crate::ops::execute::Executor;
use crate::ops::{Cause, Progress};

/// How often a job may restart before its first checkpoint until it counts as failed.
const MAX_RESTARTS: u64 = 3;

impl Executor<'_> {
    /// The health gate: all tasks run, restored from exactly the path, the first checkpoint completed (where there is
    /// checkpointing), and no restart for the quiet time. Installs and starts without state need the tasks only.
    pub(super) async fn await_healthy(
        &mut self,
        index: usize,
        target: Target,
    ) -> Result<Option<String>, Cause> {
        let change = self.journal.jobs[index].clone();
        let start = if target == Target::New { change.start.clone() } else { change.back.clone() };
        let Some(start) = start else { return Ok(None) };
        let expected = path_for(&change, &start.from);
        let client = self.client(target)?;
        let gate = target == Target::New && self.journal.kind != Kind::Install && change.old.is_some();
        let checkpointing = if gate {
            client.checkpoint_config(start.id).await.map_or(true, |config| config.enabled)
        } else {
            false
        };
        let begun = Instant::now();
        let mut restored: Option<String> = None;
        let mut quiet = Quiet::default();
        let mut said = String::new();
        loop {
            let why = match flink::health::look(&client, start.id).await {
                Ok(health) => {
                    restored = restored.or_else(|| health.restored.clone());
                    self.note_checkpoint(index, target, &health).await?;
                    if let Some(failure) = failed(&health) {
                        return Err(Cause::Step {
                            step: format!("the job {} failed", change.name),
                            reason: failure,
                        });
                    }
                    if let (Some(expected), Some(seen)) = (&expected, &restored)
                        && !savepoint::same_path(expected, seen)
                    {
                        return Err(Cause::Step {
                            step: format!("the job {} was restored from another path", change.name),
                            reason: format!("{seen} instead of {expected}"),
                        });
                    }
                    let finished = health.state == flink::JobState::Finished;
                    let runs = health.is_fully_running();
                    let quiet = quiet.for_how_long(runs, health.restarts);
                    let wanted = self.plan.options.gate_quiet;
                    if finished {
                        None
                    } else if !runs {
                        Some(waits_for_tasks(&health))
                    } else if expected.is_some() && restored.is_none() {
                        Some("all tasks run, the restore is not confirmed yet".to_owned())
                    } else if gate && checkpointing && health.completed_checkpoints == 0 {
                        Some("all tasks run, its first checkpoint is awaited".to_owned())
                    } else if gate && quiet < wanted {
                        let first = if checkpointing { "first checkpoint seen, " } else { "" };
                        // Said every five seconds.
                        let (quiet, wanted) = (quiet.as_secs() / 5 * 5, wanted.as_secs());
                        Some(format!("{first}quiet for {quiet} of {wanted} s"))
                    } else {
                        None
                    }
                }
                Err(FlinkError::NotFound { .. }) if begun.elapsed() > Duration::from_secs(30) => {
                    return Err(Cause::Step {
                        step: format!("the job {} is gone", change.name),
                        reason: "Flink does not know it".to_owned(),
                    });
                }
                Err(error) => Some(error.to_string()),
            };
            let Some(why) = why else { break };
            if why != said {
                self.observer.progress(Progress::Waiting {
                    what: format!("the job {}", change.name),
                    why: vec![why.clone()],
                    since: begun.elapsed(),
                });
                said.clone_from(&why);
            }
            if begun.elapsed() >= self.context.timeout {
                return Err(Cause::Step {
                    step: format!("the job {} is not healthy in time", change.name),
                    reason: why,
                });
            }
            if self.cancellation.is_cancelled() {
                return Err(Cause::Interrupted);
            }
            tokio::time::sleep(POLL).await;
        }
        self.record(Event::Healthy(index, target)).await?;
        Ok(Some(format!(
            "{} runs{}",
            change.name,
            if gate && checkpointing { ", first checkpoint completed" } else { "" }
        )))
    }

    pub(super) async fn note_checkpoint(
        &mut self,
        index: usize,
        target: Target,
        health: &Health,
    ) -> Result<(), Cause> {
        if target == Target::New && health.completed_checkpoints > 0 && !self.journal.jobs[index].checkpointed
        {
            self.record(Event::Checkpointed(index)).await?;
        }
        Ok(())
    }

    /// Ends a new job, unless it completed a checkpoint: then its output is committed and it stays as it is.
    pub(super) async fn end(&mut self, index: usize) -> Result<Option<String>, Cause> {
        let change = self.journal.jobs[index].clone();
        let Some(start) = change.start else { return Ok(None) };
        let client = self.client(Target::New)?;
        let doing = |source| Cause::Flink {
            doing: format!("the new job {} could not be ended", change.name),
            source,
        };
        match flink::health::look(&client, start.id).await {
            Ok(health) => {
                self.note_checkpoint(index, Target::New, &health).await?;
                if self.journal.jobs[index].checkpointed {
                    return Ok(None);
                }
                if !health.state.is_terminal() {
                    client.cancel(start.id).await.map_err(doing)?;
                    if !self.await_terminal(&client, start.id, &change.name).await? {
                        return Err(Cause::Step {
                            step: format!("the new job {} does not end", change.name),
                            reason: "all its tasks run on".to_owned(),
                        });
                    }
                    // A checkpoint may have completed between the look and the end.
                    if let Ok(health) = flink::health::look(&client, start.id).await {
                        self.note_checkpoint(index, Target::New, &health).await?;
                    }
                }
            }
            Err(FlinkError::NotFound { .. }) => {}
            Err(source) => return Err(doing(source)),
        }
        self.record(Event::Ended(index)).await?;
        Ok(Some(format!("ended the new job {}", change.name)))
    }
}

/// Since when a job has run with all its tasks and without a restart.
#[derive(Default)]
struct Quiet {
    since: Option<Instant>,
    restarts: u64,
}

impl Quiet {
    fn for_how_long(&mut self, runs: bool, restarts: u64) -> Duration {
        if !runs || restarts != self.restarts {
            self.since = None;
        }
        self.restarts = restarts;
        if runs { self.since.get_or_insert_with(Instant::now).elapsed() } else { Duration::ZERO }
    }
}

/// Why a job will not become healthy, if so.
fn failed(health: &Health) -> Option<String> {
    let root = || health.root_exception.clone().unwrap_or_else(|| "Flink gives no exception".to_owned());
    if health.state.is_terminal() && health.state != flink::JobState::Finished {
        return Some(format!("it is {}: {}", health.state, root()));
    }
    (health.restarts >= MAX_RESTARTS && health.completed_checkpoints == 0)
        .then(|| format!("it restarted {} times: {}", health.restarts, root()))
}

fn waits_for_tasks(health: &Health) -> String {
    let tasks = format!("{} of {} tasks run", health.tasks.running, health.tasks.total);
    match &health.root_exception {
        Some(exception) => format!("{tasks}; its last failure: {exception}"),
        None => format!("{tasks} (job {})", health.state),
    }
}
