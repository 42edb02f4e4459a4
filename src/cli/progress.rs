//! What the user sees while an operation goes on, on stderr: a line a step, and a line for each reason to wait.

use super::Output;
use crate::progress::Progress;

impl crate::progress::Observer for Output {
    fn progress(&self, progress: Progress) {
        match progress {
            Progress::Begun(step) => {
                self.said.clear();
                self.talk(&format!("→ {step}"));
            }
            Progress::Waiting { what: _, why, since } => {
                let news = self.said.news(since.as_secs(), &why);
                if !news.is_empty() {
                    self.talk(news.trim_end());
                }
            }
            Progress::Done(done) => self.talk(&format!("✓ {done}")),
            Progress::Warning(warning) => self.warn(&warning),
        }
    }
}
