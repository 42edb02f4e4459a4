//! Removing a generation in the order that loses nothing.

use std::time::Duration;

use tokio::time::Instant;

use super::{Engine, POLL, World};
use crate::failure::Cause;
use crate::flink::{FlinkError, JobOverview};
use crate::id::JobId;
use crate::layout::control::JobControl;
use crate::operation::{Event, JobMove, Target};
use crate::progress::Progress;

/// How long a JobManager may be silent before its generation is removed without its word.
const SILENCE: Duration = Duration::from_secs(30);
/// How long a JobManager that has restarted must list no job until that is believed.
const EMPTY: Duration = Duration::from_secs(15);

impl<W: World> Engine<W> {
    /// Removes a generation in the order that loses nothing: no live job; `DELETE /cluster`, so
    /// that Flink removes its own HA files; the Deployments and the rest; last the HA ConfigMaps,
    /// which a dying JobManager may make anew.
    pub(super) async fn remove(&mut self, target: Target) -> Result<Option<String>, Cause> {
        if target == Target::New && !self.world.has_flink(target) {
            // It has objects of the release alone, which go as those that are not wanted.
            self.record(Event::Removed(target)).await?;
            return Ok(None);
        }
        let (name, cluster) = (self.world.name(target), self.world.control(target)?);
        let mut jobs = self.jobs_of(&cluster, target).await;
        if let (Some(ours), Ok(listed)) = (self.world.warm_up(target), &jobs)
            && listed.iter().any(|job| job.id == ours && !job.state.is_terminal())
        {
            self.cancel(&cluster, ours, "warm-up job").await?;
            jobs = self.jobs_of(&cluster, target).await;
        }
        let unmanaged = self.unlisted(&cluster, target, &mut jobs).await?;
        let listed = jobs.as_deref().unwrap_or_default();
        let live = listed.iter().filter(|job| !job.state.is_terminal());
        let live: Vec<String> = live.map(|job| format!("{} ({})", job.name, job.id)).collect();
        if !live.is_empty() {
            // Where all jobs of the release have moved, these are another client's own, submitted
            // meanwhile.
            let committed = self.journal.forward.committed.is_some();
            let whose = if committed { "that the release does not know" } else { "still" };
            return self.keep(target, format!("jobs run in it {whose}: {}", live.join(", "))).await;
        }
        if !unmanaged.is_empty() {
            let cause = Cause::Unmanaged { generation: name, answers: jobs.is_ok(), jobs: unmanaged };
            return self.keep(target, cause.to_string()).await;
        }
        self.record(Event::RemoveBegun(target)).await?;
        match jobs {
            Ok(_) => {
                if let Err(error) = cluster.shut_down().await {
                    self.world.tell(Progress::Warning(format!(
                        "the JobManager of {name} did not shut its cluster down ({error}): files of its high availability may stay"
                    )));
                }
            }
            // One that never came up has left nothing.
            Err(error) if target != Target::New || self.journal.forward.ready => {
                self.world.tell(Progress::Warning(format!(
                    "the JobManager of {name} does not answer ({error}): files of its high availability stay in the storage"
                )));
            }
            Err(_) => {}
        }
        self.world.clear(target).await?;
        self.record(Event::Removed(target)).await?;
        Ok(Some(format!("removed generation {name}")))
    }

    /// Leaves a generation where it is. An operation that has done what it is for ends well all the
    /// same.
    async fn keep(&mut self, target: Target, reason: String) -> Result<Option<String>, Cause> {
        let step = format!("generation {} is kept", self.world.name(target));
        if self.journal.forward.committed.is_none() {
            return Err(Cause::Step { step, reason });
        }
        self.record(Event::Kept(target)).await?;
        self.world.tell(Progress::Warning(format!("{step}: {reason}")));
        Ok(None)
    }

    /// Unmanaged jobs that a generation would bring back, and does not list. A JobManager that is
    /// just starting gets some time to bring them back; the jobs are what it lists then.
    async fn unlisted(
        &self,
        cluster: &W::Control,
        target: Target,
        jobs: &mut Result<Vec<JobOverview>, FlinkError>,
    ) -> Result<Vec<JobId>, Cause> {
        let begun = Instant::now();
        loop {
            let listed = jobs.as_deref().unwrap_or_default().iter().map(|job| job.id);
            let unmanaged = self.unmanaged(target, listed).await?;
            let over = begun.elapsed() >= SILENCE || self.world.is_cancelled();
            if unmanaged.is_empty() || jobs.is_err() || over {
                return Ok(unmanaged);
            }
            tokio::time::sleep(POLL).await;
            *jobs = self.jobs_of(cluster, target).await;
        }
    }

    /// The jobs that a generation would bring back, but for the listed ones and those of the
    /// release. While jobs of the release are down nothing waits for inspection that fails: the
    /// plan was made after one.
    async fn unmanaged(
        &self,
        target: Target,
        listed: impl Iterator<Item = JobId>,
    ) -> Result<Vec<JobId>, Cause> {
        let known = self.journal.jobs.iter().flat_map(JobMove::ids).chain(listed).collect();
        match self.world.unmanaged(target, known).await {
            Err(error) if self.journal.forward.committed.is_none() => {
                let name = self.world.name(target);
                self.world.tell(Progress::Warning(format!(
                    "whether generation {name} would bring back jobs that the release does not know could not be seen: {error}"
                )));
                Ok(Vec::new())
            }
            looked => looked,
        }
    }

    /// The jobs in a generation. One that has just been in use may be recovering: its silence is
    /// waited out for a while, for an unmanaged job may be in it. A JobManager that lists none of
    /// the jobs that ended in it is another one, and may still be bringing jobs back: an empty list
    /// is believed when it stays so.
    async fn jobs_of(&self, cluster: &W::Control, target: Target) -> Result<Vec<JobOverview>, FlinkError> {
        let from_here = self.journal.jobs.iter().filter(|job| job.source() == target);
        let ended: Vec<_> = from_here.filter_map(|job| job.decided.old).collect();
        let expected = !ended.is_empty();
        let patience = if expected || target == Target::Old { SILENCE } else { Duration::ZERO };
        let (begun, mut silent_since, mut empty_since) = (Instant::now(), None, None);
        loop {
            match cluster.jobs().await {
                answer if begun.elapsed() >= self.world.waits().timeout || self.world.is_cancelled() => {
                    return answer;
                }
                Err(error) if error.is_passing() => {
                    empty_since = None;
                    if silent_since.get_or_insert_with(Instant::now).elapsed() >= patience {
                        return Err(error);
                    }
                }
                Ok(jobs)
                    if expected
                        && !jobs.iter().any(|job| !job.state.is_terminal() || ended.contains(&job.id)) =>
                {
                    silent_since = None;
                    if empty_since.get_or_insert_with(Instant::now).elapsed() >= EMPTY {
                        return Ok(jobs);
                    }
                }
                answer => return answer,
            }
            tokio::time::sleep(POLL).await;
        }
    }
}
