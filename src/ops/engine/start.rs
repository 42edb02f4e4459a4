//! Starting a job, exactly once, from exactly the state that the plan says.

use super::{Engine, World, path_for};
use crate::flink::{Destination, RunRequest, StartError};
use crate::operation::{Event, StateFrom, Target};
use crate::ops::Cause;

impl<W: World> Engine<W> {
    pub(super) async fn start(&mut self, index: usize, target: Target) -> Result<Option<String>, Cause> {
        let change = self.journal.jobs[index].clone();
        let wanted = if target == Target::New { change.start.clone() } else { change.back.clone() };
        let Some(start) = wanted else {
            return Err(Cause::CannotStart {
                job: change.name,
                reason: "the journal has no start for it".to_owned(),
            });
        };
        let recipe = self.world.recipe(&change.name, target)?;
        let cluster = self.world.cluster(target)?;
        let jar = match &change.jar {
            Some(jar) if target == Target::New => jar.clone(),
            _ => self.world.jar(&change.name, target).await?,
        };
        let path = path_for(&change, &start.from);
        if path.is_none() && start.from == StateFrom::ItsStop {
            return Err(Cause::CannotStart {
                job: change.name,
                reason: "the path of its savepoint is not known".to_owned(),
            });
        }
        // A run that died may have asked before: what this one could not send says nothing about that.
        let asked = if target == Target::New { change.start_asked } else { change.back_asked };
        self.record(Event::StartAsked(index, target)).await?;
        let request = RunRequest {
            job: start.id,
            program: recipe.program,
            savepoint: path.clone(),
            allow_non_restored_state: recipe.allow_non_restored_state,
            application: recipe.application,
        };
        if let Err(source) = cluster.start(&jar, &request).await {
            match source {
                StartError::NotSent { .. } if asked => {}
                StartError::NotSent { .. } | StartError::Refused { .. } => {
                    self.record(Event::StartFailed(index, target)).await?;
                }
                // It ran, and has ended: whether it completed a checkpoint cannot be known any more.
                StartError::IdUsed { .. } if target == Target::New => {
                    self.record(Event::Checkpointed(index)).await?;
                }
                _ => {}
            }
            return Err(Cause::Start { job: change.name, source });
        }
        self.record(Event::Started(index, target)).await?;
        Ok(Some(match path {
            Some(path) => format!("started {} ({}) from {path}", change.name, start.id),
            None => format!("started {} ({})", change.name, start.id),
        }))
    }
}
