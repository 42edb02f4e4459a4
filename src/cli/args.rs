//! The command line's types: global flags, and flags that verbs share. Names are kubectl's and Helm's.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use secrecy::SecretString;
use serde_json::Value;

use super::{CommandError, Format};
use crate::cluster::ConnectOptions;
use crate::failure::NextStep;
use crate::plan::{ChangeOptions, StateChoice, StrategyChoice};
use crate::values::{self, Setting};

/// Flags of every verb.
#[derive(Args, Clone, Debug)]
pub struct GlobalArgs {
    /// Namespace of the release
    #[arg(short = 'n', long, global = true, help_heading = "Global flags")]
    pub namespace: Option<String>,
    /// Context of the kubeconfig
    #[arg(long, visible_alias = "kube-context", global = true, help_heading = "Global flags")]
    pub context: Option<String>,
    /// Path of the kubeconfig
    #[arg(long, global = true, help_heading = "Global flags")]
    pub kubeconfig: Option<PathBuf>,
    /// User to impersonate
    #[arg(long = "as", value_name = "USER", global = true, help_heading = "Global flags")]
    pub as_user: Option<String>,
    /// Group to impersonate; may be repeated
    #[arg(long = "as-group", value_name = "GROUP", global = true, help_heading = "Global flags")]
    pub as_group: Vec<String>,
    /// Cluster of the kubeconfig
    #[arg(long, global = true, hide_short_help = true, help_heading = "Global flags")]
    pub cluster: Option<String>,
    /// User of the kubeconfig
    #[arg(long, global = true, hide_short_help = true, help_heading = "Global flags")]
    pub user: Option<String>,
    /// Address of the API server
    #[arg(short = 's', long, global = true, hide_short_help = true, help_heading = "Global flags")]
    pub server: Option<String>,
    /// Bearer token
    #[arg(
        long,
        global = true,
        hide_short_help = true,
        hide_env_values = true,
        value_parser = secret,
        help_heading = "Global flags"
    )]
    pub token: Option<SecretString>,
    /// Do not check the API server's certificate
    #[arg(long, global = true, hide_short_help = true, help_heading = "Global flags")]
    pub insecure_skip_tls_verify: bool,
    /// Address of Flink's REST API, instead of through the API server
    #[arg(long, value_name = "URL", global = true, hide_short_help = true, help_heading = "Global flags")]
    pub flink_url: Option<url::Url>,
    /// Output format
    #[arg(short = 'o', long, value_enum, global = true, help_heading = "Global flags")]
    pub output: Option<Format>,
    /// No progress on stderr
    #[arg(short = 'q', long, global = true, hide_short_help = true, help_heading = "Global flags")]
    pub quiet: bool,
    /// How long one request may take: 1m, 90s; without it, or with 0, 30s
    #[arg(
        long,
        value_name = "DURATION",
        value_parser = duration,
        global = true,
        hide_short_help = true,
        help_heading = "Global flags"
    )]
    pub request_timeout: Option<Duration>,
    /// Verbosity of the log on stderr, 0 to 9
    #[arg(
        short = 'v',
        long = "v",
        value_name = "LEVEL",
        default_value_t = 0,
        global = true,
        hide_short_help = true,
        help_heading = "Global flags"
    )]
    pub verbosity: u8,
}

impl GlobalArgs {
    /// The output format.
    pub fn format(&self) -> Format {
        self.output.unwrap_or_default()
    }

    /// Options for connecting.
    pub fn connect_options(&self) -> ConnectOptions {
        ConnectOptions {
            kubeconfig: self.kubeconfig.clone(),
            context: self.context.clone(),
            cluster: self.cluster.clone(),
            user: self.user.clone(),
            namespace: self.namespace.clone(),
            as_user: self.as_user.clone(),
            as_group: self.as_group.clone(),
            server: self.server.clone(),
            token: self.token.clone(),
            insecure_skip_tls_verify: self.insecure_skip_tls_verify,
            request_timeout: self.request_timeout.filter(|timeout| !timeout.is_zero()),
            ..ConnectOptions::default()
        }
    }
}

