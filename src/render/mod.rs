//! From a package and values to the objects that are applied.
//!
//! Templates are hermetic: no environment, no clock, no network, no randomness; the same inputs
//! give the same bytes. They run on a thread of their own with a deadline and a cap on what they
//! write, because a package may come from anywhere. This module talks to nobody.

mod context;
mod engine;
mod error;
mod filters;
mod manifest;
mod memory;
mod object;
mod paths;
mod source;
#[cfg(test)]
mod tests;

pub use context::{Capabilities, ClusterContext, Inputs, ReleaseContext, SavepointContext};
pub use error::{RenderError, TemplateError};
pub use manifest::{parse_manifest, to_manifest};
pub use memory::{MemoryError, parse_memory};
pub use object::{Object, ObjectKey, Phase};

use crate::package::Package;

/// The label that holds the number of the generation that an object is part of.
pub const GENERATION_LABEL: &str = "flink.kubectl/generation";

/// A package rendered with given values.
#[derive(Debug, Clone, PartialEq)]
pub struct Rendered {
    /// The objects in the order in which they are applied.
    pub objects: Vec<Object>,
    /// Text that is shown after install and upgrade; may be empty.
    pub notes: String,
}

/// Renders one layout of `package`, its CRDs and its notes. The values are rendered as they are:
/// merging them and holding them against the schema comes before.
pub fn render(package: &Package, inputs: &Inputs) -> Result<Rendered, RenderError> {
    engine::render(package, inputs, &engine::Limits::default())
}

/// The name of a generation, which its objects are named after: `demo-g1`.
pub fn generation_name(release: &str, number: u32) -> String {
    format!("{release}-g{number}")
}
