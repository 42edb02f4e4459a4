//! SHA-256 as text: of jars, sources and whatever else is told apart by its content. Pure.

use sha2::{Digest, Sha256};

/// Returns the SHA-256 of bytes as 64 hex digits.
pub fn sha256(content: &[u8]) -> String {
    Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}
