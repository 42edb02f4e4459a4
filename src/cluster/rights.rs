//! May we? Asked of the API server before anything changes.

use super::call::Call;
use super::{Cluster, ClusterError};
use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::authorization::v1::SubjectAccessReviewStatus;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::fmt;

const AT_ONCE: usize = 12;

/// A verb on a resource. Displays as `create secrets`, `get services/proxy`, `create
/// deployments.apps`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Right {
    pub verb: String,
    /// The API group; empty for the core.
    pub group: String,
    /// The plural, such as `secrets`.
    pub resource: String,
    /// Such as `proxy`; empty for the resource itself.
    pub subresource: String,
    /// Only this object; for any where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl Right {
    /// A verb on a resource of a group, such as `("patch", "apps", "deployments")`; a subresource
    /// after a slash, as in `services/proxy`.
    pub fn new(verb: &str, group: &str, resource: &str) -> Self {
        let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
        Self {
            verb: verb.to_owned(),
            group: group.to_owned(),
            resource: resource.to_owned(),
            subresource: subresource.to_owned(),
            name: None,
        }
    }
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.verb, self.resource)?;
        if !self.group.is_empty() {
            write!(f, ".{}", self.group)?;
        }
        if !self.subresource.is_empty() {
            write!(f, "/{}", self.subresource)?;
        }
        if let Some(name) = &self.name {
            write!(f, " {name}")?;
        }
        Ok(())
    }
}

impl Cluster {
    /// The rights of the list that the caller does not have in the namespace, in the list's order;
    /// each is asked for by a `SelfSubjectAccessReview`, which everybody may create.
    pub async fn check_rights(&self, namespace: &str, rights: &[Right]) -> Result<Vec<Right>, ClusterError> {
        let answers: Vec<_> = futures::stream::iter(rights)
            .map(|right| async move { Ok::<_, ClusterError>((right, self.may(namespace, right).await?)) })
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        Ok(answers.into_iter().filter(|(_, may)| !may).map(|(right, _)| right.clone()).collect())
    }

    async fn may(&self, namespace: &str, right: &Right) -> Result<bool, ClusterError> {
        let body = json!({
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": {
                "namespace": namespace,
                "verb": right.verb,
                "group": right.group,
                "resource": right.resource,
                "subresource": right.subresource,
                "name": right.name.as_deref().unwrap_or_default(),
            }},
        });
        let answer: Value = self
            .call(Call::ask("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", &body))
            .await?
            .json()?;
        let status: SubjectAccessReviewStatus =
            serde_json::from_value(answer.get("status").cloned().unwrap_or_default()).unwrap_or_default();
        Ok(status.allowed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_right_reads_as_kubectl_auth_writes_it() {
        assert_eq!(Right::new("get", "", "services/proxy").to_string(), "get services/proxy");
        assert_eq!(Right::new("patch", "apps", "deployments").to_string(), "patch deployments.apps");
        let named = Right { name: Some("demo".to_owned()), ..Right::new("get", "", "secrets") };
        assert_eq!(named.to_string(), "get secrets demo");
    }
}
