//! A release is installed and upgraded with a driver that no file outside `layout/` has heard of:
//! the ids of its jobs are assigned. Planned and carried out as any other, over an API server, a
//! controller and a Flink in memory.

mod model;

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use self::model::{Model, package};
use super::*;
use crate::context::testing::{Reply, Seen};
use crate::failure::Phase;
use crate::flink::Access;
use crate::operation::{ControlTraits, Journal, SavepointFormat, StartId, Strategy};
use crate::progress::{Cancellation, Progress};
use crate::release::testing::{Fault, Server, cluster_but_for, savepoint};
use crate::release::{JobRecord, JobState, Record, Status, Store};
use crate::verbs::{dispose, install, recover, savepoints, uninstall};

const NAME: &str = "demo";

struct Release {
    context: Context,
    /// Without the fence that the context's has.
    store: Store,
    secrets: Server,
    model: Model,
}

impl Release {
    fn new() -> Self {
        Self::hindered(|_| None)
    }

    /// With a server that asks `first` what it answers.
    fn hindered(mut first: impl FnMut(&Seen) -> Option<Reply> + Send + 'static) -> Self {
        let model = Model::default();
        let answers = model.clone();
        let (cluster, _, secrets) = cluster_but_for(move |seen| first(seen).or_else(|| answers.answer(seen)));
        let store = Store::new(&cluster, "team");
        let mut context = Context::new(cluster, "team".to_owned(), "test".to_owned());
        context.access = Access::Proxy;
        Self { context, store, secrets, model }
    }

    async fn carry_out(&self, plan: impl AsyncFn() -> Result<Plan, Failure>) -> (Plan, Vec<String>) {
        let shown = plan().await.unwrap();
        self.model.forget_requests();
        let observer = |_: Progress| {};
        crate::run::run(&self.context, &shown, plan, &observer, &Cancellation::default()).await.unwrap();
        (shown, self.model.changes())
    }

    async fn install(&self) -> (Plan, Vec<String>) {
        let options = install::Options {
            change: ChangeOptions::new(NAME),
            package: package(),
            layout: Some("operated".to_owned()),
            user_values: json!({"image": "one"}),
            capabilities: None,
        };
        self.carry_out(async || install::plan(&self.context, &options).await).await
    }

    async fn upgrade(&self, user_values: Value) -> (Plan, Vec<String>) {
        let choice = Some(StateChoice::Savepoint);
        let options = Options {
            change: ChangeOptions { choice, ..ChangeOptions::new(NAME) },
            package: None,
            layout: None,
            user_values,
            carry: Carry::default(),
        };
        self.carry_out(async || plan(&self.context, &options).await).await
    }

    async fn uninstall(&self) -> (Plan, Vec<String>) {
        let choice = Some(StateChoice::Savepoint);
        let change = ChangeOptions { choice, ..ChangeOptions::new(NAME) };
        let options = uninstall::Options { change, purge: false };
        self.carry_out(async || Ok(uninstall::plan(&self.context, &options).await?.0)).await
    }

    async fn record(&self, revision: u32) -> Record {
        self.context.store.get(NAME, revision).await.unwrap()
    }
}

fn only_job(record: &Record) -> &JobRecord {
    let [job] = record.jobs.as_slice() else { panic!("{:?}", record.jobs) };
    job
}

fn journal(plan: &Plan) -> &Journal {
    &plan.operation.journal
}

#[tokio::test(start_paused = true)]
async fn ids_that_a_controller_assigns_are_learnt_at_an_install() {
    let release = Release::new();
    let (plan, changes) = release.install().await;
    assert_eq!(only_job(&plan.operation.record).id, None, "not known when it is planned");
    let expected = [
        "apply configmaps/demo-cluster",
        "apply services/demo-g1",
        "apply services/demo-rest",
        "apply jobclusters/demo-g1",
        "ask jobclusters/demo-g1 for jobs orders",
    ];
    assert_eq!(changes, expected);
    let record = release.record(1).await;
    assert_eq!(record.status, Status::Deployed);
    assert_eq!(only_job(&record).id, release.model.job_in("demo-g1"));
    assert_eq!(only_job(&record).state, JobState::Running);
}

