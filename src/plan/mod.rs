//! The plan of a change: which objects, whether new Pods, which jobs stop and where their state
//! comes from.
//!
//! [`build`] is the one place where this is decided, for install, upgrade, rollback and changes of
//! jobs alike. It reads, and has the API server check the objects by a dry run; it changes nothing.

mod build;
pub mod capacity;
mod diff;
mod downtime;
mod jobs;
mod model;
mod pods;
pub mod rights;
pub(crate) mod savepoint;
mod strategy;
mod versions;

pub(crate) use build::build;
pub use downtime::Downtime;
pub(crate) use jobs::leave;
pub use model::{
    ChangeOptions, JobChange, ObjectChanges, ObjectDiff, Plan, StateChoice, StrategyChoice, Summary,
};
pub(crate) use model::{Desired, Only};
