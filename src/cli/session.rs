//! What every verb begins with: a connection as the flags say, and before a change the end of an
//! interrupted operation.

use std::future::Future;
use std::time::Duration;

use super::error::CommandError;
use super::flags::global::GlobalArgs;
use super::output::Output;
use crate::cluster::{Cluster, ClusterError};
use crate::context::Context;
use crate::failure::NextStep;
use crate::flink::Access;
use crate::plan::ChangeOptions;
use crate::progress::Cancellation;
use crate::source::Resolver;
use crate::verbs::recover::{self, Recovered};

/// The exit code of a process that Ctrl-C has ended: 128 and the number of SIGINT, as shells have
/// it.
const INTERRUPTED: i32 = 130;

/// A run of a verb: all it has at hand beside its own arguments.
#[derive(Clone, Copy)]
pub struct Session<'a> {
    /// The flags of every verb.
    pub global: &'a GlobalArgs,
    /// Where results and talk go.
    pub output: &'a Output,
    /// Where packages come from.
    pub packages: &'a Resolver,
}

impl Session<'_> {
    /// Connects as the flags say; each wait may take `timeout`, where there is one.
    pub async fn connect(&self, timeout: Option<Duration>) -> Result<Context, CommandError> {
        let cluster = Cluster::connect(&self.global.connect_options()).await.map_err(unconnected)?;
        let namespace = self.global.namespace.clone().unwrap_or_else(|| cluster.namespace().to_owned());
        let mut context = Context::new(cluster, namespace, holder());
        if let Some(timeout) = timeout {
            context.timeout = timeout;
        }
        if let Some(url) = &self.global.flink_url {
            context.access = Access::Direct(url.clone());
        }
        Ok(context)
    }

    /// Connects for a plan, which is made for the release as it is: an interrupted operation is
    /// only named.
    pub async fn begin_plan(&self, name: &str, timeout: Duration) -> Result<Context, CommandError> {
        let context = self.connect(Some(timeout)).await?;
        if let Some(in_the_way) = recover::in_the_way(&context, name).await? {
            self.output.warn(&format!("{in_the_way}; this is planned for the release as it is now"));
        }
        Ok(context)
    }

    /// Connects for a change of a release, and completes or undoes an interrupted operation first.
    pub async fn begin_change(
        &self,
        change: &ChangeOptions,
        timeout: Duration,
        cancellation: &Cancellation,
    ) -> Result<Context, CommandError> {
        let context = self.connect(Some(timeout)).await?;
        if recover::in_the_way(&context, &change.name).await?.is_none() {
            return Ok(context);
        }
        // How that operation is carried out is said anew; what it was is in its journal.
        let change = ChangeOptions {
            stability_period: change.stability_period,
            force_conflicts: change.force_conflicts,
            take_ownership: change.take_ownership,
            ..ChangeOptions::new(&change.name)
        };
        let options = recover::Options { change, savepoints: Vec::new(), abandon: false };
        let recovered = recover::recover(&context, &options, self.output, cancellation).await?;
        self.tell(&recovered);
        Ok(context)
    }

    /// Says what became of an interrupted operation, before the change itself begins.
    fn tell(&self, recovered: &Recovered) {
        match recovered {
            Recovered::Nothing => {}
            Recovered::Completed(report) => self.output.talk(&format!(
                "The interrupted operation is complete: revision {} is {}.",
                report.revision, report.status
            )),
            Recovered::Savepoint { path } => self.output.talk(&format!(
                "The savepoint that the interrupted operation was taking is recorded: {path}"
            )),
            Recovered::Disposed { paths } => self.output.talk(&format!(
                "The {} savepoints that the interrupted operation had yet to delete are deleted.",
                paths.len()
            )),
            Recovered::Purged => {
                self.output
                    .talk("The interrupted uninstallation is complete: the rest of its records is deleted.");
            }
            Recovered::Undone { reason } => self.output.talk(&format!(
                "The interrupted operation is undone ({reason}): the release is as it was before."
            )),
        }
    }
}

/// Says how to see what the kubeconfig has, where it has no context at all; one that has some was
/// told with them.
fn unconnected(error: ClusterError) -> CommandError {
    let empty = matches!(&error, ClusterError::NoCurrentContext { known } if known.is_empty());
    let error = CommandError::from(error);
    if empty { error.hint(NextStep::kubectl_cluster(["config", "view"])) } else { error }
}

/// Runs what asks a server.
pub fn serve(verb: impl Future<Output = Result<(), CommandError>>) -> Result<(), CommandError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| CommandError::io("the asynchronous runtime could not be started", &error))?;
    let done = runtime.block_on(verb);
    runtime.shutdown_background();
    done
}

/// Ends waits at the first Ctrl-C; at the second the process ends.
#[allow(clippy::exit, reason = "at once: what an operation holds is in its journal")]
pub fn cancel_on_interrupt() -> Cancellation {
    let cancellation = Cancellation::default();
    let handle = cancellation.clone();
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            handle.cancel();
            let _ = tokio::signal::ctrl_c().await;
            std::process::exit(INTERRUPTED);
        }
    });
    cancellation
}

/// Returns the holder of a lock: user, host, process.
fn holder() -> String {
    let user =
        std::env::var("USER").or_else(|_| std::env::var("USERNAME")).unwrap_or_else(|_| "unknown".to_owned());
    let host = fs_err::read_to_string("/proc/sys/kernel/hostname")
        .map(|host| host.trim().to_owned())
        .or_else(|_| std::env::var("HOSTNAME"))
        .unwrap_or_else(|_| "unknown-host".to_owned());
    format!("{user}@{host} (process {})", std::process::id())
}
