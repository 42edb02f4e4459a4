//! What can go wrong between a template and an object.

use std::fmt;
use std::time::Duration;

use super::object::ObjectKey;
use crate::package::PackageError;
use crate::yaml::YamlError;

/// Why a package could not be rendered.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// A template is wrong, or it refused the values.
    #[error("{}", joined(errors))]
    Templates { errors: Vec<TemplateError> },
    /// A template wrote what is not YAML.
    #[error("{template}: what it renders is not YAML, line {} of it: {}\n{shown}", source.line, source.message)]
    NotYaml {
        template: String,
        /// The line that was rendered, and a caret.
        shown: String,
        /// Where in the rendered text, and why.
        source: YamlError,
    },
    /// A rendered document is no Kubernetes object.
    #[error("{template}: document {number} of what it renders is no Kubernetes object: {missing}")]
    NotAnObject {
        template: String,
        /// Which document, from 1.
        number: usize,
        missing: &'static str,
    },
    /// Two templates render the same object.
    #[error("{object} is rendered twice: by {first} and by {second}")]
    Duplicate {
        object: Box<ObjectKey>,
        first: String,
        /// The other, or the same.
        second: String,
    },
    /// The package's files are not as they should be.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// Rendering took too long.
    #[error("the templates were not rendered within {} s: is there a loop without an end?", deadline.as_secs())]
    Deadline { deadline: Duration },
    /// Too much was written.
    #[error("{template}: it renders more than {} MiB", limit >> 20)]
    TooLarge {
        template: String,
        /// The limit in bytes, for all templates together.
        limit: usize,
    },
    /// The thread could not be started, or it died.
    #[error("the templates could not be rendered: {message}")]
    Thread { message: String },
}

/// One place in a template that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateError {
    /// The template's path in the package.
    pub template: String,
    /// The line, from 1; 0 where it is not known.
    pub line: usize,
    /// The column in characters, from 1; 0 where it is not known.
    pub column: usize,
    pub message: String,
    /// The line; empty where it is not known.
    pub text: String,
    /// How many characters the caret underlines; at least one.
    pub width: usize,
    /// The places that led here, nearest first, as `layouts/session/a.yaml:3:7`.
    pub called_from: Vec<String>,
    /// The template called `fail`: the package refuses the values, in words for the user who gave
    /// them.
    pub refused: bool,
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 {
            return write!(f, "{}: {}", self.template, self.message);
        }
        if self.refused {
            let Self { template, line, column, message, .. } = self;
            return write!(f, "{message}\n  (said by {template}:{line}:{column} of the package)");
        }
        write!(f, "{}:{}:{}: {}", self.template, self.line, self.column, self.message)?;
        if !self.text.is_empty() {
            write!(f, "\n{}", shown(self.line, self.column, self.width, &self.text))?;
        }
        self.called_from.iter().try_for_each(|place| write!(f, "\n  called from {place}"))
    }
}

/// A line with its number, and a caret below it.
pub(super) fn shown(line: usize, column: usize, width: usize, text: &str) -> String {
    // Tabs stay tabs, so that the caret stands where the terminal shows the character.
    let under: String =
        text.chars().take(column.saturating_sub(1)).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
    let rest = text.chars().count().saturating_sub(column.saturating_sub(1));
    let caret = "^".repeat(width.clamp(1, rest.max(1)));
    let number = line.to_string();
    let blank = " ".repeat(number.len());
    format!("  {number} | {text}\n  {blank} | {under}{caret}")
}

fn joined(errors: &[TemplateError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
