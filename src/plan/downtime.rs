//! For how long a job is expected to be down while it moves, estimated from its last checkpoint.
//!
//! An estimate for the user who decides; nothing is refused because of it.

use std::fmt;

use serde::Serialize;

use crate::flink::{CheckpointConfig, Checkpoints};
use crate::operation::Stop;

/// Seconds in which a small job moves between two clusters that are up (measured: `cargo xtask
/// bench moves`).
const MOVE: f64 = 1.0;
/// Bytes a second that storage surely takes and gives, for the part of the state that the last
/// checkpoint did not write.
const RATE: f64 = 20e6;

/// For how long a job is expected to be down, in seconds.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Downtime {
    /// All in all, but for the start of Pods.
    pub seconds: f64,
    /// Of these, to write and read its state; absent where it has completed no checkpoint that
    /// would tell.
    pub state_seconds: Option<f64>,
    /// Bytes of state in its last checkpoint.
    pub state_bytes: Option<u64>,
    /// The new Pods start meanwhile, which comes on top.
    pub starts_pods: bool,
    /// Writing the savepoint may take longer than Flink allows it
    /// (`execution.checkpointing.timeout`, seconds).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exceeds: Option<f64>,
    /// The job takes no checkpoints: from when it runs as the new revision has it, nothing goes
    /// back by itself.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub takes_no_checkpoints: bool,
}

impl Downtime {
    /// Of a job that is stopped like that and started again.
    #[allow(clippy::cast_precision_loss, reason = "an estimate")]
    pub(super) fn estimate(
        stop: Option<&Stop>,
        restores: bool,
        checkpoints: Option<&Checkpoints>,
        config: Option<&CheckpointConfig>,
        starts_pods: bool,
    ) -> Self {
        let last = checkpoints.and_then(|checkpoints| checkpoints.latest.completed.as_ref());
        let full = last.map(|last| {
            // A savepoint holds all of the state; an incremental checkpoint wrote a part of it.
            let rest = last.checkpointed_size.map_or(0, |written| last.state_size.saturating_sub(written));
            last.end_to_end_duration as f64 / 1000.0 + rest as f64 / RATE
        });
        let saves = matches!(stop, Some(Stop::Savepoint { .. }));
        let times = f64::from(u8::from(saves) + u8::from(restores));
        let state_seconds = if times > 0.0 { full.map(|full| full * times) } else { Some(0.0) };
        let limit = config.filter(|_| saves).map(|config| config.timeout_ms as f64 / 1000.0);
        Self {
            seconds: MOVE + state_seconds.unwrap_or(0.0),
            state_seconds,
            state_bytes: last.filter(|_| times > 0.0).map(|last| last.state_size),
            starts_pods,
            takes_no_checkpoints: config.is_some_and(|config| !config.enabled),
            exceeds: limit.filter(|limit| full.is_some_and(|full| full > *limit)),
        }
    }
}

impl fmt::Display for Downtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "down for about {}", seconds(self.seconds))?;
        match (self.state_seconds, self.state_bytes) {
            (Some(part), Some(size)) => write!(f, ", {} of it for {} of state", seconds(part), bytes(size))?,
            (None, _) => write!(f, " and what its state takes, which no checkpoint tells yet")?,
            _ => {}
        }
        if self.starts_pods {
            write!(f, "; on top the new Pods start, which often takes 15 to 50 s")?;
        }
        if let Some(limit) = self.exceeds {
            write!(
                f,
                "; its savepoint may take longer than the {} that Flink gives it: raise execution.checkpointing.timeout first, \
                 or try --savepoint-format native",
                seconds(limit)
            )?;
        }
        if self.takes_no_checkpoints {
            write!(
                f,
                "; it takes no checkpoints, so once it runs as the new revision has it nothing is rolled back automatically"
            )?;
        }
        Ok(())
    }
}

fn seconds(seconds: f64) -> String {
    match seconds {
        few if few < 9.95 => format!("{few:.1} s"),
        some if some < 120.0 => format!("{some:.0} s"),
        many => format!("{:.0} min", many / 60.0),
    }
}

#[allow(clippy::cast_precision_loss, reason = "three digits are shown")]
fn bytes(bytes: u64) -> String {
    let (mut amount, mut unit) = (bytes as f64, "B");
    for larger in ["KiB", "MiB", "GiB", "TiB"] {
        if amount < 1000.0 {
            break;
        }
        (amount, unit) = (amount / 1024.0, larger);
    }
    if unit == "B" || amount >= 10.0 { format!("{amount:.0} {unit}") } else { format!("{amount:.1} {unit}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::SavepointFormat;

    fn checkpoints(duration_ms: u64, size: u64, written: u64) -> Checkpoints {
        serde_json::from_value(serde_json::json!({
            "counts": {"total": 1, "in_progress": 0, "completed": 1, "failed": 0},
            "latest": {"completed": {"id": 7, "external_path": "file:///c/chk-7", "trigger_timestamp": 0,
                "state_size": size, "checkpointed_size": written, "end_to_end_duration": duration_ms}},
        }))
        .unwrap()
    }

    fn words(stop: &Stop, checkpoints: Option<&Checkpoints>, pods: bool) -> String {
        let config =
            CheckpointConfig { enabled: true, interval_ms: Some(1000), timeout_ms: 600_000, retained: true };
        Downtime::estimate(Some(stop), *stop != Stop::Cancel, checkpoints, Some(&config), pods).to_string()
    }

    #[test]
    fn it_is_a_second_and_the_state_written_and_read() {
        let savepoint = Stop::Savepoint { format: SavepointFormat::Canonical, drain: false };
        let small = checkpoints(120, 5000, 5000);
        assert_eq!(
            words(&savepoint, Some(&small), false),
            "down for about 1.2 s, 0.2 s of it for 4.9 KiB of state"
        );
        assert_eq!(
            words(&Stop::LatestCheckpoint, Some(&small), true),
            "down for about 1.1 s, 0.1 s of it for 4.9 KiB of state; on top the new Pods start, which often takes 15 to 50 s"
        );
        assert_eq!(words(&Stop::Cancel, Some(&small), false), "down for about 1.0 s");
        assert_eq!(
            words(&savepoint, None, false),
            "down for about 1.0 s and what its state takes, which no checkpoint tells yet"
        );
        // Incremental: what it did not write will have to be written, and all is read.
        let large = checkpoints(1000, 30 << 30, 1 << 20);
        let said = words(&savepoint, Some(&large), false);
        assert!(said.starts_with("down for about 54 min, 54 min of it for 30 GiB of state; its savepoint may take longer than the 10 min"), "{said}");
    }
}
