//! The health gate, and the end of a new job on the way back.

use std::time::Duration;

use tokio::time::Instant;

use super::{Engine, POLL, World};
use crate::failure::Cause;
use crate::flink::{self, Destination, End, FlinkError, Health, Source, StartError, savepoint};
use crate::id::JobId;
use crate::operation::{Event, Kind, Look, Start, Target};
use crate::progress::Progress;

/// How often a job may restart before its first checkpoint until it counts as failed.
const MAX_RESTARTS: u64 = 3;
/// For how long a JobManager that has answered before may be silent.
pub(super) const SILENCE: Duration = Duration::from_secs(15);
/// How often a job is cancelled until it counts as one that does not end.
const CANCELS: u32 = 3;

impl<W: World> Engine<W> {
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
        let expected = change.restored_from(&start.from);
        let cluster = self.world.cluster(target)?;
        let gate = target == Target::New && self.journal.kind != Kind::Install && change.old.is_some();
        let checkpointing = gate && cluster.takes_checkpoints(start.id).await;
        let waits = self.world.waits();
        let begun = Instant::now();
        let mut restored: Option<String> = None;
        let mut quiet = Quiet::default();
        let mut said = String::new();
        loop {
            let why = match cluster.health(start.id).await {
                Ok(health) => {
                    restored = restored.or_else(|| health.restored.clone());
                    self.note_checkpoint(index, target, &health).await?;
                    if let Some(failure) = failed(&health) {
                        return Err(Cause::Step {
                            step: format!("the job {} failed", change.name),
                            reason: failure,
                        });
                    }
                    // From a checkpoint of its own it was restored after its JobManager had restarted.
                    if let (Some(expected), Some(seen)) = (&expected, &restored)
                        && !savepoint::same_path(expected, seen)
                        && !is_own(seen, start.id)
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
                    if gate && !checkpointing && runs && confirmed && !self.journal.jobs[index].checkpointed {
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
        // The count begins again with the JobManager; what the job was restored from then is a checkpoint of its own.
        let own = change.start.as_ref().zip(health.restored.as_ref());
        let completed =
            health.completed_checkpoints > 0 || own.is_some_and(|(start, seen)| is_own(seen, start.id));
        // One that has come to its end has committed what it had, with checkpoints or without.
        let committed = completed || health.state == flink::JobState::Finished;
        if target == Target::New && committed && !change.checkpointed {
            self.record(Event::Checkpointed(index)).await?;
        }
        Ok(())
    }

    /// Ends a new job, unless it completed a checkpoint: then its output is committed and it stays as it is.
    pub(super) async fn end(&mut self, index: usize) -> Result<Option<String>, Cause> {
        let change = self.journal.jobs[index].clone();
        let Some(start) = change.start else { return Ok(None) };
        let cluster = self.world.cluster(Target::New)?;
        let doing = |source| Cause::Flink {
            doing: format!("the new job {} could not be ended", change.name),
            source,
        };
        // A JobManager that has answered before is not given up for one answer that is missing.
        let patience = if self.journal.ready { SILENCE } else { Duration::ZERO };
        match self.look(&cluster, start.id, patience).await {
            Ok(health) => {
                self.note_checkpoint(index, Target::New, &health).await?;
                if self.journal.jobs[index].checkpointed {
                    return Ok(None);
                }
                if !health.state.is_terminal() {
                    self.cancel(&cluster, start.id, &change.name).await?;
                    self.note_what_it_left(index, &cluster, start.id).await?;
                }
            }
            // Its main() may be on its way to submit it, or it cannot be asked: without its JobManager it ends in any case.
            Err(error)
                if self.world.starts_by_pods(Target::New) && (error.is_not_found() || error.is_passing()) =>
            {
                let completed = self.world.halt(Target::New, start.id).await?;
                if completed == Some(true) {
                    // Its output is committed: it goes on from its latest checkpoint.
                    self.stay_with_pods(index).await?;
                    return Ok(None);
                }
                // It never ran, or it has come to its end: what it left tells them apart.
                let left = match &change.left {
                    Some(path) => Look::Found(path.clone()),
                    None => self.world.find_left(Target::New, start.id).await,
                };
                if let Look::Found(path) = &left {
                    self.record(Event::Left(index, path.clone())).await?;
                    self.record(Event::Checkpointed(index)).await?;
                    return Ok(None);
                }
                // Once the old job may run again, nothing is started beside it.
                let alone = !change.back_asked && !self.journal.late;
                let unseen = left == Look::Unknown && self.unseen[index] && alone;
                if left == Look::Finished || completed.is_none() && (change.started || unseen) {
                    self.stay_with_pods(index).await?;
                    return Ok(None);
                }
            }
            // Flink knew it and has forgotten it, with its JobManager: whether it completed a checkpoint cannot be known.
            Err(FlinkError::NotFound { .. }) if change.started => {
                self.record(Event::Checkpointed(index)).await?;
                return Ok(None);
            }
            Err(FlinkError::NotFound { .. }) => {
                // Once the old job may run again, nothing is started beside it.
                if !change.back_asked && !self.journal.late && self.use_up(index, &cluster, &start).await? {
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
    /// The new job's output is committed, or may be: its Pods begin again, and Flink's high availability says from where.
    async fn stay_with_pods(&mut self, index: usize) -> Result<(), Cause> {
        self.record(Event::Checkpointed(index)).await?;
        self.world.apply(Target::New, &self.journal).await?;
        self.world.let_go(Target::New).await
    }

    /// A start was asked for by a run that died, and Flink does not know the job: it was never started, or it has ended and its
    /// JobManager has restarted since, or that run is only suspended and its request comes yet. So the id is used up: submitted
    /// once more, and cancelled at once. `true`: it had been used up before, so its output may be committed, and it stays.
    async fn use_up(&mut self, index: usize, cluster: &W::Cluster, start: &Start) -> Result<bool, Cause> {
        let name = self.journal.jobs[index].name.clone();
        let Some((jar, request)) = self.request(index, Target::New, start).await? else { return Ok(false) };
        match cluster.start(&jar, &request).await {
            Ok(_) => self.cancel(cluster, start.id, &name).await?,
            // An application may have come to its end without a job.
            Err(StartError::Ended { .. })
                if request.application && cluster.health(start.id).await.is_err_and(|e| e.is_not_found()) =>
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
        self.note_what_it_left(index, cluster, start.id).await?;
        Ok(false)
    }

    /// A checkpoint may have completed between the last look at a job and its end: what it had is in there.
    async fn note_what_it_left(
        &mut self,
        index: usize,
        cluster: &W::Cluster,
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
        if self.journal.jobs[index].checkpointed
            && let Ok(Some(path)) = cluster.latest_checkpoint(id).await
        {
            self.record(Event::Left(index, path)).await?;
        }
        Ok(())
    }

    /// The health of a job; a JobManager that does not answer is asked again for so long.
    async fn look(&self, cluster: &W::Cluster, id: JobId, patience: Duration) -> Result<Health, FlinkError> {
        let begun = Instant::now();
        loop {
            match cluster.health(id).await {
                Err(error) if error.is_passing() && begun.elapsed() < patience => {}
                answer => return answer,
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Cancels a job and waits for its end. A JobManager that restarts forgets that it was asked: it is asked again.
    pub(super) async fn cancel(&self, cluster: &W::Cluster, id: JobId, name: &str) -> Result<(), Cause> {
        for _ in 0..CANCELS {
            match cluster.cancel(id).await {
                // One whose answer is missing may end the job yet: a job that is left to it would be nowhere.
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

/// Whether a checkpoint is the job's own: Flink writes them into a folder of the job's id.
fn is_own(path: &str, id: JobId) -> bool {
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
