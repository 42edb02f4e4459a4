//! `index.yaml`: what a repository holds.
//!
//! It is made from the packages alone, without a clock: the same packages give the same bytes, so
//! that a test can hold the one in the source tree against them.

use std::collections::BTreeMap;

use semver::Version;
use serde::{Deserialize, Serialize};

use crate::package::{API_VERSION, Metadata, Package, PackageError};
use crate::version::Range;
use crate::yaml::{self, YamlError};

/// The index of a repository.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Index {
    pub api_version: String,
    /// The versions of each package, the newest first.
    pub packages: BTreeMap<String, Vec<Entry>>,
}

/// One version of a package: what is needed to choose it, and where it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    pub version: Version,
    /// The Flink that it deploys by itself.
    pub flink_version: String,
    /// The Flink versions that it supports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flink_version_range: Option<Range>,
    /// The Kubernetes versions that it supports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kube_version: Option<Range>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Words to find it by.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keywords: Vec<String>,
    pub layouts: Vec<String>,
    /// No longer to be installed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deprecated: bool,
    pub digest: String,
    /// Where it is, relative to the index or absolute.
    pub urls: Vec<String>,
}

impl Index {
    /// The index of `packages`; `url` says where each is.
    pub fn of(packages: &[Package], url: &dyn Fn(&Metadata) -> String) -> Result<Self, PackageError> {
        let mut index = Self { api_version: API_VERSION.to_owned(), packages: BTreeMap::new() };
        for package in packages {
            let metadata = &package.metadata;
            let entry = Entry {
                version: metadata.version.clone(),
                flink_version: metadata.flink_version.clone(),
                flink_version_range: metadata.flink_version_range.clone(),
                kube_version: metadata.kube_version.clone(),
                description: metadata.description.clone(),
                keywords: metadata.keywords.clone(),
                layouts: metadata.layouts.keys().cloned().collect(),
                deprecated: metadata.deprecated,
                digest: package.digest()?,
                urls: vec![url(metadata)],
            };
            index.packages.entry(metadata.name.clone()).or_default().push(entry);
        }
        for entries in index.packages.values_mut() {
            entries.sort_by(|a, b| b.version.cmp(&a.version));
        }
        Ok(index)
    }

    /// Reads an index.
    pub fn parse(text: &str, origin: &str) -> Result<Self, YamlError> {
        yaml::from_str(text, origin)
    }

    /// As it stands in `index.yaml`.
    pub fn to_yaml(&self) -> String {
        yaml::to_string(self)
    }
}
