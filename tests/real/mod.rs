//! The cluster and the release store against a real API server.
//!
//! Skipped unless `KUBECTL_FLINK_TEST_CLUSTER` is set; then the kubeconfig that `KUBECONFIG` names
//! is used.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in test functions; these are their helpers")]

mod apply;
mod release_store;
mod rights;
mod support;
mod workloads;
