//! Revisions as Secrets of the type `flink.kubectl/release.v1`, named
//! `flink.release.v1.<release>.v<revision>`, with the packages that they were made from and the
//! savepoints that the release knows beside them.

use super::blob::{Blob, FULL, PART_TYPE};
use super::packages::Packages;
use super::record::{JobRecord, Record, Status, Summary};
use super::savepoints::{Ledger, Savepoint};
use super::secrets::{OWNER, Secrets, base64, bytes, name_of};
use super::segments::Ledgers;
use super::{ReleaseError, codec, labels};
use crate::cluster::Cluster;
use flate2::Compression;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

/// Thrice in the time that a write holds the lock.
const RENEW_EVERY: Duration = Duration::from_secs(10);
const HEAD_TYPE: &str = "flink.kubectl/release.v1";
/// The bytes of a record that its head holds at most: the jobs need room too, and grow.
const HEAD_FULL: usize = FULL / 2;
/// The key of the jobs in a head's `data`.
const JOBS: &str = "jobs";

/// The records of one namespace.
#[derive(Clone)]
pub struct Store {
    secrets: Secrets,
    packages: Packages,
    ledgers: Ledgers,
    full: usize,
    /// How often a lock is renewed.
    pub(super) renew_every: Duration,
}

/// The part of a record besides its metadata and its jobs.
#[derive(Serialize, Deserialize)]
struct Stored<R> {
    record: R,
    /// SHA-256 of the package's archive, which is stored once for all revisions.
    archive: String,
}

impl Store {
    /// The records of a namespace.
    pub fn new(cluster: &Cluster, namespace: &str) -> Self {
        let secrets = Secrets::new(cluster, namespace);
        Self {
            packages: Packages::new(&secrets),
            ledgers: Ledgers::new(&secrets),
            secrets,
            full: FULL,
            renew_every: RENEW_EVERY,
        }
    }

    /// The cluster it is in.
    pub fn cluster(&self) -> &Cluster {
        &self.secrets.cluster
    }

    /// Its namespace.
    pub fn namespace(&self) -> &str {
        &self.secrets.namespace
    }

    /// Writes a new revision: first its package, then the parts, last the head that names them.
    pub async fn create(&self, record: &Record) -> Result<(), ReleaseError> {
        let name = head_name(&record.name, record.revision);
        let exists = || ReleaseError::RevisionExists { name: record.name.clone(), revision: record.revision };
        let history = self.metadata(&record.name).await?;
        if history.iter().any(|object| name_of(object) == name) {
            return Err(exists());
        }
        let highest = history.iter().map(labels::highest_generation).max().unwrap_or(0);
        let archive = self.packages.keep(&record.name, &record.archive).await?;
        let what = what(record.revision);
        let content = Stored { record, archive: archive.clone() };
        let packed = codec::pack(&what, &content, Compression::default())?;
        let blob = Blob::cut(&packed, self.full.min(HEAD_FULL), self.full);
        let of_part = json!({"owner": OWNER, "name": record.name, "revision": record.revision.to_string()});
        self.secrets.write_parts(&name, &of_part, &blob).await?;
        let mut body = self.secrets.body(&name, HEAD_TYPE, &labels::labels(record));
        body["metadata"]["annotations"] = labels::annotations(record, highest, &archive);
        body["data"] = blob.head_data(&what)?;
        body["data"][JOBS] = base64(&pack_jobs(record)?);
        match self.secrets.create(&body).await {
            Ok(()) => Ok(()),
            // The answer is lost or says that it exists: ours, if it holds what we sent.
            Err(error) if error.is_conflict() || error.is_uncertain() => {
                match self.secrets.get(&name).await {
                    Ok(Some(head)) if Secrets::index_of(&head).is_ok_and(|index| index == blob.index) => {
                        Ok(())
                    }
                    Ok(Some(_)) => Err(exists()),
                    _ => Err(error.into()),
                }
            }
            Err(error) => Err(error.into()),
        }
    }

    /// A whole revision, its package's archive included.
    pub async fn get(&self, name: &str, revision: u32) -> Result<Record, ReleaseError> {
        let head = self.secrets.get(&head_name(name, revision)).await?;
        let head = head.ok_or_else(|| self.missing(name, revision))?;
        let packed = self.secrets.read_blob(&head).await?;
        let Stored::<Record> { mut record, archive } = codec::unpack(&what(revision), &packed)?;
        record.archive = self.packages.get(name, &archive).await?;
        record.jobs = jobs_of(&head, revision)?;
        labels::refresh(&mut record, labels::summary(&head)?);
        Ok(record)
    }

    /// The jobs of all revisions of a release, oldest first: all of a record that its history of
    /// savepoints needs.
    pub async fn jobs(&self, name: &str) -> Result<Vec<(u32, Vec<JobRecord>)>, ReleaseError> {
        let heads = self.secrets.list(&selector(name), HEAD_TYPE, false).await?;
        let jobs = |head: &Value| {
            let revision = labels::summary(head)?.revision;
            Ok::<_, ReleaseError>((revision, jobs_of(head, revision)?))
        };
        let mut all: Vec<_> = heads.iter().map(jobs).collect::<Result<_, _>>()?;
        all.sort_by_key(|(revision, _)| *revision);
        Ok(all)
    }

