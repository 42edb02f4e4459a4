//! The object of an operation in progress: what it holds, and one request each to read, create,
//! replace and delete it.
//!
//! Every change names the version that it is made on; none is sent twice.

use std::sync::Arc;

use super::super::secrets::{OWNER, base64, bytes, resource};
use super::super::store::Store;
use super::super::{ReleaseError, codec};
use super::LockError;
use super::pending::Pending;
use crate::cluster::call::Call;
use crate::cluster::clock::{Moment, ServerClock};
use crate::cluster::{Cluster, ClusterError};
use crate::fence::Unfenced;
use flate2::Compression;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::time::Duration;

const OPERATION_TYPE: &str = "flink.kubectl/operation.v1";
/// The keys of its `data`.
const OPERATION: &str = "operation";
const PENDING: &str = "pending";
/// How long a write holds the lock.
pub(super) const EXPIRY: Duration = Duration::from_secs(30);
/// The time for one write: three fit between a renewal and the expiry.
const WRITE_DEADLINE: Duration = Duration::from_secs(5);
/// `Date` has a resolution of one second, on both sides.
const DATE_ERROR: SignedDuration = SignedDuration::from_secs(2);

/// Which write of the object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Version {
    pub(super) uid: String,
    pub(super) resource_version: String,
}

/// Who holds the lock. Plain JSON, for people; what is pending is beside it, packed.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Content {
    pub(super) holder: String,
    /// Tells two processes of one holder apart.
    pub(super) token: String,
    pub(super) since: Timestamp,
    pub(super) expires: Timestamp,
    pub(super) epoch: u64,
}

/// The object as it was read.
pub(super) struct Found {
    pub(super) content: Content,
    /// `None` where it cannot be read.
    pub(super) pending: Option<Pending>,
    pub(super) version: Version,
}

/// The pending operation, as the object holds it: packed once, however often the lock is renewed.
#[derive(Clone)]
pub(super) struct Packed(Arc<Vec<u8>>);

impl Packed {
    pub(super) fn new(release: &str, pending: &Pending) -> Result<Self, ReleaseError> {
        // Written before each step, and sent to a server nearby: fast is better than small.
        Ok(Self(Arc::new(codec::pack(&what(release), pending, Compression::fast())?)))
    }

    /// Bytes.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

/// The object, as errors call it.
fn what(release: &str) -> String {
    format!("the operation in progress on release {release}")
}

/// A version that is about to be written, and when it was made: before it is sent.
pub(super) struct Draft {
    pub(super) content: Content,
    pub(super) at: Moment,
    bytes: Vec<u8>,
    pub(super) pending: Packed,
}

impl Draft {
    /// A write of `pending` under `epoch`, now; `since` is now too where the operation only begins.
    pub(super) fn new(
        place: &Place,
        (holder, token): (&str, &str),
        clock: Option<ServerClock>,
        since: Option<Timestamp>,
        epoch: u64,
        pending: &Packed,
    ) -> Result<Self, ReleaseError> {
        let at = Moment::now();
        let now = clock_of(clock).at_moment(at);
        let content = Content {
            holder: holder.to_owned(),
            token: token.to_owned(),
            since: since.unwrap_or(now),
            expires: now.saturating_add(EXPIRY).unwrap_or(Timestamp::MAX),
            epoch,
        };
        let bytes = codec::encode(&what(&place.release), &content)?;
        Ok(Self { content, at, bytes, pending: pending.clone() })
    }
}

/// The version that was written.
pub(super) struct Written {
    pub(super) version: Version,
    pub(super) clock: Option<ServerClock>,
}

/// Where the object is.
pub(super) struct Place {
    cluster: Cluster,
    namespace: String,
    pub(super) release: String,
}

impl Place {
    pub(super) fn new(store: &Store, release: &str) -> Self {
        Self {
            // Its own writes are no transitions: each is the first half of the one that it
            // precedes.
            cluster: store.cluster().with_fence(Arc::new(Unfenced)),
            namespace: store.namespace().to_owned(),
            release: release.to_owned(),
        }
    }

