//! What a user sees while an operation goes on, on stderr: a line a step, and a line for each
//! reason to wait.
//!
//! A reason is said once in a step, when it is new: what is awaited changes every second while Pods
//! start, and most of it was said before.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};

use super::render::text::wrap;
use crate::progress::Progress;

/// A line to write.
pub enum Line {
    /// Talk.
    Talk(String),
    /// A warning.
    Warning(String),
}

/// The reasons that the present step has given so far.
#[derive(Default)]
pub struct Said(Mutex<BTreeSet<String>>);

impl Said {
    /// Returns what is to be written of a report of progress; `None` where it is not new.
    pub fn line(&self, progress: Progress) -> Option<Line> {
        match progress {
            Progress::Begun(step) => {
                self.clear();
                Some(Line::Talk(format!("→ {step}")))
            }
            Progress::Waiting { what: _, why, since } => {
                let news = self.news(since.as_secs(), &why);
                (!news.is_empty()).then(|| Line::Talk(news.trim_end().to_owned()))
            }
            Progress::Done(done) => Some(Line::Talk(format!("✓ {done}"))),
            Progress::Warning(warning) => Some(Line::Warning(warning)),
        }
    }

    fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The lines for reasons that are new: the seconds before the first, the others below it.
    fn news(&self, seconds: u64, why: &[String]) -> String {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = String::new();
        for reason in why.iter().flat_map(|reasons| reasons.split("; ")) {
            if !said.insert(reason.to_owned()) {
                continue;
            }
            let head = if text.is_empty() { format!("{seconds:>5} s  ") } else { " ".repeat(9) };
            let _ = writeln!(text, "{head}{}", wrap(reason, 71, "           "));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_said_once_in_a_step_and_fits_into_80_columns() {
        let said = Said::default();
        let pods = "Deployment/a: 0 of 1 Pods are ready; Pod a-x: is running, and not ready yet: Startup probe failed: \
                    dial tcp 10.244.0.2:6122: connect: connection refused"
            .to_owned();
        let first = said.news(3, &[pods.clone(), "the JobManager does not answer yet".to_owned()]);
        let expected = [
            "    3 s  Deployment/a: 0 of 1 Pods are ready",
            "         Pod a-x: is running, and not ready yet: Startup probe failed: dial tcp",
            "           10.244.0.2:6122: connect: connection refused",
            "         the JobManager does not answer yet",
        ];
        assert_eq!(first.lines().collect::<Vec<_>>(), expected);
        assert_eq!(said.news(4, std::slice::from_ref(&pods)), "");
        let next = said.news(105, &[pods.clone(), "0 of 1 TaskManagers have registered".to_owned()]);
        assert_eq!(next, "  105 s  0 of 1 TaskManagers have registered\n");
        said.clear();
        assert_ne!(said.news(1, &[pods]), "");
    }
}
