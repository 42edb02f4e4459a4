//! What goes wrong at a transition, and how often each was tried.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// What happens to one transition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fault {
    /// The process dies before the request is sent.
    DiesBefore,
    /// It dies after the request has arrived, without the answer.
    DiesAfter,
    /// As `DiesAfter`, and the next run comes when Flink has forgotten what became of the request.
    DiesForLong,
    /// It is suspended between its last look and the sending, and goes on when another run has
    /// finished.
    Suspended,
    /// The request never arrives, and nobody knows.
    RequestLost,
    /// It arrives, and the answer is lost.
    AnswerLost,
    /// It arrives much later than the sender waits.
    Late,
    /// A proxy on the way waits in vain for the answer, sends the request once more, and hands on
    /// the answer to that.
    Repeated,
    /// The JobManager dies before the request arrives.
    RestartsBefore,
    /// It dies after it.
    RestartsAfter,
}

pub(super) const ALL: [Fault; 10] = [
    Fault::DiesBefore,
    Fault::DiesAfter,
    Fault::DiesForLong,
    Fault::Suspended,
    Fault::RequestLost,
    Fault::AnswerLost,
    Fault::Late,
    Fault::Repeated,
    Fault::RestartsBefore,
    Fault::RestartsAfter,
];

/// How often each fault met each transition.
#[derive(Default)]
pub(super) struct Visits(BTreeMap<(&'static str, Fault), u64>);

impl Visits {
    pub fn count(&mut self, transition: &'static str, fault: Fault) {
        *self.0.entry((transition, fault)).or_default() += 1;
    }

    pub fn add(&mut self, other: &Self) {
        for (key, count) in &other.0 {
            *self.0.entry(*key).or_default() += count;
        }
    }

    pub fn of(&self, transition: &'static str, fault: Fault) -> u64 {
        self.0.get(&(transition, fault)).copied().unwrap_or_default()
    }

    /// A line for each transition.
    pub fn table(&self, transitions: &[&'static str]) -> String {
        let mut text = format!("{:<18}", "");
        for fault in ALL {
            let _ = write!(text, "{:>15}", format!("{fault:?}"));
        }
        for transition in transitions {
            let _ = write!(text, "\n{transition:<18}");
            for fault in ALL {
                let _ = write!(text, "{:>15}", self.of(transition, fault));
            }
        }
        text
    }
}

/// A small generator of numbers (SplitMix64): the same seed gives the same histories everywhere.
#[derive(Clone)]
pub(super) struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Less than `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    pub fn one_of<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len() as u64) as usize]
    }
}
