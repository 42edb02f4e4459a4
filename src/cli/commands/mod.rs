//! One file a verb: its flags, one call into `ops`, one rendering of its report.

mod change;
pub mod completion;
pub mod get;
pub mod history;
pub mod install;
pub mod job;
pub mod list;
pub mod logs;
pub mod plan;
pub mod recover;
pub mod rollback;
pub mod savepoint;
pub mod status;
pub mod template;
pub mod ui;
pub mod uninstall;
pub mod upgrade;
pub mod version;

use std::time::Duration;

use super::args::{ChangeArgs, GlobalArgs};
use super::render::Render;
use super::{CommandError, Format, Output};
use crate::cluster::{Cluster, ClusterError};
use crate::context::Context;
use crate::failure::NextStep;
use crate::flink::Access;
use crate::progress::Cancellation;
use crate::render::Object;
use crate::run::Report;
use crate::verbs::recover::{Options, Recovered};

/// The exit code of a process that Ctrl-C has ended: 128 and the number of SIGINT, as shells have it.
const INTERRUPTED: i32 = 130;

/// Connects as the flags say.
async fn connect(global: &GlobalArgs, timeout: Option<Duration>) -> Result<Context, CommandError> {
    let cluster = Cluster::connect(&global.connect_options()).await.map_err(unconnected)?;
    let namespace = global.namespace.clone().unwrap_or_else(|| cluster.namespace().to_owned());
    let mut context = Context::new(cluster, namespace, holder());
    if let Some(timeout) = timeout {
        context.timeout = timeout;
    }
    if let Some(url) = &global.flink_url {
        context.access = Access::Direct(url.clone());
    }
    Ok(context)
}

/// A kubeconfig without any context is looked at; one that has some was told with them.
fn unconnected(error: ClusterError) -> CommandError {
    let empty = matches!(&error, ClusterError::NoCurrentContext { known } if known.is_empty());
    let error = CommandError::from(error);
    if empty { error.hint(NextStep::kubectl_cluster(["config", "view"])) } else { error }
}

/// Connects for a change of a release, and first completes or undoes what an interrupted run has left of the last one.
async fn begin(
    global: &GlobalArgs,
    args: &ChangeArgs,
    name: &str,
    output: &Output,
    cancellation: &Cancellation,
) -> Result<Context, CommandError> {
    let context = connect(global, Some(args.timeout)).await?;
    let Some(in_the_way) = crate::verbs::recover::in_the_way(&context, name).await? else {
        return Ok(context);
    };
    if args.dry_run.is_some() {
        output.warn(&format!("{in_the_way}; this is planned for the release as it is now"));
        return Ok(context);
    }
    let options = Options { change: args.options(name), savepoints: Vec::new(), abandon: false };
    match crate::verbs::recover::recover(&context, &options, output, cancellation).await? {
        Recovered::Nothing => {}
        Recovered::Completed(report) => {
            output.talk(&format!(
                "The interrupted operation is complete: revision {} is {}.",
                report.revision, report.status
            ));
        }
        Recovered::Savepoint { path } => {
            output.talk(&format!(
                "The savepoint that the interrupted operation was taking is recorded: {path}"
            ));
        }
        Recovered::Disposed { paths } => {
            output.talk(&format!("The {} savepoints that run had yet to delete are deleted.", paths.len()));
        }
        Recovered::Undone { reason } => {
            output.talk(&format!(
                "The interrupted operation is undone ({reason}): the release is as it was before."
            ));
        }
    }
    Ok(context)
}

/// Returns who we are, for the holder of a lock: user, host, process.
fn holder() -> String {
    let user =
        std::env::var("USER").or_else(|_| std::env::var("USERNAME")).unwrap_or_else(|_| "unknown".to_owned());
    let host = fs_err::read_to_string("/proc/sys/kernel/hostname")
        .map(|host| host.trim().to_owned())
        .or_else(|_| std::env::var("HOSTNAME"))
        .unwrap_or_else(|_| "unknown-host".to_owned());
    format!("{user}@{host} (process {})", std::process::id())
}

/// Ends waits at the first Ctrl-C; at the second the process ends.
#[allow(clippy::exit, reason = "at once: what an operation holds is in its journal")]
fn cancel_on_interrupt() -> Cancellation {
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

impl Render for Report {
    type Data = Self;

    fn data(&self) -> &Self {
        self
    }

    fn names(&self) -> Vec<String> {
        vec![format!("release/{}", self.name)]
    }

    fn table(&self) -> String {
        let mut text = String::new();
        if self.unchanged {
            text.push_str("Nothing to change: the release is as it was asked for, no job was stopped.\n");
        }
        text.push_str(&format!("NAME:       {}\n", self.name));
        text.push_str(&format!("NAMESPACE:  {}\n", self.namespace));
        text.push_str(&format!("REVISION:   {}\n", self.revision));
        text.push_str(&format!("STATUS:     {}\n", self.status));
        text.push_str(&format!("PACKAGE:    {}, layout {}\n", self.package, self.layout));
        for job in &self.jobs {
            text.push_str(&format!("JOB:        {} ({})\n", job.name, job.state));
            if let Some(path) = &job.restored_from {
                text.push_str(&format!("  restored  {path}\n"));
            }
            let savepoint = job.savepoint.as_ref().filter(|path| Some(*path) != job.restored_from.as_ref());
            if let Some(path) = savepoint {
                text.push_str(&format!("  savepoint {path}\n"));
            }
        }
        text
    }

    fn notes(&self) -> Option<&str> {
        Some(self.notes.trim_end()).filter(|notes| !notes.trim().is_empty())
    }
}

/// Rendered objects: as a manifest, as the `List` that kubectl prints, or by name.
fn print_manifest(objects: &[Object], output: &Output) -> Result<(), CommandError> {
    match output.format {
        Format::Json => {
            let items: Vec<_> = objects.iter().map(|object| &object.value).collect();
            output.structured(&serde_json::json!({"apiVersion": "v1", "kind": "List", "items": items}))?;
        }
        Format::Name => {
            output.data(&objects.iter().map(|object| format!("{}\n", object.key())).collect::<String>());
        }
        _ => output.data(&crate::render::to_manifest(objects)),
    }
    Ok(())
}
