//! A namespace that is made for a release (`--create-namespace`), and removed again where nothing
//! comes into it.

use crate::context::Context;
use crate::failure::{Cause, Failure, InPhase};
use crate::progress::{Observer, Progress};
use crate::release::LockError;

/// Makes the namespace first, where that is wanted and there is none. It goes again where the
/// operation changes nothing, unless another client has put one of its own in its place.
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
        && !says_that_another_came(&failure.cause)
        && let Err(error) = context.cluster.delete_namespace(name, &uid).await
        && !error.is_not_found()
        && !error.is_conflict()
    {
        let warning = format!("the namespace {name} was made and could not be removed again: {error}");
        observer.progress(Progress::Warning(warning));
    }
    done
}

/// Returns whether a refusal says that another client has begun, or has, a release of this name in
/// the namespace: it is theirs as well then.
fn says_that_another_came(cause: &Cause) -> bool {
    match cause {
        Cause::Exists { .. } | Cause::ChangedMeanwhile { .. } | Cause::LeftBehind { .. } => true,
        Cause::Lock(error) => !matches!(error, LockError::Release(_)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use serde_json::json;

    use super::*;
    use crate::context::testing::{Log, Reply, cluster};

    /// A namespace that is made with the uid `ours`, and is `there` when it is deleted.
    fn context(there: &'static str) -> (Context, Log) {
        let (cluster, log) = cluster(move |seen| match (seen.method.as_str(), seen.path.as_str()) {
            ("POST", "/api/v1/namespaces") => Reply::json(201, &json!({"metadata": {"uid": "ours"}})),
            ("DELETE", "/api/v1/namespaces/team") if seen.body["preconditions"]["uid"] == there => {
                Reply::text(200, "{}")
            }
            ("DELETE", "/api/v1/namespaces/team") => Reply::no(409, "the UID in the precondition differs"),
            other => panic!("{other:?}"),
        });
        (Context::new(cluster, "team".to_owned(), "test".to_owned()), log)
    }

    async fn outcome(there: &'static str, done: Result<(), Failure>) -> (Vec<String>, Vec<String>) {
        let (context, log) = context(there);
        let said = Mutex::new(Vec::new());
        let observer = |progress: Progress| said.lock().unwrap().push(format!("{progress:?}"));
        let expected = done.as_ref().err().map(|failure| failure.phase.clone());
        let ended = within(&context, true, &observer, async || done).await;
        assert_eq!(ended.err().map(|failure| failure.phase), expected);
        (log.lines(), said.into_inner().unwrap())
    }

    const MADE: &str = "POST /api/v1/namespaces";
    const REMOVED: &str = "DELETE /api/v1/namespaces/team";

    #[tokio::test]
    async fn a_namespace_goes_again_where_nothing_changed() {
        let refused = || Err(Failure::refused(Cause::Interrupted));
        assert_eq!(outcome("ours", refused()).await, (vec![MADE.to_owned(), REMOVED.to_owned()], vec![]));
        assert_eq!(outcome("ours", Ok(())).await, (vec![MADE.to_owned()], vec![]));
        let failed = Err(Failure::failed(Cause::Interrupted, vec![]));
        assert_eq!(outcome("ours", failed).await, (vec![MADE.to_owned()], vec![]));
    }

    /// Expected: of two installs at once, the one that comes too late takes nothing away.
    #[tokio::test]
    async fn a_namespace_into_which_another_client_came_stays() {
        let now = jiff::Timestamp::UNIX_EPOCH;
        let held = LockError::Held {
            release: "demo".to_owned(),
            holder: "another".to_owned(),
            since: now,
            expires: now,
        };
        let exists = Cause::Exists {
            name: "demo".to_owned(),
            namespace: "team".to_owned(),
            revision: 1,
            status: "deployed".to_owned(),
        };
        for cause in [Cause::from(held), exists] {
            let refused = Err(Failure::refused(cause));
            assert_eq!(outcome("ours", refused).await, (vec![MADE.to_owned()], vec![]));
        }
    }

    #[tokio::test]
    async fn a_namespace_that_another_client_has_made_since_stays() {
        let refused = Err(Failure::refused(Cause::Interrupted));
        assert_eq!(outcome("theirs", refused).await, (vec![MADE.to_owned(), REMOVED.to_owned()], vec![]));
    }
}
