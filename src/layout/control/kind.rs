//! The table of all kinds of control: what may be counted on in each, and which objects it adds to
//! a release.

use serde::{Deserialize, Serialize};

use crate::cluster::readiness::OwnedKind;
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
    /// For tests: another controller assigns the ids of its jobs.
    #[cfg(test)]
    Assigned,
}

impl ControlKind {
    /// All of them.
    pub(super) const ALL: &[Self] = &[
        Self::Rest,
        Self::Pods,
        #[cfg(test)]
        Self::Assigned,
    ];

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
            #[cfg(test)]
            Self::Assigned => super::assigned::TRAITS,
        }
    }

    /// Returns the kinds of objects that its generations are made of beside Kubernetes' own: the
    /// resources of its controller, and when one of each is ready.
    pub(super) fn adds(self) -> &'static [OwnedKind] {
        match self {
            Self::Rest | Self::Pods => &[],
            #[cfg(test)]
            Self::Assigned => &super::assigned::ADDS,
        }
    }
}
