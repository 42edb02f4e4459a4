//! The only place that writes: data to stdout, talk to stderr.

use std::fmt::Write as _;
use std::io::{ErrorKind, IsTerminal, Write};
use std::sync::OnceLock;

use super::error::CommandError;
use super::flags::format::Format;
use super::flags::global::GlobalArgs;
use super::next::Place;
use super::notes;
use super::progress::{Line, Said};
use super::render::{self, Render};
use crate::progress::{Observer, Progress};

/// Columns of a hint's command: one line is read and taken more easily than two, as long as it is
/// not far too long.
const HINT_WIDTH: usize = 110;

/// Where results and talk go.
pub struct Output {
    format: Format,
    quiet: bool,
    colour: bool,
    terminal: bool,
    place: Place,
    unwritten: OnceLock<std::io::Error>,
    said: Said,
}

impl Output {
    /// The process's own stdout and stderr; commands that are printed are those of `root`.
    pub fn of_process(global: &GlobalArgs, root: fn() -> clap::Command) -> Self {
        let terminal = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
        Self {
            format: global.format(),
            quiet: global.quiet,
            colour: has_colours(),
            terminal,
            place: Place::of(global, root),
            unwritten: OnceLock::new(),
            said: Said::default(),
        }
    }

    /// Returns whether the user can be asked.
    pub fn can_ask(&self) -> bool {
        self.terminal
    }

    /// Writes data.
    pub fn data(&self, text: &str) {
        if text.is_empty() {
            return;
        }
        let mut stdout = std::io::stdout().lock();
        if let Err(error) = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
            let _ = self.unwritten.set(error); // the first tells why
        }
    }

    /// Returns whether there is no use in writing more data.
    pub fn is_closed(&self) -> bool {
        self.unwritten.get().is_some()
    }

    /// Returns whether all data was written. A reader that went away (`| head`) had enough: that is
    /// no failure.
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
            let _ = writeln!(text, "{} {}", self.bold("hint:"), self.place.render(hint, HINT_WIDTH));
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

    /// Writes a package's notes.
    pub fn notes(&self, notes: &str) {
        self.talk(&notes::placed(notes, &self.place));
    }

    /// Prints a result in the format that was asked for.
    pub fn print(&self, result: &impl Render) -> Result<(), CommandError> {
        let text = render::render(result, self.format, &self.place)
            .map_err(|error| CommandError::io("the result cannot be written as JSON", &error))?;
        self.data(&text);
        if let (Format::Table | Format::Wide, Some(remark)) = (self.format, result.remark(&self.place)) {
            self.talk(&remark);
        }
        Ok(())
    }

    /// Refuses a format for what is a text of its own: a log, a script.
    pub fn refuse_format_of(&self, text: &str) -> Result<(), CommandError> {
        match self.format {
            Format::Table | Format::Wide => Ok(()),
            Format::Json | Format::Yaml | Format::Name => {
                Err(CommandError::usage(format!("{text} has no other format: leave out --output")))
            }
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

/// Returns whether stderr may have colours: it is a terminal, and `NO_COLOR` is not set
/// (<https://no-color.org>: to no matter what, but not to an empty text).
pub fn has_colours() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

impl Observer for Output {
    fn progress(&self, progress: Progress) {
        match self.said.line(progress) {
            Some(Line::Talk(line)) => self.talk(&line),
            Some(Line::Warning(warning)) => self.warn(&warning),
            None => {}
        }
    }
}
