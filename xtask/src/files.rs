//! Files and folders, as every verb needs them.

use std::path::{Path, PathBuf};

use anyhow::Result;

/// Writes a file so that nobody ever sees half of it.
pub fn write_whole(path: &Path, content: impl AsRef<[u8]>) -> Result<()> {
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    fs_err::write(&partial, content)?;
    Ok(fs_err::rename(&partial, path)?)
}

/// The folders directly in a folder; none where it cannot be read (it may just have gone).
pub fn folders_in(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.path())
        .collect()
}
