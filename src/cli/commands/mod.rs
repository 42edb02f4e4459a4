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

use super::args::{ChangeArgs, Cli, Command, GlobalArgs};
use super::{CommandError, Format, Output};
use crate::cluster::Cluster;
use crate::context::Context;
use crate::failure::Cause;
use crate::flink::Access;
use crate::progress::Cancellation;
use crate::render::Object;
use crate::run::Report;
use crate::verbs::recover::{Options, Recovered};

/// Runs the verb; the exit code where it succeeds.
pub async fn run(cli: &Cli, output: &Output) -> Result<u8, CommandError> {
    let global = &cli.global;
    match &cli.command {
        Command::Install(args) => install::run(args, global, output).await,
        Command::Upgrade(args) => upgrade::run(args, global, output).await,
        Command::Rollback(args) => rollback::run(args, global, output).await,
        Command::Plan(args) => plan::run(args, global, output).await,
        Command::Recover(args) => recover::run(args, global, output).await,
        Command::Uninstall(args) => uninstall::run(args, global, output).await,
        Command::List(args) => list::run(args, global, output).await,
        Command::Status(args) => status::run(args, global, output).await,
        Command::History(args) => history::run(args, global, output).await,
        Command::Get(args) => get::run(args, global, output).await,
        Command::Job(args) => job::run(args, global, output).await,
        Command::Savepoint(args) => savepoint::run(args, global, output).await,
        Command::Ui(args) => ui::run(args, global, output).await,
        Command::Logs(args) => logs::run(args, global, output).await,
        Command::Template(_) | Command::Version(_) | Command::Completion(_) => {
            run_offline(cli, output).unwrap_or(Ok(0))
        }
    }
}

/// Runs a verb that asks no server; `None` for the others.
pub fn run_offline(cli: &Cli, output: &Output) -> Option<Result<u8, CommandError>> {
    match &cli.command {
        Command::Template(args) => Some(template::run(args, &cli.global, output)),
        Command::Version(args) => Some(version::run(args, output)),
        Command::Completion(args) => Some(completion::run(args, output)),
        _ => None,
    }
}

/// Connects as the flags say.
async fn connect(global: &GlobalArgs, timeout: Option<Duration>) -> Result<Context, CommandError> {
    let cluster = Cluster::connect(&global.connect_options()).await?;
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

/// Connects for a change of a release, and first completes or undoes what a run that died has left of the last one.
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

/// Who we are, for the holder of a lock: user, host, process.
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
fn cancel_on_interrupt() -> Cancellation {
    let cancellation = Cancellation::default();
    let handle = cancellation.clone();
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            handle.cancel();
            // The default action is back in place for a second one.
            let _ = tokio::signal::ctrl_c().await;
            std::process::abort();
        }
    });
    cancellation
}

/// What an operation did, for people or machines.
fn print_report(report: &Report, output: &Output) -> Result<(), CommandError> {
    if output.structured(report)? {
        return Ok(());
    }
    if output.format == Format::Name {
        output.data(&format!("release/{}\n", report.name));
        return Ok(());
    }
    let mut text = String::new();
    if report.unchanged {
        text.push_str("Nothing to change: the release is as it was asked for, no job was stopped.\n");
    }
    text.push_str(&format!("NAME:       {}\n", report.name));
    text.push_str(&format!("NAMESPACE:  {}\n", report.namespace));
    text.push_str(&format!("REVISION:   {}\n", report.revision));
    text.push_str(&format!("STATUS:     {}\n", report.status));
    text.push_str(&format!("PACKAGE:    {}, layout {}\n", report.package, report.layout));
    for job in &report.jobs {
        text.push_str(&format!("JOB:        {} ({})\n", job.name, job.state));
        if let Some(path) = &job.restored_from {
            text.push_str(&format!("  restored  {path}\n"));
        }
        if let Some(path) = job.savepoint.as_ref().filter(|path| Some(*path) != job.restored_from.as_ref()) {
            text.push_str(&format!("  savepoint {path}\n"));
        }
    }
    if !report.notes.trim().is_empty() {
        text.push_str(&format!("\n{}\n", report.notes.trim_end()));
    }
    output.data(&output.placed(&text));
    Ok(())
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

/// Reads a file of the person's.
pub(super) fn read_file(path: &std::path::Path) -> Result<Vec<u8>, CommandError> {
    Ok(fs_err::read(path).map_err(|source| Cause::File { path: path.to_owned(), source })?)
}
