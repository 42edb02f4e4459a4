//! How a result is printed: one trait with every format, so that none can be forgotten for a verb.

use serde::Serialize;

use super::format::Format;
use super::{CommandError, Output};

/// A result that can be printed in each format of `-o`.
pub trait Render {
    /// What JSON and YAML hold.
    type Data: Serialize + ?Sized;

    /// Returns what JSON and YAML hold. A field that is there stays.
    fn data(&self) -> &Self::Data;

    /// Returns the names for `-o name`, as kubectl has them: `release/demo`; of what has no kind, the path or the number.
    fn names(&self) -> Vec<String>;

    /// Returns the text for people; empty where there is nothing to show.
    fn table(&self) -> String;

    /// Returns the text for people with wide terminals.
    fn wide(&self) -> String {
        self.table()
    }

    /// Returns the notes of the package's author, which people see below the text.
    fn notes(&self) -> Option<&str> {
        None
    }

    /// Returns what is said to people on stderr where there is nothing to show.
    fn nothing(&self) -> Option<String> {
        None
    }
}

impl Output {
    /// Prints a result in the format that was asked for.
    pub fn print<R: Render>(&self, result: &R) -> Result<(), CommandError> {
        let text = match self.format {
            Format::Json | Format::Yaml => return self.structured(result.data()).map(drop),
            Format::Name => result.names().iter().map(|name| format!("{name}\n")).collect(),
            Format::Table => result.table() + &self.below(result),
            Format::Wide => result.wide() + &self.below(result),
        };
        match result.nothing() {
            Some(nothing) if self.format != Format::Name => self.talk(&nothing),
            _ => self.data(&text),
        }
        Ok(())
    }

    /// The notes that belong below a result.
    fn below<R: Render>(&self, result: &R) -> String {
        result.notes().map(|notes| format!("\n{}\n", self.notes(notes))).unwrap_or_default()
    }
}
