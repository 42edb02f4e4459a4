//! `docs/commands.md`, the reference of the command line, is what clap knows of it.
//!
//! `SNAPSHOTS=overwrite cargo test --test main reference` writes it anew.

use std::fmt::Write as _;
use std::path::Path;

use clap::builder::StyledStr;
use clap::{Arg, Command, CommandFactory};
use kubectl_flink::cli::Cli;

/// The text above the first command.
const PREFACE: &str = "# Commands\n\
    Made from the program itself: `kubectl flink COMMAND --help` says the same.\n";

/// The heading of flags that every command has; they are in the reference once.
const GLOBAL: &str = "Global flags";

/// Returns the whole reference, in Markdown.
pub fn reference() -> String {
    let mut root = Cli::command();
    root.build();
    let mut out = PREFACE.to_owned();
    out.push_str("\n| command | |\n| --- | --- |\n");
    let commands = below(&root);
    for (words, command) in commands.iter().filter(|(_, command)| !command.has_subcommands()) {
        let name = words.join(" ");
        let anchor = words.join("-");
        let _ = writeln!(out, "| [`{name}`](#kubectl-flink-{anchor}) | {} |", about(command));
    }
    let _ = write!(out, "\n## {GLOBAL}\nThey can stand before the command or after it.\n");
    let global = root.get_arguments().filter(|arg| arg.is_global_set());
    flags(&mut out, "flag", global);
    for (words, command) in commands {
        section(&mut out, &words, command);
    }
    out
}

/// Returns every command below `root` with the words that name it, parents first.
fn below(root: &Command) -> Vec<(Vec<String>, &Command)> {
    let mut found = Vec::new();
    for child in shown(root) {
        let name = child.get_name().to_owned();
        found.push((vec![name.clone()], child));
        for (mut words, command) in below(child) {
            words.insert(0, name.clone());
            found.push((words, command));
        }
    }
    found
}

fn shown(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|child| child.get_name() != "help" && !child.is_hide_set())
}

fn section(out: &mut String, words: &[String], command: &Command) {
    let level = "#".repeat(words.len() + 1);
    let _ = write!(out, "\n{level} `kubectl flink {}`\n", words.join(" "));
    out.push_str(&sentence(&long_about(command)));
    let aliases: Vec<String> = command.get_visible_aliases().map(|alias| format!("`{alias}`")).collect();
    if !aliases.is_empty() {
        let _ = write!(out, " Also called {}.", aliases.join(", "));
    }
    out.push('\n');
    if command.has_subcommands() {
        return;
    }
    let usage = command.clone().render_usage().to_string();
    let usage: Vec<&str> = usage.trim_start_matches("Usage:").lines().map(str::trim).collect();
    let _ = write!(out, "\n```sh\n{}\n```\n", usage.join("\n"));
    arguments(out, command);
    let mut headings: Vec<Option<&str>> = vec![None];
    for arg in own_flags(command) {
        if !headings.contains(&arg.get_help_heading()) {
            headings.push(arg.get_help_heading());
        }
    }
    for heading in headings {
        let title = heading.map_or("flag".to_owned(), |heading| format!("flag ({})", heading.to_lowercase()));
        flags(out, &title, own_flags(command).filter(|arg| arg.get_help_heading() == heading));
    }
}

fn own_flags(command: &Command) -> impl Iterator<Item = &Arg> {
    command.get_arguments().filter(|arg| !arg.is_positional() && !arg.is_global_set())
}

fn arguments(out: &mut String, command: &Command) {
    let mut rows = command.get_positionals().filter(|arg| !arg.is_hide_set()).peekable();
    if rows.peek().is_some() {
        out.push_str("\n| argument | |\n| --- | --- |\n");
    }
    for arg in rows {
        let _ = writeln!(out, "| `{}` | {} |", cell(&value(arg)), help(arg));
    }
}

fn flags<'a>(out: &mut String, title: &str, args: impl Iterator<Item = &'a Arg>) {
    let mut rows = args
        .filter(|arg| !arg.is_hide_set() && !["help", "version"].contains(&arg.get_id().as_str()))
        .peekable();
    if rows.peek().is_some() {
        let _ = write!(out, "\n| {title} | |\n| --- | --- |\n");
    }
    for arg in rows {
        let _ = writeln!(out, "| {} | {} |", names(arg), help(arg));
    }
}

