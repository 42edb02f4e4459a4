//! Files that flags name.

use std::path::Path;

use crate::cli::error::CommandError;
use crate::failure::Cause;

/// Reads a file that the user names.
pub fn read(path: &Path) -> Result<Vec<u8>, CommandError> {
    Ok(fs_err::read(path).map_err(|source| Cause::File { path: path.to_owned(), source })?)
}
