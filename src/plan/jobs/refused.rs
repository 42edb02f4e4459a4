//! What is refused before anything is touched, with what to type instead.

use super::Moves;
use crate::failure::{Cause, Failure, NextStep};
use crate::flink::{JarRef, can_read};
use crate::operation::Pods;
use crate::plan::StateChoice;
use crate::release::{JobRecord, JobState};

impl Moves<'_> {
    /// State was named for a release in which nothing could take it: the user expects something
    /// that would not happen.
    pub(super) fn refuse_unused_choice(&self) -> Result<(), Failure> {
        let name = &self.options.name;
        let had_jobs = self.situation.base.as_ref().is_some_and(|base| !base.jobs.is_empty());
        if self.descriptor.is_none() && !had_jobs && self.options.choice.is_some() {
            let layout = &self.desired.layout;
            let cause = format!("the layout {layout:?} has no Flink: release {name:?} has no state");
            return Err(Failure::refused(Cause::Precondition(cause))
                .next([NextStep::say("the same command without flags about state")]));
        }
        let recorded = !self.situation.savepoints.is_empty();
        let jobs = self.descriptor.is_some_and(|descriptor| !descriptor.jobs.is_empty())
            || !self.desired.submitted.is_empty();
        let cause = match self.options.choice {
            Some(StateChoice::Recorded) if !recorded => {
                format!("no savepoint is recorded for release {name:?}")
            }
            Some(StateChoice::Recorded | StateChoice::Paths(_)) if !jobs => {
                format!("--from-savepoint: no savepoint is of use to release {name:?}, it declares no job")
            }
            _ => return Ok(()),
        };
        Err(Failure::refused(Cause::Precondition(cause)).next([
            NextStep::flink(["savepoint", "list", name]),
            NextStep::flink(["job", "submit", name])
                .placeholder("JAR")
                .args(["--from-savepoint"])
                .placeholder("PATH")
                .remark("for a job that is submitted"),
        ]))
    }

    /// A change of one job replaces no Pods under the others.
    pub(super) fn refuse_other_pods(&self, base_jobs: &[JobRecord]) -> Result<(), Failure> {
        if self.pods == Pods::Same {
            return Ok(());
        }
        let runs_beside =
            |job: &&JobRecord| self.desired.leaves(&job.name) && self.situation.running(job).is_some();
        let Some(other) = base_jobs.iter().find(runs_beside) else { return Ok(()) };
        let name = &self.options.name;
        Err(Failure::refused(Cause::Precondition(format!(
            "the release's objects would become others: its Pods would be replaced, and the job {} runs in them",
            other.name
        )))
        .next([
            NextStep::flink(["plan", "upgrade", name]),
            NextStep::flink(["upgrade", name, "--with-savepoint"]),
        ]))
    }

    /// One path is the state of one job.
    pub(super) fn refuse_path_for_all(&self, wanted: &[JobRecord]) -> Result<(), Failure> {
        let Some(StateChoice::Paths(paths)) = &self.options.choice else { return Ok(()) };
        let is_started = |job: &&JobRecord| {
            job.state == JobState::Running
                && !self.desired.leaves(&job.name)
                && !self.desired.stops(&job.name)
        };
        let takers: Vec<_> = wanted.iter().filter(is_started).map(|job| job.name.as_str()).collect();
        for (job, path) in paths {
            let wrong = match job {
                None if takers.len() < 2 => continue,
                None => {
                    format!("{path}: which of the jobs {} it is the state of is not said", takers.join(", "))
                }
                Some(job) if takers.contains(&job.as_str()) => continue,
                Some(job) => format!("{job}={path}: no job {job} is started"),
            };
            let example = takers.first().map_or("JOB", |job| *job);
            return Err(Failure::refused(Cause::Precondition(wrong)).next([
                NextStep::again(["--from-savepoint", &format!("{example}={path}")])
                    .remark("or --from-checkpoint, where it is one"),
                NextStep::flink(["job", "list", &self.options.name]),
            ]));
        }
        Ok(())
    }

    /// An unmanaged job, submitted by hand, would be lost with the generation.
    pub(super) async fn refuse_unknown_jobs(&self, known: &[JobRecord]) -> Result<(), Failure> {
        if self.pods == Pods::Same {
            return Ok(());
        }
        let unmanaged = self
            .situation
            .live_jobs()
            .into_values()
            .find(|live| !live.state.is_terminal() && !known.iter().any(|job| job.id == Some(live.id)));
        match unmanaged {
            None => self.situation.refuse_kept(self.context, &self.options.name).await,
            Some(live) => {
                let name = &self.options.name;
                Err(Failure::refused(Cause::UnknownJob { job: live.name.clone(), id: live.id.to_string() })
                    .next([
                        NextStep::flink(["job", "stop", name, &live.id.to_string()])
                            .remark("with a savepoint; then:"),
                        NextStep::flink(["job", "submit", name])
                            .placeholder("JAR")
                            .args(["--name"])
                            .placeholder("JOB")
                            .args(["--from-savepoint", "recorded"])
                            .remark("so that the release knows it"),
                    ]))
            }
        }
    }

    /// A misspelt name would leave the jar where it is.
    pub(super) fn refuse_jar_for_nobody(&self, wanted: &[JobRecord]) -> Result<(), Failure> {
        let known = |name: &String| wanted.iter().any(|job| job.name == *name);
        let Some(unknown) = self.options.jars.keys().find(|name| !known(name)) else { return Ok(()) };
        let names: Vec<_> = wanted.iter().map(|job| job.name.as_str()).collect();
        let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        Err(Failure::refused(Cause::Precondition(format!(
            "--jar {unknown}=…: the release's jobs are: {names}"
        ))))
    }

    /// A jar that was uploaded into a Pod goes with the Pod.
    pub(super) fn refuse_lost_jar(&self, job: &JobRecord) -> Result<(), Failure> {
        let kept = self.pods == Pods::Same || self.keeps_volume || self.options.jars.contains_key(&job.name);
        if kept || !matches!(job.jar, JarRef::Upload(_)) {
            return Ok(());
        }
        Err(Failure::refused(Cause::CannotStart {
            job: job.name.clone(),
            reason: "its jar was uploaded into a Pod that will be replaced, and no volume keeps it"
                .to_owned(),
        })
        .next([NextStep::again(["--jar"]).prefixed(&format!("{}=", job.name), "FILE")]))
    }

    /// State in a volume that the new Pods do not mount cannot be read by them.
    pub(super) fn refuse_other_storage(&self, job: &str) -> Result<(), Failure> {
        let moves = matches!(
            self.options.choice,
            Some(StateChoice::Savepoint | StateChoice::LatestCheckpoint | StateChoice::Recorded)
        );
        let [claim, ..] = self.claims_left.as_slice() else { return Ok(()) };
        if self.pods == Pods::Same || !moves {
            return Ok(());
        }
        Err(Failure::refused(Cause::CannotStart {
            job: job.to_owned(),
            reason: format!("its state would be in the volume {claim}, which the new Pods do not mount"),
        })
        .next([
            NextStep::say("leave storage as it is in this change"),
            NextStep::again(["--from-savepoint"])
                .placeholder("PATH")
                .remark("one that the new Pods can read"),
            NextStep::again(["--stateless"]).remark("its state is dropped"),
        ]))
    }

    /// An older Flink does not read what a newer one wrote: known before anything stops.
    pub(super) fn refuse_unreadable(&self, job: &str, writer: &str) -> Result<(), Failure> {
        let Some(reader) = self.descriptor.map(|descriptor| descriptor.flink_version.as_str()) else {
            return Ok(());
        };
        let starts = !self.desired.stops(job);
        if !starts || can_read(reader, writer) != Some(false) {
            return Ok(());
        }
        let name = &self.options.name;
        Err(Failure::refused(Cause::Unreadable {
            job: job.to_owned(),
            reader: reader.to_owned(),
            writer: writer.to_owned(),
        })
        .next([
            NextStep::flink(["savepoint", "list", name]).remark("which Flink wrote which savepoint"),
            NextStep::again(["--from-savepoint"])
                .placeholder("recorded|PATH")
                .remark("one that the older Flink wrote; records since then are reprocessed"),
        ]))
    }

    pub(super) fn no_savepoint(&self, job: &str, reason: String) -> Failure {
        Failure::refused(Cause::NoSavepoint { job: job.to_owned(), reason }).next([
            NextStep::flink(["status", &self.options.name]).remark("to see what is wrong"),
            NextStep::again(["--from-savepoint"]).placeholder("recorded|PATH"),
            NextStep::again(["--stateless"]),
        ])
    }
}
