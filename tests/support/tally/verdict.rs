//! What a tally shows, and whether a test expected it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};
use std::ops::RangeInclusive;
use std::path::Path;

use super::{Line, Run, State, Tally};

impl Tally {
    /// The longest that any one key was silent between two of its numbers, the second of them after
    /// `since` (Unix milliseconds), in milliseconds.
    pub fn largest_gap(&self, since: u64) -> u64 {
        gaps(&self.emitted).filter(|(at, _)| *at > since).map(|(_, gap)| gap).max().unwrap_or(0)
    }

    /// The median time between two moments at which a key emits, in milliseconds.
    pub fn usual_gap(&self) -> u64 {
        let mut gaps: Vec<u64> = gaps(&self.emitted).map(|(_, gap)| gap).filter(|gap| *gap > 0).collect();
        gaps.sort_unstable();
        gaps.get(gaps.len() / 2).copied().unwrap_or(0)
    }

    /// Counts what was lost and repeated.
    pub fn judge(&self, state: State) -> Verdict {
        let emitted = Occurrences::of(&self.emitted);
        let committed = Occurrences::of(&self.committed);
        // What was committed was emitted first.
        let mut lost: BTreeSet<_> =
            committed.0.keys().filter(|number| !emitted.0.contains_key(number)).copied().collect();
        let ends = match state {
            State::Ended => self.position(),
            State::Running => emitted.0.iter().map(|((key, seq), _)| (*key, *seq)).collect(), // sorted: the last one stays
        };
        for (key, end) in ends {
            for number in (0..=end).map(|seq| (key, seq)) {
                let uncommitted = state == State::Ended && !committed.0.contains_key(&number);
                if uncommitted || !emitted.0.contains_key(&number) {
                    lost.insert(number);
                }
            }
        }
        let miscounted = self.emitted.iter().chain(&self.committed).filter(|line| line.count != line.seq + 1);
        Verdict {
            emitted: self.emitted.len() as u64,
            committed: self.committed.len() as u64,
            lost,
            repeated_emitted: emitted.repeated(),
            repeated_committed: committed.repeated(),
            largest_gap_ms: self.largest_gap(0),
            miscounted: miscounted.map(|line| (line.key, line.seq)).collect(),
            keys: emitted.0.keys().map(|(key, _)| key).collect::<BTreeSet<_>>().len(),
            runs: self.runs.clone(),
        }
    }
}

/// How often each number of each key is there.
struct Occurrences(BTreeMap<(u32, u64), u64>);

impl Occurrences {
    fn of(lines: &[Line]) -> Self {
        let mut times = BTreeMap::new();
        for line in lines {
            *times.entry((line.key, line.seq)).or_default() += 1;
        }
        Self(times)
    }

    fn repeated(&self) -> BTreeMap<(u32, u64), u64> {
        self.0.iter().filter(|(_, times)| **times > 1).map(|(number, times)| (*number, times - 1)).collect()
    }
}

/// For how long each key was silent before each of its numbers but the first, in milliseconds, with
/// when that ended.
fn gaps(by_time: &[Line]) -> impl Iterator<Item = (u64, u64)> {
    let mut latest: BTreeMap<u32, u64> = BTreeMap::new();
    by_time
        .iter()
        .filter_map(move |line| latest.insert(line.key, line.at).map(|before| (line.at, line.at - before)))
}

/// What a tally shows. Its `Display` is the one line that each test of state ends with.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// Numbers emitted, repeated ones counted each time.
    pub emitted: u64,
    /// Numbers committed, repeated ones counted each time.
    pub committed: u64,
    /// Numbers (key, seq) up to the last one that are missing in *emitted*, or (once the job has
    /// ended) in *committed*.
    pub lost: BTreeSet<(u32, u64)>,
    /// Numbers emitted more than once, with how often too often.
    pub repeated_emitted: BTreeMap<(u32, u64), u64>,
    /// Numbers committed more than once, with how often too often.
    pub repeated_committed: BTreeMap<(u32, u64), u64>,
    /// The longest that any one key was silent, in milliseconds.
    pub largest_gap_ms: u64,
    /// Numbers whose count is not the number plus one: the keyed state was lost, the source's
    /// position was not.
    pub miscounted: BTreeSet<(u32, u64)>,
    /// Keys that emitted at all.
    pub keys: usize,
    /// The job's starts, by time.
    pub runs: Vec<Run>,
}

