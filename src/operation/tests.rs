//! The machine, walked through by hand and by a model that fails steps at random.

use proptest::prelude::*;

use super::*;
use crate::id::Id;

fn id(n: u8) -> Id {
    Id::from_bytes([n; 16])
}

fn moved(with_savepoint: bool) -> JobMove {
    let mut job = JobMove::new("orders");
    let from = || if with_savepoint { StateFrom::ItsStop } else { StateFrom::Nothing };
    let start = |number| Some(Start { id: StartId::Chosen(id(number)), from: from() });
    job.decided.old = Some(id(1));
    job.decided.start = start(2);
    job.decided.revert = start(3);
    job.decided.stop = Some(if with_savepoint {
        Stop::Savepoint { format: SavepointFormat::Canonical, drain: false }
    } else {
        Stop::Cancel
    });
    job.decided.trigger = with_savepoint.then(|| Trigger { id: id(4), directory: "file:///s/2-04".into() });
    job
}

fn upgrade(pods: Pods, jobs: Vec<JobMove>) -> Journal {
    let new = if pods == Pods::New { 2 } else { 1 };
    let revert = (pods == Pods::New).then_some(3);
    let decided = Decided::new(Kind::Upgrade, 2);
    Journal::of(Decided { from: Some(1), old: Some(1), new, revert, pods, ..decided }, jobs)
}

/// Carries every step out with success and returns the steps.
fn walk(journal: &mut Journal) -> Vec<Step> {
    let mut steps = Vec::new();
    loop {
        let step = next(journal);
        steps.push(step);
        assert!(steps.len() < 60, "it does not end: {steps:?}");
        if matches!(step, Step::Done(_)) {
            return steps;
        }
        succeed(journal, step);
    }
}

fn succeed(journal: &mut Journal, step: Step) {
    match step {
        Step::Record => journal.record(Event::Recorded),
        Step::Stop(job) => {
            journal.record(Event::StopAsked(job));
            if journal.jobs[job].decided.trigger.is_some() {
                journal.record(Event::Savepoint(job, "file:///s/2-04/savepoint-1".into()));
            }
            journal.record(Event::Stopped(job));
        }
        Step::Check(job) => {
            journal.record(Event::Jar(job, "a-g2_x.jar".into()));
            journal.record(Event::Checked(job));
        }
        Step::ResolveStop(job) => journal.record(Event::StopFailed(job)),
        Step::Switch => journal.record(Event::Switched),
        Step::Remove(target) => {
            journal.record(Event::RemoveBegun(target));
            journal.record(Event::Removed(target));
        }
        Step::Apply(target) => {
            journal.record(Event::ApplyBegun(target));
            journal.record(Event::Applied(target));
        }
        Step::AwaitReady(target) => journal.record(Event::Ready(target)),
        Step::Start(job, target) => {
            journal.record(Event::StartAsked(job, target));
            journal.record(Event::Started(job, target));
        }
        Step::AwaitHealthy(job, target) => journal.record(Event::Healthy(job, target)),
        Step::End(job) => journal.record(Event::Ended(job)),
        Step::Prune(target) => journal.record(Event::Pruned(target)),
        Step::Delete => journal.record(Event::Deleted),
        Step::Commit => journal.record(Event::Committed),
        Step::Close(outcome) => journal.record(Event::Closed(outcome)),
        Step::Done(_) => {}
    }
}

fn setback() -> Event {
    Event::Failed(Setback { job: None, step: "a step".into(), reason: "a reason".into() })
}

fn setback_of(job: usize) -> Event {
    Event::Failed(Setback { job: Some(job), step: "a step".into(), reason: "a reason".into() })
}

#[test]
fn recreate_is_stop_replace_start() {
    let mut journal = upgrade(Pods::New, vec![moved(true)]);
    let new = Target::New;
    assert_eq!(
        walk(&mut journal),
        vec![
            Step::Record,
            Step::Stop(0),
            Step::Remove(Target::Old),
            Step::Apply(new),
            Step::AwaitReady(new),
            Step::Start(0, new),
            Step::AwaitHealthy(0, new),
            Step::Commit,
            Step::Prune(new),
            Step::Close(Outcome::Deployed),
            Step::Done(Outcome::Deployed),
        ]
    );
}

