//! Looking for a savepoint whose path no answer of Flink gave: in the directory that was its trigger's alone, with the eyes
//! of a Pod that mounts it.

use crate::cluster::pods;
use crate::operation::{Target, Trigger};
use crate::ops::execute::Executor;

/// Prints the savepoints in the directory `$1` that are whole: Flink writes `_metadata` last.
const WHOLE: &str = r#"for f in "$1"/*/_metadata; do if [ -f "$f" ]; then echo "${f%/_metadata}"; fi; done"#;

impl Executor<'_> {
    /// The savepoint in a trigger's directory: `None` where there is none that is whole, or where no Pod can look (an
    /// object store).
    pub(super) async fn search(&self, trigger: &Trigger) -> Option<String> {
        let folder = local(&trigger.directory)?;
        let descriptor = self.descriptor(Target::Old)?;
        for selector in [&descriptor.job_manager_selector, &descriptor.task_manager_selector] {
            let found = pods::list(&self.context.cluster, &self.context.namespace, selector).await.ok()?;
            let Some(name) = pods::serving(&found) else { continue };
            let Some(pod) = found.iter().find(|pod| pod.metadata.name.as_deref() == Some(name)) else {
                continue;
            };
            let command = ["sh", "-c", WHOLE, "sh", folder];
            match pods::output_of(&self.context.cluster, &self.context.namespace, pod, &command).await {
                Ok(printed) => {
                    let mut lines = printed.lines().filter(|line| line.starts_with('/'));
                    return match (lines.next(), lines.next()) {
                        (Some(only), None) => Some(format!("file://{only}")),
                        _ => None,
                    };
                }
                Err(error) => tracing::warn!(%error, pod = name, "the savepoint could not be looked for"),
            }
        }
        None
    }
}

/// The path that a Pod sees: of a `file:` URI only.
fn local(directory: &str) -> Option<&str> {
    let path = directory.strip_prefix("file:")?;
    let path = path.strip_prefix("//").unwrap_or(path);
    path.starts_with('/').then_some(path)
}

#[cfg(test)]
mod tests {
    use super::local;

    #[test]
    fn only_files_can_be_looked_for() {
        assert_eq!(local("file:///s/a/2-1"), Some("/s/a/2-1"));
        assert_eq!(local("file:/s/a/2-1"), Some("/s/a/2-1"));
        assert_eq!(local("s3://bucket/a"), None);
        assert_eq!(local("file://host/a"), None);
    }
}
