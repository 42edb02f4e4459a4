//! How each step of the state machine is carried out against Kubernetes and Flink.

mod check;
mod generation;
mod health;
mod search;
mod start;
mod stop;

use std::collections::BTreeSet;
use std::time::Duration;

use super::Cause;
use super::descriptor::Descriptor;
use super::execute::Executor;
use crate::cluster::delete;
use crate::flink::Client;
use crate::operation::{Event, JobMove, Kind, StateFrom, Step, Target};
use crate::release::Status;
use crate::render::{Object, ObjectKey};

/// Between two looks at something that is awaited.
const POLL: Duration = Duration::from_millis(500);

impl Executor<'_> {
    /// Carries out one step. The words that come back are shown as what was done.
    pub(super) async fn perform(&mut self, step: Step) -> Result<Option<String>, Cause> {
        match step {
            Step::Record => {
                if self.journal.kind == Kind::Uninstall {
                    let (name, revision) = (&self.plan.options.name, self.journal.to);
                    let store = &self.context.store;
                    store
                        .set_status(name, revision, Status::Uninstalling, "Uninstallation in progress")
                        .await?;
                } else {
                    let mut pending = self.plan.record.clone();
                    pending.description = format!("{} in progress", self.plan.summary.operation);
                    self.context.store.create(&pending).await?;
                }
                self.record(Event::Recorded).await?;
                Ok(None)
            }
            Step::Check(index) => self.check(index).await,
            Step::Stop(index) => self.stop(index).await,
            Step::Settle(index) => self.settle(index).await,
            Step::Switch => self.switch().await,
            Step::Remove(target) => self.remove(target).await,
            Step::Apply(target) => self.apply(target).await,
            Step::AwaitReady(target) => self.await_ready(target).await,
            Step::Start(index, target) => self.start(index, target).await,
            Step::AwaitHealthy(index, target) => self.await_healthy(index, target).await,
            Step::End(index) => self.end(index).await,
            Step::Prune(target) => self.prune(target).await,
            Step::Delete => {
                super::uninstall::delete_objects(self).await?;
                self.record(Event::Deleted).await?;
                Ok(None)
            }
            Step::Commit => {
                self.record(Event::Committed).await?;
                Ok(None)
            }
            Step::Close(outcome) => self.close(outcome).await,
            Step::Done(_) => Ok(None),
        }
    }

    fn require(&self, target: Target) -> Result<Descriptor, Cause> {
        self.descriptor(target).cloned().ok_or_else(|| Cause::Step {
            step: "find the Flink cluster".to_owned(),
            reason: "the package's layout renders no descriptor".to_owned(),
        })
    }

    fn client(&self, target: Target) -> Result<Client, Cause> {
        Ok(self.context.flink(&self.require(target)?))
    }

    async fn prune(&mut self, target: Target) -> Result<Option<String>, Cause> {
        let keys = self.not_wanted(target).await?;
        let (cluster, namespace) = (&self.context.cluster, &self.context.namespace);
        delete::delete(cluster, namespace, &self.plan.options.name, &keys, &mut |_, _| {})
            .await
            .map_err(Cause::not_deleted)?;
        self.record(Event::Pruned(target)).await?;
        Ok((!keys.is_empty()).then(|| {
            format!("deleted {}", keys.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
        }))
    }

    /// What is the release's and not part of the target: what the records of the other side name, and what lives with the
    /// release's label (attempts that failed left it). Claims hold state and stay; a generation goes by [`Step::Remove`].
    async fn not_wanted(&self, target: Target) -> Result<Vec<ObjectKey>, Cause> {
        // A template may leave the namespace out; what lives has one.
        let placed = |object: &Object| {
            let mut key = object.key();
            key.namespace.get_or_insert_with(|| self.context.namespace.clone());
            key
        };
        let wanted: BTreeSet<ObjectKey> = self.objects(target).iter().map(placed).collect();
        let (cluster, namespace) = (&self.context.cluster, &self.context.namespace);
        let owned = delete::list_owned(cluster, namespace, &self.plan.options.name).await?;
        let recorded = self.plan.objects.iter().chain(&self.plan.old_objects);
        let known: BTreeSet<ObjectKey> =
            recorded.filter(|object| object.generation().is_none()).map(placed).collect();
        let strays = owned.objects.iter().filter(|object| object.generation().is_none()).map(placed);
        let gone = known.into_iter().chain(strays).filter(|key| key.kind != "PersistentVolumeClaim");
        let gone: BTreeSet<ObjectKey> = gone.filter(|key| !wanted.contains(key)).collect();
        Ok(gone.into_iter().collect())
    }
}

/// The path that a start restores from.
pub(super) fn path_for(change: &JobMove, from: &StateFrom) -> Option<String> {
    match from {
        StateFrom::Nothing => None,
        StateFrom::ItsStop => change.savepoint.clone(),
        StateFrom::Path(path) => Some(path.clone()),
    }
}
