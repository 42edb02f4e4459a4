//! The checker of the test job's tally: what happened to a job's state, told by the job's own
//! output.
//!
//! The job (`tests/job`) counts 0, 1, 2 … for each key. It writes every number down twice, below
//! one folder: *emitted* the moment it passes, outside of Flink's state, never taken back;
//! *committed* through an exactly-once file sink, of which only the finished files count. Each line
//! is `key seq count attempt unix-millis`; `count` comes out of keyed state and is `seq + 1` as
//! long as that state and the source's position stayed together.
//!
//! A test of state ends with [`assert_tally`], which prints the one line and holds it against what
//! the test expected. Standard library only, because the demo in `xtask` includes this file by its
//! path. It never talks to a cluster and changes nothing.
#![allow(dead_code, reason = "each user takes the part it needs")]
#![allow(clippy::disallowed_methods, reason = "fs_err is a dependency, and TallyError names the file")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

#[path = "tally/verdict.rs"]
mod verdict;

#[allow(unused_imports, reason = "each user takes the part it needs")]
pub use verdict::{ANY, Expect, NONE, Verdict, assert_tally};

/// One number as it was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The key it belongs to.
    pub key: u32,
    /// 0, 1, 2 … for each key.
    pub seq: u64,
    /// What the keyed state had counted, this number included.
    pub count: u64,
    /// The attempt of a subtask that emitted it.
    pub attempt: String,
    /// When, in Unix milliseconds.
    pub at: u64,
}

/// One start of the job: its first start, a restore, a fail-over inside Flink. All its subtasks
/// together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Run {
    /// Flink's id of the job, 32 hex digits.
    pub job: String,
    /// Flink's number of the attempt; it starts at 0 again with a new `JobManager`.
    pub number: u32,
    /// Number of the checkpoint or savepoint it was restored from.
    pub restored: Option<u64>,
    /// Version of the Flink that ran it.
    pub flink: String,
    /// How many subtasks emit.
    pub parallelism: u32,
    /// When its first subtask opened, in Unix milliseconds.
    pub opened: u64,
    /// The attempts of its subtasks, as in [`Line::attempt`].
    pub attempts: BTreeSet<String>,
    /// Numbers emitted.
    pub lines: u64,
    /// First and last number emitted, by key.
    pub span: BTreeMap<u32, (u64, u64)>,
    /// When the first and the last number were emitted, in Unix milliseconds.
    pub time: Option<(u64, u64)>,
    /// By key, where it began against where the latest earlier run with that key had ended: 0 is
    /// exactly there, -3 repeats three numbers, 2 skips two. The first run of a key has no entry.
    pub resumed: BTreeMap<u32, i64>,
}

impl Run {
    /// How many numbers it emitted that the run before it had emitted already.
    pub fn repeats(&self) -> u64 {
        self.resumed.values().filter(|step| **step < 0).map(|step| step.unsigned_abs()).sum()
    }

    /// Whether each key began exactly where it had ended (a key seen for the first time does).
    pub fn continues_exactly(&self) -> bool {
        self.resumed.values().all(|step| *step == 0)
    }

    /// Whether a key that had got further began again at number 0.
    pub fn begins_at_zero(&self) -> bool {
        self.resumed.iter().any(|(key, step)| *step < 0 && self.span[key].0 == 0)
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let from = self.restored.map_or("nothing".to_owned(), |id| format!("checkpoint {id}"));
        write!(f, "job {} attempt {}, Flink {}, restored from {from}:", self.job, self.number, self.flink)?;
        for (key, (first, last)) in &self.span {
            write!(f, " key {key} {first}–{last}")?;
            match self.resumed.get(key) {
                Some(step) if *step != 0 => write!(f, " ({step:+})")?,
                _ => {}
            }
        }
        if self.span.is_empty() { write!(f, " emitted nothing") } else { Ok(()) }
    }
}

/// Up to where *committed* is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The job runs: what is in an open transaction does not count as lost, only *emitted* is held
    /// to be whole.
    Running,
    /// The job finished by itself or was stopped with a savepoint: all that its last run emitted
    /// must be committed.
    Ended,
}

/// Why a tally cannot be read.
#[derive(Debug)]
pub enum TallyError {
    /// A folder or file cannot be read.
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A line is not one that the test job writes.
    Line {
        /// The file.
        path: PathBuf,
        /// The line's number, from 1.
        number: usize,
        /// The line.
        text: String,
    },
}

impl fmt::Display for TallyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { path, source } => write!(f, "cannot read the tally {}: {source}", path.display()),
            Self::Line { path, number, text } => {
                write!(f, "{}:{number}: not a line of the test job: {text:?}", path.display())
            }
        }
    }
}

impl std::error::Error for TallyError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            Self::Line { .. } => None,
        }
    }
}

/// What a job wrote down so far.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Everything emitted, by time.
    pub emitted: Vec<Line>,
    /// Everything in finished files.
    pub committed: Vec<Line>,
    /// The job's starts, by time.
    pub runs: Vec<Run>,
}