#[tokio::test(start_paused = true)]
async fn a_job_moves_with_its_savepoint_to_a_generation_where_a_controller_starts_it() {
    let release = Release::new();
    release.install().await;
    let old = release.model.job_in("demo-g1").unwrap();
    let (plan, changes) = release.upgrade(json!({"image": "two"})).await;

    let decided = &journal(&plan).decided;
    let assigned = ControlTraits {
        chooses_job_id: false,
        preflight: false,
        savepoint_beside: false,
        ..ControlTraits::default()
    };
    assert_eq!((decided.source, decided.destination), (assigned, assigned));
    assert_eq!((decided.strategy, decided.old, decided.new), (Strategy::Warm, Some(1), 2));
    let [moved] = journal(&plan).jobs.as_slice() else { panic!("{:?}", plan.operation.journal) };
    assert_eq!((moved.decided.old, moved.new_id()), (Some(old), None));

    // The new generation first; the job ends with its savepoint before another is asked for; the
    // old generation last.
    let expected = [
        "apply services/demo-g2",
        "apply jobclusters/demo-g2",
        &format!("ask jobclusters/demo-g1 for stops {old}"),
        "ask jobclusters/demo-g2 for jobs orders",
        "apply configmaps/demo-cluster",
        "apply services/demo-rest",
        "shut down demo-g1",
        "delete jobclusters/demo-g1",
        "delete services/demo-g1",
    ];
    assert_eq!(changes, expected);

    let new = release.model.job_in("demo-g2").unwrap();
    assert_ne!(new, old);
    let (record, before) = (release.record(2).await, release.record(1).await);
    assert_eq!((record.status, before.status), (Status::Deployed, Status::Superseded));
    assert_eq!(only_job(&record).id, Some(new), "the id that the controller assigned");
    let path = release.model.savepoint_of(old).unwrap();
    assert_eq!(release.model.restored_in("demo-g2"), Some(path.clone()));
    assert_eq!(only_job(&record).restored_from, Some(path.clone()));
    assert_eq!(only_job(&before).ended_by, Some(path.clone()));
    let known = release.context.store.savepoints(NAME).await.unwrap();
    assert_eq!(known.newest("orders").map(|savepoint| savepoint.path.clone()), Some(path));
}

impl Release {
    /// Carries out what may fail.
    async fn carry_out_or_fail(&self, plan: impl AsyncFn() -> Result<Plan, Failure>) -> Result<(), Failure> {
        let shown = plan().await?;
        let cancellation = Cancellation::default();
        crate::run::run(&self.context, &shown, plan, &|_: Progress| {}, &cancellation).await.map(drop)
    }

    async fn without_flink(&self) -> Result<(), Failure> {
        let choice = Some(StateChoice::Savepoint);
        let options = Options {
            change: ChangeOptions { choice, ..ChangeOptions::new(NAME) },
            package: None,
            layout: Some("without".to_owned()),
            user_values: json!({}),
            carry: Carry::default(),
        };
        self.carry_out_or_fail(async || plan(&self.context, &options).await).await
    }

    async fn install_without_flink(&self) -> Result<(), Failure> {
        let options = install::Options {
            change: ChangeOptions::new(NAME),
            package: package(),
            layout: Some("without".to_owned()),
            user_values: json!({}),
            capabilities: None,
        };
        self.carry_out_or_fail(async || install::plan(&self.context, &options).await).await
    }
}

/// Expected: the revision is there, though no answer says so, and it is said how it ended.
#[tokio::test(start_paused = true)]
async fn a_revision_whose_writing_is_not_known_does_not_stay_pending() {
    let server: Arc<Mutex<Option<Server>>> = Arc::default();
    let (of_server, mut lost) = (server.clone(), false);
    let release = Release::hindered(move |seen| {
        let is_head = |name: &str| name == "flink.release.v1.demo.v2";
        if seen.method == "POST" && seen.body["metadata"]["name"].as_str().is_some_and(is_head) {
            let server = of_server.lock().unwrap();
            server.as_ref().unwrap().lock().unwrap().fault = Some(Fault::AnswerLost);
            lost = true;
            return None;
        }
        let looks = seen.method == "GET" && seen.path.rsplit('/').next().is_some_and(is_head);
        (looks && std::mem::take(&mut lost)).then(|| Reply::no(403, "no"))
    });
    *server.lock().unwrap() = Some(release.secrets.clone());
    release.install().await;
    release.without_flink().await.unwrap_err();
    let (before, after) = (release.record(1).await, release.record(2).await);
    assert_eq!((before.status, after.status), (Status::Deployed, Status::Failed));
    assert_eq!(after.generation, 0);
    assert!(recover::left(&release.context, NAME).await.unwrap().is_none());
}

