//! Which driver controls a generation.

use super::kind::ControlKind;
use super::pods::is_job_manager;
use super::{Found, JobControl, PodsControl, RestControl, Submission};
use crate::context::Context;
use crate::failure::Cause;
use crate::flink::savepoint::Tick;
use crate::flink::{
    Client, End, FlinkError, Health, JobOverview, Plan, Program, RunRequest, StartError, Started, StopError,
    StopRequest,
};
use crate::id::JobId;
use crate::layout::Descriptor;
use crate::render::Object;

/// The control over one generation, whatever its kind.
pub enum Driver {
    /// By Flink's REST API.
    Rest(RestControl<Client>),
    /// Its Pods start its one job.
    Pods(Box<PodsControl>),
    /// For tests: another controller assigns the ids of its jobs.
    #[cfg(test)]
    Assigned(Box<super::assigned::AssignedControl>),
}

impl Driver {
    /// Returns the control over a generation of a release; `objects` are the generation's.
    pub fn of(context: &Context, release: &str, descriptor: &Descriptor, objects: &[Object]) -> Self {
        let rest = RestControl::new(context.flink(descriptor), context.timeout);
        match descriptor.control {
            ControlKind::Rest => Self::Rest(rest),
            ControlKind::Pods => Self::Pods(Box::new(PodsControl {
                rest,
                cluster: context.cluster.clone(),
                namespace: context.namespace.clone(),
                release: release.to_owned(),
                descriptor: descriptor.clone(),
                job_managers: objects
                    .iter()
                    .filter(|object| is_job_manager(object, descriptor))
                    .map(Object::key)
                    .collect(),
                timeout: context.timeout,
            })),
            #[cfg(test)]
            ControlKind::Assigned => Self::Assigned(Box::new(super::assigned::AssignedControl {
                rest,
                cluster: context.cluster.clone(),
                namespace: context.namespace.clone(),
                name: descriptor.name.clone(),
            })),
        }
    }
}

/// Has the Pods that would start a job wait, until [`JobControl::unsuspend`].
pub fn suspend(objects: &mut [Object], descriptor: &Descriptor) {
    for object in objects.iter_mut().filter(|object| is_job_manager(object, descriptor)) {
        object.value["spec"]["suspend"] = true.into();
    }
}

/// Has the driver of a generation do what it is asked for, whichever it is.
macro_rules! driven {
    ($driver:expr, $control:ident => $answer:expr) => {
        match $driver {
            Driver::Rest($control) => $answer,
            Driver::Pods($control) => $answer,
            #[cfg(test)]
            Driver::Assigned($control) => $answer,
        }
    };
}

/// Each method, those with a default too: one that was left out here would go past the driver that
/// overrides it.
impl JobControl for Driver {
    type Rest = Client;

    fn rest(&self) -> &RestControl<Client> {
        driven!(self, control => control.rest())
    }

    async fn jobs(&self) -> Result<Vec<JobOverview>, FlinkError> {
        driven!(self, control => control.jobs().await)
    }

    async fn health(&self, job: JobId) -> Result<Health, FlinkError> {
        driven!(self, control => control.health(job).await)
    }

    async fn takes_checkpoints(&self, job: JobId) -> bool {
        driven!(self, control => control.takes_checkpoints(job).await)
    }

    async fn latest_checkpoint(&self, job: JobId) -> Result<Option<String>, FlinkError> {
        driven!(self, control => control.latest_checkpoint(job).await)
    }

    async fn latest_savepoint(&self, job: JobId) -> Result<Option<String>, FlinkError> {
        driven!(self, control => control.latest_savepoint(job).await)
    }

    async fn stop(
        &self,
        job: JobId,
        request: &StopRequest,
        tick: &mut Tick<'_>,
    ) -> Result<String, StopError> {
        driven!(self, control => control.stop(job, request, tick).await)
    }

    async fn follow(
        &self,
        job: JobId,
        request: &StopRequest,
        tick: &mut Tick<'_>,
    ) -> Result<String, StopError> {
        driven!(self, control => control.follow(job, request, tick).await)
    }

    async fn cancel(&self, job: JobId) -> Result<(), FlinkError> {
        driven!(self, control => control.cancel(job).await)
    }

    async fn ended(&self, job: JobId, tick: &mut Tick<'_>) -> Result<End, FlinkError> {
        driven!(self, control => control.ended(job, tick).await)
    }

    async fn preflight(&self, jar: &str, program: &Program) -> Result<Plan, FlinkError> {
        driven!(self, control => control.preflight(jar, program).await)
    }

    async fn start(&self, jar: &str, request: &RunRequest) -> Result<Started, StartError> {
        driven!(self, control => control.start(jar, request).await)
    }

    async fn submit(&self, submission: &Submission) -> Result<(), FlinkError> {
        driven!(self, control => control.submit(submission).await)
    }

    async fn identify(&self, submission: &Submission) -> Result<Found, FlinkError> {
        driven!(self, control => control.identify(submission).await)
    }

    async fn withdraw(&self, submission: &Submission) -> Result<(), FlinkError> {
        driven!(self, control => control.withdraw(submission).await)
    }

    async fn unsuspend(&self) -> Result<(), Cause> {
        driven!(self, control => control.unsuspend().await)
    }

    async fn halt(&self, job: JobId) -> Result<Option<bool>, Cause> {
        driven!(self, control => control.halt(job).await)
    }

    async fn shut_down(&self) -> Result<(), FlinkError> {
        driven!(self, control => control.shut_down().await)
    }
}

#[cfg(test)]
mod tests {
    /// The names of the methods of an `impl` or a trait.
    fn methods(text: &str) -> Vec<&str> {
        let lines = text.lines().take_while(|line| *line != "}");
        let begun =
            lines.filter_map(|line| line.strip_prefix("    ")).map(|line| line.trim_start_matches("async "));
        begun.filter_map(|line| line.strip_prefix("fn ")?.split('(').next()).collect()
    }

    #[test]
    fn whatever_is_asked_of_a_driver_reaches_it() {
        let after = |text: &'static str, begin: &str| text.split_once(begin).unwrap().1;
        let asked = methods(after(include_str!("mod.rs"), "pub trait JobControl {\n"));
        let passed_on = methods(after(include_str!("driver.rs"), "\nimpl JobControl for Driver {\n"));
        assert!(asked.len() > 10, "{asked:?}");
        assert_eq!(passed_on, asked);
    }
}
