//! `kubectl flink`: parse, run, exit code.

use std::process::ExitCode;

/// Rendering allocates much on threads of its own, for which glibc's allocator asks the kernel
/// hundreds of times.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    kubectl_flink::cli::main()
}
