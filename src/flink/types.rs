//! Flink's answers as far as the product reads them, the same for 1.18 to 2.3: unknown fields are
//! ignored, and what only some versions send is optional. Times are milliseconds since 1970,
//! durations milliseconds, sizes bytes.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};

use crate::id::JobId;

/// `GET /overview`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Overview {
    pub taskmanagers: u32,
    /// Slots of all of them.
    pub slots_total: u32,
    /// Slots that no job holds.
    pub slots_available: u32,
    pub flink_version: String,
}

/// `GET /config`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Config {
    pub flink_version: String,
    /// For how long Flink answers a job's details from its cache (`web.refresh-interval`).
    #[serde(default)]
    pub refresh_interval: u64,
    /// What the REST API lets be done.
    #[serde(default)]
    pub features: Features,
}

/// What Flink's REST API lets be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Features {
    /// `web.submit.enable`: jars can be uploaded and run.
    pub web_submit: bool,
    pub web_cancel: bool,
}

/// The state of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum JobState {
    /// The `JobMaster` is being made.
    Initializing,
    /// Made, nothing scheduled yet.
    Created,
    /// Scheduled. Says little: look at the tasks.
    Running,
    /// On its way to failed.
    Failing,
    Failed,
    /// On its way to canceled.
    Cancelling,
    Canceled,
    /// Ended well, a stop with savepoint included.
    Finished,
    /// Between a failure and the next try.
    Restarting,
    /// This `JobManager` gave it up; another may go on with it.
    Suspended,
    /// Waiting for its `TaskManagers` after a recovery.
    Reconciling,
    /// A state that this client does not know.
    #[serde(other)]
    Unknown,
}

impl JobState {
    /// Returns whether the job has ended for good: nothing of it will run again.
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Failed | Self::Canceled | Self::Finished)
    }
}

impl fmt::Display for JobState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Initializing => "INITIALIZING",
            Self::Created => "CREATED",
            Self::Running => "RUNNING",
            Self::Failing => "FAILING",
            Self::Failed => "FAILED",
            Self::Cancelling => "CANCELLING",
            Self::Canceled => "CANCELED",
            Self::Finished => "FINISHED",
            Self::Restarting => "RESTARTING",
            Self::Suspended => "SUSPENDED",
            Self::Reconciling => "RECONCILING",
            Self::Unknown => "UNKNOWN",
        })
    }
}

/// An application: a `main()` that Flink runs, with the jobs that it submits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Application {
    /// The name of its class, or of its job.
    pub name: String,
    /// Its state; it may say RUNNING for some seconds after its job has ended.
    pub state: JobState,
    /// It has submitted a job.
    pub has_jobs: bool,
}

/// How many of a job's tasks (subtasks) are in which state. While a job is initializing all are 0,
/// the total too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Tasks {
    pub total: u32,
    /// Running, with their state restored.
    pub running: u32,
    pub initializing: u32,
    pub deploying: u32,
    /// Waiting for a slot.
    pub scheduled: u32,
    pub created: u32,
    /// Waiting after a recovery.
    pub reconciling: u32,
    pub finished: u32,
    /// On their way to canceled.
    pub canceling: u32,
    pub canceled: u32,
    pub failed: u32,
}

impl Tasks {
    /// Returns whether there are tasks, and all of them run. Tasks that finished count as running:
    /// a bounded source that is read to its end does not keep a job from a savepoint.
    pub fn all_running(&self) -> bool {
        self.running > 0 && self.running + self.finished == self.total
    }
}

/// A job as `GET /jobs/overview` lists it. This answer is fresh, unlike [`JobDetail`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct JobOverview {
    #[serde(rename = "jid")]
    pub id: JobId,
    /// The job's name, given by its `main()`.
    pub name: String,
    pub state: JobState,
    #[serde(default)]
    pub tasks: Tasks,
    #[serde(rename = "start-time", deserialize_with = "time")]
    pub start_time: Option<u64>,
    /// When it ended, if it has.
    #[serde(rename = "end-time", deserialize_with = "time")]
    pub end_time: Option<u64>,
}

