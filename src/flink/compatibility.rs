//! Which Flink can read what another one wrote.
//!
//! By the version in bytes 4 to 7 of a savepoint's or checkpoint's `_metadata`: up to 1.20 Flink
//! writes at most 4, 2.0 at most 5, 2.1 to 2.3 at most 6; each reads what is older, and refuses
//! what is newer ("Unrecognized checkpoint version number"). It says nothing of what the job itself
//! makes of its state.

/// Returns whether `reader` can be started from what `writer` wrote; versions as `2.3.0`. `None`
/// where one of them is not known well enough to tell: a text that is no version, or a Flink newer
/// than this program knows that wrote for an older one.
pub fn can_read(reader: &str, writer: &str) -> Option<bool> {
    let (reader, writer) = (release(reader)?, release(writer)?);
    if reader >= writer {
        return Some(true);
    }
    Some(metadata(reader)? >= metadata(writer)?)
}

/// Major and minor version.
fn release(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split(['.', '-']);
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// The newest version of `_metadata` that a release writes.
fn metadata(release: (u32, u32)) -> Option<u32> {
    match release {
        (0 | 1, _) => Some(4),
        (2, 0) => Some(5),
        (2, 1..=3) => Some(6),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::can_read;

    #[test]
    fn an_older_flink_reads_a_newer_one_only_where_the_form_is_the_same() {
        for (reader, writer, can) in [
            ("2.3.0", "1.20.5", Some(true)),
            ("1.20.5", "2.3.0", Some(false)),
            ("2.0.1", "2.1.0", Some(false)),
            ("2.1.0", "2.3.0", Some(true)),
            ("1.19.1", "1.20.5", Some(true)),
            ("2.3.0", "2.3.0", Some(true)),
            ("3.0.0", "2.3.0", Some(true)),
            ("2.3.0", "2.9.0", None),
            ("2.3.0", "latest", None),
        ] {
            assert_eq!(can_read(reader, writer), can, "{reader} reads {writer}");
        }
    }
}
