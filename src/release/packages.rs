//! The packages' archives of a release, each kept once however many revisions were made from it.
//!
//! An archive is a Secret `flink.package.v1.<release>.<digest>` and its parts, where the digest is
//! the first 16 hex digits of the SHA-256 of the archive. It is written before the first record
//! that names it, and goes after the last.

use super::ReleaseError;
use super::blob::{Blob, FULL};
use super::secrets::{OWNER, Secrets, name_of};
use crate::digest::sha256;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const PACKAGE_TYPE: &str = "flink.kubectl/package.v1";
/// Hex digits of the SHA-256 in names and labels, which have no room for all 64.
const SHORT: usize = 16;

/// The archives of one namespace's releases.
#[derive(Clone)]
pub(super) struct Packages {
    secrets: Secrets,
    /// Bytes that one Secret holds at most.
    pub(super) full: usize,
}

impl Packages {
    pub(super) fn new(secrets: &Secrets) -> Self {
        Self { secrets: secrets.clone(), full: FULL }
    }

    /// Writes an archive unless it is there already, and returns its SHA-256, for the record to
    /// name.
    pub(super) async fn keep(&self, release: &str, archive: &[u8]) -> Result<String, ReleaseError> {
        let digest = sha256(archive);
        let name = secret_name(release, &digest);
        let found = self.secrets.get(&name).await?;
        match &found {
            Some(head) if Secrets::index_of(head).is_ok_and(|index| index.sha256 != digest) => {
                return Err(ReleaseError::Torn { secret: name });
            }
            Some(head) => match self.secrets.read_blob(head).await {
                Ok(_) => return Ok(digest),
                Err(error @ ReleaseError::Cluster(_)) => return Err(error),
                Err(error) if error.is_another_version() => return Err(error),
                // Its content is known here, so what is damaged can be made good.
                Err(_) => self.secrets.delete(&name).await?,
            },
            None => {}
        }
        let labels = json!({"owner": OWNER, "name": release, "digest": short(&digest)});
        let blob = Blob::cut(archive, self.full, self.full);
        self.secrets.write_parts(&name, &labels, &blob).await?;
        let mut body = self.secrets.body(&name, PACKAGE_TYPE, &labels);
        body["immutable"] = true.into();
        body["data"] = blob.head_data(&name)?;
        match self.secrets.create(&body).await {
            Err(error) if error.is_conflict() || error.is_uncertain() => {
                self.get(release, &digest).await.map(|_| digest).map_err(|_| error.into())
            }
            result => Ok(result.map(|()| digest)?),
        }
    }

    /// Returns the archive that has this SHA-256.
    pub(super) async fn get(&self, release: &str, digest: &str) -> Result<Vec<u8>, ReleaseError> {
        let name = secret_name(release, digest);
        let head = self.secrets.get(&name).await?;
        let head = head.ok_or_else(|| ReleaseError::PartMissing { secret: name.clone() })?;
        if Secrets::index_of(&head)?.sha256 != digest {
            return Err(ReleaseError::Torn { secret: name });
        }
        self.secrets.read_blob(&head).await
    }

    /// Deletes the archives of a release but for those that are still named, and what broken writes
    /// left of others.
    pub(super) async fn keep_only(
        &self,
        release: &str,
        named: &BTreeSet<String>,
    ) -> Result<(), ReleaseError> {
        let named: BTreeSet<&str> = named.iter().map(|digest| short(digest)).collect();
        let labels = format!("owner={OWNER},name={release},digest");
        let mut surplus = self.secrets.list(&labels, "", true).await?;
        surplus.retain(|object| !named.contains(label(object, "digest")));
        // The heads first: none must name a part that is gone.
        surplus.sort_by_key(|object| label(object, "part").to_owned());
        for object in surplus {
            self.secrets.delete(name_of(&object)).await?;
        }
        Ok(())
    }
}

fn secret_name(release: &str, digest: &str) -> String {
    format!("flink.package.v1.{release}.{}", short(digest))
}

fn short(digest: &str) -> &str {
    digest.get(..SHORT).unwrap_or(digest)
}

