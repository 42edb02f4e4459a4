//! `package.yaml`.

use std::collections::BTreeMap;

use semver::Version;
use serde::{Deserialize, Serialize};

use super::error::PackageError;
use crate::version::{Range, parse_version};

/// What `package.yaml` says: identity, what the package supports, its layouts, dependencies and
/// images.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Metadata {
    pub api_version: String,
    pub name: String,
    /// `SemVer` 2, three numbers.
    pub version: Version,
    /// The Flink that it deploys unless told otherwise.
    pub flink_version: String,
    /// The Flink versions that it supports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flink_version_range: Option<Range>,
    /// The Kubernetes versions that it supports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kube_version: Option<Range>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub home: Option<String>,
    /// Where its source is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<String>,
    /// Who looks after it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub maintainers: Vec<Maintainer>,
    /// Words to find it by.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keywords: Vec<String>,
    /// The address of a picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub icon: Option<String>,
    /// No longer to be installed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deprecated: bool,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// The ways to deploy it; at least one.
    pub layouts: BTreeMap<String, Layout>,
    /// The layout where none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_layout: Option<String>,
    /// Packages that it needs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dependencies: Vec<Dependency>,
    /// Images that no rendered object shows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<String>,
}

/// One way to deploy a package; its templates are in `layouts/<name>/`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Layout {
    pub kind: LayoutKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// What a layout deploys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum LayoutKind {
    /// A cluster that jobs are submitted to.
    Session,
    /// A cluster for exactly one job.
    Job,
    /// Resources of the Flink Kubernetes Operator.
    Operator,
    /// Anything without a Flink of its own.
    Plain,
}

impl LayoutKind {
    /// As it is written in `package.yaml`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Job => "job",
            Self::Operator => "operator",
            Self::Plain => "plain",
        }
    }
}

/// Who looks after a package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Maintainer {
    pub name: String,
    /// An address to write to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// A package that another one needs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Dependency {
    pub name: String,
    /// Which versions will do.
    pub version: Range,
    /// Where it comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// The name under which its values stand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// The path of the value that switches it on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
}

impl Metadata {
    /// Returns what the types do not check.
    pub(super) fn check(&self) -> Result<(), PackageError> {
        let error =
            |field: &str, message: String| PackageError::Metadata { field: field.to_owned(), message };
        if self.api_version != super::API_VERSION {
            let message = format!("`{}` is not supported: `{}` is", self.api_version, super::API_VERSION);
            return Err(error("apiVersion", message));
        }
        if !is_dns_label(&self.name) {
            let message =
                format!("`{}` is not a name: lower-case letters, digits and `-`, at most 63", self.name);
            return Err(error("name", message));
        }
        let flink =
            parse_version(&self.flink_version).map_err(|source| error("flinkVersion", source.to_string()))?;
        if self.flink_version_range.as_ref().is_some_and(|range| !range.matches(&flink)) {
            let message = format!("{} is not in flinkVersionRange", self.flink_version);
            return Err(error("flinkVersion", message));
        }
        if self.layouts.is_empty() {
            return Err(error("layouts", "there is none, and at least one is needed".to_owned()));
        }
        for name in self.layouts.keys() {
            if !is_dns_label(name) {
                let message = "not a name: lower-case letters, digits and `-`, at most 63".to_owned();
                return Err(error(&format!("layouts.{name}"), message));
            }
        }
        if let Some(name) = self.default_layout.as_ref().filter(|name| !self.layouts.contains_key(*name)) {
            return Err(error("defaultLayout", format!("there is no layout `{name}`")));
        }
        Ok(())
    }
}

/// RFC 1123, as Kubernetes wants it.
fn is_dns_label(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !text.is_empty()
        && text.len() <= 63
        && text.bytes().all(inner)
        && !text.starts_with('-')
        && !text.ends_with('-')
}
