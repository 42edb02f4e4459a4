//! What the records keep of a job that an operation stopped or started: its savepoints, what ended
//! it, its jar.

use crate::flink::JarRef;
use crate::live::jobs::unknown;
use crate::operation::{JobMove, Stop};
use crate::release::{JobRecord, JobState, Origin, Record, Savepoint, StateFormat};

/// Writes into a job's record the jar that was given for it, under the id that the new generation
/// lists it by. Who recovers the operation has no jar to give: where none was uploaded before, the
/// job runs from the one on record.
pub(super) fn keep_jar(moved: &JobMove, job: &mut JobRecord) {
    let given = moved.decided.jar_sha256.as_ref().filter(|_| moved.start().is_some());
    if let (Some(uploaded), Some(sha256), JarRef::Upload(known)) = (&moved.forward.jar, given, &mut job.jar)
        && *known != *uploaded
    {
        known.clone_from(uploaded);
        job.jar_sha256 = Some(sha256.clone());
    }
}

/// Writes into a job's record what ended it.
pub(crate) fn keep_ends_of(moved: &JobMove, base: &mut Record) {
    // An unmanaged job, which goes with the release: that it was there is recorded for its
    // savepoint.
    let is_known = base.jobs.iter().any(|job| job.name == moved.name);
    if let (false, Some(id), Some(_)) = (is_known, moved.decided.old, &moved.forward.savepoint) {
        let state = if moved.forward.stopped { JobState::Stopped } else { JobState::Running };
        base.jobs.push(JobRecord { state, ..unknown(moved.name.clone(), id) });
    }
    for job in base.jobs.iter_mut().filter(|job| job.name == moved.name) {
        keep_end(moved, job);
    }
}

fn keep_end(moved: &JobMove, job: &mut JobRecord) {
    let ended = moved.forward.stopped && !moved.forward.finished;
    let savepoint = moved.forward.savepoint.as_ref().filter(|_| ended);
    if let Some(path) = moved.revert.left.as_ref().or(savepoint) {
        job.ended_by = Some(path.clone());
    }
}

/// Returns the savepoints that an operation took of a job, as they are recorded for the revision
/// that ran: the one with which it was stopped, by the Flink of its generation, and the checkpoint
/// that the new job left, by the new one's.
pub(crate) fn savepoints_of(
    moved: &JobMove,
    revision: u32,
    source: &str,
    new: &str,
    now: jiff::Timestamp,
) -> Vec<Savepoint> {
    let checkpoint = |path: &String, flink_version: &str, origin| Savepoint {
        sequence: 0,
        job: moved.name.clone(),
        revision,
        path: path.clone(),
        trigger: None,
        format: StateFormat::Checkpoint,
        flink_version: flink_version.to_owned(),
        taken_at: now,
        drained: false,
        origin,
        disposed: false,
    };
    // Of a job that failed to stop, or finished by itself, it is a savepoint on the way.
    let ended = moved.forward.stopped && !moved.forward.finished;
    let origin = if ended { Origin::Stop } else { Origin::Trigger };
    let stopped = moved.forward.savepoint.as_ref().map(|path| match &moved.decided.stop {
        Some(Stop::Savepoint { format, drain }) => Savepoint {
            trigger: moved.decided.trigger.as_ref().map(|trigger| trigger.id),
            format: (*format).into(),
            drained: *drain,
            ..checkpoint(path, source, origin)
        },
        _ => checkpoint(path, source, origin),
    });
    let left = moved.revert.left.as_ref().map(|path| checkpoint(path, new, Origin::Checkpoint));
    stopped.into_iter().chain(left).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Id;
    use crate::operation::{SavepointFormat, Start, StartId, StateFrom, Trigger};

    fn stopped_with(stop: Stop) -> JobMove {
        let mut moved = JobMove::new("orders");
        moved.decided.old = Some(Id::from_bytes([1; 16]));
        moved.decided.stop = Some(stop);
        moved.decided.trigger =
            Some(Trigger { id: Id::from_bytes([2; 16]), directory: "file:///s/1-2".to_owned() });
        (moved.forward.stop_asked, moved.forward.stopped) = (true, true);
        moved.forward.savepoint = Some("file:///s/1-2/savepoint".to_owned());
        moved
    }

    fn kept(moved: &JobMove) -> Vec<(Origin, StateFormat, String)> {
        let all = savepoints_of(moved, 3, "1.20.5", "2.3.0", jiff::Timestamp::UNIX_EPOCH);
        all.into_iter().map(|one| (one.origin, one.format, one.flink_version)).collect()
    }

    #[test]
    fn what_ended_a_job_is_told_from_what_it_left_on_its_way() {
        let native = Stop::Savepoint { format: SavepointFormat::Native, drain: true };
        let mut moved = stopped_with(native);
        let by_the_old = |origin, format| (origin, format, "1.20.5".to_owned());
        assert_eq!(kept(&moved), [by_the_old(Origin::Stop, StateFormat::Native)]);
        moved.forward.stopped = false;
        assert_eq!(kept(&moved), [by_the_old(Origin::Trigger, StateFormat::Native)]);
        let canceled = stopped_with(Stop::LatestCheckpoint);
        assert_eq!(kept(&canceled), [by_the_old(Origin::Stop, StateFormat::Checkpoint)]);
    }

    #[test]
    fn what_the_new_job_left_is_the_newest_and_what_ended_it() {
        let mut moved = stopped_with(Stop::Savepoint { format: SavepointFormat::Canonical, drain: false });
        moved.revert.left = Some("file:///c/chk-7".to_owned());
        let left = (Origin::Checkpoint, StateFormat::Checkpoint, "2.3.0".to_owned());
        assert_eq!(kept(&moved).last(), Some(&left));
        let mut job = unknown("orders".to_owned(), Id::from_bytes([1; 16]));
        keep_end(&moved, &mut job);
        assert_eq!(job.ended_by.as_deref(), Some("file:///c/chk-7"));
        moved.forward.finished = true;
        moved.revert.left = None;
        job.ended_by = None;
        keep_end(&moved, &mut job);
        assert_eq!(job.ended_by, None, "it finished by itself");
    }

    #[test]
    fn a_jar_that_was_given_is_recorded_only_where_it_was_uploaded() {
        let recorded = JobRecord {
            jar: JarRef::Upload("old_orders.jar".to_owned()),
            ..unknown("orders".to_owned(), Id::from_bytes([1; 16]))
        };
        let mut moved = JobMove::new("orders");
        moved.decided.start =
            Some(Start { id: StartId::Chosen(Id::from_bytes([3; 16])), from: StateFrom::Nothing });
        moved.decided.jar_sha256 = Some("ab".to_owned());
        for (uploaded, jar, sha256) in [
            (Some("new_orders.jar"), "new_orders.jar", Some("ab")),
            (Some("old_orders.jar"), "old_orders.jar", None),
            (None, "old_orders.jar", None),
        ] {
            let mut job = recorded.clone();
            moved.forward.jar = uploaded.map(str::to_owned);
            keep_jar(&moved, &mut job);
            let expected = (JarRef::Upload(jar.to_owned()), sha256);
            assert_eq!((job.jar, job.jar_sha256.as_deref()), expected, "{uploaded:?}");
        }
    }
}