/// `-n`, `--namespace NAMESPACE`; `--wait[=BOOL]` where the value may be left out.
fn names(arg: &Arg) -> String {
    let mut names: Vec<String> = arg.get_short().map(|short| format!("`-{short}`")).into_iter().collect();
    if let Some(long) = arg.get_long() {
        let takes_value = arg.get_num_args().is_some_and(|range| range.takes_values());
        let optional = arg.get_num_args().is_some_and(|range| range.min_values() == 0);
        let value = cell(&value(arg));
        names.push(match (takes_value, optional) {
            (false, _) => format!("`--{long}`"),
            (true, true) => format!("`--{long}[={value}]`"),
            (true, false) => format!("`--{long} {value}`"),
        });
    }
    names.join(", ")
}

fn value(arg: &Arg) -> String {
    let names = arg.get_value_names().unwrap_or_default();
    let repeated = arg.is_positional() && arg.get_num_args().is_some_and(|range| range.max_values() > 1);
    let name = names.first().map_or(arg.get_id().as_str(), |name| name.as_str());
    if repeated { format!("{name}…") } else { name.to_owned() }
}

/// The help of an argument, then what clap adds to it: values, default, environment, aliases.
fn help(arg: &Arg) -> String {
    let text = arg.get_long_help().or(arg.get_help()).map(plain).unwrap_or_default();
    let mut parts = vec![sentence(&cell(&text))];
    let code = |values: Vec<String>| {
        values.iter().map(|one| format!("`{}`", cell(one))).collect::<Vec<_>>().join(", ")
    };
    let possible: Vec<String> = if arg.get_num_args().is_some_and(|range| range.takes_values()) {
        let values = arg.get_possible_values();
        values.iter().filter(|value| !value.is_hide_set()).map(|value| value.get_name().to_owned()).collect()
    } else {
        Vec::new()
    };
    // Where the help names the values in its own words, clap's list would say them twice.
    if !possible.is_empty() && !value(arg).contains('|') {
        parts.push(format!("One of {}.", code(possible)));
    }
    let defaults = arg.get_default_values().iter().map(|value| value.to_string_lossy().into_owned());
    let defaults: Vec<String> = defaults.collect();
    let takes_value = arg.get_action().takes_values();
    if takes_value && !defaults.is_empty() && !arg.is_hide_default_value_set() {
        parts.push(format!("Default: {}.", code(defaults)));
    }
    if let Some(variable) = arg.get_env().filter(|_| !arg.is_hide_env_set()) {
        parts.push(format!("Environment: `{}`.", variable.to_string_lossy()));
    }
    let aliases = arg.get_visible_aliases().unwrap_or_default();
    if !aliases.is_empty() {
        parts.push(format!("Also {}.", code(aliases.iter().map(|alias| format!("--{alias}")).collect())));
    }
    parts.join(" ")
}

fn about(command: &Command) -> String {
    command.get_about().map(plain).map(|text| cell(&text)).unwrap_or_default()
}

fn long_about(command: &Command) -> String {
    command.get_long_about().or(command.get_about()).map(plain).unwrap_or_default()
}

/// Styled text without its styles, each paragraph one line.
fn plain(text: &StyledStr) -> String {
    let text = text.to_string();
    let paragraphs = text.split("\n\n").map(|part| part.split_whitespace().collect::<Vec<_>>().join(" "));
    paragraphs.collect::<Vec<_>>().join("\n\n")
}

/// Text as a cell of a table has it.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace("\n\n", "<br>")
}

fn sentence(text: &str) -> String {
    if text.is_empty() || text.ends_with(['.', ':']) { text.to_owned() } else { format!("{text}.") }
}

#[test]
fn the_reference_is_what_the_program_knows() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/commands.md");
    let recorded = snapbox::Data::read_from(&path, None).raw();
    snapbox::Assert::new().action_env("SNAPSHOTS").eq(reference(), recorded);
}

#[test]
fn the_reference_has_every_command_and_flag() {
    fn check(command: &Command, text: &str) {
        for arg in command.get_arguments().filter(|arg| !arg.is_hide_set()) {
            if let Some(long) = arg.get_long() {
                assert!(
                    text.contains(&format!("`--{long}")) || long == "help" || long == "version",
                    "--{long}"
                );
            }
        }
        shown(command).for_each(|child| check(child, text));
    }
    let mut root = Cli::command();
    root.build();
    let text = reference();
    check(&root, &text);
    for (words, _) in below(&root) {
        assert_eq!(text.matches(&format!("# `kubectl flink {}`\n", words.join(" "))).count(), 1, "{words:?}");
    }
    assert_eq!(text.matches("`--kubeconfig ").count(), 1, "global flags are said once");
}
