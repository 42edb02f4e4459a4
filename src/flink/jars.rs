//! Jars: upload, list, plan, run. `run` is for [`super::job_start`], which looks the job up around it.

use http::Method;
use serde::Deserialize;

use super::client::{Client, json, segment};
use super::error::FlinkError;
use super::requests::{Program, RunRequest};
use super::transport::{Content, Jar, Payload};
use super::types::{JarInfo, Plan};

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

    /// Runs `main()` without starting a job: a missing class, wrong arguments and the vertices' parallelism show. That
    /// `run` will succeed it does not prove; `main()`'s side effects happen.
    pub async fn plan(&self, jar: &str, program: &Program) -> Result<Plan, FlinkError> {
        #[derive(Deserialize)]
        struct Answer {
            plan: Plan,
        }
        let path = format!("/jars/{}/plan", segment(jar));
        let reply =
            self.change(Method::POST, path, json(&program.plan_body()), self.deadlines().main).await?;
        Ok(reply.decode::<Answer>()?.plan)
    }

    /// Runs `main()` and starts its job. After **any** error the job may run all the same: use
    /// [`super::job_start::start`].
    pub async fn run(&self, jar: &str, request: &RunRequest) -> Result<(), FlinkError> {
        let path = format!("/jars/{}/run", segment(jar));
        self.change(Method::POST, path, json(&request.body()), self.deadlines().main).await.map(drop)
    }
}
