//! The user's cache folder: what takes long to make, kept under a hash of everything it is made
//! from.
//!
//! An entry is either whole or not there: it is built in a temporary folder beside it and renamed.
//! Two builders of the same entry wait for each other. Entries that nobody used for [`KEPT_FOR`]
//! are removed when a new one of their kind is made.

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result, bail};
use sha2::{Digest as _, Sha256};

use crate::command::logged;
use crate::files::folders_in;
use crate::progress::step;

/// How long an entry that is not used stays.
const KEPT_FOR: Duration = Duration::from_hours(14 * 24);

/// The cache folder of this user.
#[derive(Clone, Debug)]
pub struct Cache {
    root: PathBuf,
}

impl Cache {
    /// `$XDG_CACHE_HOME/kubectl-flink`, or `~/.cache/kubectl-flink`; made where it is missing.
    pub fn open() -> Result<Self> {
        let root = folder(std::env::var_os("XDG_CACHE_HOME"), std::env::var_os("HOME"))?;
        fs_err::create_dir_all(&root)?;
        // Mounts and processes are recognised by their paths, which the kernel gives without
        // symbolic links.
        Ok(Self { root: fs_err::canonicalize(root)? })
    }

    /// The folder that a named thing other than an entry lives in, which is made where it is
    /// missing.
    pub fn folder(&self, name: &str) -> Result<PathBuf> {
        let folder = self.root.join(name);
        fs_err::create_dir_all(&folder)?;
        Ok(folder)
    }

    /// The folder of the entry `kind` made from `inputs`; `build` makes it when it is not there.
    pub fn entry(
        &self,
        kind: &str,
        what: &str,
        inputs: Inputs,
        build: impl FnOnce(&Building) -> Result<()>,
    ) -> Result<PathBuf> {
        let builds = self.folder("builds")?;
        let name = format!("{kind}-{}", inputs.key());
        let entry = builds.join(&name);
        let lock = lock(&builds.join(format!("{name}.lock")))?;
        if entry.is_dir() {
            touch(&entry)?;
            return Ok(entry);
        }
        let out = builds.join(format!("{name}.partial"));
        remove(&out)?; // of a run that was killed
        fs_err::create_dir_all(&out)?;
        let log = self.folder("logs")?.join(format!("{kind}.log"));
        step(what, || build(&Building { what: what.to_owned(), out: out.clone(), log, lock }))?;
        fs_err::rename(&out, &entry)?;
        self.prune(kind)?;
        Ok(entry)
    }

    /// Returns whether an entry of that kind was ever made and kept, whatever it was made from.
    pub fn has_any(&self, kind: &str) -> bool {
        let prefix = format!("{kind}-");
        let is_of_kind = |folder: &PathBuf| {
            let name = folder.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with(&prefix) && !name.ends_with(".partial")
        };
        folders_in(&self.root.join("builds")).iter().any(is_of_kind)
    }

    fn prune(&self, kind: &str) -> Result<()> {
        let prefix = format!("{kind}-");
        for folder in folders_in(&self.folder("builds")?) {
            let is_of_kind =
                folder.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&prefix));
            let age = fs_err::metadata(&folder)?.modified()?.elapsed().unwrap_or_default();
            if is_of_kind && age > KEPT_FOR {
                remove(&folder)?;
            }
        }
        Ok(())
    }
}

/// An entry that is being built.
pub struct Building {
    /// What is built, in words.
    what: String,
    /// The folder that is to become the entry.
    pub out: PathBuf,
    log: PathBuf,
    lock: File,
}

impl Building {
    /// Runs a program that makes (a part of) the entry, its output into a log.
    ///
    /// Its stdin is the lock's empty file: when this process is killed, the program and all that it
    /// started go on, and the lock is held until the last of them has ended. So nobody begins anew
    /// in a folder that is still being written.
    pub fn run(&self, command: &mut Command) -> Result<()> {
        logged(&self.what, command.stdin(self.lock.try_clone()?), &self.log)
    }
}

fn folder(xdg: Option<OsString>, home: Option<OsString>) -> Result<PathBuf> {
    // The specification: a relative path there is to be ignored.
    let cache = match xdg.map(PathBuf::from).filter(|path| path.is_absolute()) {
        Some(path) => path,
        None => {
            PathBuf::from(home.context("neither XDG_CACHE_HOME nor HOME is set: no place for the cache")?)
                .join(".cache")
        }
    };
    Ok(cache.join("kubectl-flink"))
}

/// Holds an exclusive lock on a file until it is dropped, by this process and by all that it was
/// given to.
pub fn lock(path: &Path) -> Result<File> {
    let file = std::fs::OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(path)
        .with_context(|| format!("cannot open the lock {}", path.display()))?;
    if file.try_lock().is_err() {
        crate::progress::say(format_args!("waiting for another run that holds {}", path.display()));
        file.lock().with_context(|| format!("cannot lock {}", path.display()))?;
    }
    Ok(file)
}

