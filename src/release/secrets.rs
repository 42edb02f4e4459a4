//! The Secrets of one namespace that hold what a release remembers: one request each to read, list,
//! write and remove.

use super::ReleaseError;
use crate::cluster::call::Call;
use crate::cluster::discovery::Resource;
use crate::cluster::{Cluster, ClusterError, Selection};
use k8s_openapi::ByteString;
use serde_json::{Value, json};

/// The value of the label `owner` on all that this module stores.
pub(super) const OWNER: &str = "kubectl-flink";

/// The Secrets of one namespace.
#[derive(Clone)]
pub(super) struct Secrets {
    pub(super) cluster: Cluster,
    pub(super) namespace: String,
}

impl Secrets {
    pub(super) fn new(cluster: &Cluster, namespace: &str) -> Self {
        Self { cluster: cluster.clone(), namespace: namespace.to_owned() }
    }

    /// Returns a Secret without data, to be filled and written.
    pub(super) fn body(&self, name: &str, kind: &str, labels: &Value) -> Value {
        json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "type": kind,
            "metadata": {"name": name, "namespace": self.namespace, "labels": labels},
        })
    }

    pub(super) async fn get(&self, name: &str) -> Result<Option<Value>, ClusterError> {
        self.cluster.get(&resource(), &self.namespace, name).await
    }

    /// Lists by labels, of one type or (empty) of any.
    pub(super) async fn list(
        &self,
        labels: &str,
        kind: &str,
        metadata_only: bool,
    ) -> Result<Vec<Value>, ClusterError> {
        self.list_in(Some(&self.namespace), labels, kind, metadata_only).await
    }

    /// Lists in one namespace, or (`None`) in all.
    pub(super) async fn list_in(
        &self,
        namespace: Option<&str>,
        labels: &str,
        kind: &str,
        metadata_only: bool,
    ) -> Result<Vec<Value>, ClusterError> {
        let fields = if kind.is_empty() { String::new() } else { format!("type={kind}") };
        let selection = Selection { labels, fields: &fields, metadata_only };
        self.cluster.list(&resource(), namespace, &selection).await
    }

    pub(super) async fn create(&self, body: &Value) -> Result<(), ClusterError> {
        let path = resource().collection(Some(&self.namespace))?;
        self.cluster.call(Call::create(path, body)).await.map(|_| ())
    }

    /// Replaces a Secret, if it still has the resource version in `body`.
    pub(super) async fn replace(&self, body: &Value) -> Result<(), ClusterError> {
        let path = resource().object(&self.namespace, name_of(body))?;
        self.cluster.call(Call::replace(path, body)).await.map(|_| ())
    }

    pub(super) async fn patch(&self, name: &str, change: &Value) -> Result<(), ClusterError> {
        let path = resource().object(&self.namespace, name)?;
        self.cluster.call(Call::merge_patch(path, change)).await.map(|_| ())
    }

    /// Deletes a Secret; one that is gone already is as good.
    pub(super) async fn delete(&self, name: &str) -> Result<(), ClusterError> {
        let path = resource().object(&self.namespace, name)?;
        match self.cluster.call(Call::delete(path, &json!({}))).await {
            Err(error) if !error.is_not_found() => Err(error),
            _ => Ok(()),
        }
    }
}

pub(super) fn resource() -> Resource {
    Resource::known("v1", "secrets")
}

pub(super) fn name_of(object: &Value) -> &str {
    object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default()
}

/// Returns bytes as a Secret's `data` holds them.
pub(super) fn base64(bytes: &[u8]) -> Value {
    serde_json::to_value(ByteString(bytes.to_vec())).unwrap_or_default()
}

/// Returns one key of a Secret's `data`.
pub(super) fn bytes(secret: &Value, key: &str) -> Result<Vec<u8>, ReleaseError> {
    let wrong =
        || ReleaseError::Metadata { secret: name_of(secret).to_owned(), field: format!("data.{key}") };
    let value = secret.get("data").and_then(|data| data.get(key)).ok_or_else(wrong)?;
    serde_json::from_value::<ByteString>(value.clone()).map(|bytes| bytes.0).map_err(|_| wrong())
}