/// Where values come from.
#[derive(Args, Clone, Debug, Default)]
pub struct ValuesArgs {
    /// Values file, or - for stdin; may be repeated, later ones win
    #[arg(short = 'f', long = "values", value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Set values: a.b=1,c[0]=x
    #[arg(long = "set", value_name = "PATH=VALUE")]
    pub set: Vec<String>,
    /// Set values as strings
    #[arg(long = "set-string", value_name = "PATH=VALUE")]
    pub set_string: Vec<String>,
    /// Set values from files' contents
    #[arg(long = "set-file", value_name = "PATH=FILE")]
    pub set_file: Vec<String>,
    /// Set values from JSON
    #[arg(long = "set-json", value_name = "PATH=JSON")]
    pub set_json: Vec<String>,
    /// Set one value literally
    #[arg(long = "set-literal", value_name = "PATH=VALUE")]
    pub set_literal: Vec<String>,
}

impl ValuesArgs {
    /// The user's values: a map.
    pub fn collect(&self) -> Result<Value, CommandError> {
        let mut settings = Vec::new();
        for path in &self.files {
            let text = if path.as_os_str() == "-" {
                std::io::read_to_string(std::io::stdin())
            } else {
                fs_err::read_to_string(path)
            };
            let text = text.map_err(|source| crate::failure::Cause::File { path: path.clone(), source })?;
            settings.push(Setting::File { origin: path.display().to_string(), text });
        }
        settings.extend(self.set_json.iter().cloned().map(Setting::SetJson));
        settings.extend(self.set.iter().cloned().map(Setting::Set));
        settings.extend(self.set_string.iter().cloned().map(Setting::SetString));
        settings.extend(self.set_file.iter().cloned().map(Setting::SetFile));
        settings.extend(self.set_literal.iter().cloned().map(Setting::SetLiteral));
        Ok(values::collect(&settings, &|path| fs_err::read_to_string(path))?)
    }
}

/// Where state comes from.
#[derive(Args, Clone, Debug, Default)]
pub struct StateArgs {
    /// Stop each job with a new savepoint and start from it
    #[arg(long, conflicts_with_all = ["from_savepoint", "stateless"], help_heading = "State")]
    pub with_savepoint: bool,
    /// Start from the recorded savepoint, or from a path (JOB=PATH where there are several jobs)
    #[arg(long, value_name = "recorded|[JOB=]PATH", conflicts_with = "stateless", help_heading = "State")]
    pub from_savepoint: Vec<String>,
    /// Cancel each job and start from its latest retained checkpoint, or start from the checkpoint at a path: for a job
    /// that can take no savepoint
    #[arg(
        long,
        value_name = "latest|[JOB=]PATH",
        conflicts_with_all = ["with_savepoint", "from_savepoint", "stateless"],
        help_heading = "State"
    )]
    pub from_checkpoint: Vec<String>,
    /// Drop the state: jobs start with empty state
    #[arg(long, help_heading = "State")]
    pub stateless: bool,
    /// Accept state that no operator of the new job takes
    #[arg(long, help_heading = "State")]
    pub allow_non_restored_state: bool,
    /// Format of a new savepoint
    #[arg(long, value_name = "FORMAT", value_parser = ["canonical", "native"], default_value = "canonical", ignore_case = true, help_heading = "State")]
    pub savepoint_format: String,
}

impl StateArgs {
    /// The choice, if one was made.
    pub fn choice(&self) -> Result<Option<StateChoice>, CommandError> {
        if self.with_savepoint {
            return Ok(Some(StateChoice::Savepoint));
        }
        if self.stateless {
            return Ok(Some(StateChoice::Stateless));
        }
        match self.from_checkpoint.as_slice() {
            [] => from_savepoint(&self.from_savepoint),
            [only] if only == "latest" => Ok(Some(StateChoice::LatestCheckpoint)),
            given => paths("--from-checkpoint", "latest", given),
        }
    }
}

