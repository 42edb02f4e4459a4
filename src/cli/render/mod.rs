//! How a result looks in each format: a report says it all by one trait, so that no verb can forget
//! a format.

mod manifest;
mod plan;
mod report;
#[cfg(test)]
pub mod testing;
pub mod text;

pub use manifest::Manifest;
pub use plan::plan;

use serde::Serialize;

use super::flags::format::Format;
use super::next::Place;

/// A result, as each format shows it. JSON and YAML are what it serializes to.
pub trait Render: Serialize {
    /// Returns it as a user reads it, with commands that lead to `place`; empty where there is
    /// nothing to show.
    fn table(&self, place: &Place) -> String;

    /// Returns the same with more columns, where there are more.
    fn wide(&self, place: &Place) -> String {
        self.table(place)
    }

    /// Returns the names of what it is about, as other commands take them: `release/NAME`,
    /// `job/NAME`, a path.
    fn names(&self) -> Vec<String>;

    /// Returns it as YAML.
    fn yaml(&self) -> String {
        crate::yaml::to_string(self)
    }

    /// Returns what is said of it to a user, on stderr, beside the table or in its place.
    fn remark(&self, _: &Place) -> Option<String> {
        None
    }
}

/// Returns a result in a format.
pub fn render<T: Render + ?Sized>(
    result: &T,
    format: Format,
    place: &Place,
) -> Result<String, serde_json::Error> {
    Ok(match format {
        Format::Table => result.table(place),
        Format::Wide => result.wide(place),
        Format::Json => serde_json::to_string_pretty(result)? + "\n",
        Format::Yaml => result.yaml(),
        Format::Name => result.names().iter().map(|name| format!("{name}\n")).collect(),
    })
}
