//! A package's Flink as the plugin sees it: what a layout deploys, and how its jobs are started and stopped.

mod descriptor;

pub use descriptor::{ClusterKind, DeclaredJob, Descriptor, KEY, LABEL, ServicePort};