/// Expected: undone, and the job goes on from the savepoint with which it was stopped.
#[tokio::test(start_paused = true)]
async fn a_change_to_a_layout_without_flink_can_be_undone() {
    let release = Release::new();
    release.install().await;
    release.model.refuses(Some("configmaps/demo-map"));
    let failure = release.without_flink().await.unwrap_err();
    assert_eq!(failure.phase, Phase::Undone, "{failure:?}");
    let record = release.record(1).await;
    assert_eq!(record.status, Status::Deployed);
    assert_eq!(only_job(&record).state, JobState::Running);

    release.model.refuses(None);
    release.without_flink().await.unwrap();
    assert_eq!(release.record(3).await.status, Status::Deployed);
    assert!(release.record(1).await.jobs[0].ended_by.is_some());
}

/// Expected: though the revision that runs has no Flink, and cannot say how one is reached.
#[tokio::test(start_paused = true)]
async fn a_generation_in_which_a_job_may_run_is_not_taken_away_with_a_release_without_flink() {
    for (place, number) in [("jobclusters/demo-g1", "1"), ("jobclusters/demo-g9", "9")] {
        let release = Release::new();
        release.install().await;
        release.without_flink().await.unwrap();
        let uninstall = async || {
            let change = ChangeOptions { choice: Some(StateChoice::Stateless), ..ChangeOptions::new(NAME) };
            let options = uninstall::Options { change, purge: false };
            uninstall::plan(&release.context, &options).await.map(drop)
        };
        uninstall().await.unwrap();
        release.model.leave_generation(place, number);
        release.model.submit_by_hand("demo-g1");
        let failure = uninstall().await.unwrap_err();
        assert_eq!(failure.phase, Phase::Refused);
        match &*failure.cause {
            Cause::UnknownJob { job, .. } if number == "1" => assert_eq!(job, "Orders"),
            Cause::Precondition(why) if number == "9" => assert!(why.contains("generation 9"), "{why}"),
            other => panic!("{other:?}"),
        }
    }
}

/// Expected: an install that failed and left nothing that runs is no dead end.
#[tokio::test(start_paused = true)]
async fn what_has_no_flink_is_installed_again_after_a_failure() {
    let release = Release::new();
    release.model.refuses(Some("configmaps/demo-map"));
    release.install_without_flink().await.unwrap_err();
    assert!(!install::is_installed(&release.context, NAME).await.unwrap());
    release.model.refuses(None);
    release.install_without_flink().await.unwrap();
    assert!(install::is_installed(&release.context, NAME).await.unwrap());
    assert_eq!(release.record(2).await.status, Status::Deployed);
    let again = release.install_without_flink().await.unwrap_err();
    assert!(matches!(*again.cause, Cause::Exists { .. }), "{again:?}");
}

/// Expected: what is applied when the jobs have moved is not waited for before.
#[tokio::test(start_paused = true)]
async fn an_object_that_stays_with_the_release_may_come_with_new_pods() {
    let release = Release::new();
    release.install().await;
    let (_, changes) = release.upgrade(json!({"image": "two", "ui": true})).await;
    assert!(changes.contains(&"apply services/demo-ui".to_owned()), "{changes:?}");
    assert_eq!(release.record(2).await.status, Status::Deployed);
}

