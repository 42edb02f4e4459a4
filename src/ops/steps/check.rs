//! Trying a job out on the new generation while the old one runs on: `main()` runs, and no job starts.

use crate::flink::{FlinkError, Plan};
use crate::operation::{Event, Target};
use crate::ops::Cause;
use crate::ops::execute::Executor;

impl Executor<'_> {
    /// A missing jar or class, wrong arguments and too few slots show here. What only a start can show (state that does
    /// not fit) does not; and `main()`'s side effects do happen.
    pub(super) async fn check(&mut self, index: usize) -> Result<Option<String>, Cause> {
        let name = self.journal.jobs[index].name.clone();
        let record = self.job_record(&name, Target::New)?;
        let client = self.client(Target::New)?;
        let jar = self.jar_id(&client, &record, Target::New).await?;
        self.record(Event::Jar(index, jar.clone())).await?;
        let program = self.program(&record, Target::New);
        let plan = client.plan(&jar, &program).await.map_err(|source| match source {
            FlinkError::Refused { message, .. } => Cause::CannotStart { job: name.clone(), reason: message },
            source => Cause::Flink { doing: format!("the job {name} could not be tried out"), source },
        })?;
        self.refuse_too_few_slots(&name, &plan)?;
        self.record(Event::Checked(index)).await?;
        Ok(Some(format!("{name} would start: its main() runs, {} vertices", plan.nodes.len())))
    }

    /// An estimate: one slot-sharing group, which is what a job has unless it says otherwise.
    fn refuse_too_few_slots(&self, name: &str, plan: &Plan) -> Result<(), Cause> {
        let Some(descriptor) = self.descriptor(Target::New) else { return Ok(()) };
        let slots = descriptor.task_managers * descriptor.slots_per_task_manager;
        let needed = plan.nodes.iter().map(|node| node.parallelism).max().unwrap_or(0);
        // The adaptive scheduler starts a job with what slots there are.
        let adaptive = self.objects(Target::New).iter().any(|object| {
            object.kind() == "ConfigMap"
                && object.value["data"].to_string().to_lowercase().contains("adaptive")
        });
        if needed <= slots || adaptive {
            return Ok(());
        }
        Err(Cause::CannotStart {
            job: name.to_owned(),
            reason: format!("it needs {needed} task slots, generation {} has {slots}", descriptor.name),
        })
    }
}
