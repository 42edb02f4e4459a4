//! Names of releases: what a name must be so that all that is named after it is a legal name too.
//! Pure.

/// Longest release name, so that the suffixes of generations and objects fit into a DNS label of 63
/// characters.
pub const MAX_LENGTH: usize = 40;

/// A release's name that cannot be one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("bad release name {name:?}: {reason}")]
pub struct NameError {
    pub name: String,
    /// The reason.
    pub reason: String,
}

/// Checks a release's name: a DNS label (RFC 1035) of at most [`MAX_LENGTH`] characters.
pub fn check(name: &str) -> Result<(), NameError> {
    let refuse = |reason: String| Err(NameError { name: name.to_owned(), reason });
    if name.is_empty() {
        return refuse("it is empty".to_owned());
    }
    let length = name.chars().count();
    if length > MAX_LENGTH {
        return refuse(format!("it has {length} characters, at most {MAX_LENGTH} are allowed"));
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
