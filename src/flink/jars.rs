//! Jars: upload, list, delete.

use http::Method;
use serde::Deserialize;

use super::client::{Client, segment};
use super::error::FlinkError;
use super::transport::{Content, Jar, Payload};
use super::types::JarInfo;

impl Client {
    /// The jars that this `JobManager` has.
    pub async fn jars(&self) -> Result<Vec<JarInfo>, FlinkError> {
        #[derive(Deserialize)]
        struct Answer {
            files: Vec<JarInfo>,
        }
        Ok(self.read::<Answer>("/jars".to_owned()).await?.files)
    }

    /// Uploads a jar under this file name; gives its id.
    pub async fn upload(&self, name: &str, content: Content) -> Result<String, FlinkError> {
        #[derive(Deserialize)]
        struct Answer {
            filename: String,
        }
        let jar = Jar { name: name.to_owned(), content };
        let deadline = self.deadlines().upload;
        let reply = self.change(Method::POST, "/jars/upload".to_owned(), Payload::Jar(jar), deadline).await?;
        // Flink answers with the file's whole path; its id is the last part.
        let file = reply.decode::<Answer>()?.filename;
        Ok(file.rsplit('/').next().unwrap_or_default().to_owned())
    }

    /// Deletes a jar.
    pub async fn delete_jar(&self, jar: &str) -> Result<(), FlinkError> {
        let path = format!("/jars/{}", segment(jar));
        self.change(Method::DELETE, path, Payload::Empty, self.deadlines().change).await.map(drop)
    }
}
