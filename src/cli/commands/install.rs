//! `kubectl flink install NAME PACKAGE`.

use clap::Args;

use super::change::Change;
use crate::cli::error::CommandError;
use crate::cli::flags::apply::{ApplyArgs, DryRun};
use crate::cli::flags::change::DescriptionArgs;
use crate::cli::flags::state::from_savepoint;
use crate::cli::flags::values::ValuesArgs;
use crate::cli::flags::wait::WaitArgs;
use crate::cli::render::Manifest;
use crate::cli::session::Session;
use crate::cluster::namespace;
use crate::context::Context;
use crate::failure::NextStep;
use crate::plan::{ChangeOptions, StateChoice};
use crate::source::Resolver;
use crate::verbs::{install, template};

/// Flags of `install`.
#[derive(Args, Clone)]
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
    /// Conditions to wait for.
    #[command(flatten)]
    pub wait: WaitArgs,
    /// The record of it.
    #[command(flatten)]
    pub description: DescriptionArgs,
    /// Show the plan and stop; `server` has the API server check the objects, `client` asks no
    /// cluster and shows the objects
    #[arg(
        long,
        value_name = "client|server",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "server",
        value_enum
    )]
    pub dry_run: Option<DryRun>,
    /// How objects are applied.
    #[command(flatten)]
    pub apply: ApplyArgs,
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
    pub async fn options(&self, packages: &Resolver) -> Result<install::Options, CommandError> {
        let (name, package) = self.name_and_package()?;
        crate::release::check_name(&name)?;
        let mut change = ChangeOptions::new(&name);
        self.wait.set(&mut change);
        self.description.set(&mut change);
        self.apply.set(&mut change);
        change.choice =
            from_savepoint(&self.from_savepoint)?.or(self.stateless.then_some(StateChoice::Stateless));
        change.allow_non_restored_state = self.allow_non_restored_state;
        change.create_namespace = self.create_namespace;
        change.accept_volatile = self.accept_volatile;
        Ok(install::Options {
            change,
            package: packages.open(&package, self.version.as_deref()).await?,
            layout: self.layout.clone(),
            user_values: self.values.collect()?,
            capabilities: None,
        })
    }
}

/// Runs `install`.
pub async fn run(args: &InstallArgs, session: &Session<'_>) -> Result<(), CommandError> {
    let options = args.options(session.packages).await?;
    install::check(&options)?;
    if args.dry_run == Some(DryRun::Client) {
        return print_objects(&options, session);
    }
    let planner = async |context: &Context, change: &ChangeOptions| {
        install::plan(context, &install::Options { change: change.clone(), ..options.clone() }).await
    };
    let first = options.change.clone();
    let change = Change { options: first, timeout: args.wait.limit.timeout, diff: false, planner };
    match args.dry_run {
        Some(_) => change.show(session).await,
        None => change.carry_out(false, session).await,
    }
}

/// Prints the objects that would be installed, and asks no cluster.
fn print_objects(options: &install::Options, session: &Session<'_>) -> Result<(), CommandError> {
    let rendered = template::template(&template::Options {
        name: options.change.name.clone(),
        namespace: namespace(&session.global.connect_options()),
        package: options.package.clone(),
        layout: options.layout.clone(),
        user_values: options.user_values.clone(),
        capabilities: template::assumed_capabilities(),
        is_upgrade: false,
    })?;
    session.output.print(&Manifest { objects: &rendered.objects, recorded: None })
}
