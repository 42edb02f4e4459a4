//! The ledger of a release's savepoints in Secrets, `flink.savepoints.v1.<release>.<n>`: only ever
//! added to.
//!
//! Each Secret is a segment: entries in a row, with the number of the first and of the one after
//! the last. A segment that is full is followed by the next, so that recording one more savepoint
//! writes a few kilobytes, however many there are. Every write names the version that it is made
//! on, so of two writers none loses an entry; and it is repeated on what is there by then, where a
//! savepoint that is recorded already is not recorded twice.

use super::blob::FULL;
use super::savepoints::{Ledger, Savepoint};
use super::secrets::{OWNER, Secrets, base64, bytes, name_of};
use super::{ReleaseError, codec};
use crate::flink::savepoint::normal;
use flate2::Compression;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const SAVEPOINTS_TYPE: &str = "flink.kubectl/savepoints.v1";
const CONTENT: &str = "content";
/// Packed bytes from which on a segment takes no more entries; one write may go beyond, up to a
/// full Secret.
const ENOUGH: usize = 64 << 10;
/// How often a write is made again because another one came between.
const ATTEMPTS: usize = 8;

/// The ledgers of one namespace's releases.
#[derive(Clone)]
pub(super) struct Ledgers {
    secrets: Secrets,
    pub(super) enough: usize,
    pub(super) full: usize,
}

/// The content of one Secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Entries {
    /// The sequence number of the first entry that was ever in it.
    first: u64,
    /// The sequence number of the first entry after it.
    next: u64,
    savepoints: Vec<Savepoint>,
}

/// A segment as it was read.
struct Segment {
    number: u32,
    entries: Entries,
    packed: usize,
    /// The Secret, to be replaced by another version.
    object: Value,
}

impl Ledgers {
    pub(super) fn new(secrets: &Secrets) -> Self {
        Self { secrets: secrets.clone(), enough: ENOUGH, full: FULL }
    }

    pub(super) async fn read(&self, release: &str) -> Result<Ledger, ReleaseError> {
        let segments = self.segments(release).await?;
        Ok(Ledger::new(segments.into_iter().flat_map(|segment| segment.entries.savepoints).collect()))
    }

