//! `kubectl flink template NAME PACKAGE`.

use std::mem::ManuallyDrop;

use clap::Args;

use crate::cli::error::CommandError;
use crate::cli::flags::values::ValuesArgs;
use crate::cli::render::Manifest;
use crate::cli::session::Session;
use crate::cluster::namespace;
use crate::verbs::template;

/// The release's name where none is given; Helm's.
const NAMELESS: &str = "release-name";

/// Flags of `template`.
#[derive(Args, Clone)]
#[command(override_usage = "kubectl flink template [NAME] PACKAGE [OPTIONS]")]
pub struct TemplateArgs {
    /// Name of the release; without it `release-name`
    #[arg(value_name = "NAME")]
    pub first: String,
    /// A package of the binary (flink), a folder (./…) or an archive (….tgz)
    #[arg(value_name = "PACKAGE")]
    pub second: Option<String>,
    /// Version of the package, or a range of versions
    #[arg(long)]
    pub version: Option<String>,
    /// Layout of the package
    #[arg(long)]
    pub layout: Option<String>,
    /// Kubernetes version to render for
    #[arg(long, value_name = "VERSION")]
    pub kube_version: Option<String>,
    /// API versions to render for, beside the usual ones
    #[arg(short = 'a', long, value_name = "VERSION")]
    pub api_versions: Vec<String>,
    /// Render as an upgrade
    #[arg(long)]
    pub is_upgrade: bool,
    /// Print the notes too, on stderr
    #[arg(long)]
    pub notes: bool,
    /// Values.
    #[command(flatten)]
    pub values: ValuesArgs,
}

/// Runs `template`.
pub async fn run(args: &TemplateArgs, session: &Session<'_>) -> Result<(), CommandError> {
    let (name, package) = match &args.second {
        Some(package) => (args.first.as_str(), package),
        None => (NAMELESS, &args.first),
    };
    crate::release::check_name(name)?;
    let mut capabilities = template::assumed_capabilities();
    if let Some(version) = &args.kube_version {
        capabilities.kube_version = format!("v{}", version.trim_start_matches('v'));
    }
    capabilities.api_versions.extend(args.api_versions.iter().cloned());
    // The process ends after it: to free all this piece by piece would take longer than to print
    // it.
    let options = ManuallyDrop::new(template::Options {
        name: name.to_owned(),
        namespace: namespace(&session.global.connect_options()),
        package: session.packages.open(package, args.version.as_deref()).await?,
        layout: args.layout.clone(),
        user_values: args.values.collect()?,
        capabilities,
        is_upgrade: args.is_upgrade,
    });
    let rendered = ManuallyDrop::new(template::template(&options)?);
    session.output.print(&Manifest { objects: &rendered.objects, recorded: None })?;
    if args.notes {
        session.output.notes(&rendered.notes);
    }
    Ok(())
}
