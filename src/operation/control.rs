//! What the plan and the state machine may count on in a generation, whatever its layout.
//!
//! Plain data: a layout's driver fills it in for one descriptor, and it is kept with the decisions
//! of an operation.

use serde::{Deserialize, Serialize};

/// Traits of a generation. The default is a Flink cluster that is driven by its REST API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ControlTraits {
    /// The id of a job is chosen by who asks for its start; else it is assigned, and learnt
    /// afterwards.
    pub chooses_job_id: bool,
    /// Applying the objects starts the job: nothing can be started by request.
    pub starts_with_pods: bool,
    /// Two generations can be up at once.
    pub side_by_side: bool,
    /// Flink runs jars: `main()` of a job can be run without starting the job, and a warm-up can
    /// be.
    pub preflight: bool,
    /// A savepoint can be taken of a job that goes on.
    pub savepoint_beside: bool,
}

impl Default for ControlTraits {
    fn default() -> Self {
        Self {
            chooses_job_id: true,
            starts_with_pods: false,
            side_by_side: true,
            preflight: true,
            savepoint_beside: true,
        }
    }
}