impl Verdict {
    /// What differs from `expected`, a sentence each; nothing when all is as expected.
    pub fn differences(&self, state: State, expected: &Expect) -> Vec<String> {
        let mut found = Vec::new();
        let mut hold = |what: &str, seen: u64, range: &RangeInclusive<u64>, which: String| {
            if !range.contains(&seen) {
                let (low, high) = (range.start(), range.end());
                let wanted = match (low, high) {
                    (low, high) if low == high => format!("{low}"),
                    (0, high) => format!("at most {high}"),
                    (low, &u64::MAX) => format!("at least {low}"),
                    (low, high) => format!("{low} to {high}"),
                };
                found.push(format!("{what}: {seen}, expected {wanted}{which}"));
            }
        };
        let lost = self.lost.len() as u64;
        hold("lost", lost, &expected.lost, spans(self.lost.iter()));
        let repeated = &self.repeated_emitted;
        hold(
            "repeated (emitted)",
            repeated.values().sum(),
            &expected.repeated_emitted,
            spans(repeated.keys()),
        );
        let repeated = &self.repeated_committed;
        hold(
            "repeated (committed)",
            repeated.values().sum(),
            &expected.repeated_committed,
            spans(repeated.keys()),
        );
        let miscounted = self.miscounted.len() as u64;
        hold("miscounted", miscounted, &expected.miscounted, spans(self.miscounted.iter()));
        hold("largest gap (ms)", self.largest_gap_ms, &expected.largest_gap_ms, String::new());
        hold("runs", self.runs.len() as u64, &expected.runs, String::new());
        // Nothing is lost or repeated where nothing was written: that would prove nothing.
        let keys = expected.keys as u64;
        hold("keys that emitted", self.keys as u64, &(keys..=keys), String::new());
        if state == State::Ended {
            hold("committed", self.committed, &(1..=u64::MAX), String::new());
        }
        let again = self.runs.iter().any(Run::begins_at_zero);
        if again != expected.restarts_from_zero {
            found.push(format!("{} run began again at number 0", if again { "a" } else { "no" }));
        }
        found
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "tally: emitted {} committed {}, lost {}, repeated (emitted) {}, repeated (committed) {}, largest gap {} ms",
            self.emitted,
            self.committed,
            self.lost.len(),
            self.repeated_emitted.values().sum::<u64>(),
            self.repeated_committed.values().sum::<u64>(),
            self.largest_gap_ms
        )?;
        if self.miscounted.is_empty() { Ok(()) } else { write!(f, ", miscounted {}", self.miscounted.len()) }
    }
}

/// No bound: whatever is seen is right.
pub const ANY: RangeInclusive<u64> = 0..=u64::MAX;
/// Exactly none.
pub const NONE: RangeInclusive<u64> = 0..=0;

/// What a test expects; by default a clean move: nothing lost, nothing repeated, no count gone.
#[derive(Clone, Debug)]
pub struct Expect {
    /// Numbers missing.
    pub lost: RangeInclusive<u64>,
    /// Numbers emitted again.
    pub repeated_emitted: RangeInclusive<u64>,
    /// Numbers committed again.
    pub repeated_committed: RangeInclusive<u64>,
    /// Numbers whose count shows that keyed state was lost.
    pub miscounted: RangeInclusive<u64>,
    /// The longest silence of a key, in milliseconds.
    pub largest_gap_ms: RangeInclusive<u64>,
    /// Starts of the job, fail-overs included.
    pub runs: RangeInclusive<u64>,
    /// Whether some run began again at number 0 though its key had got further.
    pub restarts_from_zero: bool,
    /// How many keys the job has (its `--keys`).
    pub keys: usize,
}

impl Default for Expect {
    fn default() -> Self {
        Self {
            lost: NONE,
            repeated_emitted: NONE,
            repeated_committed: NONE,
            miscounted: NONE,
            largest_gap_ms: ANY,
            runs: ANY,
            restarts_from_zero: false,
            keys: 4,
        }
    }
}

/// Reads the tally of `job` below `folders`, prints its line and panics, with all that tells why,
/// where it is not as expected. Every test of state ends with it.
#[track_caller]
pub fn assert_tally(folders: &[&Path], job: &str, state: State, expected: &Expect) -> Verdict {
    let verdict = match Tally::read(folders, job) {
        Ok(tally) => tally.judge(state),
        Err(error) => panic!("{error}"),
    };
    let differences = verdict.differences(state, expected);
    let mut message = format!("{verdict}\n{}\nruns of {job}:", differences.join("\n"));
    for run in &verdict.runs {
        let _ = write!(message, "\n  {run}"); // into a String: cannot fail
    }
    assert!(differences.is_empty(), "{message}");
    #[allow(clippy::print_stdout, reason = "the line is for whoever reads the tests' output")]
    {
        println!("{verdict}");
    }
    verdict
}

/// " (key 0 3–7, key 0 9–9, key 1 …)", the first few.
fn spans<'a>(numbers: impl Iterator<Item = &'a (u32, u64)>) -> String {
    let mut spans: Vec<(u32, u64, u64)> = Vec::new();
    for (key, seq) in numbers {
        match spans.last_mut() {
            Some((k, _, end)) if k == key && *end + 1 == *seq => *end = *seq,
            _ => spans.push((*key, *seq, *seq)),
        }
    }
    let shown: Vec<String> = spans.iter().take(8).map(|(key, a, b)| format!("key {key} {a}–{b}")).collect();
    match spans.len() {
        0 => String::new(),
        1..=8 => format!(" ({})", shown.join(", ")),
        more => format!(" ({}, and {} more spans)", shown.join(", "), more - 8),
    }
}
