//! The lock over an API server in memory, and what it writes.

use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::cluster::testing::Reply;
use crate::operation::{
    JobDecision, JobForward, JobMove, Journal, Kind, SavepointFormat, Start, StartId, StateFrom, Stop,
    Trigger,
};
use crate::release::secrets::base64;
use crate::release::testing::{self, Fault, Server};

const OBJECT: &str = "flink.operation.v1.demo";

fn store() -> (Store, Server) {
    let (cluster, _, secrets) = testing::cluster();
    (Store::new(&cluster, "team"), secrets)
}

/// An operation that has come so far; 0: it has not begun.
fn step(asked: usize) -> Pending {
    Pending::Dispose(Disposing { paths: Vec::new(), asked })
}

/// The server's clock goes on by a minute.
fn a_minute_later(secrets: &Server) {
    secrets.lock().unwrap().date = "Fri, 02 Jan 2026 03:05:05 GMT".to_owned();
}

async fn acquire(store: &Store, holder: &str, pending: &Pending) -> Result<Lock, LockError> {
    Lock::acquire(store, "demo", holder, pending).await
}

async fn seen(store: &Store) -> InProgress {
    in_progress(store, "demo").await.unwrap().unwrap()
}

#[tokio::test]
async fn times_are_the_servers() {
    let (store, secrets) = store();
    let _lock = acquire(&store, "one", &step(0)).await.unwrap();
    let error = acquire(&store, "two", &step(0)).await.unwrap_err().to_string();
    assert!(error.starts_with("release demo is being changed by one since 2026-01-02T03:04:05"), "{error}");
    a_minute_later(&secrets);
    acquire(&store, "two", &step(0)).await.unwrap();
}

#[tokio::test]
async fn an_operation_that_had_begun_is_left_behind_and_so_is_one_that_cannot_be_read() {
    for damaged in [false, true] {
        let (store, secrets) = store();
        drop(acquire(&store, "one", &step(usize::from(!damaged))).await.unwrap());
        if damaged {
            let mut secrets = secrets.lock().unwrap();
            secrets.all.get_mut(OBJECT).unwrap()["data"]["pending"] = base64(b"no gzip");
        }
        a_minute_later(&secrets);
        let error = acquire(&store, "two", &step(0)).await.unwrap_err();
        assert!(
            matches!(&error, LockError::LeftBehind(left) if left.pending.is_none() == damaged),
            "{error}"
        );
    }
}

