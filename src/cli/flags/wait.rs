//! What is waited for, and for how long.

use std::time::Duration;

use clap::Args;

use super::duration::duration;
use crate::plan::ChangeOptions;

/// How long a verb waits.
#[derive(Args, Clone, Debug)]
pub struct TimeoutArgs {
    /// How long each wait may take: 90s, 5m, 1h
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = duration, help_heading = "Waiting")]
    pub timeout: Duration,
}

/// Which waits are left out, and how long the others may take.
#[derive(Args, Clone, Debug)]
pub struct WaitArgs {
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
    /// How long each wait may take.
    #[command(flatten)]
    pub limit: TimeoutArgs,
}

impl WaitArgs {
    /// Sets what they say.
    pub fn set(&self, options: &mut ChangeOptions) {
        options.wait = self.wait.unwrap_or(!self.no_wait);
    }
}

/// When a job that was moved counts as healthy.
#[derive(Args, Clone, Debug)]
pub struct StabilityArgs {
    /// How long a moved job must run without a restart to count as healthy
    #[arg(
        long,
        visible_alias = "gate-quiet",
        value_name = "DURATION",
        env = "KUBECTL_FLINK_STABILITY_PERIOD",
        hide_env_values = true,
        default_value = "30s",
        value_parser = duration,
        help_heading = "Waiting"
    )]
    pub stability_period: Duration,
}

impl StabilityArgs {
    /// Sets what they say.
    pub fn set(&self, options: &mut ChangeOptions) {
        options.stability_period = self.stability_period;
    }
}
