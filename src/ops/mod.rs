//! What the verbs do: `plan(Options) -> Plan` (data: printable, serializable), [`execute::run`] `-> Report`.
//!
//! Every change of a release is a [`change::Plan`]: a journal for the state machine in [`crate::operation`], the record
//! of the new revision and its objects. [`execute`] carries it out. Nothing here prints, prompts or exits.

pub mod change;
pub mod context;
pub mod descriptor;
pub mod disposal;
mod engine;
pub mod execute;
pub mod failure;
mod fence;
pub mod install;
pub mod jobs;
pub mod logs;
mod preflight;
pub mod progress;
pub mod query;
pub mod recover;
pub mod rights;
pub mod rollback;
pub mod savepoints;
mod situation;
mod strangers;
pub mod template;
pub mod ui;
pub mod uninstall;
pub mod upgrade;
mod waiting;
mod world;

pub use context::Context;
pub use failure::{Cause, Failure, Phase};
pub use progress::{Observer, Progress};

/// Longest release name, so that the suffixes of generations and objects fit into a DNS label of 63 characters.
pub const MAX_RELEASE_NAME: usize = 40;

/// Checks a release name: a DNS label of at most [`MAX_RELEASE_NAME`] characters.
pub fn check_release_name(name: &str) -> Result<(), Cause> {
    let refuse = |reason: String| Err(Cause::ReleaseName { name: name.to_owned(), reason });
    if name.is_empty() {
        return refuse("it is empty".to_owned());
    }
    if name.chars().count() > MAX_RELEASE_NAME {
        return refuse(format!(
            "it has {} characters, at most {MAX_RELEASE_NAME} are allowed",
            name.chars().count()
        ));
    }
    if let Some(bad) = name.chars().find(|c| !(c.is_ascii_lowercase() || c.is_ascii_digit() || *c == '-')) {
        return refuse(format!("{bad:?} is not a lower-case letter, a digit or '-'"));
    }
    if !name.starts_with(|c: char| c.is_ascii_lowercase()) {
        return refuse("it must begin with a letter (its Services are named after it)".to_owned());
    }
    if name.ends_with('-') {
        return refuse("it must not end with '-'".to_owned());
    }
    Ok(())
}
