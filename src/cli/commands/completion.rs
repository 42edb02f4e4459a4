//! `kubectl flink completion`.

use std::path::{Path, PathBuf};

use clap::Args;
use clap_complete::Shell;
use serde::Serialize;

use crate::cli::error::CommandError;
use crate::cli::next::Place;
use crate::cli::render::Render;
use crate::cli::session::Session;
use crate::failure::NextStep;

/// Flags of `completion`.
#[derive(Args, Clone)]
pub struct CompletionArgs {
    /// Print the completion script of `kubectl-flink` for this shell
    #[arg(value_enum, required_unless_present = "install")]
    pub shell: Option<Shell>,
    /// Put `kubectl_complete-flink` beside the program, so that kubectl's own completion knows
    /// `kubectl flink`
    #[arg(long, conflicts_with = "shell")]
    pub install: bool,
    /// Where to put it
    #[arg(long, requires = "install", value_name = "FOLDER")]
    pub dir: Option<PathBuf>,
}

/// The link that kubectl finds.
#[derive(Serialize)]
struct Installed {
    path: String,
}

impl Render for Installed {
    fn table(&self, _: &Place) -> String {
        format!("{}\n", self.path)
    }

    fn names(&self) -> Vec<String> {
        vec![self.path.clone()]
    }
}

/// Runs `completion` of `program`.
pub fn run(
    args: &CompletionArgs,
    program: &mut clap::Command,
    session: &Session<'_>,
) -> Result<(), CommandError> {
    let Some(shell) = args.shell else {
        return session.output.print(&install(args.dir.as_deref())?);
    };
    session.output.refuse_format_of("a script")?;
    let mut script = Vec::new();
    clap_complete::generate(shell, program, "kubectl-flink", &mut script);
    session.output.data(&String::from_utf8_lossy(&script));
    Ok(())
}

fn install(folder: Option<&Path>) -> Result<Installed, CommandError> {
    let program = std::env::current_exe()
        .map_err(|error| CommandError::io("where this program is could not be found out", &error))?;
    let link = folder.or_else(|| program.parent()).unwrap_or(Path::new("")).join("kubectl_complete-flink");
    install_link(&program, &link).map_err(|error| {
        CommandError::io(format!("{} could not be made", link.display()), &error)
            .hint(NextStep::say("name a folder of your PATH with --dir"))
    })?;
    Ok(Installed { path: link.display().to_string() })
}

/// Makes the link anew beside the old one and renames it, so that there is always one.
fn install_link(program: &Path, link: &Path) -> std::io::Result<()> {
    let fresh = link.with_extension(format!("new-{}", std::process::id()));
    #[cfg(unix)]
    fs_err::os::unix::fs::symlink(program, &fresh)?;
    #[cfg(not(unix))]
    fs_err::copy(program, &fresh)?;
    fs_err::rename(&fresh, link)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::render::testing::every_format;

    #[test]
    fn every_format_has_it() {
        let path = "/bin/kubectl_complete-flink".to_owned();
        assert_eq!(every_format(&Installed { path: path.clone() }), [path]);
    }
}