/// Removes a folder or a file, if it is there.
pub fn remove(path: &Path) -> Result<()> {
    match fs_err::symlink_metadata(path) {
        Ok(found) if found.is_dir() => Ok(fs_err::remove_dir_all(path)?),
        Ok(_) => Ok(fs_err::remove_file(path)?),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn touch(entry: &Path) -> Result<()> {
    Ok(fs_err::File::open(entry)?.file().set_modified(SystemTime::now())?)
}

/// Everything an entry is made from, as a hash.
#[derive(Clone)]
pub struct Inputs(Sha256);

impl Inputs {
    pub fn new() -> Self {
        Self(Sha256::new())
    }

    /// A word that matters: a version, the key of another entry.
    pub fn word(mut self, word: impl AsRef<[u8]>) -> Self {
        self.add(word.as_ref());
        self
    }

    /// A file, or a folder with everything below it: names, contents and whether they can be
    /// executed.
    pub fn path(mut self, path: &Path) -> Result<Self> {
        self.add_path(path, Path::new(""))?;
        Ok(self)
    }

    fn add_path(&mut self, path: &Path, name: &Path) -> Result<()> {
        use std::os::unix::fs::PermissionsExt as _;
        let metadata = fs_err::metadata(path)?;
        if metadata.is_dir() {
            let mut names: Vec<OsString> = Vec::new();
            for entry in fs_err::read_dir(path)? {
                names.push(entry?.file_name());
            }
            names.sort();
            for child in names {
                self.add_path(&path.join(&child), &name.join(&child))?;
            }
        } else if metadata.is_file() {
            self.add(name.as_os_str().as_encoded_bytes());
            self.add(if metadata.permissions().mode() & 0o100 == 0 { b"file" } else { b"program" });
            self.add(&fs_err::read(path)?);
        } else {
            bail!("{} is neither a file nor a folder", path.display());
        }
        Ok(())
    }

    /// With its length first, so that no two different lists of inputs read the same.
    fn add(&mut self, bytes: &[u8]) {
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }

    /// The hash so far, short enough for a file name.
    pub fn key(&self) -> String {
        hex(&self.0.clone().finalize())[..16].to_owned()
    }
}

/// Bytes as lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}"); // into a String: cannot fail
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_folder_follows_the_xdg_specification() {
        let of =
            |xdg: Option<&str>, home: Option<&str>| folder(xdg.map(Into::into), home.map(Into::into)).ok();
        assert_eq!(of(Some("/x"), Some("/home/a")), Some("/x/kubectl-flink".into()));
        assert_eq!(of(None, Some("/home/a")), Some("/home/a/.cache/kubectl-flink".into()));
        assert_eq!(of(Some("relative"), Some("/home/a")), Some("/home/a/.cache/kubectl-flink".into()));
        assert_eq!(of(None, None), None);
    }

    #[test]
    fn the_key_tells_inputs_apart() {
        let key = |words: &[&str]| words.iter().fold(Inputs::new(), Inputs::word).key();
        assert_eq!(key(&["a", "b"]), key(&["a", "b"]));
        assert_ne!(key(&["a", "b"]), key(&["ab"]));
        assert_ne!(key(&["a", "b"]), key(&["b", "a"]));
    }

    #[test]
    fn the_key_of_a_folder_follows_names_and_contents() {
        let folder = tempfile::tempdir().unwrap();
        let key = || Inputs::new().path(folder.path()).unwrap().key();
        fs_err::write(folder.path().join("a"), "1").unwrap();
        let first = key();
        assert_eq!(first, key());
        fs_err::write(folder.path().join("a"), "2").unwrap();
        let second = key();
        assert_ne!(first, second);
        fs_err::rename(folder.path().join("a"), folder.path().join("b")).unwrap();
        assert_ne!(second, key());
    }

    #[test]
    fn an_entry_is_built_once_and_a_failed_build_leaves_none() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache { root: folder.path().to_owned() };
        let inputs = || Inputs::new().word("x");
        assert!(cache.entry("t", "a build that fails", inputs(), |_| bail!("no")).is_err());
        assert!(!cache.has_any("t"));
        let made = cache
            .entry("t", "a build", inputs(), |building| Ok(fs_err::write(building.out.join("f"), "1")?))
            .unwrap();
        let again = cache.entry("t", "never done", inputs(), |_| bail!("built twice")).unwrap();
        assert_eq!(made, again);
        assert!(cache.has_any("t") && !cache.has_any("u"));
        assert_eq!(fs_err::read_to_string(again.join("f")).unwrap(), "1");
    }

    #[test]
    fn a_build_that_outlives_its_builder_keeps_the_next_one_out() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let building = Building {
            what: "a build".to_owned(),
            out: folder.path().to_owned(),
            log: folder.path().join("log"),
            lock: lock(&path).unwrap(),
        };
        let marker = folder.path().join("go");
        // Ends at once, and leaves a child behind that waits for the marker. (Bash takes stdin from
        // what it puts in the background, unless told not to.)
        let script =
            format!("(while [ ! -e {} ]; do sleep 0.01; done) <&0 >/dev/null 2>&1 &", marker.display());
        building.run(Command::new("bash").args(["-c", &script])).unwrap();
        drop(building);
        assert!(File::open(&path).unwrap().try_lock().is_err());
        fs_err::write(&marker, "").unwrap();
        lock(&path).unwrap();
    }
}
