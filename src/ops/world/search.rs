//! Looking for a savepoint or a checkpoint whose path no answer of Flink gave: in the directory that was its trigger's or
//! its job's alone, with the eyes of a Pod that mounts it.

use crate::cluster::pods;
use crate::ops::Context;
use crate::ops::descriptor::Descriptor;
use crate::ops::engine::Look;

/// Prints the savepoints and checkpoints in the directory `$1` that are whole: Flink writes `_metadata` last.
const WHOLE: &str = r#"for f in "$1"/*/_metadata; do if [ -f "$f" ]; then echo "${f%/_metadata}"; fi; done"#;

/// `Unknown` where no Pod can look (an object store).
pub(in crate::ops) async fn search(context: &Context, descriptor: &Descriptor, directory: &str) -> Look {
    let Some(folder) = local(directory) else { return Look::Unknown };
    for selector in [&descriptor.job_manager_selector, &descriptor.task_manager_selector] {
        let found = match pods::list(&context.cluster, &context.namespace, selector).await {
            Ok(found) => found,
            Err(error) => {
                tracing::warn!(%error, "the Pods that could look for state could not be listed");
                continue;
            }
        };
        let Some(name) = pods::serving(&found) else { continue };
        let Some(pod) = found.iter().find(|pod| pod.metadata.name.as_deref() == Some(name)) else {
            continue;
        };
        let command = ["sh", "-c", WHOLE, "sh", folder];
        match pods::output_of(&context.cluster, &context.namespace, pod, &command).await {
            Ok(printed) => return only_or_newest(printed.lines().filter(|line| line.starts_with('/'))),
            Err(error) => tracing::warn!(%error, pod = name, "state could not be looked for"),
        }
    }
    Look::Unknown
}

/// Of savepoints the only one: with two nobody knows which ended the job. Of checkpoints the newest.
fn only_or_newest<'a>(found: impl Iterator<Item = &'a str>) -> Look {
    let number = |path: &str| path.rsplit_once("/chk-")?.1.parse::<u64>().ok();
    let found: Vec<_> = found.map(|path| (number(path), path)).collect();
    let newest = match found.as_slice() {
        [] => return Look::Nothing,
        [(_, only)] => Some(*only),
        many if many.iter().all(|(number, _)| number.is_some()) => many.iter().max().map(|(_, path)| *path),
        _ => None,
    };
    newest.map_or(Look::Unknown, |path| Look::Found(format!("file://{path}")))
}

/// The path that a Pod sees: of a `file:` URI only.
fn local(directory: &str) -> Option<&str> {
    let path = directory.strip_prefix("file:")?;
    let path = path.strip_prefix("//").unwrap_or(path);
    path.starts_with('/').then_some(path)
}

#[cfg(test)]
mod tests {
    use super::{Look, local, only_or_newest};

    #[test]
    fn the_newest_checkpoint_and_the_only_savepoint() {
        let found = |paths: &[&'static str]| only_or_newest(paths.iter().copied());
        let at = |path: &str| Look::Found(path.to_owned());
        assert_eq!(found(&["/c/chk-9", "/c/chk-10"]), at("file:///c/chk-10"));
        assert_eq!(found(&["/s/savepoint-1"]), at("file:///s/savepoint-1"));
        assert_eq!(found(&["/s/savepoint-1", "/s/savepoint-2"]), Look::Unknown);
        assert_eq!(found(&[]), Look::Nothing);
    }

    #[test]
    fn only_files_can_be_looked_for() {
        assert_eq!(local("file:///s/a/2-1"), Some("/s/a/2-1"));
        assert_eq!(local("file:/s/a/2-1"), Some("/s/a/2-1"));
        assert_eq!(local("s3://bucket/a"), None);
        assert_eq!(local("file://host/a"), None);
    }
}
