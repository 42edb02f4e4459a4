//! The Java that runs inside Flink: its jars are in the binary, and each has its source and its
//! build script beside it.
//!
//! Knows what the programs are, not when they run.

pub mod warm_up;
