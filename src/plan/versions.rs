//! Whether the package supports the Kubernetes and the Flink that it would run on.

use super::Desired;
use crate::failure::{Cause, Failure};

/// Holds the package's `kubeVersion` range against the server; what Helm's charts mean by it.
pub(super) fn refuse_versions(desired: &Desired) -> Result<(), Failure> {
    let Some(range) = &desired.package.metadata.kube_version else { return Ok(()) };
    let Ok(mut server) = crate::version::parse_version(&desired.capabilities.kube_version) else {
        return Ok(());
    };
    // A distribution's suffix (`v1.33.4-gke.1`) would make it a pre-release, which no range
    // matches.
    server.pre = semver::Prerelease::EMPTY;
    server.build = semver::BuildMetadata::EMPTY;
    outside("Kubernetes", range, &server)
}

/// Holds the package's range of Flink versions against the one that is asked for.
pub(super) fn refuse_flink_version(desired: &Desired, version: &str) -> Result<(), Failure> {
    let Some(range) = &desired.package.metadata.flink_version_range else { return Ok(()) };
    match crate::version::parse_version(version) {
        Ok(version) => outside("Flink", range, &version),
        Err(_) => Ok(()),
    }
}

fn outside(what: &str, range: &crate::version::Range, version: &semver::Version) -> Result<(), Failure> {
    if range.matches(version) {
        return Ok(());
    }
    Err(Failure::refused(Cause::Precondition(format!(
        "the package supports {what} {range}, this is {version}"
    ))))
}
