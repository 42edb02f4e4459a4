//! A record as bytes, and the bytes as Secrets: gzip of JSON, the package's archive, cut where a Secret is full.
//!
//! Nothing here talks to a server. A Secret may hold 1 MiB (`MaxSecretSize`); [`FULL`] leaves room for the index and the
//! jobs. What does not fit goes on in parts, which the head names with their SHA-256, so that a torn write is seen.

use super::ReleaseError;
use super::record::{JobRecord, Record};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::io::{Read as _, Write as _};

/// The bytes of record and archive that one Secret holds at most.
pub(super) const FULL: usize = 900 << 10;
/// The longest unpacked record that is read, in bytes.
const LONGEST_RECORD: u64 = 256 << 20;

/// What a head or a part holds of a record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Slice {
    /// Of the packed record.
    pub(super) record: Vec<u8>,
    /// Of the package's archive.
    pub(super) archive: Vec<u8>,
}

impl Slice {
    fn len(&self) -> usize {
        self.record.len() + self.archive.len()
    }

    /// SHA-256 of both, hex.
    pub(super) fn sha256(&self) -> String {
        let mut hash = Sha256::new();
        // The length in front keeps `ab|c` and `a|bc` apart.
        hash.update(u64::try_from(self.record.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(&self.record);
        hash.update(&self.archive);
        hash.finalize().iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }
}

/// The head's table of contents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Index {
    /// The form of the record; 1.
    pub(super) format: u32,
    /// SHA-256 of what the head itself holds.
    pub(super) head: String,
    /// SHA-256 of each part, in order.
    pub(super) parts: Vec<String>,
}

/// Packs a record: what the head holds, what the parts hold, and the index.
pub(super) fn pack(record: &Record, full: usize) -> Result<(Index, Vec<Slice>), ReleaseError> {
    let unreadable = |reason: String| ReleaseError::Encode { revision: record.revision, reason };
    let json = serde_json::to_vec(record).map_err(|error| unreadable(error.to_string()))?;
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(&json).map_err(|error| unreadable(error.to_string()))?;
    let packed = gzip.finish().map_err(|error| unreadable(error.to_string()))?;
    let mut slices = vec![Slice::default()];
    fill(&mut slices, &packed, full, |slice| &mut slice.record);
    fill(&mut slices, &record.archive, full, |slice| &mut slice.archive);
    let sums: Vec<_> = slices.iter().map(Slice::sha256).collect();
    let index = Index { format: 1, head: sums[0].clone(), parts: sums[1..].to_vec() };
    Ok((index, slices))
}

fn fill(slices: &mut Vec<Slice>, mut bytes: &[u8], full: usize, field: fn(&mut Slice) -> &mut Vec<u8>) {
    while !bytes.is_empty() {
        let room = full.saturating_sub(slices.last().map_or(full, Slice::len));
        if room == 0 {
            slices.push(Slice::default());
            continue;
        }
        let (now, later) = bytes.split_at(room.min(bytes.len()));
        if let Some(slice) = slices.last_mut() {
            field(slice).extend_from_slice(now);
        }
        bytes = later;
    }
}

/// Puts a record together again. The slices are the head's and the parts', in order.
pub(super) fn unpack(index: &Index, slices: &[Slice]) -> Result<Record, ReleaseError> {
    if index.format != 1 {
        return Err(ReleaseError::NewerFormat { format: index.format });
    }
    for (number, (slice, sum)) in
        slices.iter().zip(std::iter::once(&index.head).chain(&index.parts)).enumerate()
    {
        if &slice.sha256() != sum {
            return Err(ReleaseError::Torn { part: number });
        }
    }
    let packed: Vec<u8> = slices.iter().flat_map(|slice| &slice.record).copied().collect();
    let mut json = Vec::new();
    GzDecoder::new(packed.as_slice())
        .take(LONGEST_RECORD)
        .read_to_end(&mut json)
        .map_err(|error| ReleaseError::Decode { reason: error.to_string() })?;
    let mut record: Record = decode(&json)?;
    record.archive = slices.iter().flat_map(|slice| &slice.archive).copied().collect();
    Ok(record)
}

/// The jobs, which may change, as the head holds them.
pub(super) fn jobs_to_bytes(record: &Record) -> Result<Vec<u8>, ReleaseError> {
    serde_json::to_vec(&record.jobs)
        .map_err(|error| ReleaseError::Encode { revision: record.revision, reason: error.to_string() })
}

/// The jobs as the head holds them.
pub(super) fn jobs_from_bytes(bytes: &[u8]) -> Result<Vec<JobRecord>, ReleaseError> {
    decode(bytes)
}

/// JSON that this program wrote. The message says where it is wrong, and quotes nothing.
pub(super) fn decode<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, ReleaseError> {
    serde_json::from_slice(bytes).map_err(|error| ReleaseError::Decode {
        reason: format!("line {}, column {}: {:?} error", error.line(), error.column(), error.classify()),
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::record::{PackageRef, Status};
    use super::*;
    use crate::render::Capabilities;
    use serde_json::json;

    pub(in super::super) fn record(revision: u32) -> Record {
        Record {
            name: "demo".to_owned(),
            namespace: "team".to_owned(),
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
    fn a_small_record_is_one_secret() {
        let record = record(1);
        let (index, slices) = pack(&record, FULL).unwrap();
        assert_eq!((slices.len(), index.parts.len()), (1, 0));
        assert_eq!(slices[0].archive, record.archive);
        assert_eq!(unpack(&index, &slices).unwrap(), record);
    }

    #[test]
    fn a_large_one_goes_on_in_parts_at_any_cut() {
        let record = record(1);
        for full in [1, 7, 100, 1000, 4096, 8000] {
            let (index, slices) = pack(&record, full).unwrap();
            assert!(slices.iter().all(|slice| slice.len() <= full));
            assert_eq!(index.parts.len() + 1, slices.len());
            assert_eq!(unpack(&index, &slices).unwrap(), record, "{full}");
        }
    }

    #[test]
    fn a_part_of_another_write_is_seen() {
        let (index, mut slices) = pack(&record(1), 1000).unwrap();
        slices[2].archive[0] ^= 1;
        assert!(matches!(unpack(&index, &slices), Err(ReleaseError::Torn { part: 2 })));
    }

    #[test]
    fn bytes_moved_between_record_and_archive_are_seen() {
        let one = Slice { record: b"ab".to_vec(), archive: b"c".to_vec() };
        let two = Slice { record: b"a".to_vec(), archive: b"bc".to_vec() };
        assert_ne!(one.sha256(), two.sha256());
    }
}
