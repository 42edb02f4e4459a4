//! The command line: the verbs in [`root`], a file each in [`commands`], the flags they share in
//! [`flags`], and what a user sees.
//!
//! A command parses, makes one call into [`crate::verbs`] and renders its report. Data goes to
//! stdout, talk to stderr.

pub mod commands;
mod complete;
mod error;
pub mod flags;
mod next;
mod notes;
mod output;
mod progress;
mod prompt;
mod render;
pub mod root;
mod session;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};

pub use error::{CommandError, exit};
pub use output::Output;
pub use root::Cli;

/// Runs the program with the process's arguments.
pub fn main() -> ExitCode {
    forbid_core_dumps();
    let arguments: Vec<std::ffi::OsString> = std::env::args_os().collect();
    if let Some(code) = complete::as_kubectl_completion(&arguments) {
        return code;
    }
    let parsed = Cli::command().try_get_matches_from(&arguments);
    let cli = match parsed.and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => cli,
        Err(error) => {
            let code = if error.use_stderr() { exit::USAGE } else { exit::DONE };
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    let output = Output::of_process(&cli.global, Cli::command);
    start_tracing(cli.global.verbosity);
    match cli.run(&output).and_then(|()| output.written()) {
        Ok(()) => ExitCode::from(exit::DONE),
        Err(error) => {
            output.error(&error);
            ExitCode::from(error.code)
        }
    }
}

/// Sees to it that memory, which holds tokens, is never written to a file when the process is
/// killed.
#[cfg(unix)]
fn forbid_core_dumps() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
}

#[cfg(not(unix))]
fn forbid_core_dumps() {}

fn start_tracing(verbosity: u8) {
    let level = match verbosity {
        0 => "off",
        1..=4 => "kubectl_flink=info",
        5..=7 => "kubectl_flink=debug",
        _ => "kubectl_flink=trace,kube=debug",
    };
    let filter = tracing_subscriber::EnvFilter::try_from_env("KUBECTL_FLINK_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(level));
    let colours = output::has_colours();
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let _ = log.with_ansi(colours).try_init();
}
