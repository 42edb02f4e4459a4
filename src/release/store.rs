//! Revisions as Secrets of the type `flink.kubectl/release.v1`, named `flink.release.v1.<release>.v<revision>`.

use super::ReleaseError;
use super::codec::{self, FULL, Index, Slice};
use super::labels;
use super::record::{Record, Status, Summary};
use crate::cluster::call::Call;
use crate::cluster::discovery::Resource;
use crate::cluster::{Cluster, Selection};
use jiff::Timestamp;
use k8s_openapi::ByteString;
use serde_json::{Value, json};
use std::time::Duration;

/// Thrice in the time that a write holds the lock.
const RENEW_EVERY: Duration = Duration::from_secs(10);
const HEAD_TYPE: &str = "flink.kubectl/release.v1";
const PART_TYPE: &str = "flink.kubectl/release-part.v1";

/// The records of one namespace.
#[derive(Clone)]
pub struct Store {
    cluster: Cluster,
    namespace: String,
    now: fn() -> Timestamp,
    full: usize,
    /// How often a lock is renewed.
    pub(super) renew_every: Duration,
}

impl Store {
    /// The records of a namespace.
    pub fn new(cluster: &Cluster, namespace: &str) -> Self {
        Self {
            cluster: cluster.clone(),
            namespace: namespace.to_owned(),
            now: Timestamp::now,
            full: FULL,
            renew_every: RENEW_EVERY,
        }
    }

    /// The same store with another clock.
    #[must_use]
    pub fn with_clock(mut self, now: fn() -> Timestamp) -> Self {
        self.now = now;
        self
    }

