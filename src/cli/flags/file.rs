//! Files that flags name.

use std::path::Path;

use crate::cli::error::CommandError;
use crate::failure::Cause;

/// Reads a file that the user names.
pub fn read(path: &Path) -> Result<Vec<u8>, CommandError> {
    Ok(fs_err::read(path).map_err(|source| Cause::File { path: path.to_owned(), source })?)
}

/// Reads a jar that the user names.
pub fn jar(path: &Path) -> Result<Vec<u8>, CommandError> {
    let jar = read(path)?;
    // A zip's first entry: what an empty one, or another file, does not begin with.
    if jar.starts_with(b"PK\x03\x04") {
        Ok(jar)
    } else {
        Err(CommandError::usage(format!("{} is not a jar", path.display())))
    }
}
