//! Running other programs: with their output, or into a log that is shown when they fail, with a sign of life meanwhile.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::progress::{duration, say};

/// How often a long command gives a sign of life.
const SIGN_OF_LIFE: Duration = Duration::from_secs(20);
/// How many of a failed command's last lines are shown.
const LINES_SHOWN: usize = 25;

/// Runs a command and returns what it wrote to stdout; its stderr is part of the error.
pub fn output(command: &mut Command) -> Result<String> {
    let done =
        command.stdin(Stdio::null()).output().with_context(|| format!("cannot run {}", name(command)))?;
    if !done.status.success() {
        bail!("{} failed ({}): {}", line(command), done.status, String::from_utf8_lossy(&done.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&done.stdout).into_owned())
}

/// Whether a command ends well; what it says is dropped.
pub fn succeeds(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Runs a command whose output goes to the person.
pub fn shown(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot run {}", name(command)))?;
    if !status.success() {
        bail!("{} failed ({status})", line(command));
    }
    Ok(())
}

/// Runs a command that may take long, with the stdin that it was given and its output into `log`: a sign of life now and then, the log's end when it fails.
pub fn logged(command: &mut Command, log: &Path) -> Result<()> {
    let file = fs_err::File::create(log)?.into_parts().0;
    let mut child = command
        .stdout(file.try_clone()?)
        .stderr(file)
        .spawn()
        .with_context(|| format!("cannot run {}", name(command)))?;
    let begun = Instant::now();
    let mut last = begun;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if last.elapsed() >= SIGN_OF_LIFE {
            last = Instant::now();
            say(format_args!("    … {} so far", duration(begun.elapsed().as_secs())));
        }
        std::thread::sleep(Duration::from_millis(100));
    };
    if !status.success() {
        bail!("{} failed ({status}); the end of {}:\n{}", line(command), log.display(), tail(log));
    }
    Ok(())
}

/// The last lines of a log, for an error.
pub fn tail(log: &Path) -> String {
    let text =
        fs_err::read(log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LINES_SHOWN)..].join("\n")
}

/// Asks again until it is so.
pub fn wait_until(what: &str, limit: Duration, mut is_so: impl FnMut() -> bool) -> Result<()> {
    let begun = Instant::now();
    while !is_so() {
        if begun.elapsed() > limit {
            bail!("waited {} in vain for {what}", duration(limit.as_secs()));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

fn name(command: &Command) -> String {
    command.get_program().to_string_lossy().into_owned()
}

fn line(command: &Command) -> String {
    let words: Vec<_> = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| word.to_string_lossy())
        .collect();
    words.join(" ")
}
