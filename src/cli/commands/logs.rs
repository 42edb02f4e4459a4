//! `kubectl flink logs NAME [-f]`.

use std::ops::ControlFlow;

use clap::Args;

use crate::cli::error::CommandError;
use crate::cli::flags::name;
use crate::cli::session::Session;
use crate::cluster::pods::LogOptions;
use crate::verbs::logs::{self, Role};

/// Flags of `logs`.
#[derive(Args, Clone)]
pub struct LogsArgs {
    /// Name of the release
    #[arg(value_parser = name::release)]
    pub name: String,
    /// Go on as lines come
    #[arg(short = 'f', long)]
    pub follow: bool,
    /// The last so many lines of each container
    #[arg(long)]
    pub tail: Option<u32>,
    /// The containers' former instances
    #[arg(short = 'p', long)]
    pub previous: bool,
    /// The TaskManagers' logs instead of the JobManager's
    #[arg(long, conflicts_with = "all_roles")]
    pub task_managers: bool,
    /// All Pods' logs
    #[arg(long)]
    pub all_roles: bool,
}

/// Runs `logs`.
pub async fn run(args: &LogsArgs, session: &Session<'_>) -> Result<(), CommandError> {
    let output = session.output;
    output.refuse_format_of("a log")?;
    let context = session.connect(None).await?;
    let role = match (args.task_managers, args.all_roles) {
        (true, _) => Role::TaskManager,
        (_, true) => Role::All,
        _ => Role::JobManager,
    };
    let options = LogOptions {
        follow: args.follow,
        tail_lines: args.tail,
        previous: args.previous,
        ..LogOptions::default()
    };
    let pods = logs::pods(&context, &args.name, role).await?;
    let named = role != Role::JobManager || pods.len() > 1;
    logs::stream(&context, &pods, &options, &mut |line| {
        if named {
            output.data(&format!("[{}] {}\n", line.pod, line.text));
        } else {
            output.data(&format!("{}\n", line.text));
        }
        if output.is_closed() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })
    .await?;
    Ok(())
}
