//! Names as arguments: a release's or a job's, alone or as `-o name` prints it.

use std::convert::Infallible;

/// Reads `NAME` and `release/NAME`.
#[allow(clippy::unnecessary_wraps)] // clap's signature
pub fn release(text: &str) -> Result<String, Infallible> {
    Ok(text.strip_prefix("release/").unwrap_or(text).to_owned())
}

/// Reads `NAME` and `job/NAME`.
#[allow(clippy::unnecessary_wraps)] // clap's signature
pub fn job(text: &str) -> Result<String, Infallible> {
    Ok(text.strip_prefix("job/").unwrap_or(text).to_owned())
}
