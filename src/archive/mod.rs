//! The archive of a package: a gzipped tar with one root folder.
//!
//! Packing is reproducible. Unpacking happens in memory, never on the disk, and refuses by name
//! whatever could be an attack or a mistake: links, devices, absolute paths, `..`, duplicates, two
//! roots, bombs, bytes after the end.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read, Write};

use flate2::Compression;
use flate2::bufread::GzDecoder;
use flate2::write::GzEncoder;
use tar::EntryType;

/// How large an archive may become when it is unpacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The most files and folders.
    pub entries: usize,
    /// The most bytes of all files together. Jars travel in packages, so this is not small.
    pub bytes: u64,
    /// The most bytes that one compressed byte may become; counted from the first MiB on.
    pub ratio: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { entries: 10_000, bytes: 512 << 20, ratio: 200 }
    }
}

/// Why an archive is refused.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// Not a gzipped tar, or a broken one.
    #[error("not a readable package archive (.tgz): {source}")]
    Unreadable {
        #[from]
        source: io::Error,
    },
    /// A path that begins with `/` or a drive.
    #[error("refused: `{path}` is an absolute path, which could write outside the package")]
    Absolute { path: String },
    /// A path with `..`.
    #[error("refused: `{path}` has `..` in it, which could write outside the package")]
    Parent { path: String },
    /// A path with `.`, an empty part, a backslash or a control character.
    #[error("refused: {path:?} is not a plain path of names joined by `/`")]
    Path { path: String },
    /// A path that is not UTF-8.
    #[error("refused: an entry's name is not UTF-8: `{path}`")]
    Name {
        /// The path, with replacement characters.
        path: String,
    },
    /// A symbolic or hard link.
    #[error("refused: `{path}` is a link, which could point outside the package")]
    Link { path: String },
    /// A device, pipe, or another special entry.
    #[error(
        "refused: `{path}` is a device or another special file: only files and folders can be in a package"
    )]
    Special { path: String },
    /// The same path twice, or a file where a folder is.
    #[error("refused: `{path}` is in the archive twice, so that two readers could see different packages")]
    Duplicate { path: String },
    /// More than one folder at the top.
    #[error("refused: the archive has two folders at its top, `{first}` and `{second}`: one is expected")]
    TwoRoots { first: String, second: String },
    /// A file at the top, outside the one folder.
    #[error("refused: `{path}` is outside the package's folder")]
    OutsideRoot { path: String },
    #[error("refused: the archive is empty")]
    Empty,
    #[error("refused: more than {limit} files and folders")]
    TooManyEntries { limit: usize },
    /// Too large when unpacked.
    #[error("refused: larger than {} MiB unpacked", limit >> 20)]
    TooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    #[error("refused: it unpacks to more than {ratio} times its size, as a decompression bomb does")]
    Ratio { ratio: u64 },
    /// Folders in folders in folders.
    #[error("refused: `{path}` is nested too deep")]
    TooDeep { path: String },
    /// Bytes after the end of the compressed data.
    #[error("refused: {bytes} bytes follow the end of the archive")]
    TrailingBytes { bytes: usize },
    /// Data after the end of the tar, inside the compressed data.
    #[error("refused: data follows the end of the tar inside the archive")]
    TrailingData,
}

/// What was in an archive.
pub(super) struct Unpacked {
    /// The one folder at the top.
    pub(super) root: String,
    /// The files below it.
    pub(super) files: BTreeMap<String, Vec<u8>>,
}

/// A path inside a package: names joined by `/`, nothing that means another place.
pub(super) fn check_path(path: &str) -> Result<(), ArchiveError> {
    let owned = || path.to_owned();
    let drive = path.as_bytes().get(1) == Some(&b':') && path.as_bytes()[0].is_ascii_alphabetic();
    if path.starts_with(['/', '\\']) || drive {
        return Err(ArchiveError::Absolute { path: owned() });
    }
    if path.split(['/', '\\']).any(|part| part == "..") {
        return Err(ArchiveError::Parent { path: owned() });
    }
    let odd = |c: char| c == '\\' || c.is_control();
    if path.split('/').any(|part| part.is_empty() || part == ".") || path.contains(odd) {
        return Err(ArchiveError::Path { path: owned() });
    }
    if path.split('/').count() > 32 {
        return Err(ArchiveError::TooDeep { path: owned() });
    }
    Ok(())
}

/// The tar: entries in the order of their paths, no times, no owners.
pub(super) fn tar(root: &str, files: &BTreeMap<String, Vec<u8>>) -> Result<Vec<u8>, ArchiveError> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, content) in files {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(EntryType::Regular);
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_size(content.len() as u64);
        builder.append_data(&mut header, format!("{root}/{path}"), content.as_slice())?;
    }
    Ok(builder.into_inner()?)
}

/// One gzip member without a name or a time.
pub(super) fn gzip(tar: &[u8]) -> Result<Vec<u8>, ArchiveError> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(tar)?;
    Ok(encoder.finish()?)
}