/// Expected: refused before anything is asked for, where a savepoint ends the job.
#[tokio::test(start_paused = true)]
async fn a_savepoint_beside_the_running_job_is_refused_where_there_is_none() {
    let release = Release::new();
    release.install().await;
    release.model.forget_requests();
    let options =
        savepoints::TriggerOptions { name: NAME.to_owned(), job: None, format: SavepointFormat::Canonical };
    let failure = savepoints::trigger(&release.context, &options, &|_: Progress| {}).await.unwrap_err();
    assert!(matches!(*failure.cause, Cause::NoSavepoint { .. }), "{failure:?}");
    assert_eq!(failure.phase, Phase::Refused);
    assert_eq!(release.model.changes(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn an_uninstall_asks_the_controller_too() {
    let release = Release::new();
    release.install().await;
    let old = release.model.job_in("demo-g1").unwrap();
    // In no record: only the driver's table of kinds says that there may be such a thing.
    release.model.leave_behind("jobclusters/demo-left", NAME);
    let (plan, changes) = release.uninstall().await;
    let revert = journal(&plan).jobs[0].decided.revert.as_ref().unwrap();
    assert!(matches!(revert.id, StartId::Assigned(_)), "a revert cannot choose the id: {revert:?}");
    let expected = [
        &format!("ask jobclusters/demo-g1 for stops {old}"),
        "shut down demo-g1",
        "delete configmaps/demo-cluster",
        "delete jobclusters/demo-g1",
        "delete jobclusters/demo-left",
        "delete services/demo-g1",
        "delete services/demo-rest",
    ];
    assert_eq!(changes, expected);
    let record = release.record(1).await;
    assert_eq!(record.status, Status::Uninstalled);
    assert_eq!(only_job(&record).ended_by, release.model.savepoint_of(old));
}

impl Release {
    async fn recover(&self, abandon: bool) -> Result<recover::Recovered, Failure> {
        let options = recover::Options { change: ChangeOptions::new(NAME), savepoints: Vec::new(), abandon };
        recover::recover(&self.context, &options, &|_: Progress| {}, &Cancellation::default()).await
    }

    /// Deletes all but the newest of three savepoints; its end, and the next paths that were asked
    /// for.
    async fn prune(&self) -> (Result<dispose::Plan, Failure>, Vec<String>) {
        let plan = dispose::plan(&self.context, NAME, &dispose::Which::AllBut(1)).await.unwrap();
        self.model.forget_requests();
        let done = dispose::execute(&self.context, &plan, &|_: Progress| {}).await;
        (done, self.model.changes())
    }

    /// The numbers of the savepoints that count as there.
    async fn known(&self) -> Vec<bool> {
        let known = self.context.store.savepoints(NAME).await.unwrap();
        let there = |number| {
            let path = savepoint("orders", number).path;
            known.of_job("orders").any(|one| one.path == path && !one.disposed)
        };
        [1, 2, 3].map(there).to_vec()
    }
}

/// Expected: what Flink may have deleted in part is nothing to restore from, and the journal says
/// so until that is recorded.
#[tokio::test(start_paused = true)]
async fn a_savepoint_whose_deletion_fails_is_deleted_by_the_next_command_or_counts_as_deleted() {
    for mended in [true, false] {
        let release = Release::new();
        release.install().await;
        let three = [1, 2, 3].map(|number| savepoint("orders", number));
        release.store.record_savepoints(NAME, &three).await.unwrap();
        release.model.deletes(Some("java.io.IOException: Permission denied"));
        let (done, asked) = release.prune().await;
        let failure = done.unwrap_err();
        assert_eq!(asked, [format!("dispose {}", three[0].path)]);
        let Phase::Failed { left_behind } = &failure.phase else { panic!("{failure:?}") };
        assert!(left_behind[0].contains(&three[0].path), "{failure:?}");
        assert_eq!(release.known().await, [true, true, true]);
        let left = recover::left(&release.context, NAME).await.unwrap();
        assert!(left.is_some_and(|left| left.contains(&three[0].path)));

        release.model.deletes((!mended).then_some("java.io.IOException: Permission denied"));
        "Fri, 02 Jan 2026 03:14:05 GMT".clone_into(&mut release.secrets.lock().unwrap().date);
        match release.recover(false).await.unwrap() {
            recover::Recovered::Disposed { paths } if mended => {
                assert_eq!(paths, [three[0].path.clone(), three[1].path.clone()]);
                assert_eq!(release.known().await, [false, false, true]);
            }
            recover::Recovered::Undone { reason } if !mended => {
                assert!(reason.contains(&three[0].path), "{reason}");
                assert_eq!(release.known().await, [false, true, true]);
            }
            other => panic!("{other:?}"),
        }
        assert!(recover::left(&release.context, NAME).await.unwrap().is_none());
    }
}
