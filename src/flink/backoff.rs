//! Pauses between looks at Flink: short at first, so that a move of a fraction of a second is seen
//! as such, then longer, because a `JobManager` with half a CPU gets slower by being asked every
//! 100 ms.

use std::time::Duration;

/// Pauses that grow by half from 100 ms to 1 s.
#[derive(Debug, Clone)]
pub struct Backoff {
    next: Duration,
    max: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { next: Duration::from_millis(100), max: Duration::from_secs(1) }
    }
}

impl Backoff {
    /// The next pause.
    pub fn pause(&mut self) -> Duration {
        let pause = self.next;
        self.next = (self.next * 3 / 2).min(self.max);
        pause
    }

    /// Waits for the next pause.
    pub async fn wait(&mut self) {
        tokio::time::sleep(self.pause()).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_to_a_second_and_stays_there() {
        let mut backoff = Backoff::default();
        assert_eq!(backoff.pause(), Duration::from_millis(100));
        assert_eq!(backoff.pause(), Duration::from_millis(150));
        for _ in 0..10 {
            backoff.pause();
        }
        assert_eq!(backoff.pause(), Duration::from_secs(1));
    }
}
