//! Reading objects: one, or a list in pages, whole or their metadata only; and namespaces.

use super::call::Call;
use super::discovery::Resource;
use super::{Cluster, ClusterError};
use crate::render::ObjectKey;
use serde::Deserialize;
use serde_json::{Value, json};

/// Objects of one page of a list.
const PAGE: u32 = 500;
const METADATA_ONLY: &str =
    "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json";

/// What Kubernetes, or its distribution, puts into each namespace.
const IN_EVERY_NAMESPACE: &[(&str, &str)] = &[
    ("configmaps", "kube-root-ca.crt"),
    ("configmaps", "openshift-service-ca.crt"),
    ("serviceaccounts", "default"),
];

/// What to list.
#[derive(Clone, Debug, Default)]
pub struct Selection<'a> {
    /// A label selector; empty for all.
    pub labels: &'a str,
    /// A field selector; empty for all.
    pub fields: &'a str,
    /// Only `metadata` of each object.
    pub metadata_only: bool,
}

#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    metadata: PageMetadata,
    // Go writes an empty list as null where the type is dynamic.
    items: Option<Vec<Value>>,
}

#[derive(Default, Deserialize)]
struct PageMetadata {
    #[serde(default, rename = "continue")]
    next: Option<String>,
}

impl Cluster {
    /// Lists objects; of all namespaces where `namespace` is `None`.
    pub async fn list(
        &self,
        resource: &Resource,
        namespace: Option<&str>,
        selection: &Selection<'_>,
    ) -> Result<Vec<Value>, ClusterError> {
        let path = resource.collection(namespace)?;
        let mut all = Vec::new();
        let mut next = String::new();
        loop {
            let mut call = Call::get(format!("{path}?{}", query(selection, &next)));
            if selection.metadata_only {
                call = call.accept(METADATA_ONLY);
            }
            let page: Page = match self.call(call).await {
                // The list was too old to be continued: begin again.
                Err(error) if error.status() == Some(410) && !next.is_empty() => {
                    all.clear();
                    next.clear();
                    continue;
                }
                answer => answer?.json()?,
            };
            all.extend(page.items.unwrap_or_default());
            next = page.metadata.next.unwrap_or_default();
            if next.is_empty() {
                return Ok(all);
            }
        }
    }

    /// Reads one object; `None` where there is none.
    pub async fn get(
        &self,
        resource: &Resource,
        namespace: &str,
        name: &str,
    ) -> Result<Option<Value>, ClusterError> {
        match self.call(Call::get(resource.object(namespace, name)?)).await {
            Ok(answer) => Ok(Some(answer.json()?)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Reads the live object of a key; `None` where there is none. `namespace` counts where the key
    /// names none.
    pub async fn read(&self, namespace: &str, key: &ObjectKey) -> Result<Option<Value>, ClusterError> {
        let resource = self.resource(key).await?;
        self.get(&resource, key.namespace.as_deref().unwrap_or(namespace), &key.name).await
    }

    /// Returns whether a namespace exists. Who may not read namespaces is told so only by a 403 on
    /// what is in it: then this says yes.
    pub async fn namespace_exists(&self, name: &str) -> Result<bool, ClusterError> {
        match self.get(&namespaces(), "", name).await {
            Ok(found) => Ok(found.is_some()),
            Err(error) if error.is_forbidden() => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// Creates a namespace and returns its uid; `None` where it existed already.
    pub async fn create_namespace(&self, name: &str) -> Result<Option<String>, ClusterError> {
        // The name is checked as part of a path although it goes into the body.
        namespaces().object("", name)?;
        let body = json!({
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": name, "labels": {"app.kubernetes.io/managed-by": super::FIELD_MANAGER}},
        });
        match self.call(Call::create("/api/v1/namespaces", &body)).await {
            Ok(answer) => {
                let made: Value = answer.json()?;
                Ok(Some(made["metadata"]["uid"].as_str().unwrap_or_default().to_owned()))
            }
            Err(error) if error.is_conflict() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Returns something that clients have put into a namespace, as `secrets/name`, of whichever
    /// kind; `None` where there is nothing but what Kubernetes puts into a new one.
    pub async fn anything_in(&self, namespace: &str) -> Result<Option<String>, ClusterError> {
        let kinds = self.kinds().await?;
        for resource in kinds.in_namespaces().filter(|resource| resource.plural != "events") {
            let selection = Selection { metadata_only: true, ..Selection::default() };
            let found = match self.list(resource, Some(namespace), &selection).await {
                // What is only created, as reviews are, is not there to be listed.
                Err(error) if error.is_not_found() || error.status() == Some(405) => continue,
                found => found?,
            };
            let plural = resource.plural.as_str();
            let names = found.iter().filter_map(|object| object.pointer("/metadata/name")?.as_str());
            let mut of_clients = names.filter(|name| !IN_EVERY_NAMESPACE.contains(&(plural, *name)));
            if let Some(name) = of_clients.next() {
                return Ok(Some(format!("{plural}/{name}")));
            }
        }
        Ok(None)
    }

    /// Deletes a namespace with all that is in it, if it is still the one of that uid: for one that
    /// was just made and turned out not to be wanted.
    pub async fn delete_namespace(&self, name: &str, uid: &str) -> Result<(), ClusterError> {
        let path = namespaces().object("", name)?;
        let options = json!({"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": uid}});
        self.call(Call::delete(path, &options)).await.map(drop)
    }
}

/// Apart from the calls: the serializer must not live across an await, or no future that lists
/// could be spawned.
fn query(selection: &Selection<'_>, next: &str) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("limit", &PAGE.to_string());
    for (name, value) in
        [("labelSelector", selection.labels), ("fieldSelector", selection.fields), ("continue", next)]
    {
        if !value.is_empty() {
            query.append_pair(name, value);
        }
    }
    query.finish()
}

pub(super) fn namespaces() -> Resource {
    Resource { namespaced: false, ..Resource::known("v1", "namespaces") }
}
