//! `kubectl flink completion`.

use std::path::PathBuf;

use clap::{Args, Command};
use clap_complete::Shell;

use crate::cli::{CommandError, Output};
use crate::failure::NextStep;

/// Flags of `completion`.
#[derive(Args, Clone)]
pub struct CompletionArgs {
    /// Print the completion script of `kubectl-flink` for this shell
    #[arg(value_enum, required_unless_present = "install")]
    pub shell: Option<Shell>,
    /// Put `kubectl_complete-flink` beside the program, so that kubectl's own completion knows `kubectl flink`
    #[arg(long, conflicts_with = "shell")]
    pub install: bool,
    /// Where to put it
    #[arg(long, requires = "install", value_name = "FOLDER")]
    pub dir: Option<PathBuf>,
}

/// Runs `completion`, for a program whose command line `root` gives.
pub fn run(
    args: &CompletionArgs,
    root: impl FnOnce() -> Command,
    output: &Output,
) -> Result<u8, CommandError> {
    if let Some(shell) = args.shell {
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut root(), "kubectl-flink", &mut script);
        output.data(&String::from_utf8_lossy(&script));
        return Ok(0);
    }
    let program = std::env::current_exe()
        .map_err(|error| CommandError::io("where this program is could not be found out", &error))?;
    let folder = args.dir.clone().or_else(|| program.parent().map(PathBuf::from)).unwrap_or_default();
    let link = folder.join("kubectl_complete-flink");
    install_link(&program, &link).map_err(|error| {
        CommandError::io(format!("{} could not be made", link.display()), &error)
            .hint(NextStep::say("name a folder of your PATH with --dir"))
    })?;
    output.data(&format!("{}\n", link.display()));
    Ok(0)
}

/// Makes the link anew beside the old one and renames it, so that there is always one.
fn install_link(program: &std::path::Path, link: &std::path::Path) -> std::io::Result<()> {
    let fresh = link.with_extension(format!("new-{}", std::process::id()));
    #[cfg(unix)]
    fs_err::os::unix::fs::symlink(program, &fresh)?;
    #[cfg(not(unix))]
    fs_err::copy(program, &fresh)?;
    fs_err::rename(&fresh, link)
}