fn warm(jobs: Vec<JobMove>) -> Journal {
    let mut journal = upgrade(Pods::New, jobs);
    (journal.decided.strategy, journal.decided.revert) = (crate::operation::Strategy::Warm, None);
    journal
}

#[test]
fn warm_is_up_and_checked_before_anything_stops_and_moves_job_by_job() {
    let mut journal = warm(vec![moved(true), moved(true)]);
    let new = Target::New;
    assert_eq!(
        walk(&mut journal),
        vec![
            Step::Record,
            Step::Apply(new),
            Step::AwaitReady(new),
            Step::Check(0),
            Step::Check(1),
            Step::Stop(0),
            Step::Start(0, new),
            Step::Stop(1),
            Step::Start(1, new),
            Step::AwaitHealthy(0, new),
            Step::AwaitHealthy(1, new),
            Step::Switch,
            Step::Commit,
            Step::Remove(Target::Old),
            Step::Prune(new),
            Step::Close(Outcome::Deployed),
            Step::Done(Outcome::Deployed),
        ]
    );
}

#[test]
fn a_warm_generation_that_does_not_come_up_goes_and_no_job_was_touched() {
    for rollback in [true, false] {
        let mut journal = warm(vec![moved(true)]);
        journal.decided.rollback_on_failure = rollback;
        for step in [Step::Record, Step::Apply(Target::New)] {
            succeed(&mut journal, step);
        }
        journal.record(setback());
        assert_eq!(
            walk(&mut journal),
            vec![
                Step::Remove(Target::New),
                Step::Apply(Target::Old),
                Step::Prune(Target::Old),
                Step::Close(Outcome::Undone),
                Step::Done(Outcome::Undone),
            ]
        );
    }
}

#[test]
fn a_warm_revert_starts_the_old_job_before_it_tidies() {
    let mut journal = warm(vec![moved(true)]);
    let new = Target::New;
    let steps = [Step::Record, Step::Apply(new), Step::AwaitReady(new), Step::Check(0), Step::Stop(0)];
    for step in steps.into_iter().chain([Step::Start(0, new)]) {
        succeed(&mut journal, step);
    }
    journal.record(setback());
    let old = Target::Old;
    assert_eq!(
        walk(&mut journal),
        vec![
            Step::End(0),
            Step::Start(0, old),
            Step::AwaitHealthy(0, old),
            Step::Remove(new),
            Step::Apply(old),
            Step::Prune(old),
            Step::Close(Outcome::Undone),
            Step::Done(Outcome::Undone),
        ]
    );
}

#[test]
fn what_cannot_be_tidied_after_the_commit_changes_no_outcome() {
    let mut journal = warm(vec![]);
    let mut last = None;
    for _ in 0..20 {
        let step = next(&journal);
        last = Some(step);
        match step {
            Step::Done(_) => break,
            Step::Remove(Target::Old) => journal.record(setback()),
            step => succeed(&mut journal, step),
        }
    }
    assert_eq!(last, Some(Step::Done(Outcome::Deployed)));
    assert!(journal.forward.leftover.is_some() && journal.forward.setback.is_none());
}

#[test]
fn a_generation_with_an_unmanaged_job_is_kept_and_the_rest_is_tidied() {
    let mut journal = warm(vec![]);
    journal.record(Event::Committed);
    journal.record(Event::Kept(Target::Old));
    journal.decided.orphans = vec![1];
    assert_eq!(next(&journal), Step::Remove(Target::Orphan(1)));
    journal.record(Event::Removed(Target::Orphan(1)));
    assert_eq!(next(&journal), Step::Prune(Target::New));
}

#[test]
fn a_job_that_changes_on_the_same_pods_keeps_its_generation() {
    let mut journal = upgrade(Pods::Same, vec![moved(true)]);
    assert!(!walk(&mut journal).iter().any(|step| matches!(step, Step::Remove(_))));
}