fn label<'a>(object: &'a Value, name: &str) -> &'a str {
    object.pointer("/metadata/labels").and_then(|labels| labels.get(name)?.as_str()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::secrets::base64;
    use super::super::testing::{self, Fault, Server};
    use super::*;

    fn packages(full: usize) -> (Packages, Server) {
        let (cluster, _, server) = testing::cluster();
        (Packages { full, ..Packages::new(&Secrets::new(&cluster, "team")) }, server)
    }

    fn names(server: &Server) -> Vec<String> {
        server.lock().unwrap().all.keys().cloned().collect()
    }

    #[tokio::test]
    async fn an_archive_is_written_once_and_read_from_its_parts() {
        let (packages, server) = packages(30);
        let digest = packages.keep("demo", &[7; 100]).await.unwrap();
        let written = server.lock().unwrap().all.clone();
        assert_eq!(written.len(), 4);
        assert_eq!(packages.keep("demo", &[7; 100]).await.unwrap(), digest);
        assert_eq!(server.lock().unwrap().all, written);
        assert_eq!(packages.get("demo", &digest).await.unwrap(), [7; 100]);
        assert!(written.values().all(|secret| secret["immutable"] == true));
    }

    #[tokio::test]
    async fn an_archive_that_a_later_version_wrote_is_left_alone() {
        let (packages, server) = packages(30);
        packages.keep("demo", &[7; 100]).await.unwrap();
        let head = names(&server)[0].clone();
        let later = br#"{"format": 2, "writtenBy": "0.3.0", "content": {}}"#;
        server.lock().unwrap().all.get_mut(&head).unwrap()["data"]["index"] = base64(later);
        let refused = packages.keep("demo", &[7; 100]).await.unwrap_err();
        assert!(refused.is_another_version(), "{refused}");
        assert_eq!(names(&server).len(), 4);
    }

    #[tokio::test]
    async fn what_a_broken_write_left_is_made_good_and_a_damaged_part_too() {
        let (packages, server) = packages(30);
        let digest = packages.keep("demo", &[7; 100]).await.unwrap();
        let head = names(&server)[0].clone();
        server.lock().unwrap().all.remove(&head);
        assert!(matches!(packages.get("demo", &digest).await, Err(ReleaseError::PartMissing { .. })));
        packages.keep("demo", &[7; 100]).await.unwrap();
        server.lock().unwrap().all.remove(&format!("{head}.part2"));
        packages.keep("demo", &[7; 100]).await.unwrap();
        assert_eq!(packages.get("demo", &digest).await.unwrap(), [7; 100]);
    }

    #[tokio::test]
    async fn a_lost_answer_is_looked_up() {
        let (packages, server) = packages(1000);
        server.lock().unwrap().fault = Some(Fault::AnswerLost);
        packages.keep("demo", &[7; 100]).await.unwrap();
        server.lock().unwrap().fault = Some(Fault::RequestLost);
        let error = packages.keep("demo", &[8; 100]).await.unwrap_err().to_string();
        assert!(error.contains("broke off"), "{error}");
    }

    #[tokio::test]
    async fn another_archive_under_the_same_short_digest_is_never_taken_for_it() {
        let (packages, server) = packages(1000);
        packages.keep("demo", &[7; 100]).await.unwrap();
        let name = names(&server)[0].clone();
        let mut other = server.lock().unwrap().all[&name].clone();
        other["data"] = Blob::cut(&[8; 10], 1000, 1000).head_data("the test").unwrap();
        server.lock().unwrap().all.insert(name.clone(), other);
        let refused = packages.keep("demo", &[7; 100]).await.unwrap_err();
        assert!(matches!(refused, ReleaseError::Torn { secret } if secret == name));
    }

    #[tokio::test]
    async fn what_is_named_no_more_goes_with_its_parts_and_nothing_of_another_release() {
        let (packages, server) = packages(30);
        let kept = packages.keep("demo", &[7; 100]).await.unwrap();
        packages.keep("demo", &[8; 100]).await.unwrap();
        packages.keep("other", &[8; 100]).await.unwrap();
        packages.keep_only("demo", &[kept.clone()].into()).await.unwrap();
        assert_eq!(packages.get("demo", &kept).await.unwrap(), [7; 100]);
        assert_eq!(names(&server).iter().filter(|name| name.contains(".demo.")).count(), 4);
        assert_eq!(names(&server).iter().filter(|name| name.contains(".other.")).count(), 4);
    }
}
