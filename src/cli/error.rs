//! An error at the edge: what happened, to what, hints, and the exit code.

use crate::failure::{Failure, NextStep, Phase};

/// The exit codes.
pub mod exit {
    /// Done.
    pub const DONE: u8 = 0;
    /// Failed; something may have been left behind.
    pub const FAILED: u8 = 1;
    /// The command line is wrong.
    pub const USAGE: u8 = 2;
    /// Refused before anything changed.
    pub const REFUSED: u8 = 3;
    /// The cluster or Flink could not be reached, before anything changed.
    pub const UNREACHABLE: u8 = 4;
    /// Failed and undone.
    pub const UNDONE: u8 = 5;
}

/// The end of a command that does not succeed.
#[derive(Debug)]
pub struct CommandError {
    /// The exit code.
    pub code: u8,
    /// The cause: what happened, to what; then its causes, one a line.
    pub lines: Vec<String>,
    /// Leftovers, in words.
    pub left_behind: Vec<String>,
    /// The next steps.
    pub hints: Vec<NextStep>,
}

impl CommandError {
    /// The command line is wrong.
    pub fn usage(message: impl Into<String>) -> Self {
        Self { code: exit::USAGE, lines: vec![message.into()], left_behind: vec![], hints: vec![] }
    }

    /// Something of this machine failed.
    pub fn io(doing: impl Into<String>, error: &dyn std::fmt::Display) -> Self {
        Self {
            code: exit::FAILED,
            lines: vec![doing.into(), error.to_string()],
            left_behind: vec![],
            hints: vec![],
        }
    }

    /// With a hint.
    #[must_use]
    pub fn hint(mut self, hint: NextStep) -> Self {
        self.hints.push(hint);
        self
    }
}

impl From<Failure> for CommandError {
    fn from(failure: Failure) -> Self {
        let mut lines = vec![failure.cause.to_string()];
        let mut source = std::error::Error::source(&*failure.cause);
        while let Some(error) = source {
            let text = error.to_string();
            if !lines.iter().any(|line| line.contains(&text)) {
                lines.push(text);
            }
            source = error.source();
        }
        let (code, left_behind) = match failure.phase {
            Phase::Refused => (exit::REFUSED, vec![]),
            Phase::CommandLine => (exit::USAGE, vec![]),
            Phase::Unreachable => (exit::UNREACHABLE, vec![]),
            Phase::Failed { left_behind } => (exit::FAILED, left_behind),
            Phase::Undone => {
                lines.push("the operation was undone: all is as it was before".to_owned());
                (exit::UNDONE, vec![])
            }
        };
        Self { code, lines, left_behind, hints: failure.next }
    }
}

impl<E: Into<crate::failure::Cause>> From<E> for CommandError {
    fn from(error: E) -> Self {
        Failure::refused(error).into()
    }
}