/// Flags of verbs that may move jobs from one revision to another.
#[derive(Args, Clone, Debug)]
pub struct MoveArgs {
    /// How new Pods take the place of old ones: warm (both up at once, jobs move between them), recreate (stop, replace,
    /// start), auto (warm; where there is no room for both, the plan to recreate is shown and asked about); without it what `upgrade.strategy` says, which is warm
    #[arg(long, value_name = "STRATEGY", value_enum, help_heading = "State")]
    pub strategy: Option<Strategy>,
    /// Undo a failure before the new job's first completed checkpoint (the default)
    #[arg(long, overrides_with = "no_rollback_on_failure", visible_alias = "atomic", help_heading = "State")]
    pub rollback_on_failure: bool,
    /// Leave a failed revision as it is
    #[arg(long, help_heading = "State")]
    pub no_rollback_on_failure: bool,
    /// Of several jobs roll back only those that fail; the others move on, and the revision is failed all the same
    #[arg(long, conflicts_with = "no_rollback_on_failure", help_heading = "State")]
    pub keep_going: bool,
    /// Keep at most so many revisions (0: all); one whose savepoint exists is never dropped
    #[arg(long, default_value_t = 10, value_name = "N")]
    pub history_max: u32,
    /// Run layout `job` without durable state
    #[arg(long)]
    pub accept_volatile: bool,
    /// A job's jar, where the cluster does not keep it
    #[arg(long, value_name = "JOB=FILE")]
    pub jar: Vec<String>,
    /// Show in the plan how each object changes
    #[arg(long)]
    pub diff: bool,
    /// Where state comes from.
    #[command(flatten)]
    pub state: StateArgs,
}

/// How new Pods take the place of old ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Strategy {
    /// Both generations are up at once, and jobs move from the old one to the new one
    Warm,
    /// Stop, replace, start: the jobs are down while the new Pods start
    Recreate,
    /// Warm where there is room for two generations, else recreate
    Auto,
}

impl MoveArgs {
    /// Adds what they say to the options that every change has.
    pub fn options(&self, mut options: ChangeOptions) -> Result<ChangeOptions, CommandError> {
        for jar in &self.jar {
            let Some((job, file)) = jar.split_once('=') else {
                return Err(CommandError::usage(format!("--jar {jar}: it must be JOB=FILE")));
            };
            options.jars.insert(job.to_owned(), read_file(Path::new(file))?);
        }
        Ok(ChangeOptions {
            choice: self.state.choice()?,
            allow_non_restored_state: self.state.allow_non_restored_state,
            savepoint_format: self.state.savepoint_format.to_uppercase(),
            rollback_on_failure: !self.no_rollback_on_failure,
            keep_going: self.keep_going,
            strategy: self.strategy.map(|strategy| match strategy {
                Strategy::Warm => StrategyChoice::Warm,
                Strategy::Recreate => StrategyChoice::Recreate,
                Strategy::Auto => StrategyChoice::Auto,
            }),
            history_max: self.history_max,
            accept_volatile: self.accept_volatile,
            ..options
        })
    }
}

/// Reads `recorded`, `PATH` and `JOB=PATH`.
pub fn from_savepoint(given: &[String]) -> Result<Option<StateChoice>, CommandError> {
    if given.is_empty() {
        return Ok(None);
    }
    if given.iter().any(|value| value == "recorded") {
        if given.len() > 1 {
            return Err(CommandError::usage("--from-savepoint recorded and a path exclude each other"));
        }
        return Ok(Some(StateChoice::Recorded));
    }
    paths("--from-savepoint", "recorded", given)
}

/// Reads `PATH` and `JOB=PATH`; `word` is what the flag takes beside them.
fn paths(flag: &str, word: &str, given: &[String]) -> Result<Option<StateChoice>, CommandError> {
    if given.is_empty() {
        return Ok(None);
    }
    let paths: Vec<_> = given
        .iter()
        .map(|value| match value.split_once('=') {
            // A job's name is a DNS label: what has a slash or a colon before the `=` is a path.
            Some((job, path)) if !job.contains(['/', ':']) => (Some(job.to_owned()), path.to_owned()),
            _ => (None, value.clone()),
        })
        .collect();
    if let Some((_, path)) = paths.iter().find(|(_, path)| !path.contains('/')) {
        return Err(CommandError::usage(format!("{flag} {path}: neither `{word}` nor a path"))
            .hint(NextStep::say("a path looks like file:///…/savepoint-1a2b3c-… or s3://…")));
    }
    Ok(Some(StateChoice::Paths(paths)))
}