#[tokio::test]
async fn what_a_later_version_left_is_refused_with_the_version_that_can_finish_it() {
    for key in ["operation", "pending"] {
        let (store, secrets) = store();
        drop(acquire(&store, "one", &step(1)).await.unwrap());
        a_minute_later(&secrets);
        let later: &[u8] = br#"{"format": 2, "writtenBy": "0.3.0", "content": {}}"#;
        let later = if key == "operation" { later.to_vec() } else { gzip(later) };
        secrets.lock().unwrap().all.get_mut(OBJECT).unwrap()["data"][key] = base64(&later);
        let refused = acquire(&store, "two", &step(0)).await.unwrap_err().to_string();
        assert_eq!(
            refused,
            "the operation in progress on release demo was written by kubectl-flink 0.3.0 in format 2, which \
             this version does not know: use 0.3.0 or newer"
        );
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

#[tokio::test]
async fn a_lost_answer_to_the_first_write_is_looked_up() {
    for (fault, epoch) in [(Fault::AnswerLost, 1), (Fault::RequestLost, 1)] {
        let (store, secrets) = store();
        secrets.lock().unwrap().fault = Some(fault);
        let lock = acquire(&store, "one", &step(0)).await.unwrap();
        assert_eq!(seen(&store).await.epoch, epoch, "{fault:?}");
        lock.write(&step(1)).await.unwrap();
    }
}

#[tokio::test]
async fn a_lost_answer_to_a_later_write_is_looked_up_and_a_lost_write_repeated() {
    for fault in [Fault::AnswerLost, Fault::RequestLost] {
        let (store, secrets) = store();
        let lock = acquire(&store, "one", &step(0)).await.unwrap();
        secrets.lock().unwrap().fault = Some(fault);
        lock.write(&step(1)).await.unwrap();
        let seen = seen(&store).await;
        assert_eq!((seen.epoch, seen.pending), (2, Some(step(1))), "{fault:?}");
        secrets.lock().unwrap().fault = Some(fault);
        lock.write(&step(2)).await.unwrap();
        secrets.lock().unwrap().fault = Some(Fault::AnswerLost);
        lock.release().await.unwrap();
        assert!(in_progress(&store, "demo").await.unwrap().is_none(), "{fault:?}");
    }
}

/// Expected: what an earlier call wrote, and could not see written, is not taken for this one's.
#[tokio::test]
async fn a_write_after_one_that_is_not_known_to_be_done_is_done() {
    let looks_fail = Arc::new(AtomicBool::new(false));
    let fails = looks_fail.clone();
    let (cluster, _, secrets) = testing::cluster_but_for(move |seen| {
        (seen.method == "GET" && fails.load(Ordering::SeqCst)).then(|| Reply::text(500, "{}"))
    });
    let store = Store::new(&cluster, "team");
    let lock = acquire(&store, "one", &step(0)).await.unwrap();
    secrets.lock().unwrap().fault = Some(Fault::AnswerLost);
    looks_fail.store(true, Ordering::SeqCst);
    lock.write(&step(1)).await.unwrap_err();
    looks_fail.store(false, Ordering::SeqCst);
    assert_eq!(seen(&store).await.pending, Some(step(1)));
    lock.write(&step(2)).await.unwrap();
    assert_eq!(seen(&store).await.pending, Some(step(2)));
    lock.release().await.unwrap();
}

#[tokio::test]
async fn a_taking_over_whose_answer_is_lost_is_ours_all_the_same() {
    let (store, secrets) = store();
    drop(acquire(&store, "one", &step(1)).await.unwrap());
    a_minute_later(&secrets);
    let Err(LockError::LeftBehind(left)) = acquire(&store, "two", &step(0)).await else { panic!() };
    secrets.lock().unwrap().fault = Some(Fault::AnswerLost);
    let lock = Lock::take_over(&store, "demo", "two", &left.claim, &left.pending.unwrap()).await.unwrap();
    lock.write(&step(1)).await.unwrap();
}

#[tokio::test]
async fn it_is_renewed_by_itself_and_keeps_what_is_pending() {
    let (mut store, secrets) = store();
    store.renew_every = Duration::from_millis(10);
    let lock = acquire(&store, "one", &step(1)).await.unwrap();
    secrets.lock().unwrap().fault = Some(Fault::RequestLost);
    let end = Moment::now().plus(Duration::from_secs(30));
    loop {
        let seen = seen(&store).await;
        assert_eq!(seen.pending, Some(step(1)));
        if seen.epoch > 3 {
            break;
        }
        assert!(Moment::now() < end, "not renewed");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    lock.release().await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(secrets.lock().unwrap().all.is_empty());
}

#[tokio::test]
async fn a_lock_that_another_client_removed_is_lost() {
    let (store, secrets) = store();
    let lock = acquire(&store, "one", &step(1)).await.unwrap();
    lock.guard().confirm(Duration::from_secs(20)).await.unwrap();
    secrets.lock().unwrap().all.clear();
    for _ in 0..2 {
        let error = lock.write(&step(1)).await.unwrap_err();
        assert_eq!(error.to_string(), "the lock on release demo was lost");
    }
    assert!(lock.guard().confirm(Duration::ZERO).await.is_err());
    assert!(secrets.lock().unwrap().all.is_empty());
}

/// A Secret holds 1 MiB.
#[test]
fn the_journal_of_two_thousand_jobs_fits_into_its_secret() {
    let mut journal = Journal::begin(Kind::Upgrade, 7);
    let id = |number: u32, salt: u8| {
        use sha2::Digest as _;
        let hash = sha2::Sha256::digest([&number.to_be_bytes()[..], &[salt]].concat());
        crate::id::Id::from_bytes(hash[..16].try_into().unwrap())
    };
    for number in 0..2000 {
        let directory = format!("s3://bucket/flink/team/demo/savepoints/demo/7-{}", id(number, 3));
        let mut job = JobMove::new(format!("orders-{number}"));
        let start = |salt| Some(Start { id: StartId::Chosen(id(number, salt)), from: StateFrom::ItsStop });
        job.decided = JobDecision {
            old: Some(id(number, 0)),
            stop: Some(Stop::Savepoint { format: SavepointFormat::Canonical, drain: false }),
            start: start(1),
            revert: start(2),
            trigger: Some(Trigger { id: id(number, 3), directory: directory.clone() }),
            ..JobDecision::default()
        };
        job.forward = JobForward {
            jar: Some(format!("{}_orders.jar", id(number, 5))),
            savepoint: Some(format!("{directory}/savepoint-{}", &id(number, 4).to_string()[..19])),
            stopped: true,
            started: true,
            ..JobForward::default()
        };
        journal.jobs.push(job);
    }
    let pending = Pending::from(&journal);
    let packed = Packed::new("demo", &pending).unwrap();
    assert!(packed.len() < 900 << 10, "{}", packed.len());
}
