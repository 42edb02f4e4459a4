//! Which driver controls a generation.

use super::kind::ControlKind;
use super::pods::is_job_manager;
use super::{JobControl, PodsControl, RestControl};
use crate::context::Context;
use crate::failure::Cause;
use crate::flink::Client;
use crate::id::JobId;
use crate::layout::Descriptor;
use crate::render::Object;

/// The control over one generation, whatever its kind.
pub enum Driver {
    /// By Flink's REST API.
    Rest(RestControl<Client>),
    /// Its Pods start its one job.
    Pods(Box<PodsControl>),
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
        }
    }
}

/// Has the Pods that would start a job wait, until [`JobControl::unsuspend`].
pub fn suspend(objects: &mut [Object], descriptor: &Descriptor) {
    for object in objects.iter_mut().filter(|object| is_job_manager(object, descriptor)) {
        object.value["spec"]["suspend"] = true.into();
    }
}

impl JobControl for Driver {
    type Rest = Client;

    fn rest(&self) -> &RestControl<Client> {
        match self {
            Self::Rest(rest) => rest,
            Self::Pods(pods) => pods.rest(),
        }
    }

    async fn unsuspend(&self) -> Result<(), Cause> {
        match self {
            Self::Rest(rest) => rest.unsuspend().await,
            Self::Pods(pods) => pods.unsuspend().await,
        }
    }

    async fn halt(&self, job: JobId) -> Result<Option<bool>, Cause> {
        match self {
            Self::Rest(rest) => rest.halt(job).await,
            Self::Pods(pods) => pods.halt(job).await,
        }
    }
}
