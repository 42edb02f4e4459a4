//! Abandoning an interrupted operation, over a mocked API server.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;

use super::*;
use crate::context::testing::Reply;
use crate::operation::{SavepointFormat, Trigger};
use crate::release::Store;
use crate::release::testing::{Server, cluster_but_for, record, savepoint};
use crate::verbs::template::assumed_capabilities;

/// A record that renders.
fn recorded(revision: u32, status: Status) -> Record {
    let package = crate::source::embedded().unwrap().swap_remove(0);
    Record {
        status,
        manifest: String::new(),
        archive: package.to_archive().unwrap(),
        user_values: json!({}),
        values: package.default_values().clone(),
        capabilities: assumed_capabilities(),
        ..record(revision)
    }
}

/// Two revisions, and an operation on them that was left behind; the server takes so many changes
/// of records.
struct Left {
    context: Context,
    /// Without the fence that the context's has.
    store: Store,
    server: Server,
    allowed: Arc<AtomicUsize>,
}

impl Left {
    async fn behind(pending: &Pending) -> Self {
        let allowed = Arc::new(AtomicUsize::new(usize::MAX));
        let still = allowed.clone();
        let (cluster, _, server) = cluster_but_for(move |seen| match seen.method.as_str() {
            "POST" if seen.path.contains("accessreviews") => {
                Some(Reply::json(201, &json!({"status": {"allowed": true}})))
            }
            "PATCH" => match still.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)) {
                Ok(_) => None,
                Err(_) => Some(Reply::no(403, "no")),
            },
            _ => None,
        });
        let store = Store::new(&cluster, "team");
        for (revision, status) in [(1, Status::Deployed), (2, Status::PendingUpgrade)] {
            let mut record = recorded(revision, status);
            record.generation = revision;
            store.create(&record).await.unwrap();
        }
        let context = Context::new(cluster, "team".to_owned(), "test".to_owned());
        drop(Lock::acquire(&context.store, "demo", "another", pending).await.unwrap());
        "Fri, 02 Jan 2026 03:14:05 GMT".clone_into(&mut server.lock().unwrap().date);
        Self { context, store, server, allowed }
    }

    async fn recover(
        &self,
        abandon: bool,
        savepoints: &[(Option<&str>, &str)],
    ) -> Result<Recovered, Failure> {
        let told = |(job, path): &(Option<&str>, &str)| (job.map(str::to_owned), (*path).to_owned());
        let savepoints = savepoints.iter().map(told).collect();
        let options = Options { change: ChangeOptions::new("demo"), savepoints, abandon };
        recover(&self.context, &options, &|_: Progress| {}, &Cancellation::default()).await
    }

    async fn record(&self, revision: u32) -> Record {
        self.context.store.get("demo", revision).await.unwrap()
    }

    fn secrets(&self) -> Vec<String> {
        self.server.lock().unwrap().all.keys().cloned().collect()
    }
}

/// An upgrade from revision 1 to 2, which has new Pods, and no job that has moved.
fn upgrade() -> Journal {
    let mut journal = Journal::begin(Kind::Upgrade, 2);
    journal.begun = true;
    (journal.decided.from, journal.decided.old, journal.decided.new) = (Some(1), Some(1), 2);
    journal
}

/// Expected: repeated after a failure, it leaves the same as in one go.
#[tokio::test]
async fn what_fails_midway_is_not_called_refused_and_can_be_repeated() {
    let mut failed = 0;
    for allowed in 0.. {
        let left = Left::behind(&Pending::from(&upgrade())).await;
        left.allowed.store(allowed, Ordering::SeqCst);
        let first = left.recover(true, &[]).await;
        if let Err(failure) = &first {
            failed += 1;
            let Phase::Failed { left_behind } = &failure.phase else { panic!("{failure:?}") };
            assert!(left_behind.iter().any(|left| left.contains("the operation's journal")), "{failure:?}");
            assert_eq!(failure.next, [NextStep::flink(["recover", "demo", "--abandon"])]);
            left.allowed.store(usize::MAX, Ordering::SeqCst);
            "Fri, 02 Jan 2026 03:24:05 GMT".clone_into(&mut left.server.lock().unwrap().date);
            left.recover(true, &[]).await.unwrap();
        }
        let (old, new) = (left.record(1).await, left.record(2).await);
        assert_eq!((old.status, new.status), (Status::Deployed, Status::Failed), "after {allowed}");
        assert_eq!((old.generation, new.generation), (1, 0), "after {allowed}");
        assert!(new.jobs.iter().all(|job| job.id.is_none()), "after {allowed}");
        if first.is_ok() {
            break;
        }
    }
    assert!(failed >= 2, "{failed}");
}

/// Expected: what has no place to go is refused, and the operation left as it was.
#[tokio::test]
async fn a_savepoint_that_is_told_of_another_job_is_refused() {
    let taking = Pending::Savepoint(Taking {
        job: "orders".to_owned(),
        id: crate::id::Id::from_bytes([1; 16]),
        revision: 1,
        trigger: Trigger { id: crate::id::Id::from_bytes([2; 16]), directory: "file:///s".to_owned() },
        format: SavepointFormat::Canonical,
    });
    let disposing = Pending::Dispose(Disposing { paths: vec!["file:///s/1".to_owned()], asked: 1 });
    let one = (Some("orders"), "file:///s/1");
    for (pending, told) in [
        (&taking, &[(Some("refunds"), "file:///s/1")][..]),
        (&taking, &[one, (None, "file:///s/2")]),
        (&disposing, &[one]),
    ] {
        let left = Left::behind(pending).await;
        let failure = left.recover(false, told).await.unwrap_err();
        assert!(matches!(*failure.cause, Cause::Precondition(_)), "{failure:?}");
        assert_eq!(failure.phase, Phase::Refused);
        let pending_now = operation_in_progress(&left.context, "demo").await.unwrap();
        assert!(pending_now.is_some());
    }
    let left = Left::behind(&taking).await;
    let done = left.recover(false, &[one]).await;
    assert!(matches!(&done, Ok(Recovered::Savepoint { path }) if path == "file:///s/1"), "{done:?}");
}

/// Expected: the deletion of all records goes on where it broke off, also where the revision that
/// it is about is gone.
#[tokio::test]
async fn records_that_were_being_deleted_go() {
    let mut journal = Journal::begin(Kind::Uninstall, 1);
    (journal.begun, journal.decided.purge, journal.forward.committed) = (true, true, Some(1));
    let left = Left::behind(&Pending::from(&journal)).await;
    left.store.delete("demo", 1).await.unwrap();
    assert!(matches!(left.recover(false, &[]).await, Ok(Recovered::Purged)));
    assert_eq!(left.secrets(), [] as [&str; 0]);
}

#[tokio::test]
async fn an_abandoned_deletion_counts_what_was_asked_for_as_deleted() {
    let three = [1, 2, 3].map(|number| savepoint("orders", number));
    let paths = three.iter().map(|one| one.path.clone()).collect();
    let left = Left::behind(&Pending::Dispose(Disposing { paths, asked: 2 })).await;
    left.store.record_savepoints("demo", &three).await.unwrap();
    let done = left.recover(true, &[]).await;
    assert!(matches!(&done, Ok(Recovered::Undone { reason }) if reason.contains(&three[1].path)), "{done:?}");
    let known = left.context.store.savepoints("demo").await.unwrap();
    let there: Vec<_> = known.iter().filter(|one| !one.disposed).map(|one| one.path.clone()).collect();
    assert_eq!(there, [three[2].path.clone()]);
}
