//! The state machine under every operation that changes a release.
//!
//! [`next`] looks at the [`Journal`] (what was decided and what has happened) and says which [`Step`] comes now;
//! whoever carries the step out reports an [`Event`], and [`Journal::record`] writes it down. Install, upgrade, rollback,
//! uninstall and changes of single jobs are the same machine with different journals.
//!
//! This module is pure: no I/O, no clock, no randomness. It never decides what a person wants, only what is safe next.

mod control;
mod journal;
mod look;
mod step;

pub use control::ControlTraits;
pub use journal::{
    Decided, Event, Forward, JobDecision, JobForward, JobMove, JobRevert, Journal, Kind, Pods, Revert,
    Setback, Start, StartId, StateFrom, Stop, Strategy, Trigger,
};
pub use look::Look;
pub use step::{Outcome, Step, Target, next};

#[cfg(test)]
mod tests;