    /// All revisions of a release, oldest first; metadata only.
    pub async fn history(&self, name: &str) -> Result<Vec<Summary>, ReleaseError> {
        let mut all: Vec<_> =
            self.metadata(name).await?.iter().map(labels::summary).collect::<Result<_, _>>()?;
        all.sort_by_key(|summary| summary.revision);
        Ok(all)
    }

    /// The highest generation number that the release ever used; 0 where it never had one.
    pub async fn max_generation(&self, name: &str) -> Result<u32, ReleaseError> {
        Ok(self.metadata(name).await?.iter().map(labels::highest_generation).max().unwrap_or(0))
    }

    /// Gives a revision another status and description.
    pub async fn set_status(
        &self,
        name: &str,
        revision: u32,
        status: Status,
        description: &str,
    ) -> Result<(), ReleaseError> {
        let metadata = labels::status_metadata(status, description, Timestamp::now());
        self.patch(name, revision, &json!({"metadata": metadata})).await
    }

    /// Writes what may change about a record: status, description, generation, jobs. The rest stays
    /// as it was written.
    pub async fn update(&self, record: &Record) -> Result<(), ReleaseError> {
        let highest = self.max_generation(&record.name).await?;
        let mut record = record.clone();
        record.updated = Timestamp::now();
        let patch = json!({
            "metadata": {
                "labels": {"status": record.status.as_str()},
                "annotations": labels::changing_annotations(&record, highest),
            },
            "data": {JOBS: base64(&pack_jobs(&record)?)},
        });
        self.patch(&record.name, record.revision, &patch).await
    }

    /// Removes a revision, its head first, so that no head names parts that are gone; then the
    /// packages that no other revision names.
    pub async fn delete(&self, name: &str, revision: u32) -> Result<(), ReleaseError> {
        self.delete_record(name, revision).await?;
        let left = self.metadata(name).await?;
        let named = left.iter().map(|head| labels::archive(head).map(str::to_owned));
        self.packages.keep_only(name, &named.collect::<Result<_, _>>()?).await
    }

    /// Removes all that is recorded of a release. The newest revision goes last of those: who goes
    /// on after a death in between still finds what the operation was about.
    pub async fn delete_release(&self, name: &str) -> Result<(), ReleaseError> {
        self.ledgers.delete(name).await?;
        for summary in self.history(name).await? {
            self.delete_record(name, summary.revision).await?;
        }
        self.packages.keep_only(name, &BTreeSet::new()).await
    }

    async fn delete_record(&self, name: &str, revision: u32) -> Result<(), ReleaseError> {
        self.secrets.delete(&head_name(name, revision)).await?;
        let parts = format!("{},revision={revision}", selector(name));
        for part in self.secrets.list(&parts, PART_TYPE, true).await? {
            self.secrets.delete(name_of(&part)).await?;
        }
        Ok(())
    }

    /// The revisions that a label selector names (empty: all), in this namespace or in all, by
    /// namespace, name and revision; metadata only.
    pub async fn list(&self, all_namespaces: bool, selector: &str) -> Result<Vec<Summary>, ReleaseError> {
        let namespace = (!all_namespaces).then_some(self.namespace());
        let comma = if selector.is_empty() { "" } else { "," };
        let labels = format!("owner={OWNER}{comma}{selector}");
        let heads = self.secrets.list_in(namespace, &labels, HEAD_TYPE, true).await?;
        let mut all: Vec<_> = heads.iter().map(labels::summary).collect::<Result<_, _>>()?;
        all.sort_by(|a, b| (&a.namespace, &a.name, a.revision).cmp(&(&b.namespace, &b.name, b.revision)));
        Ok(all)
    }

    /// The savepoints that a release knows.
    pub async fn savepoints(&self, name: &str) -> Result<Ledger, ReleaseError> {
        self.ledgers.read(name).await
    }

    /// Records savepoints, in their order, as the newest of the release. One whose path is known
    /// already is not recorded again.
    pub async fn record_savepoints(&self, name: &str, new: &[Savepoint]) -> Result<(), ReleaseError> {
        if new.is_empty() { Ok(()) } else { self.ledgers.record(name, new).await }
    }

    /// Records that savepoints are disposed of.
    pub async fn dispose_savepoints(&self, name: &str, paths: &[String]) -> Result<(), ReleaseError> {
        self.ledgers.dispose(name, paths).await
    }

    async fn metadata(&self, name: &str) -> Result<Vec<Value>, ReleaseError> {
        Ok(self.secrets.list(&selector(name), HEAD_TYPE, true).await?)
    }

    async fn patch(&self, name: &str, revision: u32, change: &Value) -> Result<(), ReleaseError> {
        match self.secrets.patch(&head_name(name, revision), change).await {
            Err(error) if error.is_not_found() => Err(self.missing(name, revision)),
            result => Ok(result?),
        }
    }