impl Tally {
    /// Reads what the job called `job` wrote below `folders` (the job's `--tally`, as seen from
    /// here; several where a job moved from one storage to another). A job that has not written yet
    /// has an empty tally.
    pub fn read(folders: &[&Path], job: &str) -> Result<Self, TallyError> {
        let mut tally = Self::default();
        let mut openings = Vec::new();
        for folder in folders {
            // Committed first: what is committed between the two reads was emitted before.
            let finished = |name: &str| name.starts_with("part-");
            for path in files(&folder.join("committed").join(job), finished)? {
                tally.committed.extend(parse(&path, &read(&path)?)?.1);
            }
            for path in files(&folder.join("emitted").join(job), |name| !name.starts_with('.'))? {
                let text = read(&path)?;
                // Up to the last whole line: the job may be writing.
                let (opening, lines) = parse(&path, &text[..text.rfind('\n').map_or(0, |at| at + 1)])?;
                match opening {
                    Some(opening) => openings.push(opening),
                    None if lines.is_empty() => {}
                    None => {
                        return Err(TallyError::Line {
                            path,
                            number: 1,
                            text: text.lines().take(1).collect(),
                        });
                    }
                }
                tally.emitted.extend(lines);
            }
        }
        tally.emitted.sort_by_key(|line| (line.at, line.key, line.seq));
        tally.runs = runs(openings, &tally.emitted);
        Ok(tally)
    }

    /// The number that each key has got to, in the latest run that had the key.
    pub fn position(&self) -> BTreeMap<u32, u64> {
        self.runs.iter().flat_map(|run| &run.span).map(|(key, (_, last))| (*key, *last)).collect()
    }
}

/// What a subtask's attempt says of itself in the first line of its file.
struct Opening {
    attempt: String,
    subtask: u32,
    run: Run,
}

/// Puts the attempts of subtasks together to the runs they belong to. A job's attempt number starts
/// again with a new `JobManager`, so what is restored tells runs apart too, and where even that is
/// the same, a subtask's second attempt does.
fn runs(mut openings: Vec<Opening>, by_time: &[Line]) -> Vec<Run> {
    openings.sort_by_key(|opening| opening.run.opened);
    let mut nth: BTreeMap<(String, u32, Option<u64>, u32), u32> = BTreeMap::new();
    let mut runs: BTreeMap<(String, u32, Option<u64>, u32), Run> = BTreeMap::new();
    for opening in openings {
        let run = opening.run;
        let same = |last| (run.job.clone(), run.number, run.restored, last);
        let n = nth.entry(same(opening.subtask)).or_default();
        *n += 1;
        runs.entry(same(*n)).or_insert(run).attempts.insert(opening.attempt);
    }
    let mut runs: Vec<Run> = runs.into_values().collect();
    runs.sort_by_key(|run| run.opened);
    let of: BTreeMap<String, usize> = runs
        .iter()
        .enumerate()
        .flat_map(|(i, run)| run.attempts.iter().map(move |a| (a.clone(), i)))
        .collect();
    for line in by_time {
        let Some(run) = of.get(&line.attempt).map(|i| &mut runs[*i]) else {
            continue;
        };
        run.lines += 1;
        run.time = Some((run.time.map_or(line.at, |(first, _)| first), line.at));
        let span = run.span.entry(line.key).or_insert((line.seq, line.seq));
        span.1 = span.1.max(line.seq);
    }
    let mut ended: BTreeMap<u32, u64> = BTreeMap::new();
    for run in &mut runs {
        for (key, (first, last)) in &run.span {
            if let Some(before) = ended.insert(*key, *last) {
                let step = i128::from(*first) - i128::from(before) - 1;
                run.resumed.insert(*key, i64::try_from(step).unwrap_or(i64::MAX));
            }
        }
    }
    runs
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> TallyError {
    let path = path.to_owned();
    move |source| TallyError::Io { path, source }
}

/// The files of a folder with such names; none where there is no folder yet.
fn files(folder: &Path, wanted: impl Fn(&str) -> bool) -> Result<Vec<PathBuf>, TallyError> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(io_error(folder))?,
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(io_error(folder))?.path();
        if path.file_name().and_then(|name| name.to_str()).is_some_and(&wanted) {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn read(path: &Path) -> Result<String, TallyError> {
    fs::read_to_string(path).map_err(io_error(path))
}

fn parse(path: &Path, text: &str) -> Result<(Option<Opening>, Vec<Line>), TallyError> {
    let mut opening = None;
    let mut lines = Vec::new();
    for (i, text) in text.lines().enumerate() {
        let parsed = match text.strip_prefix("# ") {
            Some(fields) => parse_opening(fields).map(|found| opening = Some(found)),
            None => parse_line(text).map(|line| lines.push(line)),
        };
        parsed.ok_or_else(|| TallyError::Line {
            path: path.to_owned(),
            number: i + 1,
            text: text.to_owned(),
        })?;
    }
    Ok((opening, lines))
}

fn parse_line(text: &str) -> Option<Line> {
    let fields: Vec<&str> = text.split(' ').collect();
    let [key, seq, count, attempt, at] = fields[..] else {
        return None;
    };
    Some(Line {
        key: key.parse().ok()?,
        seq: seq.parse().ok()?,
        count: count.parse().ok()?,
        attempt: attempt.to_owned(),
        at: at.parse().ok()?,
    })
}

fn parse_opening(text: &str) -> Option<Opening> {
    let fields: BTreeMap<&str, &str> = text.split(' ').filter_map(|field| field.split_once('=')).collect();
    let get = |name| fields.get(name).copied();
    let restored = match get("restored")? {
        "-" => None,
        id => Some(id.parse().ok()?),
    };
    let run = Run {
        job: get("job")?.to_owned(),
        number: get("number")?.parse().ok()?,
        restored,
        flink: get("flink")?.to_owned(),
        parallelism: get("of")?.parse().ok()?,
        opened: get("millis")?.parse().ok()?,
        ..Run::default()
    };
    Some(Opening { attempt: get("attempt")?.to_owned(), subtask: get("subtask")?.parse().ok()?, run })
}
