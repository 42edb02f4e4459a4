//! Programs, run to their end, and what they said.

use std::ffi::OsStr;
use std::fmt;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

/// A program that has ended.
#[derive(Clone, Debug)]
pub struct Run {
    /// The command line, for messages.
    pub line: String,
    /// The exit code; -1 where a signal ended it.
    pub code: i32,
    /// What it wrote to stdout.
    pub stdout: String,
    /// What it wrote to stderr.
    pub stderr: String,
}

impl Run {
    /// Fails unless it succeeded.
    #[track_caller]
    pub fn ok(self) -> Self {
        self.exits(0)
    }

    /// Fails unless it ended with that exit code.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert!(self.code == code, "exit code {}, expected {code}: {self}", self.code);
        self
    }

    /// Fails unless stderr has the text.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "stderr does not say {text:?}: {self}");
        self
    }

    /// Fails if stderr has the text.
    #[track_caller]
    pub fn never_says(self, text: &str) -> Self {
        assert!(!self.stderr.contains(text), "stderr says {text:?}: {self}");
        self
    }

    /// Fails unless stdout has the text.
    #[track_caller]
    pub fn prints(self, text: &str) -> Self {
        assert!(self.stdout.contains(text), "stdout does not say {text:?}: {self}");
        self
    }

    /// stdout as JSON.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        match serde_json::from_str(&self.stdout) {
            Ok(value) => value,
            Err(error) => panic!("stdout is no JSON ({error}): {self}"),
        }
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}\n--- stdout\n{}--- stderr\n{}--- exit code {}",
            self.line, self.stdout, self.stderr, self.code
        )
    }
}

/// Runs a command to its end, with no terminal and nothing to read.
#[track_caller]
pub fn run(command: &mut Command) -> Run {
    let line = shown(command);
    match command.stdin(Stdio::null()).output() {
        Ok(output) => Run {
            line,
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        },
        Err(error) => panic!("{line}: {error}"),
    }
}

/// Runs a command to its end, and does something the moment that a line of its stderr has the text;
/// fails where none had it.
#[track_caller]
pub fn run_until(command: &mut Command, text: &str, act: impl FnOnce()) -> Run {
    let line = shown(command);
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let (mut stderr, mut act) = (String::new(), Some(act));
    for said in BufReader::new(child.stderr.take().unwrap()).lines() {
        let said = said.unwrap();
        if said.contains(text)
            && let Some(act) = act.take()
        {
            act();
        }
        stderr.push_str(&said);
        stderr.push('\n');
    }
    let code = child.wait().unwrap().code().unwrap_or(-1);
    let run = Run { line, code, stdout: String::new(), stderr };
    assert!(act.is_none(), "stderr never said {text:?}: {run}");
    run
}

fn shown(command: &Command) -> String {
    let mut line = command.get_program().to_string_lossy().into_owned();
    for arg in command.get_args() {
        line.push(' ');
        line.push_str(&arg.to_string_lossy());
    }
    line
}

/// The program under test, not started yet; nothing of the tester's own settings reaches it but
/// KUBECONFIG.
pub fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kubectl-flink"));
    command.env_remove("KUBECTL_FLINK_LOG").env("USER", "tester").env("COLUMNS", "80");
    command.env("KUBECTL_FLINK_STABILITY_PERIOD", "2s"); // half a minute for people; every test would wait it out
    command
}

/// Runs `kubectl flink ARGS`.
#[track_caller]
pub fn flink<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Run {
    run(program().args(args))
}

/// Runs `kubectl ARGS`.
#[track_caller]
pub fn kubectl<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Run {
    run(Command::new("kubectl").args(args))
}
