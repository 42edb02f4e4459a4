//! A namespace that is made for a release (`--create-namespace`), and removed again where nothing
//! comes into it.

use crate::context::Context;
use crate::failure::{Failure, InPhase};
use crate::progress::{Observer, Progress};

/// Makes the namespace first, where that is wanted and there is none. It goes again where the
/// operation changes nothing, unless another client has put one of its own in its place or
/// something into it.
pub(super) async fn within<T>(
    context: &Context,
    wanted: bool,
    observer: &dyn Observer,
    operation: impl AsyncFnOnce() -> Result<T, Failure>,
) -> Result<T, Failure> {
    let name = &context.namespace;
    let made = if wanted { context.cluster.create_namespace(name).await.refused()? } else { None };
    let done = operation().await;
    if let (Err(failure), Some(uid)) = (&done, made)
        && failure.changed_nothing()
        && let Err(why) = remove(context, &uid).await
    {
        let warning = format!("the namespace {name} was made and stays: {why}");
        observer.progress(Progress::Warning(warning));
    }
    done
}

/// Removes the namespace of that uid where nothing is in it; an error says why it stays.
async fn remove(context: &Context, uid: &str) -> Result<(), String> {
    let name = &context.namespace;
    match context.cluster.anything_in(name).await {
        Ok(None) => {}
        Ok(Some(other)) => return Err(format!("{other} has come into it")),
        Err(error) => return Err(format!("what is in it is not known ({error})")),
    }
    match context.cluster.delete_namespace(name, uid).await {
        Err(error) if !error.is_not_found() && !error.is_conflict() => Err(error.to_string()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use serde_json::json;

    use super::*;
    use crate::context::testing::{Log, Reply, cluster, discovery};
    use crate::failure::Cause;

    /// A namespace that is made with the uid `ours`, is `there` when it is deleted, and has such
    /// objects in it.
    fn context(there: &'static str, objects: &'static [(&'static str, &'static str)]) -> (Context, Log) {
        let (cluster, log) = cluster(move |seen| match (seen.method.as_str(), seen.path.as_str()) {
            ("POST", "/api/v1/namespaces") => Reply::json(201, &json!({"metadata": {"uid": "ours"}})),
            ("DELETE", "/api/v1/namespaces/team") if seen.body["preconditions"]["uid"] == there => {
                Reply::text(200, "{}")
            }
            ("DELETE", "/api/v1/namespaces/team") => Reply::no(409, "the UID in the precondition differs"),
            ("GET", path) if discovery(path).is_some() => discovery(path).unwrap(),
            ("GET", path) => {
                let kind = path.split('?').next().unwrap().rsplit('/').next().unwrap();
                if objects.contains(&(kind, "forbidden")) {
                    return Reply::no(403, "not allowed");
                }
                let of_kind = objects.iter().filter(|(of, _)| *of == kind);
                let items: Vec<_> = of_kind.map(|(_, name)| json!({"metadata": {"name": name}})).collect();
                Reply::json(200, &json!({"items": items}))
            }
            other => panic!("{other:?}"),
        });
        (Context::new(cluster, "team".to_owned(), "test".to_owned()), log)
    }

    /// Whether the namespace was asked to be removed, and what was said.
    async fn outcome(context: (Context, Log), done: Result<(), Failure>) -> (bool, Vec<String>) {
        let (context, log) = context;
        let said = Mutex::new(Vec::new());
        let observer = |progress: Progress| said.lock().unwrap().push(format!("{progress:?}"));
        let expected = done.as_ref().err().map(|failure| failure.phase.clone());
        let ended = within(&context, true, &observer, async || done).await;
        assert_eq!(ended.err().map(|failure| failure.phase), expected);
        let removed = log.lines().iter().any(|line| line == "DELETE /api/v1/namespaces/team");
        (removed, said.into_inner().unwrap())
    }

    const EMPTY: &[(&str, &str)] = &[("configmaps", "kube-root-ca.crt")];

    #[tokio::test]
    async fn a_namespace_goes_again_where_nothing_changed() {
        let refused = || Err(Failure::refused(Cause::Interrupted));
        assert_eq!(outcome(context("ours", EMPTY), refused()).await, (true, vec![]));
        assert_eq!(outcome(context("ours", EMPTY), Ok(())).await, (false, vec![]));
        let failed = Err(Failure::failed(Cause::Interrupted, vec![]));
        assert_eq!(outcome(context("ours", EMPTY), failed).await, (false, vec![]));
    }

    /// Expected: of two installs at once, the one that comes too late takes nothing away.
    #[tokio::test]
    async fn a_namespace_into_which_something_has_come_stays_and_so_does_one_that_cannot_be_seen() {
        for (objects, why) in [
            (&[("widgets", "one")][..], "widgets/one has come into it"),
            (&[("deployments", "one")], "deployments/one has come into it"),
            (
                &[("configmaps", "kube-root-ca.crt"), ("configmaps", "mine")],
                "configmaps/mine has come into it",
            ),
            (&[("services", "forbidden")], "what is in it is not known"),
        ] {
            let refused = Err(Failure::refused(Cause::Interrupted));
            let (removed, said) = outcome(context("ours", objects), refused).await;
            assert!(!removed && said[0].contains(why), "{said:?}");
        }
    }

    #[tokio::test]
    async fn a_namespace_that_another_client_has_made_since_stays() {
        let refused = Err(Failure::refused(Cause::Interrupted));
        assert_eq!(outcome(context("theirs", EMPTY), refused).await, (true, vec![]));
    }
}
