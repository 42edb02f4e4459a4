//! Flink's REST API over a transport, savepoints and jobs.
//!
//! Nothing here knows what a release is, and nothing prints. Ids are given by the caller; the clock
//! is only used for deadlines and pauses. [`Client`] alone owns deadlines, the cap on answers, what
//! may be asked again, and Flink's error body; a [`Transport`] only carries bytes.

mod access;
mod backoff;
pub mod cause;
mod client;
mod compatibility;
mod direct;
mod error;
pub mod health;
mod jars;
pub mod job_start;
mod jobs;
mod multipart;
pub mod names;
mod port_forward;
mod proxy;
#[cfg(test)]
mod recordings;
mod requests;
mod rest;
pub mod savepoint;
pub mod tls;
pub mod transport;
mod types;

pub use access::Access;
pub use client::{Client, Deadlines};
pub use compatibility::can_read;
pub use direct::{Direct, DirectError};
pub use error::{FlinkError, Refusal};
pub use health::Health;
pub use job_start::{How, StartError, Started};
pub use names::{JarRef, JarRefError};
pub use port_forward::PortForward;
pub use proxy::Proxy;
pub use requests::{Program, RunRequest, StopRequest};
pub use rest::Rest;
pub use savepoint::{End, StopError, Waiting, Why};
pub use transport::{Content, Jar, Transport};
pub use types::{
    Application, CheckpointConfig, CheckpointCounts, Checkpoints, CompletedCheckpoint, Config,
    FailedCheckpoint, Failures, Features, JarInfo, JobDetail, JobOverview, JobState, LatestCheckpoints,
    Overview, PastCheckpoint, Plan, PlanNode, RestoredFrom, RootException, SavepointStatus, Tasks, Vertex,
};
