//! What every operation needs: the cluster, the namespace, the clock and the source of ids.

mod fence;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use self::fence::{Transitions, Unlocked};
use crate::cluster::Cluster;
#[cfg(test)]
pub(crate) use crate::cluster::testing;
use crate::fence::Fence;
use crate::flink::{Access, Client};
use crate::id::Id;
use crate::release::{Lock, Store};

/// Where a generation's Flink is found.
pub trait Address {
    /// Returns the name of its Service, and the number of the REST port.
    fn service(&self) -> (&str, u16);
    /// Returns the label selector of the `JobManager`'s Pods.
    fn job_manager_selector(&self) -> &str;
}

/// Shared by all operations of a run of the program.
pub struct Context {
    pub cluster: Cluster,
    /// The namespace of the release.
    pub namespace: String,
    pub store: Store,
    /// Who holds locks, in words: user, host, process.
    pub holder: String,
    /// How Flink's REST API is reached.
    pub access: Access,
    /// How long a single wait may take (`--timeout`).
    pub timeout: Duration,
    pub now: fn() -> jiff::Timestamp,
    /// A new random id.
    pub new_id: fn() -> Id,
    /// The clients so far, by Service: each has found its way to Flink and keeps it.
    clients: Mutex<BTreeMap<String, Client>>,
    storage_id: OnceLock<String>,
    fence: Arc<dyn Fence>,
}

impl Context {
    /// A context on a connected cluster. It holds no lock, so next to nothing can be changed
    /// through it.
    pub fn new(cluster: Cluster, namespace: String, holder: String) -> Self {
        let fence: Arc<dyn Fence> = Arc::new(Unlocked);
        let cluster = cluster.with_fence(fence.clone());
        let store = Store::new(&cluster, &namespace);
        Self {
            cluster,
            namespace,
            store,
            holder,
            access: Access::Auto,
            timeout: Duration::from_mins(5),
            now: jiff::Timestamp::now,
            new_id: random_id,
            clients: Mutex::default(),
            storage_id: OnceLock::new(),
            fence,
        }
    }

    /// Returns the same context in which changes may be made, each while the lock is certainly
    /// held.
    pub(crate) fn under(&self, lock: &Lock) -> Self {
        let fence: Arc<dyn Fence> = Transitions::new(lock.guard());
        let cluster = self.cluster.with_fence(fence.clone());
        let clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let clients =
            clients.iter().map(|(name, client)| (name.clone(), client.clone().with_fence(fence.clone())));
        Self {
            store: Store::new(&cluster, &self.namespace),
            cluster,
            namespace: self.namespace.clone(),
            holder: self.holder.clone(),
            access: self.access.clone(),
            timeout: self.timeout,
            now: self.now,
            new_id: self.new_id,
            clients: Mutex::new(clients.collect()),
            storage_id: self.storage_id.clone(),
            fence,
        }
    }

    /// Returns the storage id of a release that is installed for the first time: the same one for
    /// the whole run, so that what a plan shows is what is carried out.
    pub(crate) fn new_storage_id(&self) -> String {
        self.storage_id.get_or_init(|| (self.new_id)().to_string()[..8].to_owned()).clone()
    }

    /// The client for a generation's JobManager: one for the whole run, so that an upload and what
    /// runs the jar reach the same Pod.
    pub(crate) fn flink(&self, at: &impl Address) -> Client {
        let (service, port) = at.service();
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let client = clients.entry(service.to_owned()).or_insert_with(|| {
            Client::for_service(
                self.cluster.streaming_client(),
                &self.namespace,
                service,
                port,
                at.job_manager_selector(),
                self.access.clone(),
            )
            .with_fence(self.fence.clone())
        });
        client.clone()
    }
}

/// An id from the operating system's randomness, by way of the process's hash keys and its clock.
fn random_id() -> Id {
    let mut bytes = [0u8; 16];
    getrandom::fill(&mut bytes).unwrap_or_else(|_| {
        use sha2::Digest;
        let seed = format!("{:?} {}", std::time::SystemTime::now(), std::process::id());
        bytes.copy_from_slice(&sha2::Sha256::digest(seed.as_bytes())[..16]);
    });
    Id::from_bytes(bytes)
}
