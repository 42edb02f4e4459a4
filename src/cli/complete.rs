//! Completion through kubectl: it runs `kubectl_complete-flink WORD…` and reads candidates, one a
//! line, then `:DIRECTIVE`.

use std::ffi::OsString;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use clap::CommandFactory;

use super::root::Cli;

/// Directive of Cobra's completion protocol: offer no file names.
const NO_FILES: u8 = 4;

/// Answers a completion request if the program was called by kubectl's name for it.
pub fn as_kubectl_completion(arguments: &[OsString]) -> Option<ExitCode> {
    let name = Path::new(arguments.first()?).file_name()?.to_str()?;
    if !name.starts_with("kubectl_complete-flink") {
        return None;
    }
    let mut words = vec![OsString::from("kubectl-flink")];
    words.extend(arguments.iter().skip(1).cloned());
    if words.len() == 1 {
        words.push(OsString::new());
    }
    let index = words.len() - 1;
    let mut command = Cli::command();
    let candidates = clap_complete::engine::complete(&mut command, words, index, None).unwrap_or_default();
    let mut stdout = std::io::stdout().lock();
    for candidate in candidates {
        let value = candidate.get_value().to_string_lossy().into_owned();
        let help = candidate.get_help().map(|help| format!("\t{help}")).unwrap_or_default();
        let _ = writeln!(stdout, "{value}{}", help.lines().next().unwrap_or_default());
    }
    let _ = writeln!(stdout, ":{NO_FILES}");
    Some(ExitCode::SUCCESS)
}
