//! Where packages come from: embedded in the binary, a folder, an archive; and the index of a
//! repository.
//!
//! A bare name is an embedded package; a folder is written with a `/` in it (`./my-package`), so
//! that what a name means does not depend on the folder one stands in. Registries (HTTP, OCI) are
//! not read yet.

mod embedded;
mod index;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use fs_err as fs;
use semver::Version;

pub use index::{Entry, Index};

use crate::package::{Package, PackageError, closest};
use crate::version::{Range, VersionError};

/// Why a package could not be had.
#[derive(Debug, thiserror::Error)]
pub enum RepositoryError {
    /// No embedded package of that name.
    #[error("there is no package `{name}`; embedded are: {}{}", available.join(", "), hint(name, suggestion.as_deref(), *folder))]
    Unknown {
        /// The request as given.
        name: String,
        available: Vec<String>,
        /// The one that was probably meant.
        suggestion: Option<String>,
        /// There is a folder of that name here.
        folder: bool,
    },
    /// The package is there, and not in that version.
    #[error("{reference} is version {found}, which is not in `{range}`")]
    NoSuchVersion {
        /// The request as given.
        reference: String,
        /// The version that is there.
        found: Version,
        /// The range that was asked for.
        range: String,
    },
    /// `--version` is no range.
    #[error("--version: {0}")]
    Range(#[from] VersionError),
    /// Nothing at that path.
    #[error("there is no package at {}: neither a folder nor a .tgz", path.display())]
    Missing { path: PathBuf },
    /// A repository of a kind that this version cannot read.
    #[error(
        "`{reference}`: packages from a registry are not supported yet: download the .tgz and give its path"
    )]
    Unsupported {
        /// The request as given.
        reference: String,
    },
    /// What is there is no usable package.
    #[error("{reference}: {source}")]
    Package {
        /// The request as given.
        reference: String,
        source: PackageError,
    },
}

fn hint(name: &str, suggestion: Option<&str>, folder: bool) -> String {
    match (folder, suggestion) {
        (true, _) => format!(" (for the folder of that name write ./{name})"),
        (false, Some(suggestion)) => format!("; did you mean `{suggestion}`?"),
        (false, None) => String::new(),
    }
}

/// Finds packages by what the user calls them.
#[derive(Clone, Debug, Default)]
pub struct Resolver {}

impl Resolver {
    /// Opens a package: `flink` (embedded), `./folder`, `/path/to/folder`, `name-1.0.0.tgz`. With
    /// `version`, a range that the package must be in.
    #[expect(
        clippy::unused_async,
        reason = "a registry is asked over a network; nothing that opens a package changes then"
    )]
    pub async fn open(&self, reference: &str, version: Option<&str>) -> Result<Package, RepositoryError> {
        open(reference, version)
    }
}

fn open(reference: &str, version: Option<&str>) -> Result<Package, RepositoryError> {
    let range = version.map(Range::parse).transpose()?;
    let package = if reference.contains("://") {
        return Err(RepositoryError::Unsupported { reference: reference.to_owned() });
    } else if is_path(reference) {
        from_path(reference)?
    } else {
        from_binary(reference)?
    };
    match range.filter(|range| !range.matches(&package.metadata.version)) {
        None => Ok(package),
        Some(range) => Err(RepositoryError::NoSuchVersion {
            reference: reference.to_owned(),
            found: package.metadata.version,
            range: range.to_string(),
        }),
    }
}

/// Returns whether the binary holds a package of that name.
pub fn is_embedded(name: &str) -> bool {
    embedded::names().any(|known| known == name)
}

/// All packages that the binary holds, in the order of their names.
pub fn embedded() -> Result<Vec<Package>, RepositoryError> {
    embedded::names().map(from_binary).collect()
}

fn is_path(reference: &str) -> bool {
    reference.contains(['/', '\\']) || reference == "." || reference == ".." || is_archive(reference)
}

fn is_archive(reference: &str) -> bool {
    [".tgz", ".tar.gz"].iter().any(|ending| reference.ends_with(ending))
}

fn from_path(reference: &str) -> Result<Package, RepositoryError> {
    let wrap = |source: PackageError| RepositoryError::Package { reference: reference.to_owned(), source };
    let path = Path::new(reference);
    if path.is_dir() {
        Package::from_dir(path).map_err(wrap)
    } else if path.is_file() {
        let archive = fs::read(path).map_err(|error| wrap(error.into()))?;
        Package::from_archive(&archive).map_err(wrap)
    } else {
        Err(RepositoryError::Missing { path: path.to_owned() })
    }
}

fn from_binary(name: &str) -> Result<Package, RepositoryError> {
    let files = embedded::files(name).ok_or_else(|| RepositoryError::Unknown {
        name: name.to_owned(),
        available: embedded::names().map(str::to_owned).collect(),
        suggestion: closest(name, embedded::names()).map(str::to_owned),
        folder: Path::new(name).is_dir(),
    })?;
    Package::from_files(files)
        .map_err(|source| RepositoryError::Package { reference: name.to_owned(), source })
}