#[test]
fn scaling_stops_no_job() {
    let mut journal = upgrade(Pods::Same, vec![]);
    let steps = walk(&mut journal);
    assert!(
        !steps.iter().any(|step| matches!(step, Step::Stop(_) | Step::Start(..) | Step::Remove(_))),
        "{steps:?}"
    );
}

#[test]
fn a_refused_savepoint_leaves_all_as_it_is() {
    let mut journal = upgrade(Pods::New, vec![moved(true)]);
    journal.record(Event::Recorded);
    journal.record(Event::StopAsked(0));
    journal.record(Event::StopFailed(0));
    journal.record(setback());
    assert_eq!(next(&journal), Step::Close(Outcome::Undone));
}

#[test]
fn a_stop_of_unknown_end_starts_nothing() {
    let mut journal = upgrade(Pods::New, vec![moved(true)]);
    journal.record(Event::Recorded);
    journal.record(Event::StopAsked(0));
    journal.record(setback());
    assert_eq!(next(&journal), Step::ResolveStop(0));
    journal.record(setback());
    assert_eq!(next(&journal), Step::Close(Outcome::Failed));
}

#[test]
fn the_second_savepoint_failed_so_the_first_job_starts_again_where_it_was() {
    let mut journal = upgrade(Pods::New, vec![moved(true), moved(true)]);
    journal.record(Event::Recorded);
    succeed(&mut journal, Step::Stop(0));
    journal.record(Event::StopAsked(1));
    journal.record(Event::StopFailed(1));
    journal.record(setback());
    assert_eq!(next(&journal), Step::Start(0, Target::Old));
    assert_eq!(walk(&mut journal).last(), Some(&Step::Done(Outcome::Undone)));
}

#[test]
fn a_new_generation_that_fails_is_replaced_by_the_old_revision_in_one_of_its_own() {
    let mut journal = upgrade(Pods::New, vec![moved(true)]);
    for step in [Step::Record, Step::Stop(0), Step::Remove(Target::Old), Step::Apply(Target::New)] {
        succeed(&mut journal, step);
    }
    journal.record(setback());
    let steps = walk(&mut journal);
    let back = Target::Revert;
    assert_eq!(
        steps,
        vec![
            Step::Remove(Target::New),
            Step::Apply(back),
            Step::AwaitReady(back),
            Step::Start(0, back),
            Step::AwaitHealthy(0, back),
            Step::Prune(back),
            Step::Close(Outcome::Undone),
            Step::Done(Outcome::Undone),
        ]
    );
}

#[test]
fn a_job_that_its_pods_start_goes_back_to_new_pods_though_the_old_ones_are_there() {
    let mut journal = upgrade(Pods::New, vec![moved(true)]);
    journal.decided.source.starts_with_pods = true;
    for step in [Step::Record, Step::Stop(0)] {
        succeed(&mut journal, step);
    }
    journal.record(setback());
    let (steps, back) = (walk(&mut journal), Target::Revert);
    assert_eq!(
        steps[..4],
        [Step::Remove(Target::Old), Step::Apply(back), Step::AwaitReady(back), Step::Start(0, back)]
    );
    assert_eq!(steps.last(), Some(&Step::Done(Outcome::Undone)));
}

#[test]
fn after_a_completed_checkpoint_nothing_goes_back_by_itself() {
    let mut journal = upgrade(Pods::New, vec![moved(true)]);
    for step in [
        Step::Record,
        Step::Stop(0),
        Step::Remove(Target::Old),
        Step::Apply(Target::New),
        Step::Start(0, Target::New),
    ] {
        succeed(&mut journal, step);
    }
    journal.record(Event::Checkpointed(0));
    journal.record(setback());
    assert_eq!(next(&journal), Step::Close(Outcome::Failed));
}

