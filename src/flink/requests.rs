//! What the product asks of Flink: the bodies of its requests.

use serde::Serialize;

use crate::id::{JobId, TriggerId};
use crate::operation::SavepointFormat;

/// A savepoint to take, by stopping the job or beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct StopRequest {
    /// Chosen by us and recorded before it is sent: the answer is asked for under it.
    pub trigger: TriggerId,
    /// A directory of its own for this trigger, as a URI, so that a savepoint whose answer is lost
    /// can be found.
    pub directory: String,
    pub format: SavepointFormat,
    /// Windows are ended first: right only for a job that will never go on.
    pub drain: bool,
}

impl StopRequest {
    /// The body of `POST /jobs/{id}/stop`.
    pub(super) fn stop_body(&self) -> impl Serialize {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Body<'a> {
            target_directory: &'a str,
            drain: bool,
            format_type: SavepointFormat,
            trigger_id: TriggerId,
        }
        Body {
            target_directory: &self.directory,
            drain: self.drain,
            format_type: self.format,
            trigger_id: self.trigger,
        }
    }

    /// The body of `POST /jobs/{id}/savepoints`, whose names are written otherwise.
    pub(super) fn savepoint_body(&self) -> impl Serialize {
        #[derive(Serialize)]
        struct Body<'a> {
            #[serde(rename = "target-directory")]
            target_directory: &'a str,
            #[serde(rename = "cancel-job")]
            cancel_job: bool,
            #[serde(rename = "formatType")]
            format_type: SavepointFormat,
            #[serde(rename = "triggerId")]
            trigger_id: TriggerId,
        }
        Body {
            target_directory: &self.directory,
            cancel_job: false,
            format_type: self.format,
            trigger_id: self.trigger,
        }
    }
}

/// A program to run from a jar that Flink has.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Program {
    /// The class with `main()`; the jar's manifest names it where this does not.
    pub entry_class: Option<String>,
    pub args: Vec<String>,
    /// The default parallelism; the cluster's where absent.
    pub parallelism: Option<u32>,
}

/// A job to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunRequest {
    /// The id that the job will have: chosen by us and recorded before it is sent, so that it can
    /// be looked up.
    pub job: JobId,
    pub program: Program,
    /// The savepoint or checkpoint to start from.
    pub savepoint: Option<String>,
    /// State that no operator takes may be dropped.
    pub allow_non_restored_state: bool,
    /// `main()` is an application of the job's id, which Flink runs by itself (Flink 2.3 and
    /// later).
    pub application: bool,
}

impl Program {
    /// The body of `POST /jars/{id}/plan`.
    pub(super) fn plan_body(&self) -> serde_json::Value {
        let mut body = serde_json::json!({ "programArgsList": self.args });
        if let Some(class) = &self.entry_class {
            body["entryClass"] = class.as_str().into();
        }
        if let Some(parallelism) = self.parallelism {
            body["parallelism"] = parallelism.into();
        }
        body
    }
}

impl RunRequest {
    /// Returns what is asked of the jar: `run`, or `run-application`, which answers before `main()`
    /// has run.
    pub(super) fn verb(&self) -> &'static str {
        if self.application { "run-application" } else { "run" }
    }

    /// The body of `POST /jars/{id}/run` and of `run-application`. The claim mode is always
    /// `NO_CLAIM`: with CLAIM Flink would delete a recorded savepoint when it no longer needs it.
    pub(super) fn body(&self) -> serde_json::Value {
        let mut body = self.program.plan_body();
        body["jobId"] = self.job.to_string().into();
        body["allowNonRestoredState"] = self.allow_non_restored_state.into();
        body["claimMode"] = "NO_CLAIM".into();
        if self.application {
            body["applicationId"] = self.job.to_string().into();
        }
        if let Some(path) = &self.savepoint {
            body["savepointPath"] = path.as_str().into();
        }
        body
    }
}
