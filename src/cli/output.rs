//! The only place that writes: data to stdout, talk to stderr.

use std::fmt::Write as _;
use std::io::{ErrorKind, IsTerminal, Write};
use std::sync::OnceLock;

use serde::Serialize;

use super::CommandError;
use super::args::GlobalArgs;
use super::format::Format;
use super::next::Place;
use super::notes;
use crate::failure::NextStep;

/// Columns of a hint's command: one line is read and taken more easily than two, as long as it is not far too long.
const HINT_WIDTH: usize = 110;

/// Where results and talk go.
pub struct Output {
    /// How results are printed.
    pub format: Format,
    quiet: bool,
    colour: bool,
    terminal: bool,
    place: Place,
    /// The program's command line, by which commands are known in notes.
    root: fn() -> clap::Command,
    unwritten: OnceLock<std::io::Error>,
    pub(super) said: super::said::Said,
}

impl Output {
    /// The process's own stdout and stderr, of a program whose command line `root` gives.
    pub fn of_process(global: &GlobalArgs, root: fn() -> clap::Command) -> Self {
        let terminal = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
        Self {
            format: global.format(),
            quiet: global.quiet,
            colour: has_colours(),
            terminal,
            place: Place::of(global),
            root,
            unwritten: OnceLock::new(),
            said: super::said::Said::default(),
        }
    }

    /// Returns whether the user can be asked.
    pub fn can_ask(&self) -> bool {
        self.terminal
    }

    /// Returns whether results are for programs.
    pub fn is_structured(&self) -> bool {
        matches!(self.format, Format::Json | Format::Yaml)
    }

    /// Writes data.
    pub fn data(&self, text: &str) {
        let mut stdout = std::io::stdout().lock();
        if let Err(error) = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
            let _ = self.unwritten.set(error); // the first tells why
        }
    }

    /// Returns whether there is no use in writing more data.
    pub fn is_closed(&self) -> bool {
        self.unwritten.get().is_some()
    }

    /// Returns what to type next as text, with the flags that lead to where the user is.
    pub fn next_step(&self, step: &NextStep, width: usize) -> String {
        self.place.render(step, width)
    }

    /// Returns a package's notes with these flags in each of their commands.
    pub fn notes(&self, notes: &str) -> String {
        notes::placed(notes, &self.place, self.root)
    }

    /// Returns whether all data was written. A reader that went away (`| head`) had enough: that is no failure.
    pub fn written(&self) -> Result<(), CommandError> {
        let failed = self.unwritten.get().filter(|error| error.kind() != ErrorKind::BrokenPipe);
        let doing = "what was asked for is done, but its result cannot be written to stdout";
        failed.map_or(Ok(()), |error| Err(CommandError::io(doing, error)))
    }

    /// Writes a line of talk.
    pub fn talk(&self, line: &str) {
        if !self.quiet {
            Self::say(line);
        }
    }

    /// Writes a line of what a question is about: never left out.
    pub fn ask_about(&self, line: &str) {
        Self::say(line);
    }

    /// Writes a warning.
    pub fn warn(&self, line: &str) {
        Self::say(&format!("{} {line}", self.bold("warning:")));
    }

    /// Writes an error with its hints.
    pub fn error(&self, error: &CommandError) {
        let mut text = String::new();
        let mut lines = error.lines.iter();
        if let Some(first) = lines.next() {
            let _ = writeln!(text, "{} {first}", self.bold("error:"));
        }
        for line in lines {
            let _ = writeln!(text, "  {}", line.trim_end().replace('\n', "\n  "));
        }
        for left in &error.left_behind {
            let _ = writeln!(text, "{} {left}", self.bold("left:"));
        }
        for hint in &error.hints {
            let _ = writeln!(text, "{} {}", self.bold("hint:"), self.next_step(hint, HINT_WIDTH));
        }
        Self::say(text.trim_end());
    }

    fn say(line: &str) {
        let _ = writeln!(std::io::stderr().lock(), "{line}");
    }

    /// Text in bold, where the terminal can.
    pub fn bold(&self, text: &str) -> String {
        if self.colour { format!("\u{1b}[1m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    /// Prints a value as JSON or YAML; `false` where the format is for people.
    pub fn structured<T: Serialize + ?Sized>(&self, value: &T) -> Result<bool, CommandError> {
        match self.format {
            Format::Json => {
                let text = serde_json::to_string_pretty(value)
                    .map_err(|error| CommandError::io("the result cannot be written as JSON", &error))?;
                self.data(&format!("{text}\n"));
                Ok(true)
            }
            Format::Yaml => {
                self.data(&crate::yaml::to_string(value));
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// Reads one line from the user; `None` at the end of input.
    pub fn ask(&self, question: &str) -> Option<String> {
        let mut stderr = std::io::stderr().lock();
        let _ = write!(stderr, "{question}").and_then(|()| stderr.flush());
        let mut line = String::new();
        match std::io::stdin().read_line(&mut line) {
            Ok(read) if read > 0 => Some(line.trim().to_owned()),
            _ => None,
        }
    }
}

/// Returns whether stderr may have colours: it is a terminal, and `NO_COLOR` is not set (<https://no-color.org>: to no matter what, but
/// not to an empty text).
pub fn has_colours() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Rows as columns: upper-case heads, two or more spaces between, nothing after the last column.
pub fn table(heads: &[&str], rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = heads.iter().map(|head| head.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    let head_row: Vec<String> = heads.iter().map(|head| (*head).to_owned()).collect();
    for row in std::iter::once(&head_row).chain(rows) {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            let _ = write!(line, "{cell:<width$}  ");
        }
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

/// A moment in time as people read it: UTC, to the second.
pub fn moment(timestamp: jiff::Timestamp) -> String {
    timestamp.strftime("%Y-%m-%d %H:%M:%S").to_string()
}
