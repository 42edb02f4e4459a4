//! Processes that outlive the run that started them: recognised before they are touched.
//!
//! A process is known by its id, when it started and in which boot, never by its id alone (ids are
//! given out again) nor by its name (somebody else's may have the same). A signal goes to the
//! process that was looked at: by a pidfd.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::files::{folders_in, write_whole};

/// One process, this one and none that gets its id later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pid: u32,
    /// Clock ticks from boot to the process's start (`/proc/PID/stat`, field 22).
    started: u64,
    boot: String,
}

impl Identity {
    /// The process that has this id now. None where there is none, or where it has ended and only
    /// waits to be collected.
    pub fn of(pid: u32) -> Option<Self> {
        let started = started(&fs_err::read_to_string(format!("/proc/{pid}/stat")).ok()?)?;
        Some(Self { pid, started, boot: boot()? })
    }

    /// The process written down in a file, whether it still lives or not.
    pub fn read(path: &Path) -> Option<Self> {
        let text = fs_err::read_to_string(path).ok()?;
        let mut words = text.split_whitespace();
        Some(Self {
            pid: words.next()?.parse().ok()?,
            started: words.next()?.parse().ok()?,
            boot: words.next()?.to_owned(),
        })
    }

    pub fn write(&self, path: &Path) -> Result<()> {
        write_whole(path, format!("{} {} {}\n", self.pid, self.started, self.boot))
    }

    pub fn pid(&self) -> u32 {
        self.pid
    }

    pub fn lives(&self) -> bool {
        Self::of(self.pid).as_ref() == Some(self)
    }

    /// Sends a signal to exactly this process; nothing happens where it has ended.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let Some(pid) = i32::try_from(self.pid).ok().and_then(Pid::from_raw) else {
            return Ok(());
        };
        let Ok(process) = pidfd_open(pid, PidfdFlags::empty()) else {
            return Ok(());
        };
        if !self.lives() {
            return Ok(()); // looked at after the pidfd was opened: what lives now is what the pidfd means
        }
        match pidfd_send_signal(process, signal) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
            Err(error) => Err(error).with_context(|| format!("cannot end process {}", self.pid)),
        }
    }

    /// Ends it, and waits until it has ended: with `first`, and with KILL where that was not enough
    /// in time.
    pub fn end(&self, first: Signal, patience: Duration) -> Result<()> {
        self.signal(first)?;
        if !self.gone_within(patience) {
            self.signal(Signal::KILL)?;
            self.gone_within(Duration::from_secs(5));
        }
        Ok(())
    }

    fn gone_within(&self, patience: Duration) -> bool {
        let begun = Instant::now();
        while self.lives() {
            if begun.elapsed() > patience {
                return false;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        true
    }
}

/// Every process in the network namespace that this file is mounted from.
pub fn in_network_namespace(file: &Path) -> Vec<Identity> {
    let Ok(namespace) = fs_err::metadata(file) else {
        return Vec::new();
    };
    let same = |path: PathBuf| {
        std::fs::metadata(path)
            .is_ok_and(|found| (found.dev(), found.ino()) == (namespace.dev(), namespace.ino()))
    };
    all()
        .into_iter()
        .filter(|pid| same(format!("/proc/{pid}/ns/net").into()))
        .filter_map(Identity::of)
        .collect()
}

/// Whether this very process is in the network namespace that this file is mounted from.
pub fn am_in_network_namespace(file: &Path) -> bool {
    let me = std::process::id();
    in_network_namespace(file).iter().any(|process| process.pid == me)
}

/// Every process in a control group or below it.
pub fn in_cgroup(folder: &Path) -> Vec<Identity> {
    let mut found: Vec<Identity> = fs_err::read_to_string(folder.join("cgroup.procs"))
        .unwrap_or_default()
        .lines()
        .filter_map(|line| line.parse().ok())
        .filter_map(Identity::of)
        .collect();
    for child in folders_in(folder) {
        found.extend(in_cgroup(&child));
    }
    found
}

fn all() -> Vec<u32> {
    folders_in(Path::new("/proc"))
        .iter()
        .filter_map(|path| path.file_name()?.to_str()?.parse().ok())
        .collect()
}

/// When a process started, from its `/proc/PID/stat`; none for one that has ended.
fn started(stat: &str) -> Option<u64> {
    // The second field is the program's name in parentheses, which may itself hold blanks and
    // parentheses.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    if matches!(*fields.first()?, "Z" | "X") {
        return None;
    }
    fields.get(19)?.parse().ok()
}

fn boot() -> Option<String> {
    Some(fs_err::read_to_string("/proc/sys/kernel/random/boot_id").ok()?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_is_found_behind_any_name_and_an_ended_process_has_none() {
        let stat = |name: &str, state: &str| {
            format!("7 ({name}) {state} 1 7 7 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 1 0 12345 8192 100")
        };
        assert_eq!(started(&stat("sleep", "S")), Some(12345));
        assert_eq!(started(&stat("a) S (b", "S")), Some(12345));
        assert_eq!(started(&stat("sleep", "Z")), None);
        assert_eq!(started("nonsense"), None);
    }

    #[test]
    fn a_process_is_itself_and_not_the_next_one_with_its_id() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pid");
        let me = Identity::of(std::process::id()).unwrap();
        me.write(&file).unwrap();
        let read = Identity::read(&file).unwrap();
        assert_eq!(read, me);
        assert!(read.lives());
        assert!(!Identity { started: me.started + 1, ..me.clone() }.lives());
        assert!(!Identity { boot: "another".into(), ..me }.lives());
    }

    #[test]
    fn a_child_is_ended_and_a_stranger_with_its_id_is_not() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let identity = Identity::of(child.id()).unwrap();
        Identity { started: identity.started + 1, ..identity.clone() }.signal(Signal::KILL).unwrap();
        assert!(identity.lives());
        identity.end(Signal::TERM, Duration::from_secs(5)).unwrap();
        assert!(!identity.lives());
        child.wait().unwrap();
    }
}
