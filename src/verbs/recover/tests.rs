//! Abandoning an interrupted operation, over a mocked API server.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;

use super::*;
use crate::context::testing::Reply;
use crate::release::Store;
use crate::release::testing::{cluster_but_for, record};
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

/// Abandons an upgrade from revision 1 to 2, of which the server takes so many changes of records.
async fn abandon(allowed: usize) -> Result<Recovered, Failure> {
    let changed = Arc::new(AtomicUsize::new(0));
    let (cluster, _, server) = cluster_but_for(move |seen| match seen.method.as_str() {
        "POST" if seen.path.contains("accessreviews") => {
            Some(Reply::json(201, &json!({"status": {"allowed": true}})))
        }
        "PATCH" if changed.fetch_add(1, Ordering::SeqCst) < allowed => Some(Reply::text(200, "{}")),
        "PATCH" => Some(Reply::no(403, "no")),
        _ => None,
    });
    let store = Store::new(&cluster, "team");
    for (revision, status) in [(1, Status::Deployed), (2, Status::PendingUpgrade)] {
        store.create(&recorded(revision, status)).await.unwrap();
    }
    let context = Context::new(cluster, "team".to_owned(), "test".to_owned());
    let mut journal = Journal::begin(Kind::Upgrade, 2);
    journal.begun = true;
    journal.decided.from = Some(1);
    drop(Lock::acquire(&context.store, "demo", "another", &Pending::from(&journal)).await.unwrap());
    "Fri, 02 Jan 2026 03:14:05 GMT".clone_into(&mut server.lock().unwrap().date);
    let options = Options { change: ChangeOptions::new("demo"), savepoints: Vec::new(), abandon: true };
    let observer = |_: Progress| {};
    recover(&context, &options, &observer, &Cancellation::default()).await
}

#[tokio::test]
async fn what_fails_midway_is_not_called_refused() {
    let done = abandon(usize::MAX).await;
    assert!(matches!(done, Ok(Recovered::Completed(_))), "{done:?}");
    for allowed in 0..2 {
        let failure = abandon(allowed).await.unwrap_err();
        let Phase::Failed { left_behind } = &failure.phase else { panic!("{failure:?}") };
        assert!(left_behind.iter().any(|left| left.contains("the operation's journal")), "{failure:?}");
        assert_eq!(failure.next, [NextStep::flink(["recover", "demo", "--abandon"])]);
    }
}