/// Flags of verbs that change a release.
#[derive(Args, Clone, Debug)]
pub struct ChangeArgs {
    /// Do not wait for Pods and jobs to be ready
    #[arg(long, overrides_with = "wait", help_heading = "Waiting")]
    pub no_wait: bool,
    /// Wait for Pods and jobs to be ready (the default)
    #[arg(
        long,
        value_name = "true|false",
        hide_possible_values = true,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        overrides_with = "no_wait",
        help_heading = "Waiting"
    )]
    pub wait: Option<bool>,
    /// How long each wait may take: 90s, 5m, 1h
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = duration, help_heading = "Waiting")]
    pub timeout: Duration,
    /// How long a moved job must run without a restart to count as healthy
    #[arg(
        long,
        value_name = "DURATION",
        env = "KUBECTL_FLINK_GATE_QUIET",
        hide_env_values = true,
        default_value = "30s",
        value_parser = duration,
        help_heading = "Waiting"
    )]
    pub gate_quiet: Duration,
    /// What the record says of the change
    #[arg(long)]
    pub description: Option<String>,
    /// Show the plan and stop; `server` has the API server check the objects, `client` does not
    #[arg(long, value_name = "client|server", num_args = 0..=1, require_equals = true, default_missing_value = "server", value_enum)]
    pub dry_run: Option<DryRun>,
    /// Take fields from other managers
    #[arg(long)]
    pub force_conflicts: bool,
    /// Take over objects that belong to another owner
    #[arg(long)]
    pub take_ownership: bool,
    /// Answer yes to confirmations; never chooses what happens to state
    #[arg(short = 'y', long)]
    pub yes: bool,
}

/// How much a dry run asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum DryRun {
    /// No cluster.
    Client,
    /// The API server checks the objects.
    Server,
}

impl ChangeArgs {
    /// The options that every change has in common.
    pub fn options(&self, name: &str) -> ChangeOptions {
        ChangeOptions {
            wait: self.wait.unwrap_or(!self.no_wait),
            gate_quiet: self.gate_quiet,
            description: self.description.clone(),
            server_dry_run: self.dry_run != Some(DryRun::Client),
            force_conflicts: self.force_conflicts,
            take_ownership: self.take_ownership,
            ..ChangeOptions::new(name)
        }
    }
}

/// Reads what no message and no log may show.
#[allow(clippy::unnecessary_wraps, reason = "clap asks for a result")]
fn secret(text: &str) -> Result<SecretString, std::convert::Infallible> {
    Ok(text.into())
}

/// Reads Go's durations as far as people use them: `90s`, `5m`, `1h30m`, `500ms`; a bare number is seconds.
pub fn duration(text: &str) -> Result<Duration, String> {
    let bad = || format!("{text:?} is not a duration such as 90s, 5m or 1h30m");
    if let Ok(seconds) = text.parse::<u64>() {
        return Ok(Duration::from_secs(seconds));
    }
    let mut total = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let digits =
            rest.find(|c: char| !(c.is_ascii_digit() || c == '.')).filter(|at| *at > 0).ok_or_else(bad)?;
        let number: f64 = rest[..digits].parse().map_err(|_| bad())?;
        let unit_end = rest[digits..].find(|c: char| c.is_ascii_digit()).map_or(rest.len(), |at| digits + at);
        let seconds = match &rest[digits..unit_end] {
            "ms" => number / 1000.0,
            "s" => number,
            "m" => number * 60.0,
            "h" => number * 3600.0,
            _ => return Err(bad()),
        };
        total += Duration::try_from_secs_f64(seconds).map_err(|_| bad())?;
        rest = &rest[unit_end..];
    }
    if text.is_empty() { Err(bad()) } else { Ok(total) }
}

/// Reads a file of the user's.
pub fn read_file(path: &std::path::Path) -> Result<Vec<u8>, CommandError> {
    Ok(fs_err::read(path).map_err(|source| crate::failure::Cause::File { path: path.to_owned(), source })?)
}

#[cfg(test)]
mod tests {
    use clap::FromArgMatches;

    use super::*;

    #[test]
    fn a_token_is_in_no_debug_output() {
        let command = GlobalArgs::augment_args(clap::Command::new("flink"));
        let matches = command.try_get_matches_from(["flink", "--token", "s3cret"]).unwrap();
        let shown = format!("{:?}", GlobalArgs::from_arg_matches(&matches).unwrap());
        assert!(shown.contains("token") && !shown.contains("s3cret"), "{shown}");
    }
}
