//! `template` and `--dry-run=client`: renders a package without a cluster.

use serde_json::Value;

use crate::failure::{Cause, Failure, InPhase};
use crate::layout;
use crate::package::Package;
use crate::render::{self, Capabilities, Inputs, ReleaseContext, Rendered};
use crate::values;

/// Options of `template`.
pub struct Options {
    pub name: String,
    pub namespace: String,
    pub package: Package,
    /// Its layout; the package's default where absent.
    pub layout: Option<String>,
    pub user_values: Value,
    /// Capabilities of the cluster.
    pub capabilities: Capabilities,
    /// Render as an upgrade.
    pub is_upgrade: bool,
}

/// The capabilities that are assumed where no cluster is asked: the newest Kubernetes that this
/// build knows.
pub fn assumed_capabilities() -> Capabilities {
    let api_versions = [
        "v1",
        "apps/v1",
        "batch/v1",
        "autoscaling/v2",
        "policy/v1",
        "networking.k8s.io/v1",
        "rbac.authorization.k8s.io/v1",
    ];
    Capabilities {
        kube_version: "v1.36.0".to_owned(),
        api_versions: api_versions.map(str::to_owned).to_vec(),
    }
}

/// A placeholder for the storage id, which is chosen by the first install.
const STORAGE_ID: &str = "00000000";

/// Renders revision 1 under generation 1.
pub fn template(options: &Options) -> Result<Rendered, Failure> {
    crate::release::check_name(&options.name)?;
    let (layout, found) = options.package.layout(options.layout.as_deref())?;
    let mut merged = options.package.default_values().clone();
    values::merge(&mut merged, &options.user_values);
    let Options { name, namespace, capabilities, .. } = options;
    let release = ReleaseContext::new(name, namespace, 1, STORAGE_ID.to_owned(), !options.is_upgrade);
    let inputs = Inputs::new(release, 1, layout, &merged, capabilities);
    // The schema is being made ready on its own thread since the package was opened: what comes
    // first goes first.
    let rendered = render::render(&options.package, &inputs);
    // What is wrong with the values says more than what a template made of them.
    options
        .package
        .check_values(&merged)
        .map_err(|source| Cause::Schema { package: options.package.metadata.name.clone(), source })
        .refused()?;
    let rendered = rendered?;
    layout::descriptor_of(layout, found.kind, &rendered.objects).refused()?;
    Ok(rendered)
}