pub(super) fn unpack(archive: &[u8], limits: &Limits) -> Result<Unpacked, ArchiveError> {
    let mut compressed = archive;
    let (files, roots, tail) = {
        let limited =
            Limited { inner: GzDecoder::new(&mut compressed), left: allowance(archive.len() as u64, limits) };
        let mut tar = tar::Archive::new(limited);
        let mut walk = Walk {
            limits,
            entries: 0,
            files: BTreeMap::new(),
            bytes: 0,
            folders: BTreeSet::new(),
            root: None,
        };
        for entry in tar.entries().map_err(|error| refusal(error, archive, limits))? {
            let mut entry = entry.map_err(|error| refusal(error, archive, limits))?;
            walk.entry(&mut entry).map_err(|error| match error {
                ArchiveError::Unreadable { source } => refusal(source, archive, limits),
                other => other,
            })?;
        }
        let Walk { files, root, .. } = walk;
        let mut rest = Vec::new();
        let mut limited = tar.into_inner();
        limited.read_to_end(&mut rest).map_err(|error| refusal(error, archive, limits))?;
        (files, root, rest)
    };
    if tail.iter().any(|byte| *byte != 0) {
        return Err(ArchiveError::TrailingData);
    }
    if !compressed.is_empty() {
        return Err(ArchiveError::TrailingBytes { bytes: compressed.len() });
    }
    if files.is_empty() {
        return Err(ArchiveError::Empty);
    }
    Ok(Unpacked { root: roots.unwrap_or_default(), files })
}

/// How many bytes of tar may come out: its files, its headers, and no more than the ratio allows.
fn allowance(compressed: u64, limits: &Limits) -> u64 {
    let headers = (limits.entries as u64).saturating_mul(2048).saturating_add(1 << 20);
    let by_ratio = compressed.saturating_mul(limits.ratio).max(1 << 20);
    limits.bytes.saturating_add(headers).min(by_ratio)
}

/// Which limit it was that ended the stream.
fn refusal(error: io::Error, archive: &[u8], limits: &Limits) -> ArchiveError {
    if error.get_ref().is_none_or(|inner| !inner.is::<Exhausted>()) {
        return ArchiveError::Unreadable { source: error };
    }
    let by_ratio = (archive.len() as u64).saturating_mul(limits.ratio).max(1 << 20);
    if by_ratio < limits.bytes {
        ArchiveError::Ratio { ratio: limits.ratio }
    } else {
        ArchiveError::TooLarge { limit: limits.bytes }
    }
}

struct Walk<'a> {
    limits: &'a Limits,
    entries: usize,
    files: BTreeMap<String, Vec<u8>>,
    /// Of all files so far.
    bytes: u64,
    folders: BTreeSet<String>,
    root: Option<String>,
}

impl Walk<'_> {
    fn entry<R: Read>(&mut self, entry: &mut tar::Entry<'_, R>) -> Result<(), ArchiveError> {
        self.entries += 1;
        if self.entries > self.limits.entries {
            return Err(ArchiveError::TooManyEntries { limit: self.limits.entries });
        }
        let kind = entry.header().entry_type();
        if matches!(kind, EntryType::XGlobalHeader) {
            return Ok(()); // git archive writes one; it holds no file
        }
        let bytes = entry.path_bytes();
        let path = String::from_utf8(bytes.to_vec())
            .map_err(|_| ArchiveError::Name { path: String::from_utf8_lossy(&bytes).into_owned() })?;
        match kind {
            EntryType::Regular | EntryType::Continuous | EntryType::Directory => {}
            EntryType::Link | EntryType::Symlink => return Err(ArchiveError::Link { path }),
            _ => return Err(ArchiveError::Special { path }),
        }
        let folder = kind == EntryType::Directory;
        let plain = if folder { path.strip_suffix('/').unwrap_or(&path) } else { &path };
        // Many tools write `./name`; only there, and only once, is the dot harmless.
        let plain = plain.strip_prefix("./").unwrap_or(plain);
        if folder && plain == "." {
            return Ok(());
        }
        check_path(plain)?;
        let inner = self.below_root(plain, folder)?;
        match inner {
            None => Ok(()),
            Some(inner) if folder => self.folder(inner),
            Some(inner) => self.file(inner, entry),
        }
    }

    /// The path below the root folder; none for the root itself.
    fn below_root(&mut self, path: &str, folder: bool) -> Result<Option<String>, ArchiveError> {
        let (root, inner) = match path.split_once('/') {
            Some((root, inner)) => (root, Some(inner.to_owned())),
            None if folder => (path, None),
            None => {
                return Err(ArchiveError::OutsideRoot { path: path.to_owned() });
            }
        };
        match &self.root {
            None => self.root = Some(root.to_owned()),
            Some(first) if first == root => {}
            Some(first) => {
                return Err(ArchiveError::TwoRoots { first: first.clone(), second: root.to_owned() });
            }
        }
        Ok(inner)
    }

    fn folder(&mut self, path: String) -> Result<(), ArchiveError> {
        if self.files.contains_key(&path) || self.folders.contains(&path) {
            return Err(ArchiveError::Duplicate { path });
        }
        self.folders.insert(path);
        Ok(())
    }

    fn file<R: Read>(&mut self, path: String, entry: &mut tar::Entry<'_, R>) -> Result<(), ArchiveError> {
        let below = format!("{path}/");
        let file_above = path.match_indices('/').any(|(end, _)| self.files.contains_key(&path[..end]));
        let is_folder = self.folders.contains(&path)
            || self.files.range(below.clone()..).next().is_some_and(|(next, _)| next.starts_with(&below));
        if self.files.contains_key(&path) || file_above || is_folder {
            return Err(ArchiveError::Duplicate { path });
        }
        self.bytes = self.bytes.saturating_add(entry.size());
        if self.bytes > self.limits.bytes {
            return Err(ArchiveError::TooLarge { limit: self.limits.bytes });
        }
        let mut content = Vec::new(); // not sized by the header, which may lie
        entry.read_to_end(&mut content)?;
        self.files.insert(path, content);
        Ok(())
    }
}

/// A reader that fails where its allowance ends.
struct Limited<R> {
    inner: R,
    left: u64,
}

#[derive(Debug, thiserror::Error)]
#[error("the allowance is used up")]
struct Exhausted;

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.left = self.left.checked_sub(read as u64).ok_or_else(|| io::Error::other(Exhausted))?;
        Ok(read)
    }
}
