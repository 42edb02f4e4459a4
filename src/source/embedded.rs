//! The packages in the binary: `packages/` as it was when it was built (`build.rs`).

use std::collections::BTreeMap;

type Files = &'static [(&'static str, &'static [u8])];

const PACKAGES: &[(&str, Files)] = include!(concat!(env!("OUT_DIR"), "/embedded.rs"));

/// Their names, in order.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    PACKAGES.iter().map(|(name, _)| *name)
}

/// One package's files by path.
pub(super) fn files(name: &str) -> Option<BTreeMap<String, Vec<u8>>> {
    let (_, files) = PACKAGES.iter().find(|(known, _)| *known == name)?;
    Some(files.iter().map(|(path, content)| ((*path).to_owned(), content.to_vec())).collect())
}