    /// Adds those that are not in it yet, in their order.
    pub(super) async fn record(&self, release: &str, new: &[Savepoint]) -> Result<(), ReleaseError> {
        let mut attempt = 1;
        loop {
            let segments = self.segments(release).await?;
            let missing = missing(&segments, new);
            if missing.is_empty() {
                return Ok(());
            }
            match self.append(release, segments.last(), &missing).await {
                Ok(()) => {}
                Err(ReleaseError::Cluster(error))
                    if (error.is_conflict() || error.is_uncertain()) && attempt < ATTEMPTS =>
                {
                    attempt += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Records that the files of these are deleted, or may be. One that it does not know is as
    /// good.
    pub(super) async fn dispose(&self, release: &str, paths: &[String]) -> Result<(), ReleaseError> {
        let paths: BTreeSet<String> = paths.iter().map(|path| normal(path)).collect();
        let is_named =
            |savepoint: &Savepoint| !savepoint.disposed && paths.contains(&normal(&savepoint.path));
        let mut attempt = 1;
        loop {
            let mut segments = self.segments(release).await?;
            let last = segments.len().saturating_sub(1);
            let named = |segment: &Segment| segment.entries.savepoints.iter().any(is_named);
            let Some(index) = segments.iter().position(named) else { return Ok(()) };
            let segment = &mut segments[index];
            for savepoint in segment.entries.savepoints.iter_mut().filter(|one| is_named(one)) {
                savepoint.disposed = true;
            }
            // Of a segment that takes no more entries only the numbers count, once all that it
            // names is gone.
            if index != last && segment.entries.savepoints.iter().all(|savepoint| savepoint.disposed) {
                segment.entries.savepoints.clear();
            }
            let mut body = segment.object.clone();
            body["data"] = json!({ CONTENT: base64(&pack(name_of(&body), &segment.entries)?) });
            match self.secrets.replace(&body).await {
                Ok(()) => {}
                Err(error) if (error.is_conflict() || error.is_uncertain()) && attempt < ATTEMPTS => {
                    attempt += 1;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Deletes the ledger, the newest segment first: what is left is a ledger.
    pub(super) async fn delete(&self, release: &str) -> Result<(), ReleaseError> {
        let mut all = self.secrets.list(&selector(release), SAVEPOINTS_TYPE, true).await?;
        all.sort_by_key(|object| std::cmp::Reverse(number_of(object)));
        for object in all {
            self.secrets.delete(name_of(&object)).await?;
        }
        Ok(())
    }

    /// Returns the segments in order; an error where one is missing.
    async fn segments(&self, release: &str) -> Result<Vec<Segment>, ReleaseError> {
        let objects = self.secrets.list(&selector(release), SAVEPOINTS_TYPE, false).await?;
        let mut segments = objects.into_iter().map(Segment::parse).collect::<Result<Vec<_>, _>>()?;
        segments.sort_by_key(|segment| segment.number);
        let (mut number, mut next) = (1, 1);
        for segment in &segments {
            if segment.number != number {
                return Err(ReleaseError::PartMissing { secret: secret_name(release, number) });
            }
            if segment.entries.first != next {
                return Err(ReleaseError::Torn { secret: secret_name(release, number) });
            }
            (number, next) = (number + 1, segment.entries.next);
        }
        Ok(segments)
    }

    /// Writes as many of `new` as one Secret takes: into the last segment, or into one after it.
    async fn append(
        &self,
        release: &str,
        last: Option<&Segment>,
        new: &[Savepoint],
    ) -> Result<(), ReleaseError> {
        let open = last.filter(|segment| segment.packed < self.enough);
        let number = match (open, last) {
            (Some(segment), _) => segment.number,
            (None, Some(full)) => full.number + 1,
            (None, None) => 1,
        };
        let name = secret_name(release, number);
        let before = open.map_or_else(
            || {
                let first = last.map_or(1, |full| full.entries.next);
                Entries { first, next: first, savepoints: Vec::new() }
            },
            |segment| segment.entries.clone(),
        );
        let mut count = new.len();
        let packed = loop {
            let mut entries = before.clone();
            for savepoint in &new[..count] {
                entries.savepoints.push(Savepoint { sequence: entries.next, ..savepoint.clone() });
                entries.next += 1;
            }
            let packed = pack(&name, &entries)?;
            if packed.len() <= self.full || count == 1 {
                break packed;
            }
            count /= 2;
        };
        let data = json!({ CONTENT: base64(&packed) });
        if let Some(segment) = open {
            let mut body = segment.object.clone();
            body["data"] = data;
            return Ok(self.secrets.replace(&body).await?);
        }
        let labels = json!({"owner": OWNER, "name": release, "segment": number.to_string()});
        let mut body = self.secrets.body(&name, SAVEPOINTS_TYPE, &labels);
        body["data"] = data;
        Ok(self.secrets.create(&body).await?)
    }
}

impl Segment {
    fn parse(object: Value) -> Result<Self, ReleaseError> {
        let packed = bytes(&object, CONTENT)?;
        let what = format!("the Secret {}", name_of(&object));
        Ok(Self {
            number: number_of(&object),
            entries: codec::unpack(&what, &packed)?,
            packed: packed.len(),
            object,
        })
    }
}

/// Returns those of `new` that no segment has, and each path once.
fn missing(segments: &[Segment], new: &[Savepoint]) -> Vec<Savepoint> {
    let entries = segments.iter().flat_map(|segment| &segment.entries.savepoints);
    let mut known: BTreeSet<String> =
        entries.filter(|savepoint| !savepoint.disposed).map(|savepoint| normal(&savepoint.path)).collect();
    new.iter().filter(|savepoint| known.insert(normal(&savepoint.path))).cloned().collect()
}

fn pack(what: &str, entries: &Entries) -> Result<Vec<u8>, ReleaseError> {
    codec::pack(what, entries, Compression::default())
}

fn selector(release: &str) -> String {
    format!("owner={OWNER},name={release}")
}

fn secret_name(release: &str, number: u32) -> String {
    format!("flink.savepoints.v1.{release}.{number}")
}

/// Returns the number in a segment's name; 0, which no segment has, where there is none.
fn number_of(object: &Value) -> u32 {
    name_of(object).rsplit('.').next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::super::savepoints::tests::savepoint;
    use super::super::testing::{self, Fault, Server};
    use super::*;

    fn ledgers(enough: usize, full: usize) -> (Ledgers, Server) {
        let (cluster, _, server) = testing::cluster();
        (Ledgers { enough, full, ..Ledgers::new(&Secrets::new(&cluster, "team")) }, server)
    }

    fn paths(ledger: &Ledger) -> Vec<String> {
        ledger.iter().map(|savepoint| savepoint.path.clone()).collect()
    }

    #[tokio::test]
    async fn it_grows_over_several_secrets_and_keeps_the_order() {
        let (ledgers, server) = ledgers(300, 400);
        let all: Vec<_> = (0..100).map(|number| savepoint("orders", number)).collect();
        ledgers.record("demo", &all[..60]).await.unwrap();
        for one in &all[60..] {
            ledgers.record("demo", std::slice::from_ref(one)).await.unwrap();
        }
        let read = ledgers.read("demo").await.unwrap();
        assert_eq!(paths(&read), all.iter().map(|one| one.path.clone()).collect::<Vec<_>>());
        assert_eq!(read.iter().map(|one| one.sequence).collect::<Vec<_>>(), (1..=100).collect::<Vec<_>>());
        let secrets = server.lock().unwrap().all.clone();
        assert!(secrets.len() > 3, "{}", secrets.len());
        assert!(secrets.values().all(|secret| bytes(secret, CONTENT).unwrap().len() <= 400));
    }

    #[tokio::test]
    async fn a_path_that_is_known_is_not_recorded_again() {
        let (ledgers, _) = ledgers(ENOUGH, FULL);
        let one = savepoint("orders", 1);
        let spelled = Savepoint { path: one.path.replace("file:///", "file:/"), ..one.clone() };
        ledgers.record("demo", &[one.clone(), spelled.clone()]).await.unwrap();
        ledgers.record("demo", &[spelled, savepoint("orders", 2)]).await.unwrap();
        assert_eq!(paths(&ledgers.read("demo").await.unwrap()), [one.path, savepoint("orders", 2).path]);
    }

    #[tokio::test]
    async fn of_two_writers_at_once_none_loses_an_entry() {
        for enough in [ENOUGH, 1] {
            let (ledgers, _) = ledgers(enough, FULL);
            let savepoints: Vec<_> = (0..6).map(|number| [savepoint("orders", number)]).collect();
            let written = savepoints.iter().map(|one| ledgers.record("demo", one));
            futures::future::try_join_all(written).await.unwrap();
            let read = ledgers.read("demo").await.unwrap();
            assert_eq!(read.iter().count(), 6);
            assert!(read.iter().map(|one| one.sequence).eq(1..=6));
        }
    }

    #[tokio::test]
    async fn a_lost_answer_is_looked_up_and_a_lost_write_repeated() {
        for fault in [Fault::AnswerLost, Fault::RequestLost] {
            let (ledgers, server) = ledgers(ENOUGH, FULL);
            for number in 0..2 {
                server.lock().unwrap().fault = Some(fault);
                ledgers.record("demo", &[savepoint("orders", number)]).await.unwrap();
            }
            assert_eq!(ledgers.read("demo").await.unwrap().iter().count(), 2, "{fault:?}");
        }
    }

    #[tokio::test]
    async fn what_is_disposed_of_is_known_no_more_and_its_number_is_not_used_again() {
        let (ledgers, server) = ledgers(1, FULL);
        for number in 0..4 {
            ledgers.record("demo", &[savepoint("orders", number)]).await.unwrap();
        }
        let gone: Vec<_> = [0, 2, 3, 9].map(|number| savepoint("orders", number).path).into();
        ledgers.dispose("demo", &gone).await.unwrap();
        assert_eq!(paths(&ledgers.read("demo").await.unwrap()), [savepoint("orders", 1).path]);
        // One that has come back is the newest.
        ledgers.record("demo", &[savepoint("orders", 0)]).await.unwrap();
        let read = ledgers.read("demo").await.unwrap();
        assert_eq!(read.newest("orders").map(|one| one.sequence), Some(5));
        assert_eq!(server.lock().unwrap().all.len(), 5);
    }

    #[tokio::test]
    async fn a_segment_that_is_missing_is_named() {
        let (ledgers, server) = ledgers(1, FULL);
        for number in 0..3 {
            ledgers.record("demo", &[savepoint("orders", number)]).await.unwrap();
        }
        server.lock().unwrap().all.remove("flink.savepoints.v1.demo.2");
        let missing = ledgers.record("demo", &[savepoint("orders", 9)]).await.unwrap_err();
        assert!(
            matches!(&missing, ReleaseError::PartMissing { secret } if secret == "flink.savepoints.v1.demo.2"),
            "{missing}"
        );
        ledgers.delete("demo").await.unwrap();
        assert!(server.lock().unwrap().all.is_empty());
    }
}
