//! Watching the job count, and the checker's judgement of what it has written.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::progress::say;
use crate::stage::Stage;
pub use crate::tally::State;
use crate::tally::{Expect, Tally};

/// How far each key must get while it is watched, in numbers: some checkpoints complete meanwhile.
const FURTHER: u64 = 60;
/// How long that may take.
const PATIENCE: Duration = Duration::from_mins(2);
/// The job's keys.
const KEYS: usize = 4;

/// The count, as far as it was watched.
pub struct Count<'a> {
    stage: &'a Stage<'a>,
    release: &'a str,
    /// The number that each key had got to when it was looked at last.
    position: BTreeMap<u32, u64>,
}

impl<'a> Count<'a> {
    pub fn new(stage: &'a Stage<'a>, release: &'a str) -> Self {
        Self { stage, release, position: BTreeMap::new() }
    }

    /// Shows the numbers that the job emits until each key has got further; fails where it does
    /// not.
    pub fn watch(&mut self, text: &str) -> Result<()> {
        self.stage.tell(text);
        let begun = Instant::now();
        let before = self.position.clone();
        let mut first: Option<BTreeMap<u32, u64>> = None;
        let mut shown = None;
        loop {
            let position = self.read(true)?.position();
            if shown.as_ref() != Some(&position) && !position.is_empty() {
                let keys: Vec<String> =
                    position.iter().map(|(key, at)| format!("key {key}: {at:>5}")).collect();
                say(format_args!("  {}", keys.join("   ")));
                shown = Some(position.clone());
            }
            // From where it was when it was looked at last, and from where it is now: it counts on
            // while it is watched.
            if first.is_none() && position.len() == KEYS {
                first = Some(position.clone());
            }
            let from = |key| {
                let at = |positions: &BTreeMap<u32, u64>| positions.get(key).copied().unwrap_or_default();
                first.as_ref().map_or(0, at).max(at(&before))
            };
            self.position = position;
            if first.is_some() && self.position.iter().all(|(key, at)| *at >= from(key) + FURTHER) {
                return Ok(());
            }
            if begun.elapsed() > PATIENCE {
                bail!("the job does not count on: from {before:?} it has got to {:?}", self.position);
            }
            std::thread::sleep(Duration::from_secs(1));
        }
    }

    /// The checker's line; fails where anything was lost or repeated.
    pub fn judge(&self, state: State) -> Result<String> {
        let verdict = self.read(state == State::Running)?.judge(state);
        say(format_args!("  {verdict}"));
        let differences = verdict.differences(state, &Expect { keys: KEYS, ..Expect::default() });
        if !differences.is_empty() {
            let runs: Vec<String> = verdict.runs.iter().map(|run| format!("\n  {run}")).collect();
            bail!("the tally is not clean: {}; the job's runs:{}", differences.join("; "), runs.concat());
        }
        Ok(format!("the {verdict}"))
    }

    fn read(&self, runs: bool) -> Result<Tally> {
        let folder = self.stage.tally(self.release, runs)?;
        Ok(Tally::read(&[Path::new(&folder)], self.release)?)
    }
}
