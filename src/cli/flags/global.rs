//! Flags of every verb: which cluster, which namespace, how results are printed.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use secrecy::SecretString;

use super::duration::duration;
use super::format::Format;
use crate::cluster::ConnectOptions;

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

/// Reads what no message and no log may show.
#[allow(clippy::unnecessary_wraps, reason = "clap asks for a result")]
fn secret(text: &str) -> Result<SecretString, std::convert::Infallible> {
    Ok(text.into())
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
