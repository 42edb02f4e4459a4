//! Every command and flag that a document or a message names exists.

use std::path::{Path, PathBuf};

use clap::Command;
use clap::CommandFactory;
use kubectl_flink::cli::Cli;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn below(folder: &Path, end: &str, into: &mut Vec<PathBuf>) {
    for entry in fs_err::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            below(&path, end, into);
        } else if path.extension().is_some_and(|found| found == end) {
            into.push(path);
        }
    }
}

/// The command lines in a text: `kubectl flink …` after a back-tick, a quote, a prompt, or anywhere
/// in a code block.
fn command_lines(text: &str, code: bool) -> Vec<String> {
    let mut found = Vec::new();
    let mut fenced = code;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        for (at, name) in line.match_indices("kubectl flink ") {
            let opened = line[..at].ends_with(['`', '"']);
            if !opened && !fenced {
                continue;
            }
            let rest = &line[at + name.len()..];
            let end = rest.find(['`', '"', '#', '|', '(', ';', '<', '>', '\\']).unwrap_or(rest.len());
            found.push(rest[..end].trim().to_owned());
        }
    }
    found
}

/// The command lines that Rust code makes as data: `NextStep::flink([…])` and what is added to it.
/// What is no literal is `X`.
fn next_steps(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, start) in code.match_indices("NextStep::flink(") {
        let mut line: Vec<&str> = Vec::new();
        let mut rest = &code[at + start.len()..];
        while let Some((words, after)) = rest.split_once(')') {
            // A call within the words ends there; what follows it is the user's, not ours.
            let words = words.trim().trim_start_matches('[').trim_end_matches(']');
            for word in words.split(',').map(str::trim).filter(|word| !word.is_empty()) {
                line.push(word.strip_prefix('"').and_then(|word| word.strip_suffix('"')).unwrap_or("X"));
            }
            let after = after.trim_start_matches([']', ')', ' ', '\n']);
            let calls = [".args(", ".placeholder(", ".prefixed("];
            let Some(next) = calls.iter().find_map(|call| after.strip_prefix(call)) else { break };
            rest = next;
        }
        found.push(line.join(" "));
    }
    found
}

/// The command that a line's first words name, and its other words.
fn resolve<'a>(root: &'a Command, line: &'a str) -> Result<(&'a Command, Vec<&'a str>), String> {
    let mut command = root;
    let mut words = line.split_whitespace().peekable();
    // Global flags with their value may come first: `-n demo status`.
    while words.peek().is_some_and(|word| word.starts_with('-')) {
        let flag = words.next().unwrap_or_default();
        if flag.starts_with("-n") || flag == "--context" || flag == "--kubeconfig" || flag == "--as" {
            words.next();
        }
    }
    while let Some(word) = words.peek() {
        let Some(child) = command.find_subcommand(word) else {
            if command.has_subcommands()
                && !word.starts_with(['…', '{', '-'])
                && word.chars().all(char::is_lowercase)
            {
                return Err(format!("there is no command {word:?}"));
            }
            break;
        };
        command = child;
        words.next();
    }
    Ok((command, words.collect()))
}

/// Whether a command or what it inherits has a flag: `--name`, `--name=value`, `-x`.
fn has_flag(command: &Command, word: &str) -> bool {
    let flag = word.split(['=', '[', ',', ')', '.', ':', '…']).next().unwrap_or_default();
    command.get_arguments().any(|arg| {
        let long = arg.get_long_and_visible_aliases().unwrap_or_default();
        let short = arg.get_short_and_visible_aliases().unwrap_or_default();
        long.iter().any(|long| flag == format!("--{long}"))
            || short.iter().any(|short| {
                flag == format!("-{short}")
                    || word.starts_with(&format!("-{short}")) && !word.starts_with("--")
            })
    })
}

fn check(root: &Command, origin: &str, line: &str, wrong: &mut Vec<String>) {
    match resolve(root, line) {
        Err(reason) => wrong.push(format!("{origin}: kubectl flink {line}: {reason}")),
        Ok((command, words)) => {
            for word in words.iter().take_while(|word| **word != "--") {
                let negative = word.chars().nth(1).is_none_or(|c| c.is_ascii_digit());
                if word.starts_with('-') && !negative && !has_flag(command, word) {
                    wrong.push(format!(
                        "{origin}: kubectl flink {line}: {} has no {word}",
                        command.get_name()
                    ));
                }
            }
        }
    }
}

fn built() -> Command {
    let mut command = Cli::command();
    command.build();
    command
}

#[test]
fn every_command_line_in_documents_and_messages_exists() {
    let command = built();
    let mut files: Vec<PathBuf> = Vec::new();
    for name in ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "packages/flink/README.md", "plugin.yaml"] {
        files.push(root().join(name));
    }
    below(&root().join("docs"), "md", &mut files);
    files.push(root().join("packages/flink/NOTES.tera"));
    below(&root().join("src"), "rs", &mut files);
    let mut wrong = Vec::new();
    let mut seen = 0;
    for file in files {
        let text = fs_err::read_to_string(&file).unwrap();
        let origin = file.strip_prefix(root()).unwrap().display().to_string();
        let code = origin.ends_with(".yaml") || origin.ends_with(".tera");
        let text = text.replace("kubectl flink -n {{ release.namespace }}", "kubectl flink");
        let data = if origin.ends_with(".rs") { next_steps(&text) } else { Vec::new() };
        for line in command_lines(&text, code).into_iter().chain(data) {
            seen += 1;
            check(&command, &origin, &line, &mut wrong);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(seen > 50, "only {seen} command lines were found: the documents are written in another way now");
}

#[test]
fn every_flag_in_the_documents_exists_somewhere() {
    fn tree<'a>(command: &'a Command, into: &mut Vec<&'a Command>) {
        into.push(command);
        command.get_subcommands().for_each(|child| tree(child, into));
    }
    let command = built();
    let mut commands = Vec::new();
    tree(&command, &mut commands);
    let mut files = vec![root().join("README.md")];
    below(&root().join("docs"), "md", &mut files);
    let mut wrong = Vec::new();
    for file in files {
        let text = fs_err::read_to_string(&file).unwrap();
        let spans = text.split('`').skip(1).step_by(2);
        for span in spans.filter(|span| span.starts_with("--") && !span.contains('\n')) {
            let flag = span.split_whitespace().next().unwrap_or_default();
            // Krew's own.
            let foreign = ["--manifest", "--archive"].iter().any(|other| flag.starts_with(other));
            if !foreign && !commands.iter().any(|command| has_flag(command, flag)) {
                wrong.push(format!("{}: {flag}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "flags that no command has: {wrong:#?}");
}

#[test]
fn the_readme_names_every_command() {
    let readme = fs_err::read_to_string(root().join("README.md")).unwrap();
    let command = built();
    for verb in command.get_subcommands().map(Command::get_name).filter(|name| *name != "help") {
        assert!(
            readme.contains(&format!("`{verb}")) || readme.contains(&format!("kubectl flink {verb}")),
            "README.md does not name {verb}"
        );
    }
}

#[test]
fn the_readme_is_read_in_five_minutes() {
    let readme = fs_err::read_to_string(root().join("README.md")).unwrap();
    let lines = readme.lines().count();
    assert!(lines <= 160, "README.md has {lines} lines: what is not for everybody belongs into docs/");
    for (at, line) in readme.lines().enumerate() {
        assert!(line.chars().count() <= 110, "README.md:{}: more than 110 columns", at + 1);
    }
}
