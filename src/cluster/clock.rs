//! Time that goes on while the machine sleeps.
//!
//! `Instant` stands still during a suspend, so a lock held by a laptop that slept would look valid
//! to it for as long as it slept. Everything that must end by a certain time on other machines is
//! counted with this clock.

use jiff::Timestamp;
use std::time::Duration;

/// A moment since the machine was started, sleep included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(Duration);

impl Moment {
    /// Now. `CLOCK_BOOTTIME` on Linux; elsewhere the monotonic clock that comes nearest to it.
    pub fn now() -> Self {
        Self(now())
    }

    /// The time from `earlier` to this moment; zero where `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }

    /// This moment and `duration` more.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration))
    }
}

#[cfg(unix)]
fn now() -> Duration {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let clock = rustix::time::ClockId::Boottime;
    // On macOS the monotonic clock itself goes on during sleep.
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let clock = rustix::time::ClockId::Monotonic;
    let time = rustix::time::clock_gettime(clock);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

#[cfg(not(unix))]
fn now() -> Duration {
    // Windows counts sleep in `Instant`.
    static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    START.get_or_init(std::time::Instant::now).elapsed()
}

/// The API server's clock, as its answers show it: what two machines that share a lock can agree
/// on.
///
/// The `Date` header has a resolution of one second, so two readings differ by up to two.
#[derive(Clone, Copy, Debug)]
pub struct ServerClock {
    at: Moment,
    date: Timestamp,
}

impl ServerClock {
    /// Set by an answer that said `date` when it arrived at the moment `at`.
    pub fn new(at: Moment, date: Timestamp) -> Self {
        Self { at, date }
    }

    /// The server's time now.
    pub fn now(&self) -> Timestamp {
        self.at_moment(Moment::now())
    }

    /// The server's time at a moment of ours.
    pub fn at_moment(&self, moment: Moment) -> Timestamp {
        let passed =
            jiff::SignedDuration::try_from(moment.since(self.at)).unwrap_or(jiff::SignedDuration::MAX);
        self.date.saturating_add(passed).unwrap_or(Timestamp::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_servers_clock_goes_on_with_ours() {
        let at = Moment::now();
        let date: Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
        let clock = ServerClock::new(at, date);
        assert_eq!(clock.at_moment(at.plus(Duration::from_secs(30))).to_string(), "2026-01-02T03:04:35Z");
        assert!(Moment::now() >= at);
    }
}