impl JobOverview {
    /// Returns whether the job runs and all its tasks do, so that a savepoint can be taken.
    pub fn is_fully_running(&self) -> bool {
        self.state == JobState::Running && self.tasks.all_running()
    }
}

/// `GET /jobs/{id}`: up to `web.refresh-interval` (3 s) old.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct JobDetail {
    #[serde(rename = "jid")]
    pub id: JobId,
    pub name: String,
    pub state: JobState,
    #[serde(rename = "start-time", deserialize_with = "time")]
    pub start_time: Option<u64>,
    /// When it ended, if it has.
    #[serde(rename = "end-time", deserialize_with = "time")]
    pub end_time: Option<u64>,
    /// Its vertices: chains of operators. None while it initializes.
    #[serde(default)]
    pub vertices: Vec<Vertex>,
}

impl JobDetail {
    /// The tasks that its graph plans: the sum of the vertices' parallelism.
    pub fn planned_tasks(&self) -> u32 {
        self.vertices.iter().map(|vertex| vertex.parallelism).sum()
    }
}

/// A vertex of a running job.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Vertex {
    pub id: String,
    pub name: String,
    /// How many subtasks it has.
    pub parallelism: u32,
    /// The most it can be rescaled to; -1 where unknown.
    #[serde(rename = "maxParallelism", default)]
    pub max_parallelism: i32,
    /// Which slot sharing group it is in (Flink 1.20 and later).
    #[serde(rename = "slotSharingGroupId", default)]
    pub slot_sharing_group: Option<String>,
    /// The aggregated state of its subtasks.
    pub status: String,
}

/// `GET /jobs/{id}/checkpoints`: up to `web.refresh-interval` (3 s) old.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
pub struct Checkpoints {
    /// How many; from zero again when the `JobManager` restarts.
    pub counts: CheckpointCounts,
    /// The newest of each kind.
    #[serde(default)]
    pub latest: LatestCheckpoints,
    /// The last ones (`web.checkpoints.history`, 10), newest first: those that began.
    #[serde(default)]
    pub history: Vec<PastCheckpoint>,
}

impl Checkpoints {
    /// How many of the last ones began and failed. `counts.failed` has those too that were never
    /// begun, because not all tasks ran.
    pub fn begun_and_failed(&self) -> usize {
        self.history.iter().filter(|one| one.status == "FAILED").count()
    }
}

/// A checkpoint or savepoint that began.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct PastCheckpoint {
    /// `IN_PROGRESS`, `COMPLETED` or `FAILED`.
    pub status: String,
}

/// How many checkpoints and savepoints, since the `JobManager` has the job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub struct CheckpointCounts {
    #[serde(default)]
    pub restored: u64,
    pub total: u64,
    pub in_progress: u64,
    pub completed: u64,
    /// Failed, or never begun: the first triggers can come before all tasks run.
    pub failed: u64,
}

/// The newest checkpoint of each kind.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
pub struct LatestCheckpoints {
    /// The newest completed checkpoint.
    pub completed: Option<CompletedCheckpoint>,
    pub savepoint: Option<CompletedCheckpoint>,
    /// The newest that failed.
    pub failed: Option<FailedCheckpoint>,
    /// What the job was restored from last. Later restores overwrite it.
    pub restored: Option<RestoredFrom>,
}

