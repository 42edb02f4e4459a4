//! The warm-up job: a small job of ours that has a new generation's JVMs load what the start of a
//! job needs.
//!
//! It reads and writes nothing and is no part of the release. Its id follows from the generation's
//! name, so that every run knows it.

use crate::digest::sha256;
use crate::id::JobId;

/// Made by `warm_up/build.sh`.
pub const JAR: &[u8] = include_bytes!("warm_up/warm-up.jar");
/// Its name in Flink's list, after an id.
pub const NAME: &str = "kubectl-flink-warm-up.jar";

/// The id of a generation's warm-up job.
pub fn id(generation: &str) -> Option<JobId> {
    sha256(format!("warm-up of {generation}").as_bytes()).get(..32)?.parse().ok()
}

#[cfg(test)]
mod tests {
    #[test]
    fn its_id_follows_from_the_generation() {
        let id = |name| super::id(name).unwrap();
        assert_eq!(id("demo-g2"), id("demo-g2"));
        assert_ne!(id("demo-g2"), id("demo-g3"));
    }

    #[test]
    fn its_jar_was_made_from_the_source_beside_it() {
        let digests: Vec<&str> = include_str!("warm_up/warm-up.sha256").split_whitespace().collect();
        let source = crate::digest::sha256(include_bytes!("warm_up/WarmUp.java"));
        let jar = crate::digest::sha256(super::JAR);
        assert_eq!(digests, [source.as_str(), "WarmUp.java", &jar, "warm-up.jar"], "run warm_up/build.sh");
    }
}
