//! What can be wrong with a package.

use std::io;
use std::path::PathBuf;

use crate::archive::ArchiveError;
use crate::yaml::YamlError;

/// A package that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    /// A layout does not render what its kind in `package.yaml` says.
    #[error("the layout `{layout}` is of the kind {kind} in package.yaml, and {reason}")]
    Rendered {
        layout: String,
        kind: &'static str,
        /// What does not fit.
        reason: String,
    },
    /// There is no `package.yaml`.
    #[error("not a package: there is no package.yaml in it")]
    NoMetadata,
    /// `package.yaml` or `values.yaml` is not what it should be.
    #[error(transparent)]
    Yaml(#[from] YamlError),
    /// A field of `package.yaml` has a value that it cannot have.
    #[error("package.yaml: {field}: {message}")]
    Metadata {
        /// The field, as `layouts.session`.
        field: String,
        message: String,
    },
    /// `values.yaml` is not a map.
    #[error("values.yaml: a map of values is expected, found {found}")]
    DefaultsNotAMap { found: &'static str },
    /// `values.schema.json` is not JSON.
    #[error(transparent)]
    Schema(#[from] super::SchemaError),
    /// A layout is declared and has no files.
    #[error("package.yaml declares the layout `{layout}`, and there is no file in layouts/{layout}/")]
    EmptyLayout { layout: String },
    /// The package has no layout of that name.
    #[error("the package {package} has no layout `{layout}`; it has: {}", available.join(", "))]
    UnknownLayout {
        /// The request as given.
        layout: String,
        package: String,
        /// The layouts there are.
        available: Vec<String>,
    },
    /// No layout was named, and the package names no default.
    #[error("the package {package} has no default layout: add --layout with one of {}", available.join(", "))]
    NoDefaultLayout {
        package: String,
        /// The layouts there are.
        available: Vec<String>,
    },
    /// A file that must be text is not UTF-8.
    #[error("{path}: not UTF-8 text")]
    NotText {
        /// The file in the package.
        path: String,
    },
    /// The root folder of an archive is not called as the package.
    #[error("the archive's folder is called `{root}`, and the package in it `{name}`")]
    RootName { root: String, name: String },
    /// The archive is refused.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// A folder or file cannot be read.
    #[error("{source}")]
    Read {
        /// Why; names the file.
        #[from]
        source: io::Error,
    },
    /// A folder holds something that is neither a file nor a folder.
    #[error("{}: {kind} cannot be part of a package: only files and folders can", path.display())]
    NotAFile {
        path: PathBuf,
        /// What it is: "a symbolic link".
        kind: &'static str,
    },
    /// A file's name is not UTF-8.
    #[error("{}: the name is not UTF-8", path.display())]
    Name { path: PathBuf },
}
