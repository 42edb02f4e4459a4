//! Looking for a savepoint or a checkpoint whose path no answer of Flink gave: in the directory that was its trigger's or
//! its job's alone, with the eyes of a Pod that mounts it.

use crate::cluster::pods;
use crate::ops::Context;
use crate::ops::descriptor::Descriptor;

/// Prints the savepoints in the directory `$1` that are whole: Flink writes `_metadata` last.
const WHOLE: &str = r#"for f in "$1"/*/_metadata; do if [ -f "$f" ]; then echo "${f%/_metadata}"; fi; done"#;

/// `None` where there is none that is whole, or where no Pod can look (an object store).
pub(in crate::ops) async fn search(
    context: &Context,
    descriptor: &Descriptor,
    directory: &str,
) -> Option<String> {
    let folder = local(directory)?;
    for selector in [&descriptor.job_manager_selector, &descriptor.task_manager_selector] {
        let found = pods::list(&context.cluster, &context.namespace, selector).await.ok()?;
        let Some(name) = pods::serving(&found) else { continue };
        let Some(pod) = found.iter().find(|pod| pod.metadata.name.as_deref() == Some(name)) else {
            continue;
        };
        let command = ["sh", "-c", WHOLE, "sh", folder];
        match pods::output_of(&context.cluster, &context.namespace, pod, &command).await {
            Ok(printed) => {
                return only_or_newest(printed.lines().filter(|line| line.starts_with('/')))
                    .map(|path| format!("file://{path}"));
            }
            Err(error) => tracing::warn!(%error, pod = name, "the savepoint could not be looked for"),
        }
    }
    None
}

/// Of savepoints the only one: with two nobody knows which ended the job. Of checkpoints the newest.
fn only_or_newest<'a>(found: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let number = |path: &str| path.rsplit_once("/chk-")?.1.parse::<u64>().ok();
    let found: Vec<_> = found.map(|path| (number(path), path)).collect();
    match found.as_slice() {
        [(_, only)] => Some(only),
        many if many.iter().all(|(number, _)| number.is_some()) => many.iter().max().map(|(_, path)| *path),
        _ => None,
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
    use super::{local, only_or_newest};

    #[test]
    fn the_newest_checkpoint_and_the_only_savepoint() {
        let found = |paths: &[&'static str]| only_or_newest(paths.iter().copied());
        assert_eq!(found(&["/c/chk-9", "/c/chk-10"]), Some("/c/chk-10"));
        assert_eq!(found(&["/s/savepoint-1"]), Some("/s/savepoint-1"));
        assert_eq!(found(&["/s/savepoint-1", "/s/savepoint-2"]), None);
        assert_eq!(found(&[]), None);
    }

    #[test]
    fn only_files_can_be_looked_for() {
        assert_eq!(local("file:///s/a/2-1"), Some("/s/a/2-1"));
        assert_eq!(local("file:/s/a/2-1"), Some("/s/a/2-1"));
        assert_eq!(local("s3://bucket/a"), None);
        assert_eq!(local("file://host/a"), None);
    }
}
