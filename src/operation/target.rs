//! Which generation a step is about, and how an operation ends.

use serde::{Deserialize, Serialize};

/// Which generation a step is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// The one that ran when the operation began.
    Old,
    /// The one that runs when it succeeds.
    New,
    /// The old revision's, made again on a revert.
    Revert,
    /// One that an earlier operation could not remove, by its number.
    Orphan(u32),
}

/// How an operation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The new revision is the release.
    Deployed,
    /// The release is gone.
    Uninstalled,
    /// Failed, and all is as it was before.
    Undone,
    /// Failed, and left as it is.
    Failed,
}
