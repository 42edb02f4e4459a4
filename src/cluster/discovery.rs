//! What the server can do: its version, its kinds, and where each kind lives in the API.

use super::call::Call;
use super::{Cluster, ClusterError};
use crate::render::{Capabilities, ObjectKey};
use k8s_openapi::apimachinery::pkg::version::Info;
use kube::client::APIGroupDiscoveryList;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,\
    application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList";

/// Where a kind lives in the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    pub api_version: String,
    pub plural: String,
    /// Its objects live in namespaces.
    pub namespaced: bool,
}

impl Resource {
    /// A resource that every cluster has, known without asking.
    pub fn known(api_version: &str, plural: &str) -> Self {
        Self { api_version: api_version.to_owned(), plural: plural.to_owned(), namespaced: true }
    }

    /// The API group; empty for the core.
    pub fn group(&self) -> &str {
        self.api_version.rsplit_once('/').map_or("", |(group, _)| group)
    }

    /// The path of the collection; of all namespaces where `namespace` is `None`.
    pub fn collection(&self, namespace: Option<&str>) -> Result<String, ClusterError> {
        let root = if self.api_version.contains('/') { "apis" } else { "api" };
        match namespace.filter(|_| self.namespaced) {
            Some(namespace) => {
                Ok(format!("/{root}/{}/namespaces/{}/{}", self.api_version, segment(namespace)?, self.plural))
            }
            None => Ok(format!("/{root}/{}/{}", self.api_version, self.plural)),
        }
    }

    /// The path of one object.
    pub fn object(&self, namespace: &str, name: &str) -> Result<String, ClusterError> {
        Ok(format!("{}/{}", self.collection(Some(namespace))?, segment(name)?))
    }
}

/// A name as it may stand in a path. Roles may have a colon in theirs; nothing needs an escape.
fn segment(name: &str) -> Result<&str, ClusterError> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:".contains(&byte);
    if !name.is_empty() && name != "." && name != ".." && name.bytes().all(fits) {
        Ok(name)
    } else {
        Err(ClusterError::Name(name.to_owned()))
    }
}

/// The kinds that a server serves.
#[derive(Clone, Debug, Default)]
pub struct Kinds {
    by_kind: BTreeMap<(String, String), Resource>,
}

impl Kinds {
    /// Where the kind of an object lives.
    pub fn get(&self, api_version: &str, kind: &str) -> Option<&Resource> {
        self.by_kind.get(&(api_version.to_owned(), kind.to_owned()))
    }

    /// Returns where the kinds that live in namespaces are, each once, whatever versions of it are
    /// served.
    pub fn in_namespaces(&self) -> impl Iterator<Item = &Resource> {
        let mut seen = BTreeSet::new();
        let namespaced = self.by_kind.values().filter(|resource| resource.namespaced);
        namespaced.filter(move |resource| seen.insert((resource.group().to_owned(), resource.plural.clone())))
    }

    fn add(&mut self, list: APIGroupDiscoveryList) {
        for group in list.items {
            let name = group.metadata.and_then(|metadata| metadata.name).unwrap_or_default();
            for version in group.versions {
                let version_name = version.version.unwrap_or_default();
                let api_version =
                    if name.is_empty() { version_name } else { format!("{name}/{version_name}") };
                for resource in version.resources {
                    let kind = resource.response_kind.and_then(|kind| kind.kind).unwrap_or_default();
                    let Some(plural) = resource.resource.filter(|_| !kind.is_empty()) else {
                        continue;
                    };
                    let namespaced = resource.scope.as_deref() == Some("Namespaced");
                    self.by_kind.entry((api_version.clone(), kind)).or_insert(Resource {
                        api_version: api_version.clone(),
                        plural,
                        namespaced,
                    });
                }
            }
        }
    }

    fn api_versions(&self) -> Vec<String> {
        let mut all = BTreeSet::new();
        for (api_version, kind) in self.by_kind.keys() {
            all.insert(api_version.clone());
            all.insert(format!("{api_version}/{kind}"));
        }
        all.into_iter().collect()
    }
}

impl Cluster {
    /// The server's version and all it serves, sorted: what templates may ask for.
    pub async fn capabilities(&self) -> Result<Capabilities, ClusterError> {
        let (version, kinds) = futures::try_join!(self.version(), self.kinds())?;
        Ok(Capabilities { kube_version: version, api_versions: kinds.api_versions() })
    }

    /// The server's version, such as `v1.36.3`.
    pub async fn version(&self) -> Result<String, ClusterError> {
        Ok(self.call(Call::get("/version")).await?.json::<Info>()?.git_version)
    }

    /// The kinds of the server, asked for once in the life of this process.
    pub async fn kinds(&self) -> Result<Arc<Kinds>, ClusterError> {
        let mut cached = self.kinds_cache().lock().await;
        if let Some(kinds) = cached.as_ref() {
            return Ok(kinds.clone());
        }
        let kinds = Arc::new(self.discover().await?);
        *cached = Some(kinds.clone());
        Ok(kinds)
    }

    /// Asks for the kinds again: after a `CustomResourceDefinition` was applied.
    pub async fn refresh_kinds(&self) -> Result<Arc<Kinds>, ClusterError> {
        *self.kinds_cache().lock().await = None;
        self.kinds().await
    }

    /// Where an object lives; asks the server again before it says that the kind is unknown.
    pub async fn resource(&self, key: &ObjectKey) -> Result<Resource, ClusterError> {
        let unknown =
            || ClusterError::UnknownKind { api_version: key.api_version.clone(), kind: key.kind.clone() };
        if let Some(resource) = self.kinds().await?.get(&key.api_version, &key.kind) {
            return Ok(resource.clone());
        }
        self.refresh_kinds().await?.get(&key.api_version, &key.kind).cloned().ok_or_else(unknown)
    }

    async fn discover(&self) -> Result<Kinds, ClusterError> {
        let ask = |path: &'static str| async move {
            let list: APIGroupDiscoveryList = self.call(Call::get(path).accept(AGGREGATED)).await?.json()?;
            Ok::<_, ClusterError>(list)
        };
        let (core, groups) = futures::try_join!(ask("/api"), ask("/apis"))?;
        let mut kinds = Kinds::default();
        kinds.add(core);
        kinds.add(groups);
        Ok(kinds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_namespaced_and_cluster_wide_objects() {
        let deployments = Resource::known("apps/v1", "deployments");
        assert_eq!(deployments.object("ns", "a").unwrap(), "/apis/apps/v1/namespaces/ns/deployments/a");
        assert_eq!(deployments.collection(None).unwrap(), "/apis/apps/v1/deployments");
        let namespaces = Resource { namespaced: false, ..Resource::known("v1", "namespaces") };
        assert_eq!(namespaces.object("ns", "a").unwrap(), "/api/v1/namespaces/a");
    }

    #[test]
    fn a_name_cannot_leave_its_place_in_the_path() {
        let secrets = Resource::known("v1", "secrets");
        for name in ["", "..", "a/b", "a?x=y", "a b"] {
            assert!(matches!(secrets.object("ns", name), Err(ClusterError::Name(_))), "{name}");
        }
    }
}