    /// The cluster it is in.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// Its namespace.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Writes a new revision: first the parts, last the head that names them.
    pub async fn create(&self, record: &Record) -> Result<(), ReleaseError> {
        let name = head_name(&record.name, record.revision);
        let history = self.metadata(&record.name).await?;
        if history.iter().any(|object| object_name(object) == name) {
            return Err(ReleaseError::RevisionExists {
                name: record.name.clone(),
                revision: record.revision,
            });
        }
        let highest = history.iter().map(labels::highest_generation).max().unwrap_or(0);
        let (index, slices) = codec::pack(record, self.full)?;
        for (number, slice) in slices.iter().enumerate().skip(1) {
            self.create_part(record, number, slice).await?;
        }
        let mut data = slice_data(&slices[0]);
        data["index"] = base64(&serde_json::to_vec(&index).unwrap_or_default());
        data["jobs"] = base64(&codec::jobs_to_bytes(record)?);
        let body = json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "type": HEAD_TYPE,
            "metadata": {
                "name": name,
                "namespace": self.namespace,
                "labels": labels::labels(record),
                "annotations": labels::annotations(record, highest),
            },
            "data": data,
        });
        match self.cluster.call(Call::create(secrets().collection(Some(&self.namespace))?, &body)).await {
            Ok(_) => Ok(()),
            // The answer is lost or says that it exists: ours, if it holds what we sent.
            Err(error) if error.is_conflict() || error.is_uncertain() => match self.head(&name).await {
                Ok(Some(head))
                    if bytes(&head, "index").and_then(|found| codec::decode(&found)).ok() == Some(index) =>
                {
                    Ok(())
                }
                Ok(Some(_)) => {
                    Err(ReleaseError::RevisionExists { name: record.name.clone(), revision: record.revision })
                }
                _ => Err(error.into()),
            },
            Err(error) => Err(error.into()),
        }
    }

    /// A part cannot belong to a record, since its head is written last and is not there: one in the way is the rest of
    /// a write that was broken off.
    async fn create_part(&self, record: &Record, number: usize, slice: &Slice) -> Result<(), ReleaseError> {
        let name = part_name(&record.name, record.revision, number);
        let body = json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "type": PART_TYPE,
            "immutable": true,
            "metadata": {
                "name": name,
                "namespace": self.namespace,
                "labels": {
                    "owner": labels::OWNER,
                    "name": record.name,
                    "revision": record.revision.to_string(),
                    "part": number.to_string(),
                },
            },
            "data": slice_data(slice),
        });
        let collection = secrets().collection(Some(&self.namespace))?;
        match self.cluster.call(Call::create(&collection, &body)).await {
            Ok(_) => Ok(()),
            Err(error) if error.is_conflict() => {
                self.delete_secret(&name).await?;
                self.cluster.call(Call::create(collection, &body)).await?;
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// A whole revision.
    pub async fn get(&self, name: &str, revision: u32) -> Result<Record, ReleaseError> {
        let missing = || ReleaseError::NoRevision {
            name: name.to_owned(),
            namespace: self.namespace.clone(),
            revision,
        };
        let head = self.head(&head_name(name, revision)).await?.ok_or_else(missing)?;
        let index: Index = codec::decode(&bytes(&head, "index")?)?;
        let mut slices = vec![slice(&head)?];
        for number in 1..=index.parts.len() {
            let secret = part_name(name, revision, number);
            let part = self.head(&secret).await?.ok_or(ReleaseError::PartMissing { secret })?;
            slices.push(slice(&part)?);
        }
        let mut record = codec::unpack(&index, &slices)?;
        record.jobs = codec::jobs_from_bytes(&bytes(&head, "jobs")?)?;
        labels::refresh(&mut record, labels::summary(&head)?);
        Ok(record)
    }

    /// The revision that is deployed; `None` where none is.
    pub async fn get_deployed(&self, name: &str) -> Result<Option<Record>, ReleaseError> {
        let history = self.history(name).await?;
        match history.iter().rev().find(|summary| summary.status == Status::Deployed) {
            Some(summary) => Ok(Some(self.get(name, summary.revision).await?)),
            None => Ok(None),
        }
    }

    /// The newest revision, whatever its status; `None` where the release has none.
    pub async fn latest(&self, name: &str) -> Result<Option<Record>, ReleaseError> {
        match self.history(name).await?.last() {
            Some(summary) => Ok(Some(self.get(name, summary.revision).await?)),
            None => Ok(None),
        }
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
        let metadata = labels::status_metadata(status, description, (self.now)());
        self.patch(name, revision, &json!({"metadata": metadata})).await
    }

    /// Writes what may change about a record: status, description, generation, jobs. The rest stays as it was written.
    pub async fn update(&self, record: &Record) -> Result<(), ReleaseError> {
        let highest = self.max_generation(&record.name).await?;
        let mut record = record.clone();
        record.updated = (self.now)();
        let patch = json!({
            "metadata": {
                "labels": {"status": record.status.as_str()},
                "annotations": labels::changing_annotations(&record, highest),
            },
            "data": {"jobs": base64(&codec::jobs_to_bytes(&record)?)},
        });
        self.patch(&record.name, record.revision, &patch).await
    }

    /// Removes a revision, its head first, so that no head names parts that are gone.
    pub async fn delete(&self, name: &str, revision: u32) -> Result<(), ReleaseError> {
        self.delete_secret(&head_name(name, revision)).await?;
        let labels = format!("owner={},name={name},revision={revision}", labels::OWNER);
        let fields = format!("type={PART_TYPE}");
        let selection = Selection { labels: &labels, fields: &fields, metadata_only: true };
        for part in self.cluster.list(&secrets(), Some(&self.namespace), &selection).await? {
            self.delete_secret(object_name(&part)).await?;
        }
        Ok(())
    }

    /// The revisions that a label selector names (empty: all), in this namespace or in all, by namespace, name and
    /// revision; metadata only.
    pub async fn list(&self, all_namespaces: bool, selector: &str) -> Result<Vec<Summary>, ReleaseError> {
        let namespace = (!all_namespaces).then_some(self.namespace.as_str());
        let mut all: Vec<_> =
            self.heads(namespace, selector).await?.iter().map(labels::summary).collect::<Result<_, _>>()?;
        all.sort_by(|a, b| (&a.namespace, &a.name, a.revision).cmp(&(&b.namespace, &b.name, b.revision)));
        Ok(all)
    }

    async fn metadata(&self, name: &str) -> Result<Vec<Value>, ReleaseError> {
        self.heads(Some(&self.namespace), &format!("name={name}")).await
    }

    async fn heads(&self, namespace: Option<&str>, selector: &str) -> Result<Vec<Value>, ReleaseError> {
        let comma = if selector.is_empty() { "" } else { "," };
        let labels = format!("owner={}{comma}{selector}", labels::OWNER);
        let fields = format!("type={HEAD_TYPE}");
        let selection = Selection { labels: &labels, fields: &fields, metadata_only: true };
        Ok(self.cluster.list(&secrets(), namespace, &selection).await?)
    }

    async fn head(&self, secret: &str) -> Result<Option<Value>, ReleaseError> {
        Ok(self.cluster.get(&secrets(), &self.namespace, secret).await?)
    }

    async fn patch(&self, name: &str, revision: u32, change: &Value) -> Result<(), ReleaseError> {
        let path = secrets().object(&self.namespace, &head_name(name, revision))?;
        match self.cluster.call(Call::merge_patch(path, change)).await {
            Ok(_) => Ok(()),
            Err(error) if error.is_not_found() => Err(ReleaseError::NoRevision {
                name: name.to_owned(),
                namespace: self.namespace.clone(),
                revision,
            }),
            Err(error) => Err(error.into()),
        }
    }

    async fn delete_secret(&self, secret: &str) -> Result<(), ReleaseError> {
        match self.cluster.call(Call::delete(secrets().object(&self.namespace, secret)?, &json!({}))).await {
            Err(error) if !error.is_not_found() => Err(error.into()),
            _ => Ok(()),
        }
    }
}

pub(super) fn secrets() -> Resource {
    Resource::known("v1", "secrets")
}

fn head_name(name: &str, revision: u32) -> String {
    format!("flink.release.v1.{name}.v{revision}")
}

fn part_name(name: &str, revision: u32, part: usize) -> String {
    format!("{}.part{part}", head_name(name, revision))
}

fn object_name(object: &Value) -> &str {
    object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default()
}

fn slice_data(slice: &Slice) -> Value {
    let mut data = json!({});
    for (key, bytes) in [("record", &slice.record), ("archive", &slice.archive)] {
        if !bytes.is_empty() {
            data[key] = base64(bytes);
        }
    }
    data
}

fn slice(secret: &Value) -> Result<Slice, ReleaseError> {
    let present = |key: &str| secret.get("data").is_some_and(|data| data.get(key).is_some());
    let read = |key: &str| {
        if present(key) { bytes(secret, key) } else { Ok(Vec::new()) }
    };
    Ok(Slice { record: read("record")?, archive: read("archive")? })
}

/// Bytes as a Secret's `data` holds them.
pub(super) fn base64(bytes: &[u8]) -> Value {
    serde_json::to_value(ByteString(bytes.to_vec())).unwrap_or_default()
}

/// One key of a Secret's `data`.
pub(super) fn bytes(secret: &Value, key: &str) -> Result<Vec<u8>, ReleaseError> {
    let wrong =
        || ReleaseError::Metadata { secret: object_name(secret).to_owned(), field: format!("data.{key}") };
    let value = secret.get("data").and_then(|data| data.get(key)).ok_or_else(wrong)?;
    serde_json::from_value::<ByteString>(value.clone()).map(|bytes| bytes.0).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::super::codec::tests::record;
    use super::super::testing::{self, Fault};
    use super::*;

    #[tokio::test]
    async fn a_small_record_is_written_in_one_request_and_a_large_one_ends_with_its_head() {
        let (cluster, log, _) = testing::cluster();
        let mut store = Store::new(&cluster, "team");
        store.create(&record(1)).await.unwrap();
        assert_eq!(log.lines().iter().filter(|line| line.starts_with("POST")).count(), 1);
        assert_eq!(store.get("demo", 1).await.unwrap(), record(1));
        store.full = 3000;
        store.create(&record(2)).await.unwrap();
        assert_eq!(store.get("demo", 2).await.unwrap(), record(2));
        assert_eq!(store.history("demo").await.unwrap().len(), 2);
    }

    #[tokio::test]
    async fn a_lost_answer_is_looked_up_and_the_record_written_once() {
        let (cluster, _, secrets) = testing::cluster();
        let store = Store::new(&cluster, "team");
        secrets.lock().unwrap().fault = Some(Fault::AnswerLost);
        store.create(&record(1)).await.unwrap();
        secrets.lock().unwrap().fault = Some(Fault::RequestLost);
        let error = store.create(&record(2)).await.unwrap_err();
        assert!(error.to_string().contains("broke off"), "{error}");
        assert_eq!(store.history("demo").await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn a_write_that_dies_before_its_head_leaves_no_revision_and_is_written_over() {
        let (cluster, _, secrets) = testing::cluster();
        let mut store = Store::new(&cluster, "team");
        store.full = 3000;
        store.create(&record(1)).await.unwrap();
        secrets.lock().unwrap().all.remove("flink.release.v1.demo.v1");
        assert!(matches!(store.get("demo", 1).await, Err(ReleaseError::NoRevision { .. })));
        assert!(store.latest("demo").await.unwrap().is_none());
        let mut other = record(1);
        other.archive.reverse();
        store.create(&other).await.unwrap();
        assert_eq!(store.get("demo", 1).await.unwrap(), other);
    }
}
