//! `kubectl flink ui NAME`.

use clap::Args;
use serde::Serialize;

use crate::cli::error::CommandError;
use crate::cli::flags::name;
use crate::cli::next::Place;
use crate::cli::render::Render;
use crate::cli::session::Session;
use crate::verbs::ui;

/// Flags of `ui`.
#[derive(Args, Clone)]
pub struct UiArgs {
    /// Name of the release
    #[arg(value_parser = name::release)]
    pub name: String,
    /// Local port; 0 takes a free one
    #[arg(short = 'p', long, default_value_t = 8081)]
    pub port: u16,
}

/// Runs `ui` until Ctrl-C.
pub async fn run(args: &UiArgs, session: &Session<'_>) -> Result<(), CommandError> {
    if let Some(url) = &session.global.flink_url {
        return Err(CommandError::usage(format!(
            "the UI is at {url} already, as --flink-url says: there is nothing to forward"
        )));
    }
    let context = session.connect(None).await?;
    let forward = ui::open(&context, &args.name, args.port).await?;
    session.output.print(&Forwarded { url: format!("http://{}", forward.address()) })?;
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = terminated() => {}
    }
    Ok(())
}

/// Where the UI is while the command runs.
#[derive(Serialize)]
struct Forwarded {
    url: String,
}

impl Render for Forwarded {
    fn table(&self, _: &Place) -> String {
        format!("{}\n", self.url)
    }

    fn names(&self) -> Vec<String> {
        vec![self.url.clone()]
    }

    fn remark(&self, _: &Place) -> Option<String> {
        Some("Forwarding to the Flink UI; end it with Ctrl-C.".to_owned())
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::render::testing::every_format;

    #[test]
    fn every_format_has_it() {
        let url = "http://127.0.0.1:8081".to_owned();
        assert_eq!(every_format(&Forwarded { url: url.clone() }), [url]);
    }
}
