//! A release is installed and upgraded with a driver that no file outside `layout/` has heard of:
//! the ids of its jobs are assigned. Planned and carried out as any other, over an API server, a
//! controller and a Flink in memory.

mod model;

use serde_json::{Value, json};

use self::model::{Model, package};
use super::*;
use crate::failure::Phase;
use crate::flink::Access;
use crate::operation::{ControlTraits, Journal, SavepointFormat, StartId, Strategy};
use crate::progress::{Cancellation, Progress};
use crate::release::testing::cluster_but_for;
use crate::release::{JobRecord, JobState, Record, Status};
use crate::verbs::{install, savepoints, uninstall};

const NAME: &str = "demo";

struct Release {
    context: Context,
    model: Model,
}

impl Release {
    fn new() -> Self {
        let model = Model::default();
        let answers = model.clone();
        let (cluster, _, _) = cluster_but_for(move |seen| answers.answer(seen));
        let mut context = Context::new(cluster, "team".to_owned(), "test".to_owned());
        context.access = Access::Proxy;
        Self { context, model }
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
            layout: None,
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
