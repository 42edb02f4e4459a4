//! A package's Flink as the plugin sees it: what a layout deploys, and how its jobs are started and
//! stopped.
//!
//! [`Descriptor`] says what there is, [`control`] how it is driven. Nothing above asks which kind
//! of layout it is.

pub mod control;
mod descriptor;
mod kinds;
mod pods;

pub use descriptor::{DeclaredJob, Descriptor, KEY, LABEL, ServicePort};
pub use kinds::descriptor_of;
pub use pods::{is_task_manager, pods_of};
