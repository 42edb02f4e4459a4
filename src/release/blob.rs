//! Bytes that may be too many for one Secret: a head that holds the first of them, and parts with
//! the rest.
//!
//! The parts are written first and the head last, which names each piece by its SHA-256. So there
//! is no head to a write that was broken off, and one whose parts are not its own is seen. They are
//! removed the other way round.

use super::ReleaseError;
use super::codec;
use super::secrets::{Secrets, base64, bytes, name_of};
use crate::digest::sha256;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The bytes that one Secret holds at most: a Secret may hold 1 MiB (`MaxSecretSize`), and some of
/// it is not content.
pub(super) const FULL: usize = 900 << 10;
/// The type of a part, whatever it is a part of.
pub(super) const PART_TYPE: &str = "flink.kubectl/part.v1";
/// The keys of a head's `data`: the table of contents, and the first piece. A part has the latter.
const INDEX: &str = "index";
const CONTENT: &str = "content";

/// The head's table of contents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Index {
    /// SHA-256 of all bytes, hex.
    pub(super) sha256: String,
    /// SHA-256 of each piece, hex: of the head's own, then of each part.
    pieces: Vec<String>,
}

/// Bytes, cut into pieces that each fit into a Secret.
pub(super) struct Blob<'a> {
    pub(super) index: Index,
    pieces: Vec<&'a [u8]>,
}

impl<'a> Blob<'a> {
    /// Cuts bytes: at most `first` go into the head, at most `full` into a part.
    pub(super) fn cut(bytes: &'a [u8], first: usize, full: usize) -> Self {
        let (head, rest) = bytes.split_at(first.min(bytes.len()));
        let pieces: Vec<_> = std::iter::once(head).chain(rest.chunks(full.max(1))).collect();
        let sums = pieces.iter().map(|piece| sha256(piece)).collect();
        Self { index: Index { sha256: sha256(bytes), pieces: sums }, pieces }
    }

    /// Returns the `data` of the head.
    pub(super) fn head_data(&self, what: &str) -> Result<Value, ReleaseError> {
        Ok(json!({ INDEX: base64(&codec::encode(what, &self.index)?), CONTENT: base64(self.pieces[0]) }))
    }
}

impl Secrets {
    /// Writes the parts of a blob, whose head must be written after them. One that is in the way
    /// and is not the same is the rest of a write that was broken off: there is no head that names
    /// it.
    pub(super) async fn write_parts(
        &self,
        head: &str,
        labels: &Value,
        blob: &Blob<'_>,
    ) -> Result<(), ReleaseError> {
        for (number, piece) in blob.pieces.iter().enumerate().skip(1) {
            let name = part_name(head, number);
            let mut body = self.body(&name, PART_TYPE, labels);
            body["metadata"]["labels"]["part"] = number.to_string().into();
            body["immutable"] = true.into();
            body["data"] = json!({ CONTENT: base64(piece) });
            match self.create(&body).await {
                Ok(()) => {}
                Err(error) if error.is_conflict() || error.is_uncertain() => {
                    let there = self.get(&name).await?;
                    let sum =
                        there.as_ref().and_then(|there| bytes(there, CONTENT).ok()).map(|it| sha256(&it));
                    if sum.as_ref() != blob.index.pieces.get(number) {
                        self.delete(&name).await?;
                        self.create(&body).await?;
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Returns a head's table of contents.
    pub(super) fn index_of(head: &Value) -> Result<Index, ReleaseError> {
        codec::decode(&format!("the Secret {}", name_of(head)), &bytes(head, INDEX)?)
    }

    /// Returns the bytes that a head and its parts hold.
    pub(super) async fn read_blob(&self, head: &Value) -> Result<Vec<u8>, ReleaseError> {
        let index = Self::index_of(head)?;
        let mut content = Vec::new();
        for (number, sum) in index.pieces.iter().enumerate() {
            let name = part_name(name_of(head), number);
            let part = match number {
                0 => None,
                _ => Some(self.get(&name).await?.ok_or(ReleaseError::PartMissing { secret: name.clone() })?),
            };
            let torn = || ReleaseError::Torn { secret: name.clone() };
            let piece = bytes(part.as_ref().unwrap_or(head), CONTENT).map_err(|_| torn())?;
            if sha256(&piece) != *sum {
                return Err(torn());
            }
            content.extend_from_slice(&piece);
        }
        Ok(content)
    }
}

/// The name of a blob's piece: the head has its own name.
fn part_name(head: &str, number: usize) -> String {
    if number == 0 { head.to_owned() } else { format!("{head}.part{number}") }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{self, Server};
    use super::*;

    const HEAD: &str = "flink.release.v1.demo.v1";

    async fn write(secrets: &Secrets, content: &[u8], full: usize) {
        let labels = json!({"owner": "kubectl-flink", "name": "demo"});
        let blob = Blob::cut(content, full / 2, full);
        secrets.write_parts(HEAD, &labels, &blob).await.unwrap();
        let mut body = secrets.body(HEAD, "flink.kubectl/release.v1", &labels);
        body["data"] = blob.head_data("the test").unwrap();
        secrets.create(&body).await.unwrap();
    }

    async fn read(secrets: &Secrets) -> Result<Vec<u8>, ReleaseError> {
        let head = secrets.get(HEAD).await.unwrap().unwrap();
        secrets.read_blob(&head).await
    }

    fn store() -> (Secrets, Server) {
        let (cluster, _, server) = testing::cluster();
        (Secrets::new(&cluster, "team"), server)
    }

    #[tokio::test]
    async fn it_comes_back_from_any_cut() {
        let content: Vec<u8> = (0..=255).cycle().take(1000).collect();
        for full in [1, 7, 100, 999, 1000, 2000] {
            let (secrets, server) = store();
            write(&secrets, &content, full).await;
            assert_eq!(read(&secrets).await.unwrap(), content, "{full}");
            let all = server.lock().unwrap().all.clone();
            assert!(all.values().all(|secret| bytes(secret, CONTENT).unwrap().len() <= full), "{full}");
        }
        let (secrets, _) = store();
        write(&secrets, &[], 10).await;
        assert_eq!(read(&secrets).await.unwrap(), [] as [u8; 0]);
    }

    #[tokio::test]
    async fn a_part_of_another_write_is_seen_and_so_is_a_missing_one() {
        let (secrets, server) = store();
        write(&secrets, &[7; 100], 30).await;
        let part = format!("{HEAD}.part2");
        server.lock().unwrap().all.get_mut(&part).unwrap()["data"][CONTENT] = base64(&[8; 30]);
        let torn = read(&secrets).await.unwrap_err().to_string();
        assert_eq!(torn, format!("the Secret {part} is damaged: it does not have the recorded SHA-256"));
        server.lock().unwrap().all.remove(&part);
        assert!(matches!(read(&secrets).await, Err(ReleaseError::PartMissing { secret }) if secret == part));
    }

    #[tokio::test]
    async fn what_a_write_left_that_was_broken_off_is_kept_where_it_is_the_same_and_else_replaced() {
        let (secrets, server) = store();
        write(&secrets, &[7; 100], 30).await;
        let same = server.lock().unwrap().all[&format!("{HEAD}.part1")].clone();
        server.lock().unwrap().all.remove(HEAD);
        let mut other = [7; 100];
        other[60] = 8;
        write(&secrets, &other, 30).await;
        assert_eq!(read(&secrets).await.unwrap(), other);
        assert_eq!(server.lock().unwrap().all[&format!("{HEAD}.part1")], same);
    }
}
