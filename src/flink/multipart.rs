//! The one multipart body that is sent: a jar as the field `jarfile`. Written by hand because each
//! transport has a body type of its own, and only the parts before and after the jar are needed to
//! feed them all.

use bytes::Bytes;

use futures::stream::{self, BoxStream, StreamExt};
use sha2::{Digest, Sha256};
use std::io;
use std::sync::Arc;
use tokio::fs;
use tokio::io::AsyncReadExt;

use super::transport::{Content, Jar, TransportError};
use crate::id::Id;

/// How much of a file is read at once, bytes.
const CHUNK: usize = 256 * 1024;

/// A multipart body around a jar.
pub(super) struct Multipart {
    /// The value of `Content-Type`.
    pub content_type: String,
    /// The length of the whole body, bytes.
    pub length: u64,
    head: Bytes,
    tail: Bytes,
    content: Content,
}

impl Multipart {
    /// Around this jar; looks up a file's length.
    pub async fn new(jar: &Jar) -> Result<Self, TransportError> {
        let size = match &jar.content {
            Content::Bytes(bytes) => bytes.len() as u64,
            Content::File(path) => fs::metadata(path).await.map_err(|error| unreadable(path, error))?.len(),
        };
        // No randomness is at hand here; a digest in the boundary keeps it out of the jar just as
        // well.
        let digest = Sha256::digest(format!("{} {size}", jar.name));
        let mut mark = [0; 16];
        mark.copy_from_slice(&digest[..16]);
        let mark = Id::from_bytes(mark);
        let boundary = format!("kubectl-flink-{mark}");
        // Quotes and line ends would break the header; Flink takes the name as a file's name only.
        let name: String =
            jar.name.chars().map(|c| if c == '"' || c == '\\' || c.is_control() { '_' } else { c }).collect();
        let head = Bytes::from(format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"jarfile\"; filename=\"{name}\"\r\n\
             Content-Type: application/x-java-archive\r\n\r\n"
        ));
        let tail = Bytes::from(format!("\r\n--{boundary}--\r\n"));
        Ok(Self {
            content_type: format!("multipart/form-data; boundary={boundary}"),
            length: head.len() as u64 + size + tail.len() as u64,
            head,
            tail,
            content: jar.content.clone(),
        })
    }

    /// The body, piece by piece.
    pub fn stream(self) -> BoxStream<'static, io::Result<Bytes>> {
        let Self { head, tail, content, .. } = self;
        let middle = match content {
            Content::Bytes(bytes) => stream::once(async { Ok(bytes) }).boxed(),
            Content::File(path) => stream::try_unfold((path, None), |(path, file)| async move {
                let mut file = match file {
                    Some(file) => file,
                    None => fs::File::open(&path).await?,
                };
                let mut chunk = bytes::BytesMut::with_capacity(CHUNK);
                let read = file.read_buf(&mut chunk).await?;
                Ok::<_, io::Error>((read > 0).then(|| (chunk.freeze(), (path, Some(file)))))
            })
            .boxed(),
        };
        stream::once(async { Ok(head) }).chain(middle).chain(stream::once(async { Ok(tail) })).boxed()
    }

    /// The body in one piece, for a transport that cannot stream.
    pub async fn whole(self) -> Result<Bytes, TransportError> {
        let content = match &self.content {
            Content::Bytes(bytes) => bytes.clone(),
            Content::File(path) => fs::read(path).await.map_err(|error| unreadable(path, error))?.into(),
        };
        Ok([self.head, content, self.tail].concat().into())
    }
}

fn unreadable(path: &std::path::Path, error: io::Error) -> TransportError {
    TransportError::Content { path: path.to_owned(), source: Arc::new(error) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::TryStreamExt;

    async fn streamed(jar: &Jar) -> Vec<u8> {
        let pieces: Vec<Bytes> = Multipart::new(jar).await.unwrap().stream().try_collect().await.unwrap();
        pieces.concat()
    }

    #[tokio::test]
    async fn a_file_and_its_bytes_make_the_same_body_and_its_length_is_right() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.jar");
        let bytes = vec![7_u8; CHUNK * 2 + 3];
        fs::write(&path, &bytes).await.unwrap();
        let file = Jar { name: "a.jar".to_owned(), content: Content::File(path) };
        let memory = Jar { name: "a.jar".to_owned(), content: Content::Bytes(bytes.into()) };
        let body = streamed(&file).await;
        assert_eq!(body, streamed(&memory).await);
        assert_eq!(body, Multipart::new(&file).await.unwrap().whole().await.unwrap());
        assert_eq!(body.len() as u64, Multipart::new(&file).await.unwrap().length);
    }

    #[tokio::test]
    async fn a_name_cannot_break_out_of_its_header() {
        let jar = Jar { name: "a\"\r\nX: y.jar".to_owned(), content: Content::Bytes(Bytes::new()) };
        let body = String::from_utf8(streamed(&jar).await).unwrap();
        assert!(body.contains("filename=\"a___X: y.jar\""), "{body}");
    }

    #[tokio::test]
    async fn a_missing_file_is_named() {
        let jar = Jar { name: "a.jar".to_owned(), content: Content::File("/nonexistent/a.jar".into()) };
        let error = Multipart::new(&jar).await.err().unwrap();
        assert!(error.to_string().contains("/nonexistent/a.jar"), "{error}");
    }
}
