//! What an operation tells while it goes on, and the request to end its waits. Data only: `cli`
//! decides how it looks.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::flink::Waiting;

/// Something that happened, or that is awaited.
#[derive(Clone, Debug)]
pub enum Progress {
    Begun(String),
    /// The step goes on; the reasons why it is not done yet.
    Waiting {
        what: String,
        /// Why it is not there yet, one reason an entry.
        why: Vec<String>,
        /// For how long so far.
        since: Duration,
    },
    /// The step is done; what came of it.
    Done(String),
    /// Something the user should know, though it goes on.
    Warning(String),
}

/// A listener.
pub trait Observer: Send + Sync {
    /// Takes one piece of news.
    fn progress(&self, progress: Progress);
}

impl<F: Fn(Progress) + Send + Sync> Observer for F {
    fn progress(&self, progress: Progress) {
        self(progress);
    }
}

/// A request to stop waiting (Ctrl-C). Steps that must finish do; waits end.
#[derive(Clone, Default)]
pub struct Cancellation(Arc<AtomicBool>);

impl Cancellation {
    /// Asks for it.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Returns whether it was asked for.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// Tells every so often, while a savepoint or an end is waited for, why it is not over.
pub(crate) fn ticker(what: String, every: Duration, tell: impl Fn(Progress)) -> impl FnMut(&Waiting) {
    let mut told = Duration::ZERO;
    move |waiting: &Waiting| {
        if waiting.elapsed >= told + every {
            told = waiting.elapsed;
            let why = vec![waiting.to_string()];
            tell(Progress::Waiting { what: what.clone(), why, since: waiting.elapsed });
        }
    }
}
