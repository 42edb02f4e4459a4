//! The table of all kinds of control, and what may be counted on in each.

use serde::{Deserialize, Serialize};

use crate::operation::ControlTraits;

/// How the jobs of a generation are controlled, as its descriptor says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ControlKind {
    /// By Flink's REST API.
    #[default]
    Rest,
    /// Its Pods start its one job.
    Pods,
}

impl ControlKind {
    /// Returns what may be counted on in a generation that is controlled like this.
    pub fn traits(self) -> ControlTraits {
        match self {
            Self::Rest => ControlTraits::default(),
            Self::Pods => ControlTraits {
                starts_with_pods: true,
                side_by_side: false,
                preflight: false,
                ..ControlTraits::default()
            },
        }
    }
}
