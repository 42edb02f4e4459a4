//! Names and keys that Flink itself uses, each with the class that makes it, and the ways in which
//! a job's jar is named.
//!
//! Nothing here asks for anything; code that reads Flink's ConfigMaps, its storage or a recorded
//! jar takes the names from here.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::id::JobId;

/// How the keys of jobs begin in a cluster's ConfigMap: Flink 1's, Flink 2's, and that of an
/// application, whose `main()` submits its jobs anew (`Constants.JOB_GRAPH_STORE_KEY_PREFIX`,
/// `EXECUTION_PLAN_STORE_KEY_PREFIX` and `APPLICATION_STORE_KEY_PREFIX` of
/// `org.apache.flink.kubernetes.utils`).
const JOB_KEYS: [&str; 3] = ["jobGraph-", "executionPlan-", "application-"];

/// How the keys of completed checkpoints begin in a job's ConfigMap
/// (`Constants.CHECKPOINT_ID_KEY_PREFIX`; zeros and the checkpoint's number follow).
pub const CHECKPOINT_KEY: &str = "checkpointID-";

/// What follows a job's id in the names of its files in the job result store: when it has ended,
/// and until Flink has tidied up behind it (`FileSystemJobResultStore.FILE_EXTENSION` and
/// `DIRTY_FILE_EXTENSION`).
pub const RESULT_FILES: [&str; 2] = [".json", "_DIRTY.json"];

/// How the folders of checkpoints begin; the checkpoint's number follows
/// (`AbstractFsCheckpointStorageAccess.CHECKPOINT_DIR_PREFIX`).
const CHECKPOINT_FOLDER: &str = "chk-";

/// The file that makes a savepoint or checkpoint whole: it is written last
/// (`AbstractFsCheckpointStorageAccess.METADATA_FILE_NAME`).
pub const METADATA_FILE: &str = "_metadata";

/// Returns the name of the ConfigMap in which high availability keeps a job's completed checkpoints
/// (`KubernetesLeaderElectionHaServices.getJobSpecificConfigMap`); `cluster` is its
/// `kubernetes.cluster-id`.
pub fn job_config_map(cluster: &str, job: JobId) -> String {
    format!("{cluster}-{job}-config-map")
}

/// Returns the job that a key of a cluster's ConfigMap is of; `None` for all other keys.
pub fn job_of_key(key: &str) -> Option<JobId> {
    JOB_KEYS.iter().find_map(|prefix| key.strip_prefix(prefix))?.parse().ok()
}

/// Returns the number of the checkpoint at a path; `None` for a savepoint.
pub fn checkpoint_number(path: &str) -> Option<u64> {
    path.rsplit('/').next()?.strip_prefix(CHECKPOINT_FOLDER)?.parse().ok()
}

/// A job's jar, as descriptors and records name it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum JarRef {
    /// A file that the JobManager's Pod sees by itself, in its image or on a volume, by its
    /// absolute path: `local:///…`, as Flink's `--jars` has it; read without the scheme too.
    Local(String),
    /// A file of the package, by its path in it, which is uploaded for each start: `package:…`.
    Package(String),
    /// A jar that was uploaded once, by the id under which Flink lists it: `upload:…`.
    Upload(String),
    /// The jar of a job that the release has not started itself: `unknown`.
    Unknown,
}

const LOCAL: &str = "local://";
const PACKAGE: &str = "package:";
const UPLOAD: &str = "upload:";
const UNKNOWN: &str = "unknown";

/// The text names no jar.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} names no jar: local:///PATH, package:PATH, upload:ID or unknown")]
pub struct JarRefError(pub String);

impl fmt::Display for JarRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local(path) => write!(f, "{LOCAL}{path}"),
            Self::Package(path) => write!(f, "{PACKAGE}{path}"),
            Self::Upload(id) => write!(f, "{UPLOAD}{id}"),
            Self::Unknown => f.write_str(UNKNOWN),
        }
    }
}

