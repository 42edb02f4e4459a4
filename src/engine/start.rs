//! Starting a job, exactly once, from exactly the state that the plan says.

use tokio::time::Instant;

use super::{Engine, POLL, World};
use crate::failure::Cause;
use crate::flink::{FlinkError, JobState, RunRequest, StartError};
use crate::id::JobId;
use crate::layout::control::JobControl;
use crate::operation::{Event, Start, StartId, StateFrom, Target};
use crate::progress::Progress;

impl<W: World> Engine<W> {
    pub(super) async fn start(&mut self, index: usize, target: Target) -> Result<Option<String>, Cause> {
        let change = self.journal.jobs[index].clone();
        let Some(start) = change.start_in(target).cloned() else {
            return Err(Cause::CannotStart {
                job: change.name,
                reason: "the journal has no start for it".to_owned(),
            });
        };
        let cluster = self.world.control(target)?;
        match start.id {
            StartId::Chosen(id) if self.journal.traits(target).starts_with_pods => {
                self.start_by_pods(&cluster, index, target, id).await
            }
            StartId::Chosen(id) => self.start_by_request(&cluster, index, target, &start, id).await,
            StartId::Assigned(nonce) => {
                self.start_by_submission(&cluster, index, target, &start, nonce).await
            }
        }
    }

    async fn start_by_request(
        &mut self,
        cluster: &W::Control,
        index: usize,
        target: Target,
        start: &Start,
        id: JobId,
    ) -> Result<Option<String>, Cause> {
        let change = self.journal.jobs[index].clone();
        let Some((jar, request)) = self.request(index, target, start, id).await? else {
            return Err(Cause::CannotStart {
                job: change.name,
                reason: "the path of its savepoint is not known".to_owned(),
            });
        };
        // The file is there in this run only: the next run, and the record, know the jar by its
        // id. It is written with the start that is asked for.
        if target == Target::New {
            self.journal.record(Event::Jar(index, jar.clone()));
        }
        let path = request.savepoint.clone();
        // An interrupted run may have asked before: what this one could not send says nothing about
        // that.
        let asked = if target == Target::New { change.forward.start_asked } else { change.revert.asked };
        self.record(Event::StartAsked(index, target)).await?;
        if let Err(source) = cluster.start(&jar, &request).await {
            match source {
                StartError::NotSent { .. } if asked => {}
                StartError::NotSent { .. } | StartError::Refused { .. } => {
                    self.record(Event::StartFailed(index, target)).await?;
                }
                // It ran, and has ended: whether it completed a checkpoint cannot be known any
                // more.
                StartError::IdUsed { .. } if target == Target::New => {
                    self.record(Event::Checkpointed(index)).await?;
                }
                _ => {}
            }
            return Err(Cause::Start { job: change.name, source });
        }
        self.record(Event::Started(index, target)).await?;
        Ok(Some(match path {
            Some(path) => format!("started {} ({id}) from {path}", change.name),
            None => format!("started {} ({id})", change.name),
        }))
    }

    /// The request that starts a job, and its jar; `None` where the path of its state is not known.
    pub(super) async fn request(
        &self,
        index: usize,
        target: Target,
        start: &Start,
        id: JobId,
    ) -> Result<Option<(String, RunRequest)>, Cause> {
        let change = &self.journal.jobs[index];
        let recipe = self.world.recipe(&change.name, target)?;
        let path = change.restored_from(&start.from);
        if path.is_none() && start.from == StateFrom::ItsStop {
            return Ok(None);
        }
        let jar = match &change.forward.jar {
            Some(jar) if target == Target::New => jar.clone(),
            _ => self.world.jar(&change.name, target).await?,
        };
        let request = RunRequest {
            job: id,
            program: recipe.program,
            savepoint: path,
            allow_non_restored_state: recipe.allow_non_restored_state,
            application: recipe.application,
        };
        Ok(Some((jar, request)))
    }

    /// The generation's Pods start the job: it is there when Flink knows it.
    async fn start_by_pods(
        &mut self,
        cluster: &W::Control,
        index: usize,
        target: Target,
        id: JobId,
    ) -> Result<Option<String>, Cause> {
        let name = self.journal.jobs[index].name.clone();
        self.record(Event::StartAsked(index, target)).await?;
        cluster.unsuspend().await?;
        self.world.await_pods(target).await?;
        let begun = Instant::now();
        let mut said = String::new();
        let why = loop {
            let why = match cluster.health(id).await {
                Ok(health) if health.state.is_terminal() && health.state != JobState::Finished => {
                    let reason = health.root_exception.unwrap_or_else(|| format!("it is {}", health.state));
                    return Err(Cause::Step { step: format!("the job {name} failed"), reason });
                }
                Ok(_) => break None,
                Err(FlinkError::NotFound { .. }) => "its main() has not submitted it yet".to_owned(),
                Err(error) if error.is_passing() => error.to_string(),
                Err(source) => {
                    let doing = format!("whether the job {name} has started is not known");
                    return Err(Cause::Flink { doing, source });
                }
            };
            if begun.elapsed() >= self.world.waits().timeout {
                break Some(why);
            }
            if self.world.is_cancelled() {
                return Err(Cause::Interrupted);
            }
            if why != said {
                let what = format!("the job {name}");
                let waiting = Progress::Waiting { what, why: vec![why.clone()], since: begun.elapsed() };
                self.world.tell(waiting);
                said = why;
            }
            tokio::time::sleep(POLL).await;
        };
        if let Some(reason) = why {
            return Err(Cause::Step { step: format!("the job {name} did not start in time"), reason });
        }
        self.record(Event::Started(index, target)).await?;
        Ok(Some(format!("{name} ({id}) has started with its Pods")))
    }
}
