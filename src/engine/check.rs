//! Checking a job on the new generation while the old one runs on: `main()` runs, and no job
//! starts.

use super::{Engine, World};
use crate::failure::Cause;
use crate::flink::FlinkError;
use crate::layout::control::JobControl;
use crate::operation::{Event, Start, StateFrom, Target};

impl<W: World> Engine<W> {
    /// A missing jar or class, wrong arguments, too few slots and a path with no state show here.
    /// What only a start can show (state that does not fit) does not; and `main()`'s side effects
    /// do happen.
    pub(super) async fn check(&mut self, index: usize) -> Result<Option<String>, Cause> {
        let name = self.journal.jobs[index].name.clone();
        let recipe = self.world.recipe(&name, Target::New)?;
        let cluster = self.world.control(Target::New)?;
        if let Some(Start { from: StateFrom::Path(path), .. }) = self.journal.jobs[index].start()
            && self.world.is_missing(Target::New, path).await
        {
            let reason = format!("there is no savepoint or checkpoint at {path}");
            return Err(Cause::CannotStart { job: name, reason });
        }
        let jar = self.world.jar(&name, Target::New).await?;
        self.record(Event::Jar(index, jar.clone())).await?;
        let plan = cluster.preflight(&jar, &recipe.program).await.map_err(|source| match source {
            FlinkError::Refused { message, .. } => Cause::CannotStart { job: name.clone(), reason: message },
            source => Cause::Flink { doing: format!("the job {name} could not be checked"), source },
        })?;
        self.world.fits(&name, &plan)?;
        self.record(Event::Checked(index)).await?;
        Ok(Some(format!("{name} would start: its main() runs, {} vertices", plan.nodes.len())))
    }
}