/// Two jobs of which the first has completed a checkpoint on the new generation, and the second is
/// about to start there.
fn half_moved(keep_going: bool) -> Journal {
    let mut journal = warm(vec![moved(true), moved(true)]);
    journal.decided.keep_going = keep_going;
    let new = Target::New;
    let first = [Step::Record, Step::Apply(new), Step::AwaitReady(new), Step::Check(0), Step::Check(1)];
    for step in first.into_iter().chain([Step::Stop(0), Step::Start(0, new), Step::Stop(1)]) {
        succeed(&mut journal, step);
    }
    journal
}

#[test]
fn of_two_jobs_the_one_without_a_checkpoint_goes_back_and_the_other_stays() {
    let mut journal = half_moved(false);
    journal.record(Event::Checkpointed(0));
    journal.record(setback_of(1));
    assert_eq!(
        walk(&mut journal),
        vec![
            Step::Start(1, Target::Old),
            Step::AwaitHealthy(1, Target::Old),
            Step::Close(Outcome::Failed),
            Step::Done(Outcome::Failed),
        ]
    );
    assert!(journal.stays_with_old() && journal.jobs[0].is_moved() && !journal.jobs[1].is_moved());
}

#[test]
fn of_two_jobs_without_a_checkpoint_both_go_back() {
    let mut journal = half_moved(false);
    journal.record(setback_of(1));
    let steps = walk(&mut journal);
    let old = Target::Old;
    assert_eq!(
        steps[..4],
        [Step::End(0), Step::Start(0, old), Step::Start(1, old), Step::AwaitHealthy(0, old)]
    );
    assert_eq!(steps.last(), Some(&Step::Done(Outcome::Undone)));
}

#[test]
fn one_job_that_cannot_be_brought_back_does_not_keep_the_other_down() {
    let mut journal = half_moved(false);
    journal.record(setback_of(1));
    let old = Target::Old;
    succeed(&mut journal, Step::End(0));
    assert_eq!(next(&journal), Step::Start(0, old));
    journal.record(setback_of(0));
    assert_eq!(
        walk(&mut journal),
        vec![
            Step::Start(1, old),
            Step::AwaitHealthy(1, old),
            Step::Close(Outcome::Failed),
            Step::Done(Outcome::Failed),
        ]
    );
}

#[test]
fn with_keep_going_only_the_failed_job_goes_back() {
    let mut journal = half_moved(true);
    journal.record(setback_of(1));
    let new = Target::New;
    assert_eq!(
        walk(&mut journal),
        vec![
            Step::Start(1, Target::Old),
            Step::AwaitHealthy(1, Target::Old),
            Step::AwaitHealthy(0, new),
            Step::Close(Outcome::Failed),
            Step::Done(Outcome::Failed),
        ]
    );
    assert!(journal.jobs[0].forward.healthy && journal.stays_with_old());
}

#[test]
fn with_keep_going_the_first_job_fails_and_the_second_still_moves() {
    let mut journal = warm(vec![moved(true), moved(true)]);
    journal.decided.keep_going = true;
    while next(&journal) != Step::Start(0, Target::New) {
        let step = next(&journal);
        succeed(&mut journal, step);
    }
    journal.record(setback_of(0));
    let (old, new) = (Target::Old, Target::New);
    let steps = walk(&mut journal);
    assert_eq!(
        steps[..5],
        [
            Step::Start(0, old),
            Step::AwaitHealthy(0, old),
            Step::Stop(1),
            Step::Start(1, new),
            Step::AwaitHealthy(1, new),
        ]
    );
    assert_eq!(steps[5..], [Step::Close(Outcome::Failed), Step::Done(Outcome::Failed)]);
}

#[test]
fn with_keep_going_and_every_job_failed_nothing_of_the_new_generation_stays() {
    let mut journal = warm(vec![moved(true)]);
    journal.decided.keep_going = true;
    while next(&journal) != Step::Start(0, Target::New) {
        let step = next(&journal);
        succeed(&mut journal, step);
    }
    journal.record(setback_of(0));
    let steps = walk(&mut journal);
    assert!(steps.contains(&Step::Remove(Target::New)), "{steps:?}");
    assert_eq!(steps.last(), Some(&Step::Done(Outcome::Undone)));
}