    fn secret(&self) -> String {
        format!("flink.operation.v1.{}", self.release)
    }

    /// The object, and the server's clock in any case.
    pub(super) async fn look(&self) -> Result<(Option<Found>, Option<ServerClock>), LockError> {
        // A list of one: its answer is a 200 with a `Date` also where there is none.
        let fields =
            url::form_urlencoded::byte_serialize(format!("metadata.name={}", self.secret()).as_bytes())
                .collect::<String>();
        let path = resource().collection(Some(&self.namespace))?;
        let answer = self.cluster.call(Call::get(format!("{path}?fieldSelector={fields}"))).await?;
        let list: Value = answer.json()?;
        let object = list.get("items").and_then(Value::as_array).and_then(|items| items.first());
        Ok((object.map(|object| self.parse(object)).transpose()?, answer.clock))
    }

    pub(super) async fn read(&self) -> Result<Option<(Found, ServerClock)>, LockError> {
        let (found, clock) = self.look().await?;
        Ok(found.map(|found| (found, clock_of(clock))))
    }

    fn parse(&self, object: &Value) -> Result<Found, LockError> {
        let what = what(&self.release);
        let content = codec::decode(&what, &bytes(object, OPERATION)?)?;
        let pending = match bytes(object, PENDING).and_then(|packed| codec::unpack(&what, &packed)) {
            Ok(pending) => Some(pending),
            Err(error) if error.is_another_version() => return Err(error.into()),
            Err(error) => {
                tracing::warn!(%error, "what was pending cannot be read");
                None
            }
        };
        Ok(Found { content, pending, version: version(object) })
    }

    fn body(&self, draft: &Draft) -> Value {
        json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "type": OPERATION_TYPE,
            "metadata": {
                "name": self.secret(),
                "namespace": self.namespace,
                "labels": {"owner": OWNER, "name": self.release},
            },
            "data": { OPERATION: base64(&draft.bytes), PENDING: base64(&draft.pending.0) },
        })
    }

    pub(super) async fn create(&self, draft: &Draft) -> Result<Written, ClusterError> {
        let path = resource().collection(Some(&self.namespace))?;
        let body = self.body(draft);
        self.send(Call::create(path, &body)).await
    }

    pub(super) async fn replace(&self, draft: &Draft, version: &Version) -> Result<Written, ClusterError> {
        let path = resource().object(&self.namespace, &self.secret())?;
        let mut body = self.body(draft);
        body["metadata"]["uid"] = version.uid.clone().into();
        body["metadata"]["resourceVersion"] = version.resource_version.clone().into();
        self.send(Call::replace(path, &body)).await
    }

    async fn send(&self, call: Call) -> Result<Written, ClusterError> {
        let answer = self.cluster.call(call.deadline(WRITE_DEADLINE)).await?;
        let object: Value = answer.json()?;
        Ok(Written { version: version(&object), clock: answer.clock })
    }

    pub(super) async fn delete(&self, version: &Version) -> Result<(), ClusterError> {
        let path = resource().object(&self.namespace, &self.secret())?;
        let options = json!({
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": {"uid": version.uid, "resourceVersion": version.resource_version},
        });
        match self.cluster.call(Call::delete(path, &options)).await {
            Err(error) if !error.is_not_found() => Err(error),
            _ => Ok(()),
        }
    }
}

fn version(object: &Value) -> Version {
    let text = |pointer| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    Version { uid: text("/metadata/uid"), resource_version: text("/metadata/resourceVersion") }
}

pub(super) fn is_expired(content: &Content, clock: ServerClock) -> bool {
    clock.now() > content.expires.saturating_add(DATE_ERROR).unwrap_or(Timestamp::MAX)
}

/// The server's clock; ours where an answer had no `Date` (a proxy took it away).
pub(super) fn clock_of(clock: Option<ServerClock>) -> ServerClock {
    clock.unwrap_or_else(|| ServerClock::new(Moment::now(), Timestamp::now()))
}
