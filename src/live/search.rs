//! Looking for what no answer of Flink gave: the path of a savepoint or a checkpoint, in the
//! directory that was its trigger's or its job's alone, and whether a job has finished; with the
//! eyes of a Pod that mounts the storage.

use crate::cluster::{exec, pods};
use crate::context::Context;
use crate::flink::names::{METADATA_FILE, RESULT_FILES, checkpoint_number};
use crate::layout::Descriptor;
use crate::operation::Look;

/// Prints the savepoints and checkpoints in the directory `$1` that are whole: Flink writes the
/// metadata file last.
fn whole() -> String {
    format!(r#"for f in "$1"/*/{METADATA_FILE}; do if [ -f "$f" ]; then echo "${{f%/*}}"; fi; done"#)
}

/// Prints whether the job result store has the job whose files begin with `$1` as one that has
/// finished. They are dirty until Flink has tidied up behind the job (`FileSystemJobResultStore`,
/// `JobResultSerializer`).
fn finished() -> String {
    let [clean, dirty] = RESULT_FILES;
    format!(
        r#"if grep -qs '"application-status" *: *"SUCCEEDED"' "${{1}}{clean}" "${{1}}{dirty}"
then echo finished; else echo not; fi"#
    )
}

/// Prints whether there is nothing that Flink would restore from at `$1`: a folder with its
/// metadata file, or that file itself (`AbstractFsCheckpointStorageAccess`).
fn missing() -> String {
    format!(r#"if [ -f "$1/{METADATA_FILE}" ] || [ -f "$1" ]; then echo there; else echo missing; fi"#)
}

/// `Unknown` where no Pod can look (an object store).
pub(crate) async fn search(context: &Context, descriptor: &Descriptor, directory: &str) -> Look {
    match printed(context, descriptor, &whole(), directory).await {
        Some(printed) => only_or_newest(printed.lines().filter(|line| line.starts_with('/'))),
        None => Look::Unknown,
    }
}

/// Returns whether a job has finished by itself, of which the job result store's files begin with
/// that; `None` where no Pod can look.
pub(crate) async fn has_finished(context: &Context, descriptor: &Descriptor, files: &str) -> Option<bool> {
    match printed(context, descriptor, &finished(), files).await?.trim() {
        "finished" => Some(true),
        "not" => Some(false),
        _ => None,
    }
}

/// Returns whether there is certainly no savepoint or checkpoint at a path; `false` where no Pod
/// can look.
pub(crate) async fn is_missing(context: &Context, descriptor: &Descriptor, path: &str) -> bool {
    printed(context, descriptor, &missing(), path).await.is_some_and(|printed| printed.trim() == "missing")
}

/// Returns what a script prints about a place in the storage, in the first Pod that can run it.
async fn printed(context: &Context, descriptor: &Descriptor, script: &str, place: &str) -> Option<String> {
    let place = local(place)?;
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
        match exec::output_of(&context.cluster, &context.namespace, pod, script, &[place]).await {
            Ok(printed) => return Some(printed),
            Err(error) => tracing::warn!(%error, pod = name, "state could not be looked for"),
        }
    }
    None
}

/// Of savepoints the only one: with two nobody knows which ended the job. Of checkpoints the
/// newest.
fn only_or_newest<'a>(found: impl Iterator<Item = &'a str>) -> Look {
    let found: Vec<_> = found.map(|path| (checkpoint_number(path), path)).collect();
    let newest = match found.as_slice() {
        [] => return Look::Nothing,
        [(_, only)] => Some(*only),
        many if many.iter().all(|(number, _)| number.is_some()) => many.iter().max().map(|(_, path)| *path),
        _ => None,
    };
    newest.map_or(Look::Unknown, |path| Look::Found(format!("file://{path}")))
}

/// The path that a Pod sees: of a `file:` URI only. What a path without a scheme means, Flink's
/// `fs.default-scheme` says; a `%` may stand for itself or begin an escape.
fn local(directory: &str) -> Option<&str> {
    let path = directory.strip_prefix("file:")?;
    let path = path.strip_prefix("//").unwrap_or(path);
    (path.starts_with('/') && !path.contains('%')).then_some(path)
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
        assert_eq!(local("/s/a/2-1"), None);
        assert_eq!(local("file:///s/a%20b"), None);
        assert_eq!(local("s3://bucket/a"), None);
        assert_eq!(local("file://host/a"), None);
    }
}