#[test]
fn a_job_that_was_left_in_another_generation_goes_back_to_it() {
    let mut elsewhere = moved(true);
    elsewhere.decided.source = Some(7);
    let mut journal = warm(vec![elsewhere]);
    while next(&journal) != Step::AwaitHealthy(0, Target::New) {
        let step = next(&journal);
        succeed(&mut journal, step);
    }
    journal.record(setback_of(0));
    let steps = walk(&mut journal);
    assert_eq!(steps[..2], [Step::End(0), Step::Start(0, Target::Orphan(7))]);
    assert_eq!(steps.last(), Some(&Step::Done(Outcome::Undone)));
}

#[test]
fn without_rollback_on_failure_the_failed_revision_stays() {
    let mut journal = upgrade(Pods::New, vec![moved(true)]);
    journal.decided.rollback_on_failure = false;
    for step in [Step::Record, Step::Stop(0), Step::Remove(Target::Old)] {
        succeed(&mut journal, step);
    }
    journal.record(setback());
    assert_eq!(next(&journal), Step::Close(Outcome::Failed));
}

#[test]
fn the_new_job_is_ended_before_the_old_one_starts_again() {
    let mut journal = upgrade(Pods::Same, vec![moved(true)]);
    for step in [
        Step::Record,
        Step::Stop(0),
        Step::Apply(Target::New),
        Step::AwaitReady(Target::New),
        Step::Start(0, Target::New),
    ] {
        succeed(&mut journal, step);
    }
    journal.record(setback());
    let steps = walk(&mut journal);
    let end = steps.iter().position(|step| *step == Step::End(0)).expect("the new job is ended");
    let start =
        steps.iter().position(|step| *step == Step::Start(0, Target::Old)).expect("the old one is started");
    assert!(end < start, "{steps:?}");
}

#[test]
fn an_uninstall_stops_removes_and_deletes() {
    let mut journal = Journal::of(Decided { old: Some(1), ..Decided::new(Kind::Uninstall, 1) }, vec![]);
    journal.jobs.push(moved(true));
    journal.jobs[0].decided.start = None;
    assert_eq!(
        walk(&mut journal),
        vec![
            Step::Record,
            Step::Stop(0),
            Step::Remove(Target::Old),
            Step::Delete,
            Step::Commit,
            Step::Close(Outcome::Uninstalled),
            Step::Done(Outcome::Uninstalled),
        ]
    );
}

#[test]
fn a_journal_survives_its_storage() {
    let journal = upgrade(Pods::New, vec![moved(true), moved(false)]);
    let text = serde_json::to_string(&journal).expect("it is plain data");
    assert_eq!(serde_json::from_str::<Journal>(&text).expect("it is read back"), journal);
}

/// A model of Flink: which of a job's three incarnations run.
#[derive(Default, Clone, Debug)]
struct World {
    old: bool,
    new: bool,
    back: bool,
}

impl World {
    fn running(&self) -> usize {
        usize::from(self.old) + usize::from(self.new) + usize::from(self.back)
    }
}