impl FromStr for JarRef {
    type Err = JarRefError;

    fn from_str(text: &str) -> Result<Self, JarRefError> {
        let after = |prefix| text.strip_prefix(prefix).filter(|rest: &&str| !rest.is_empty());
        let path = text.strip_prefix(LOCAL).unwrap_or(text);
        if path.starts_with('/') {
            Ok(Self::Local(path.to_owned()))
        } else if let Some(path) = after(PACKAGE) {
            Ok(Self::Package(path.to_owned()))
        } else if let Some(id) = after(UPLOAD) {
            Ok(Self::Upload(id.to_owned()))
        } else if text == UNKNOWN {
            Ok(Self::Unknown)
        } else {
            Err(JarRefError(text.to_owned()))
        }
    }
}

impl TryFrom<String> for JarRef {
    type Error = JarRefError;

    fn try_from(text: String) -> Result<Self, JarRefError> {
        text.parse()
    }
}

impl From<JarRef> for String {
    fn from(jar: JarRef) -> Self {
        jar.to_string()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const JOB: &str = "d5bb0a1235950632632daf49ad57d026";

    fn job() -> JobId {
        JOB.parse().unwrap()
    }

    #[test]
    fn the_config_map_of_a_jobs_checkpoints() {
        assert_eq!(job_config_map("demo-g1", job()), format!("demo-g1-{JOB}-config-map"));
    }

    #[test]
    fn the_job_of_a_key() {
        for prefix in ["jobGraph-", "executionPlan-", "application-"] {
            assert_eq!(job_of_key(&format!("{prefix}{JOB}")), Some(job()), "{prefix}");
        }
        let leader = format!("org.apache.flink.k8s.leader.job-{JOB}");
        for key in [JOB, leader.as_str(), "jobGraph-", "executionPlan-x", "checkpointID-0000000000000000001"]
        {
            assert_eq!(job_of_key(key), None, "{key}");
        }
    }

    #[test]
    fn the_number_of_a_checkpoint() {
        assert_eq!(checkpoint_number("file:///c/chk-9"), Some(9));
        assert_eq!(checkpoint_number("s3://b/c/chk-10"), Some(10));
        for path in [
            "file:///s/savepoint-1",
            "file:///c/chk-1/savepoint-2",
            "file:///c/chk-x",
            "file:///c/my-chk-1",
            "",
        ] {
            assert_eq!(checkpoint_number(path), None, "{path}");
        }
    }

    #[test]
    fn a_jar_is_written_as_it_is_read() {
        for (text, jar) in [
            (
                "local:///opt/flink/usrlib/orders.jar",
                JarRef::Local("/opt/flink/usrlib/orders.jar".to_owned()),
            ),
            ("package:files/orders.jar", JarRef::Package("files/orders.jar".to_owned())),
            ("upload:3f2a_orders.jar", JarRef::Upload("3f2a_orders.jar".to_owned())),
            ("unknown", JarRef::Unknown),
        ] {
            assert_eq!(text.parse(), Ok(jar.clone()), "{text}");
            assert_eq!(jar.to_string(), text);
            assert_eq!(json!(jar), json!(text));
            assert_eq!(serde_json::from_value::<JarRef>(json!(text)).unwrap(), jar);
        }
        let bare = "/opt/flink/usrlib/orders.jar";
        assert_eq!(bare.parse::<JarRef>().unwrap().to_string(), format!("local://{bare}"));
    }

    #[test]
    fn what_names_no_jar() {
        for text in
            ["", "orders.jar", "local://orders.jar", "local:/x.jar", "package:", "upload:", "https://a/b.jar"]
        {
            let error = text.parse::<JarRef>().unwrap_err().to_string();
            assert!(error.starts_with(&format!("{text:?} names no jar: ")), "{error}");
            assert!(serde_json::from_value::<JarRef>(json!(text)).is_err(), "{text}");
        }
    }
}
