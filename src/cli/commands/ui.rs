//! `kubectl flink ui NAME`.

use clap::Args;

use super::connect;
use crate::cli::args::GlobalArgs;
use crate::cli::{CommandError, Output};
use crate::verbs::ui;

/// Flags of `ui`.
#[derive(Args, Clone)]
pub struct UiArgs {
    /// Name of the release
    pub name: String,
    /// Local port; 0 takes a free one
    #[arg(short = 'p', long, default_value_t = 8081)]
    pub port: u16,
}

/// Runs `ui` until Ctrl-C.
pub async fn run(args: &UiArgs, global: &GlobalArgs, output: &Output) -> Result<u8, CommandError> {
    if let Some(url) = &global.flink_url {
        return Err(CommandError::usage(format!(
            "the UI is at {url} already, as --flink-url says: there is nothing to forward"
        )));
    }
    let context = connect(global, None).await?;
    let forward = ui::open(&context, &args.name, args.port).await?;
    output.data(&format!("http://{}\n", forward.address()));
    output.talk("Forwarding to the Flink UI; end it with Ctrl-C.");
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = terminated() => {}
    }
    Ok(0)
}

#[cfg(unix)]
async fn terminated() {
    match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        Ok(mut signal) => {
            signal.recv().await;
        }
        Err(_) => std::future::pending().await,
    }
}

#[cfg(not(unix))]
async fn terminated() {
    std::future::pending().await
}