proptest! {
    /// Steps fail at random, before or after their effect. A job never runs twice, never starts
    /// from state that is not known, and in the end it runs exactly once or its savepoint is in the
    /// journal, unless its end is unknown.
    #[test]
    fn no_history_loses_or_doubles_a_job(
        new_pods: bool,
        side_by_side: bool,
        with_savepoint: bool,
        rollback: bool,
        script in prop::collection::vec(0u8..10, 40),
    ) {
        let pods = if new_pods { Pods::New } else { Pods::Same };
        let mut journal = upgrade(pods, vec![moved(with_savepoint)]);
        journal.decided.rollback_on_failure = rollback;
        if side_by_side {
            journal.decided.strategy = crate::operation::Strategy::Warm;
            journal.decided.revert = None;
        }
        let mut world = World { old: true, ..World::default() };
        let mut script = script.into_iter();
        let mut unknown = false;
        for _ in 0..80 {
            let step = next(&journal);
            if matches!(step, Step::Done(_)) {
                break;
            }
            // 0: refused without effect; 1: effect, but the answer is lost; else success.
            let luck = script.next().unwrap_or(9);
            match (step, luck) {
                (Step::Record | Step::Commit | Step::Close(_), _) => succeed(&mut journal, step),
                (Step::Stop(job), 0) => {
                    journal.record(Event::StopAsked(job));
                    journal.record(Event::StopFailed(job));
                    journal.record(setback());
                }
                (Step::Stop(job), 1) => {
                    journal.record(Event::StopAsked(job));
                    journal.record(setback());
                    world.old = false;
                    unknown = true;
                }
                (Step::ResolveStop(_), 0) => journal.record(setback()),
                (Step::ResolveStop(job), 1) => journal.record(Event::Stopped(job)), // ended, and nobody knows where its state is
                (Step::ResolveStop(job), _) => {
                    unknown = false;
                    if with_savepoint {
                        journal.record(Event::Savepoint(job, "file:///s/2-04/savepoint-1".into()));
                    }
                    journal.record(Event::Stopped(job));
                }
                (Step::Stop(_), _) => {
                    world.old = false;
                    succeed(&mut journal, step);
                }
                (Step::Start(job, target), 0 | 1) => {
                    journal.record(Event::StartAsked(job, target));
                    if luck == 1 {
                        if target == Target::New { world.new = true } else { world.back = true }
                    }
                    journal.record(setback());
                }
                (Step::Start(_, target), _) => {
                    let change = &journal.jobs[0];
                    let start = change.start_in(target);
                    let from = &start.as_ref().expect("it is planned").from;
                    prop_assert!(*from != StateFrom::ItsStop || change.forward.savepoint.is_some());
                    if target == Target::New { world.new = true } else { world.back = true }
                    succeed(&mut journal, step);
                }
                (Step::AwaitHealthy(job, Target::New), 0) => {
                    journal.record(Event::Checkpointed(job));
                    journal.record(setback());
                }
                (Step::End(_), luck) if luck > 1 => {
                    world.new = false;
                    succeed(&mut journal, step);
                }
                (_, 0 | 1) => journal.record(setback()),
                _ => succeed(&mut journal, step),
            }
            prop_assert!(world.running() <= 1, "{step:?}: {world:?}");
        }
        let Step::Done(outcome) = next(&journal) else { return Err(TestCaseError::fail("it does not end")) };
        let known = journal.jobs[0].forward.savepoint.is_some() || !with_savepoint;
        prop_assert!(unknown || world.running() == 1 || known, "{outcome:?} {world:?}");
        if outcome == Outcome::Undone {
            prop_assert!(world.old || world.back, "undone, but it does not run: {world:?}");
        }
        if outcome == Outcome::Deployed {
            prop_assert!(world.new);
        }
    }
}

#[test]
fn a_job_that_finished_by_itself_is_started_nowhere() {
    for (strategy, pods) in [
        (super::Strategy::Warm, Pods::New),
        (super::Strategy::Recreate, Pods::New),
        (super::Strategy::Recreate, Pods::Same),
    ] {
        for fails in [false, true] {
            let mut journal = upgrade(pods, vec![moved(true), moved(true)]);
            journal.decided.strategy = strategy;
            let mut touched = Vec::new();
            while !matches!(next(&journal), Step::Done(_)) {
                let step = next(&journal);
                match step {
                    Step::Stop(1) => {
                        journal.record(Event::StopAsked(1));
                        journal.record(Event::Finished(1));
                    }
                    Step::AwaitHealthy(0, Target::New) if fails => journal.record(setback()),
                    _ => succeed(&mut journal, step),
                }
                if matches!(step, Step::Start(1, _) | Step::AwaitHealthy(1, _) | Step::End(1)) {
                    touched.push(step);
                }
                assert!(touched.is_empty(), "{strategy} {pods:?}: {touched:?}");
            }
            let expected = if fails { Outcome::Undone } else { Outcome::Deployed };
            assert_eq!(journal.closed, Some(expected), "{strategy} {pods:?}");
        }
    }
}
