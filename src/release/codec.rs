//! How this module writes what it stores: gzip of JSON, under the number of its format and the
//! version of the program.
//!
//! Nothing here talks to a server, and no error quotes what was read.

use super::ReleaseError;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::io::{Read as _, Write as _};

/// The format of everything that this version stores.
pub(super) const FORMAT: u32 = 1;
/// The version of this program.
const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The longest unpacked document that is read, in bytes.
const LONGEST: u64 = 256 << 20;

/// A document under its format's number and the version that wrote it: what a later version writes
/// differently is refused by name, never read wrongly.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Stamped<T> {
    format: u32,
    written_by: String,
    content: T,
}

/// As much of a document as every format has.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stamp {
    #[serde(default)]
    format: Option<u32>,
    #[serde(default)]
    written_by: Option<String>,
}

/// Returns a document as JSON, stamped.
pub(super) fn encode<T: Serialize>(what: &str, content: T) -> Result<Vec<u8>, ReleaseError> {
    let stamped = Stamped { format: FORMAT, written_by: VERSION.to_owned(), content };
    serde_json::to_vec(&stamped).map_err(|error| unwritable(what, &error))
}

/// Reads a document that [`encode`] wrote. `what` names it in errors.
pub(super) fn decode<T: DeserializeOwned>(what: &str, bytes: &[u8]) -> Result<T, ReleaseError> {
    let unreadable = |error: serde_json::Error| ReleaseError::Decode {
        what: what.to_owned(),
        reason: format!("line {}, column {}: {:?} error", error.line(), error.column(), error.classify()),
    };
    let stamp: Stamp = serde_json::from_slice(bytes).map_err(unreadable)?;
    match stamp.format {
        Some(FORMAT) => {}
        Some(format) => {
            return Err(ReleaseError::UnknownFormat {
                what: what.to_owned(),
                format,
                written_by: stamp.written_by.unwrap_or_else(|| "?".to_owned()),
            });
        }
        None => return Err(ReleaseError::NoFormat { what: what.to_owned() }),
    }
    serde_json::from_slice::<Stamped<T>>(bytes).map(|stamped| stamped.content).map_err(unreadable)
}

/// Returns a document as gzip of [`encode`].
pub(super) fn pack<T: Serialize>(
    what: &str,
    content: T,
    level: Compression,
) -> Result<Vec<u8>, ReleaseError> {
    let mut gzip = GzEncoder::new(Vec::new(), level);
    gzip.write_all(&encode(what, content)?).map_err(|error| unwritable(what, &error))?;
    gzip.finish().map_err(|error| unwritable(what, &error))
}

/// Reads a document that [`pack`] wrote.
pub(super) fn unpack<T: DeserializeOwned>(what: &str, packed: &[u8]) -> Result<T, ReleaseError> {
    let mut json = Vec::new();
    GzDecoder::new(packed)
        .take(LONGEST)
        .read_to_end(&mut json)
        .map_err(|error| ReleaseError::Decode { what: what.to_owned(), reason: error.to_string() })?;
    decode(what, &json)
}

fn unwritable(what: &str, error: &dyn std::error::Error) -> ReleaseError {
    ReleaseError::Encode { what: what.to_owned(), reason: error.to_string() }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::record::{PackageRef, Record, Status};
    use super::*;
    use crate::render::Capabilities;
    use serde_json::{Value, json};

    pub(in super::super) fn record(revision: u32) -> Record {
        Record {
            name: "demo".to_owned(),
            namespace: "team".to_owned(),
            storage_id: "0a1b2c3d".to_owned(),
            revision,
            status: Status::PendingInstall,
            description: "Install".to_owned(),
            created: "2026-01-02T03:04:05Z".parse().unwrap(),
            updated: "2026-01-02T03:04:05Z".parse().unwrap(),
            package: PackageRef {
                name: "flink".to_owned(),
                version: "1.2.3+build.5".to_owned(),
                digest: "sha256:00".to_owned(),
                flink_version: "2.3.0".to_owned(),
            },
            archive: (0..2000_u32)
                .flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes())
                .collect(),
            layout: "session".to_owned(),
            user_values: json!({"a": 1}),
            values: json!({"a": 1, "b": {"z": 1, "a": 2}}),
            capabilities: Capabilities {
                kube_version: "v1.36.3".to_owned(),
                api_versions: vec!["v1".to_owned(), "v1/Pod".to_owned()],
            },
            manifest: "---\nkind: Pod\n".repeat(50),
            notes: "Notes".to_owned(),
            generation: 1,
            jobs: Vec::new(),
            operation: "install".to_owned(),
        }
    }

    #[test]
    fn a_document_comes_back_as_it_was() {
        for level in [Compression::fast(), Compression::default()] {
            let packed = pack("the test", json!({"a": 1.5}), level).unwrap();
            assert_eq!(unpack::<Value>("the test", &packed).unwrap(), json!({"a": 1.5}));
        }
    }

    #[test]
    fn a_later_format_is_refused_with_the_version_that_knows_it() {
        let later = br#"{"format": 2, "writtenBy": "0.3.0", "content": 7}"#;
        assert_eq!(
            decode::<Value>("the operation on release demo", later).unwrap_err().to_string(),
            "the operation on release demo was written by kubectl-flink 0.3.0 in format 2, which this version does \
             not know: use 0.3.0 or newer"
        );
        assert_eq!(
            decode::<Value>("revision 1", br#"{"a": 1}"#).unwrap_err().to_string(),
            "revision 1 has no format number: no released kubectl-flink wrote it"
        );
    }

    #[test]
    fn an_error_quotes_nothing_of_what_was_read() {
        let error =
            decode::<Vec<u8>>("revision 1", br#"{"format": 1, "writtenBy": "x", "content": "s3cret"}"#);
        let said = error.unwrap_err().to_string();
        assert!(said.contains("revision 1") && !said.contains("s3cret"), "{said}");
    }
}
