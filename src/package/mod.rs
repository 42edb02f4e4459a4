//! A package: what it says of itself, its files, its layouts and its schema.
//!
//! All of it is in memory; only [`Package::from_dir`] reads the disk. Nothing here renders, and
//! nothing fetches: a schema's `$ref` stays inside its file.

mod error;
mod folder;
mod metadata;
mod schema;
mod suggest;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value};

use crate::archive::{self, Limits};

pub use error::PackageError;
pub use metadata::{Dependency, Layout, LayoutKind, Maintainer, Metadata};
use schema::Schema;
pub use schema::{SchemaError, Violation};
pub use suggest::closest;

/// The `apiVersion` that `package.yaml` must have.
pub const API_VERSION: &str = "flink.kubectl/v1";

const METADATA: &str = "package.yaml";
const VALUES: &str = "values.yaml";
const SCHEMA: &str = "values.schema.json";

/// A package whose metadata is read and whose shape is checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Package {
    pub metadata: Metadata,
    files: BTreeMap<String, Vec<u8>>,
    defaults: Value,
    schema: Option<Schema>,
}

impl Package {
    /// From files by their path in the package (`layouts/session/service.yaml`; `/` on every
    /// system).
    pub fn from_files(files: BTreeMap<String, Vec<u8>>) -> Result<Self, PackageError> {
        for path in files.keys() {
            archive::check_path(path)?;
        }
        let schema = text_of(&files, SCHEMA)?.as_deref().map(Schema::begin);
        let text = text_of(&files, METADATA)?.ok_or(PackageError::NoMetadata)?;
        let metadata: Metadata = crate::yaml::from_str(&text, METADATA)?;
        metadata.check()?;
        for name in metadata.layouts.keys() {
            let folder = format!("layouts/{name}/");
            if !files.keys().any(|path| path.starts_with(&folder)) {
                return Err(PackageError::EmptyLayout { layout: name.clone() });
            }
        }
        let defaults = match text_of(&files, VALUES)? {
            Some(text) => crate::yaml::value(&text, VALUES)?,
            None => Value::Null,
        };
        let defaults = match defaults {
            Value::Null => Value::Object(Map::new()),
            Value::Object(map) => Value::Object(map),
            other => {
                return Err(PackageError::DefaultsNotAMap { found: crate::values::kind(&other) });
            }
        };
        Ok(Self { metadata, files, defaults, schema })
    }

    /// From a folder. Names that start with a dot are left out (`.git`); links are refused, since
    /// an archive of the package could not hold them.
    pub fn from_dir(folder: &Path) -> Result<Self, PackageError> {
        Self::from_files(folder::read(folder)?)
    }

    /// From a gzipped tar, unpacked in memory under [`Limits::default`].
    pub fn from_archive(archive: &[u8]) -> Result<Self, PackageError> {
        Self::from_archive_within(archive, &Limits::default())
    }

    /// As [`Package::from_archive`], under the caller's limits.
    pub fn from_archive_within(archive: &[u8], limits: &Limits) -> Result<Self, PackageError> {
        let unpacked = archive::unpack(archive, limits)?;
        let package = Self::from_files(unpacked.files)?;
        if unpacked.root != package.metadata.name {
            return Err(PackageError::RootName { root: unpacked.root, name: package.metadata.name });
        }
        Ok(package)
    }

    /// A gzipped tar: the same package always gives the same bytes. One root folder named after the
    /// package.
    pub fn to_archive(&self) -> Result<Vec<u8>, PackageError> {
        Ok(archive::gzip(&self.tar()?)?)
    }

    /// `sha256:…` of the uncompressed tar, which does not change with the compressor.
    pub fn digest(&self) -> Result<String, PackageError> {
        use sha2::{Digest, Sha256};
        let digest = Sha256::digest(self.tar()?);
        Ok(format!("sha256:{}", hex(&digest)))
    }

    fn tar(&self) -> Result<Vec<u8>, PackageError> {
        Ok(archive::tar(&self.metadata.name, &self.files)?)
    }

    /// `values.yaml`: always a map.
    pub fn default_values(&self) -> &Value {
        &self.defaults
    }

    /// The layout of that name, or the default one; an unknown name lists those there are.
    pub fn layout<'a>(&'a self, name: Option<&'a str>) -> Result<(&'a str, &'a Layout), PackageError> {
        let layouts = &self.metadata.layouts;
        let only = || layouts.keys().next().filter(|_| layouts.len() == 1);
        let wanted = name
            .or(self.metadata.default_layout.as_deref())
            .or_else(|| only().map(String::as_str))
            .ok_or_else(|| PackageError::NoDefaultLayout {
                package: self.metadata.name.clone(),
                available: layouts.keys().cloned().collect(),
            })?;
        let found = layouts.get_key_value(wanted).ok_or_else(|| PackageError::UnknownLayout {
            layout: wanted.to_owned(),
            package: self.metadata.name.clone(),
            available: layouts.keys().cloned().collect(),
        })?;
        Ok((found.0, found.1))
    }

    /// All files by path, in the order of their paths.
    pub fn files(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.files.iter().map(|(path, content)| (path.as_str(), content.as_slice()))
    }

    /// One file's bytes.
    pub fn file(&self, path: &str) -> Option<&[u8]> {
        self.files.get(path).map(Vec::as_slice)
    }

    /// One file as text, by [`crate::yaml::plain`]; `None` where there is none.
    pub fn text(&self, path: &str) -> Result<Option<Cow<'_, str>>, PackageError> {
        text_of(&self.files, path)
    }

    /// `values.schema.json`, where there is one.
    pub fn schema(&self) -> Result<Option<&Value>, PackageError> {
        Ok(self.schema.as_ref().map(Schema::document).transpose()?)
    }

    /// Holds merged values against the package's schema; all violations are reported at once.
    pub fn check_values(&self, values: &Value) -> Result<(), SchemaError> {
        self.schema.as_ref().map_or(Ok(()), |schema| schema.check(values))
    }
}

fn text_of<'a>(
    files: &'a BTreeMap<String, Vec<u8>>,
    path: &str,
) -> Result<Option<Cow<'a, str>>, PackageError> {
    let Some(content) = files.get(path) else {
        return Ok(None);
    };
    let text = std::str::from_utf8(content).map_err(|_| PackageError::NotText { path: path.to_owned() })?;
    Ok(Some(crate::yaml::plain(text)))
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}"); // writing to a String cannot fail
        text
    })
}
