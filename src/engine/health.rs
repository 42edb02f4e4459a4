//! The health gate: when a job that was started counts as well.

use std::time::Duration;

use tokio::time::Instant;

use super::{Engine, POLL, World};
use crate::failure::Cause;
use crate::flink::{self, FlinkError, Health, savepoint};
use crate::id::JobId;
use crate::layout::control::JobControl;
use crate::operation::{Event, Kind, Target};
use crate::progress::Progress;

/// How often a job may restart before its first checkpoint until it counts as failed.
const MAX_RESTARTS: u64 = 3;
/// For how long a JobManager that has answered before may be silent.
pub(super) const SILENCE: Duration = Duration::from_secs(15);

impl<W: World> Engine<W> {
    /// The health gate: all tasks run, restored from exactly the path, the first checkpoint
    /// completed (where there is checkpointing), and no restart for the quiet time. Installs and
    /// starts without state need the tasks only.
    pub(super) async fn await_healthy(
        &mut self,
        index: usize,
        target: Target,
    ) -> Result<Option<String>, Cause> {
        let change = self.journal.jobs[index].clone();
        let (Some(start), Some(id)) = (change.start_in(target).cloned(), change.id_in(target)) else {
            return Ok(None);
        };
        let expected = change.restored_from(&start.from);
        let cluster = self.world.control(target)?;
        let gate = target == Target::New
            && self.journal.decided.kind != Kind::Install
            && change.decided.old.is_some();
        let checkpointing = gate && cluster.takes_checkpoints(id).await;
        let waits = self.world.waits();
        let begun = Instant::now();
        let mut restored: Option<String> = None;
        let mut quiet = Quiet::default();
        let mut said = String::new();
        loop {
            let why = match cluster.health(id).await {
                Ok(health) => {
                    restored = restored.or_else(|| health.restored.clone());
                    self.note_checkpoint(index, target, &health).await?;
                    if let Some(failure) = failed(&health) {
                        return Err(Cause::Step {
                            step: format!("the job {} failed", change.name),
                            reason: failure,
                        });
                    }
                    // From a checkpoint of its own it was restored after its JobManager had
                    // restarted.
                    if let (Some(expected), Some(seen)) = (&expected, &restored)
                        && !savepoint::same_path(expected, seen)
                        && !is_own(seen, id)
                    {
                        return Err(Cause::Step {
                            step: format!("the job {} was restored from another path", change.name),
                            reason: format!("{seen} instead of {expected}"),
                        });
                    }
                    let finished = health.state == flink::JobState::Finished;
                    let runs = health.is_fully_running();
                    let quiet = quiet.for_how_long(runs, health.restarts);
                    let confirmed = expected.is_none() || restored.is_some();
                    if gate
                        && !checkpointing
                        && runs
                        && confirmed
                        && !self.journal.jobs[index].forward.checkpointed
                    {
                        // Without checkpoints its output counts at once: there is no later line.
                        self.record(Event::Checkpointed(index)).await?;
                    }
                    let wanted = waits.quiet;
                    if finished {
                        None
                    } else if !runs {
                        Some(waits_for_tasks(&health))
                    } else if !confirmed {
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
                self.world.tell(Progress::Waiting {
                    what: format!("the job {}", change.name),
                    why: vec![why.clone()],
                    since: begun.elapsed(),
                });
                said.clone_from(&why);
            }
            if begun.elapsed() >= waits.timeout {
                return Err(Cause::Step {
                    step: format!("the job {} is not healthy in time", change.name),
                    reason: why,
                });
            }
            if self.world.is_cancelled() {
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
        let change = &self.journal.jobs[index];
        // The count begins again with the JobManager; what the job was restored from then is a
        // checkpoint of its own.
        let own = change.new_id().zip(health.restored.as_ref());
        let completed = health.completed_checkpoints > 0 || own.is_some_and(|(id, seen)| is_own(seen, id));
        // One that has come to its end has committed what it had, with checkpoints or without.
        let committed = completed || health.state == flink::JobState::Finished;
        if target == Target::New && committed && !change.forward.checkpointed {
            self.record(Event::Checkpointed(index)).await?;
        }
        Ok(())
    }
}

/// Returns whether a checkpoint is the job's own: Flink writes them into a folder of the job's id.
pub(super) fn is_own(path: &str, id: JobId) -> bool {
    path.contains(&format!("/{id}/"))
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
