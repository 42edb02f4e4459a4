//! Which phase an operation ends in that cannot even begin, over a mocked API server.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::context::testing::Reply;
use crate::failure::Phase;
use crate::operation::Kind;
use crate::plan::ChangeOptions;
use crate::progress::Progress;
use crate::release::testing::{cluster_but_for, record};

/// Carries out an operation whose journal cannot be written.
async fn unwritable(recorded: bool) -> Failure {
    let refuses = Arc::new(AtomicBool::new(false));
    let refusing = refuses.clone();
    let (cluster, ..) = cluster_but_for(move |seen| {
        (seen.method == "PUT" && refusing.load(Ordering::SeqCst)).then(|| Reply::no(403, "no"))
    });
    let context = Context::new(cluster, "team".to_owned(), "test".to_owned());
    let mut journal = Journal::begin(Kind::Upgrade, 2);
    journal.forward.recorded = recorded;
    let lock = Lock::acquire(&context.store, "demo", "test", &Pending::from(&journal)).await.unwrap();
    refuses.store(true, Ordering::SeqCst);
    let operation = Operation {
        journal,
        record: record(2),
        base: None,
        objects: Vec::new(),
        old_objects: Vec::new(),
        orphans: Vec::new(),
        settings: ChangeOptions::new("demo").settings(),
    };
    let observer = |_: Progress| {};
    carry_out(&context, lock, operation, &observer, &Cancellation::default()).await.unwrap_err()
}

#[tokio::test]
async fn what_cannot_begin_is_refused_and_what_cannot_resume_has_failed() {
    assert_eq!(unwritable(false).await.phase, Phase::Refused);
    let failure = unwritable(true).await;
    assert_eq!(failure.phase, Phase::Failed { left_behind: journal_left() });
    assert_eq!(failure.next, [NextStep::flink(["status", "demo"])]);
}
