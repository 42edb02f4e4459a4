//! The state machine under every operation that changes a release.
//!
//! [`next`] looks at the [`Journal`] (what was decided and what has happened) and says which
//! [`Step`] comes now; who carries the step out reports an [`Event`], and [`Journal::record`]
//! writes it down. Install, upgrade, rollback, uninstall and changes of single jobs are the same
//! machine with different journals.
//!
//! This module is pure: no I/O, no clock, no randomness. It never decides what the user wants, only
//! what is safe next.

mod control;
mod decision;
mod event;
mod format;
mod journal;
mod look;
mod moves;
mod step;
mod target;

pub use control::ControlTraits;
pub use decision::{Decided, JobDecision, Kind, Pods, Start, StartId, StateFrom, Stop, Strategy, Trigger};
pub use event::{Event, Setback};
pub use format::{SavepointFormat, SavepointFormatError};
pub use journal::{Forward, Journal, Revert};
pub use look::Look;
pub use moves::{JobForward, JobMove, JobRevert};
pub use step::{Step, next};
pub use target::{Outcome, Target};

#[cfg(test)]
mod tests;
