//! `kubectl flink`: parse, run, exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    kubectl_flink::cli::main()
}
