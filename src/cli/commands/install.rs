//! `kubectl flink install NAME PACKAGE`.

use clap::Args;

use super::{begin, cancel_on_interrupt, change, print_manifest};
use crate::cli::args::{ChangeArgs, DryRun, GlobalArgs, ValuesArgs, from_savepoint};
use crate::cli::{CommandError, Output};
use crate::cluster::namespace;
use crate::failure::NextStep;
use crate::plan::{ChangeOptions, StateChoice};
use crate::source;
use crate::verbs::{install, template};

/// Flags of `install`.
#[derive(Args, Clone)]
#[command(mut_arg("dry_run", |flag| flag.help(
    "Show the plan and stop; `server` has the API server check the objects, `client` asks no cluster and shows the objects"
)))]
#[command(override_usage = "kubectl flink install NAME PACKAGE [OPTIONS]\n       \
                            kubectl flink install --generate-name PACKAGE [OPTIONS]")]
pub struct InstallArgs {
    /// Name of the release
    #[arg(value_name = "NAME")]
    pub first: String,
    /// A package of the binary (flink), a folder (./…) or an archive (….tgz)
    #[arg(value_name = "PACKAGE")]
    pub second: Option<String>,
    /// Make up the name
    #[arg(short = 'g', long)]
    pub generate_name: bool,
    /// Version of the package, or a range of versions
    #[arg(long)]
    pub version: Option<String>,
    /// Layout of the package
    #[arg(long)]
    pub layout: Option<String>,
    /// Make the namespace if it is missing
    #[arg(long)]
    pub create_namespace: bool,
    /// Run layout `job` without durable state
    #[arg(long)]
    pub accept_volatile: bool,
    /// Start from the recorded savepoint of an uninstalled release of this name, or from a path
    #[arg(long, value_name = "recorded|[JOB=]PATH", help_heading = "State")]
    pub from_savepoint: Vec<String>,
    /// Start without the recorded savepoint of an uninstalled release of this name
    #[arg(long, conflicts_with = "from_savepoint", help_heading = "State")]
    pub stateless: bool,
    /// Accept state that no operator of the job takes
    #[arg(long, help_heading = "State")]
    pub allow_non_restored_state: bool,
    /// Values.
    #[command(flatten)]
    pub values: ValuesArgs,
    /// How the change is made.
    #[command(flatten)]
    pub change: ChangeArgs,
}

impl InstallArgs {
    fn name_and_package(&self) -> Result<(String, String), CommandError> {
        match (&self.second, self.generate_name) {
            (Some(package), false) => Ok((self.first.clone(), package.clone())),
            (None, true) => {
                let package = &self.first;
                let base = package.rsplit('/').next().unwrap_or(package).trim_end_matches(".tgz");
                let base: String =
                    base.chars().take_while(|c| c.is_ascii_lowercase() || *c == '-').take(28).collect();
                let seconds = jiff::Timestamp::now().as_second();
                let base = if base.is_empty() { "flink" } else { base.trim_end_matches('-') };
                Ok((format!("{base}-{seconds}"), package.clone()))
            }
            (None, false) => Err(CommandError::usage("install needs a NAME and a PACKAGE")
                .hint(NextStep::flink(["install", &self.first, "flink"]))
                .hint(NextStep::flink(["install", "--generate-name", &self.first]))),
            (Some(_), true) => Err(CommandError::usage("--generate-name and a NAME exclude each other")),
        }
    }

    /// The operation's options.
    pub fn options(&self) -> Result<install::Options, CommandError> {
        let (name, package) = self.name_and_package()?;
        crate::release::check_name(&name)?;
        let mut change = self.change.options(&name);
        change.choice =
            from_savepoint(&self.from_savepoint)?.or(self.stateless.then_some(StateChoice::Stateless));
        change.allow_non_restored_state = self.allow_non_restored_state;
        change.create_namespace = self.create_namespace;
        change.accept_volatile = self.accept_volatile;
        Ok(install::Options {
            change,
            package: source::open(&package, self.version.as_deref())?,
            layout: self.layout.clone(),
            user_values: self.values.collect()?,
            capabilities: None,
        })
    }
}

/// Runs `install`.
pub async fn run(args: &InstallArgs, global: &GlobalArgs, output: &Output) -> Result<u8, CommandError> {
    let options = args.options()?;
    install::check(&options)?;
    if args.change.dry_run == Some(DryRun::Client) {
        let rendered = template::template(&template::Options {
            name: options.change.name.clone(),
            namespace: namespace(&global.connect_options()),
            package: options.package.clone(),
            layout: options.layout.clone(),
            user_values: options.user_values.clone(),
            capabilities: template::assumed_capabilities(),
            is_upgrade: false,
        })?;
        print_manifest(&rendered.objects, output)?;
        return Ok(0);
    }
    let cancellation = cancel_on_interrupt();
    let context = begin(global, &args.change, &options.change.name, output, &cancellation).await?;
    let plan = async |change: &ChangeOptions| {
        install::plan(&context, &install::Options { change: change.clone(), ..options.clone() }).await
    };
    let first = options.change.clone();
    change::carry_out(&context, &args.change, false, first, plan, output, &cancellation).await
}
