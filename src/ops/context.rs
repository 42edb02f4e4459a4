//! What every operation needs: the cluster, the namespace, the clock and the source of ids.

use std::time::Duration;

use crate::cluster::Cluster;
use crate::flink::Access;
use crate::id::Id;
use crate::release::Store;

/// Shared by all operations of a run of the program.
pub struct Context {
    /// The connection.
    pub cluster: Cluster,
    /// The namespace of the release.
    pub namespace: String,
    /// The namespace's releases.
    pub store: Store,
    /// Who holds locks, in words: user, host, process.
    pub holder: String,
    /// How Flink's REST API is reached.
    pub access: Access,
    /// How long a single wait may take (`--timeout`).
    pub timeout: Duration,
    /// The clock.
    pub now: fn() -> jiff::Timestamp,
    /// A new random id.
    pub new_id: fn() -> Id,
}

impl Context {
    /// A context on a connected cluster.
    pub fn new(cluster: Cluster, namespace: String, holder: String) -> Self {
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
        }
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
