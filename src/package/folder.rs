//! Reading a package from a folder.

use std::collections::BTreeMap;
use std::path::Path;

use fs_err as fs;

use super::error::PackageError;
use crate::archive::{ArchiveError, Limits};

/// All files below `root`, by path with `/`. The limits are the archive's, so that what can be read
/// can be packed.
pub(super) fn read(root: &Path) -> Result<BTreeMap<String, Vec<u8>>, PackageError> {
    let mut reader = Reader { limits: Limits::default(), bytes: 0, files: BTreeMap::new() };
    reader.folder(root, "", 0)?;
    Ok(reader.files)
}

struct Reader {
    limits: Limits,
    bytes: u64,
    files: BTreeMap<String, Vec<u8>>,
}

impl Reader {
    fn folder(&mut self, folder: &Path, prefix: &str, depth: usize) -> Result<(), PackageError> {
        if depth > 32 {
            return Err(ArchiveError::TooDeep { path: prefix.to_owned() }.into());
        }
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let path = entry.path();
            let name = entry.file_name();
            let name = name.to_str().ok_or_else(|| PackageError::Name { path: path.clone() })?;
            if name.starts_with('.') {
                continue;
            }
            let inner = format!("{prefix}{name}");
            let kind = entry.file_type()?;
            if kind.is_symlink() {
                return Err(PackageError::NotAFile { path, kind: "a symbolic link" });
            } else if kind.is_dir() {
                self.folder(&path, &format!("{inner}/"), depth + 1)?;
            } else if kind.is_file() {
                self.file(&path, inner)?;
            } else {
                return Err(PackageError::NotAFile { path, kind: "a device, pipe or socket" });
            }
        }
        Ok(())
    }

    fn file(&mut self, path: &Path, inner: String) -> Result<(), PackageError> {
        self.bytes = self.bytes.saturating_add(fs::metadata(path)?.len());
        if self.bytes > self.limits.bytes {
            return Err(ArchiveError::TooLarge { limit: self.limits.bytes }.into());
        }
        if self.files.len() >= self.limits.entries {
            return Err(ArchiveError::TooManyEntries { limit: self.limits.entries }.into());
        }
        self.files.insert(inner, fs::read(path)?);
        Ok(())
    }
}