/// A checkpoint or savepoint that is whole.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct CompletedCheckpoint {
    /// Its number within the job.
    pub id: u64,
    pub external_path: Option<String>,
    /// It is a savepoint.
    #[serde(default)]
    pub is_savepoint: bool,
    /// When it was triggered.
    pub trigger_timestamp: u64,
    /// When the last task acknowledged it.
    #[serde(default)]
    pub latest_ack_timestamp: u64,
    /// The size of the state in it, bytes.
    #[serde(default)]
    pub state_size: u64,
    /// How much of that this checkpoint wrote itself, bytes: less than all where checkpoints are
    /// incremental.
    #[serde(default)]
    pub checkpointed_size: Option<u64>,
    /// How long it took, milliseconds.
    #[serde(default)]
    pub end_to_end_duration: u64,
    /// Flink has deleted it since.
    #[serde(default)]
    pub discarded: bool,
}

/// A checkpoint that failed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct FailedCheckpoint {
    /// Its number within the job.
    pub id: u64,
    #[serde(default)]
    pub failure_timestamp: u64,
    #[serde(default)]
    pub failure_message: Option<String>,
}

/// What a job was restored from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoredFrom {
    pub id: u64,
    pub restore_timestamp: u64,
    /// It is a savepoint.
    pub is_savepoint: bool,
    /// Where it is, as Flink writes it (`file:/…` where `file:///…` was given): compare with
    /// [`super::savepoint::same_path`].
    pub external_path: Option<String>,
}

/// `GET /jobs/{id}/checkpoints/config`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckpointConfig {
    /// The job takes checkpoints at all.
    pub enabled: bool,
    /// Milliseconds from one to the next; `None` without checkpointing.
    pub interval_ms: Option<u64>,
    /// After how many milliseconds a checkpoint, and a savepoint, is given up.
    pub timeout_ms: u64,
    /// The newest checkpoint outlives a cancel.
    pub retained: bool,
}

/// What Flink sends for [`CheckpointConfig`].
#[derive(Debug, Deserialize)]
pub(super) struct RawCheckpointConfig {
    interval: u64,
    timeout: u64,
    #[serde(default)]
    externalization: Externalization,
}

#[derive(Debug, Default, Deserialize)]
struct Externalization {
    enabled: bool,
    delete_on_cancellation: bool,
}

impl From<RawCheckpointConfig> for CheckpointConfig {
    fn from(raw: RawCheckpointConfig) -> Self {
        // Without checkpointing 2.x says Long.MAX_VALUE.
        let enabled = raw.interval < i64::MAX as u64;
        Self {
            enabled,
            interval_ms: enabled.then_some(raw.interval),
            timeout_ms: raw.timeout,
            retained: raw.externalization.enabled && !raw.externalization.delete_on_cancellation,
        }
    }
}

/// How often a job failed since its `JobManager` has it, as far as Flink remembers (16 times), and
/// why last.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Failures {
    pub count: u64,
    pub newest: Option<RootException>,
}

/// Why a job failed last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootException {
    pub at: Option<u64>,
    /// One line: what failed, and the root cause.
    pub first_line: String,
    /// The task that failed, where it was one.
    pub task: Option<String>,
}

/// A jar that Flink has.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct JarInfo {
    /// Its id: `<uuid>_<name>.jar`, or the file's name.
    pub id: String,
    pub name: String,
    /// When it was uploaded.
    pub uploaded: u64,
}

/// What a program would run (`POST /jars/{id}/plan`).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Plan {
    pub name: String,
    #[serde(default)]
    pub nodes: Vec<PlanNode>,
}

/// A vertex of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct PlanNode {
    pub id: String,
    /// How many subtasks it will have.
    pub parallelism: u32,
    /// What it does, in HTML.
    #[serde(default)]
    pub description: String,
}

/// Flink writes -1 for a time that has not come.
fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    Ok(u64::try_from(i64::deserialize(deserializer)?).ok())
}

/// What became of a savepoint trigger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SavepointStatus {
    /// Flink is at it.
    InProgress,
    Completed {
        /// Its path, as Flink writes it.
        location: String,
    },
    /// Flink says COMPLETED and gives a cause: it failed.
    Failed {
        /// One line of the cause.
        cause: String,
        /// A savepoint that was written all the same, before the job failed on its way to the end.
        location: Option<String>,
    },
}