    fn missing(&self, name: &str, revision: u32) -> ReleaseError {
        let namespace = self.namespace().to_owned();
        ReleaseError::NoRevision { name: name.to_owned(), namespace, revision }
    }
}

fn head_name(name: &str, revision: u32) -> String {
    format!("flink.release.v1.{name}.v{revision}")
}

fn selector(name: &str) -> String {
    format!("owner={OWNER},name={name}")
}

/// A record, as errors call it.
fn what(revision: u32) -> String {
    format!("revision {revision}")
}

fn pack_jobs(record: &Record) -> Result<Vec<u8>, ReleaseError> {
    codec::pack(&what(record.revision), &record.jobs, Compression::default())
}

fn jobs_of(head: &Value, revision: u32) -> Result<Vec<JobRecord>, ReleaseError> {
    codec::unpack(&what(revision), &bytes(head, JOBS)?)
}

#[cfg(test)]
mod tests {
    use super::super::codec::tests::record;
    use super::super::savepoints::tests::savepoint;
    use super::super::testing::{self, Fault, Server};
    use super::*;

    /// A store that cuts at so many bytes.
    fn store(full: usize) -> (Store, Server) {
        let (cluster, _, server) = testing::cluster();
        let mut store = Store::new(&cluster, "team");
        (store.full, store.packages.full) = (full, full);
        (store, server)
    }

    fn names(server: &Server) -> Vec<String> {
        server.lock().unwrap().all.keys().cloned().collect()
    }

    #[tokio::test]
    async fn a_small_record_is_one_secret_and_a_large_one_ends_with_its_head() {
        // The archive alone has 8,000 bytes.
        for (full, at_least, at_most) in [(FULL, 2, 2), (200, 42, 60)] {
            let (store, server) = store(full);
            store.create(&record(1)).await.unwrap();
            assert_eq!(store.get("demo", 1).await.unwrap(), record(1));
            let secrets = names(&server).len();
            assert!((at_least..=at_most).contains(&secrets), "{secrets}");
        }
    }

    #[tokio::test]
    async fn a_package_is_kept_once_and_goes_with_the_last_revision_that_names_it() {
        let (store, server) = store(3000);
        let packages = || names(&server).into_iter().filter(|name| name.starts_with("flink.package")).count();
        for revision in [1, 2, 3] {
            store.create(&record(revision)).await.unwrap();
        }
        assert_eq!(packages(), 3);
        let other = Record { archive: vec![7; 10], ..record(4) };
        store.create(&other).await.unwrap();
        assert_eq!(packages(), 4);
        for revision in [1, 3] {
            store.delete("demo", revision).await.unwrap();
        }
        assert_eq!(packages(), 4);
        assert_eq!(store.get("demo", 2).await.unwrap(), record(2));
        store.delete("demo", 2).await.unwrap();
        assert_eq!(packages(), 1);
        assert_eq!(store.get("demo", 4).await.unwrap(), other);
    }

    #[tokio::test]
    async fn nothing_is_left_of_a_release_that_is_deleted() {
        let (store, server) = store(3000);
        store.create(&record(1)).await.unwrap();
        store.create(&record(2)).await.unwrap();
        store.record_savepoints("demo", &[savepoint("orders", 1)]).await.unwrap();
        store.delete_release("demo").await.unwrap();
        assert_eq!(names(&server), [] as [&str; 0]);
    }

    #[tokio::test]
    async fn a_lost_answer_is_looked_up_and_the_record_written_once() {
        let (store, server) = store(FULL);
        store.create(&record(1)).await.unwrap();
        for revision in [2, 3] {
            server.lock().unwrap().fault =
                Some(if revision == 2 { Fault::AnswerLost } else { Fault::RequestLost });
            let written = store.create(&record(revision)).await;
            assert_eq!(written.is_ok(), revision == 2, "{written:?}");
        }
        assert_eq!(store.history("demo").await.unwrap().len(), 2);
    }

    #[tokio::test]
    async fn a_write_that_dies_before_its_head_leaves_no_revision_and_is_written_over() {
        let (store, server) = store(200);
        store.create(&record(1)).await.unwrap();
        server.lock().unwrap().all.remove("flink.release.v1.demo.v1");
        assert!(matches!(store.get("demo", 1).await, Err(ReleaseError::NoRevision { .. })));
        assert!(store.history("demo").await.unwrap().is_empty());
        let mut other = record(1);
        other.archive.reverse();
        other.manifest = "---\nkind: Service\n".repeat(60);
        store.create(&other).await.unwrap();
        assert_eq!(store.get("demo", 1).await.unwrap(), other);
    }

    #[tokio::test]
    async fn a_record_of_a_later_format_is_refused_with_the_version_that_knows_it() {
        let (store, server) = store(FULL);
        store.create(&record(1)).await.unwrap();
        let later = br#"{"format": 2, "writtenBy": "0.3.0", "content": {}}"#;
        server.lock().unwrap().all.get_mut("flink.release.v1.demo.v1").unwrap()["data"]["index"] =
            base64(later);
        let refused = store.get("demo", 1).await.unwrap_err().to_string();
        assert!(refused.contains("was written by kubectl-flink 0.3.0 in format 2"), "{refused}");
    }
}
