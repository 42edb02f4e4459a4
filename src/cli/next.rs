//! What to type next, as text: each command leads to the cluster and the namespace that the user
//! has named.
//!
//! What the kubeconfig chooses by itself is not repeated, for it chooses the same the next time; a
//! token never is.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::flags::global::GlobalArgs;
use crate::failure::{Command, NextStep, Program, What, Word};

/// The flags that choose a cluster and a namespace, as they were given, in a shell's words.
#[derive(Clone, Debug)]
pub struct Place {
    namespace: Vec<String>,
    cluster: Vec<String>,
    /// The program's command line, by which commands are known in notes.
    root: fn() -> clap::Command,
}

impl Place {
    /// No place that would have to be named.
    #[cfg(test)]
    pub fn unnamed() -> Self {
        Self { namespace: Vec::new(), cluster: Vec::new(), root: || clap::Command::new("kubectl-flink") }
    }

    /// As the command line says; `root` makes the program's command line.
    pub fn of(global: &GlobalArgs, root: fn() -> clap::Command) -> Self {
        let mut place = Self { namespace: Vec::new(), cluster: Vec::new(), root };
        let path = global.kubeconfig.as_ref().map(|path| path.display().to_string());
        let given = |flag: &str, value: &str| [flag.to_owned(), quoted(value).into_owned()];
        place.namespace.extend(global.namespace.iter().flat_map(|value| given("-n", value)));
        for (flag, value) in [
            ("--context", &global.context),
            ("--kubeconfig", &path),
            ("--cluster", &global.cluster),
            ("--user", &global.user),
            ("--server", &global.server),
            ("--as", &global.as_user),
        ] {
            place.cluster.extend(value.iter().flat_map(|value| given(flag, value)));
        }
        place.cluster.extend(global.as_group.iter().flat_map(|value| given("--as-group", value)));
        if global.insecure_skip_tls_verify {
            place.cluster.push("--insecure-skip-tls-verify".to_owned());
        }
        place
    }

    /// The flags, one word an entry; those of the cluster alone for what is in no namespace.
    pub(super) fn flags(&self, with_namespace: bool) -> impl Iterator<Item = &str> {
        let namespace = self.namespace.iter().filter(move |_| with_namespace);
        namespace.chain(&self.cluster).map(String::as_str)
    }

    /// A step, its commands in lines of at most so many columns where their flags allow it.
    pub fn render(&self, step: &NextStep, width: usize) -> String {
        let mut text = match &step.what {
            What::Run(commands) => {
                let commands: Vec<_> = commands.iter().map(|command| self.command(command, width)).collect();
                commands.join(" |\n")
            }
            What::Again(words) if words.is_empty() => "the same command again".to_owned(),
            What::Again(words) => {
                let words: Vec<_> = words.iter().map(shown).collect();
                format!("the same command with {}", words.join(" "))
            }
            What::Say(advice) => advice.clone().into_owned(),
        };
        if let Some(remark) = &step.remark {
            let _ = write!(text, "   # {remark}");
        }
        text
    }

    /// The program's command line.
    pub(super) fn program(&self) -> clap::Command {
        (self.root)()
    }

    fn command(&self, command: &Command, width: usize) -> String {
        let (program, with_namespace) = match command.program {
            Program::Flink => (&["kubectl", "flink"][..], true),
            Program::Kubectl => (&["kubectl"][..], true),
            Program::KubectlCluster => (&["kubectl"][..], false),
        };
        let known = program.iter().copied().chain(self.flags(with_namespace)).map(Cow::Borrowed);
        folded(known.chain(command.words.iter().map(shown)), width)
    }
}

/// A word as a shell reads it; the placeholder behind it is for the user to replace.
fn shown(word: &Word) -> Cow<'_, str> {
    let known = if word.known.is_empty() && !word.placeholder.is_empty() {
        Cow::Borrowed("")
    } else {
        quoted(&word.known)
    };
    if word.placeholder.is_empty() { known } else { known + word.placeholder }
}

/// As one word of a shell; what no shell can be given (a NUL) stays as it is.
fn quoted(value: &str) -> Cow<'_, str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-+=./:@,%".contains(c);
    // `=` and `~` mean something to a shell where a word begins with them, and nothing behind that.
    if !value.is_empty() && !value.starts_with('=') && value.chars().all(plain) {
        return Cow::Borrowed(value);
    }
    shlex::try_quote(value).unwrap_or(Cow::Borrowed(value))
}

/// Words in lines of at most so many columns where flags allow it: a line of a shell may go on in
/// the next.
fn folded<'a>(words: impl Iterator<Item = Cow<'a, str>>, width: usize) -> String {
    const GOES_ON: &str = " \\";
    let mut groups: Vec<String> = Vec::new();
    for word in words {
        match groups.last_mut() {
            Some(group) if !is_flag(&word) => {
                group.push(' ');
                group.push_str(&word);
            }
            _ => groups.push(word.into_owned()),
        }
    }
    let mut text = String::new();
    let mut column = 0;
    for group in groups {
        let length = 1 + group.chars().count();
        if column > 0 && column + length + GOES_ON.len() > width {
            text.push_str(GOES_ON);
            text.push_str("\n ");
            column = 1;
        }
        if column > 0 {
            text.push(' ');
        }
        text.push_str(&group);
        column += length;
    }
    text
}

/// Standard input (`-`) belongs to the flag before it.
fn is_flag(word: &str) -> bool {
    word.len() > 1 && word.starts_with('-')
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    const VERBS: [&str; 6] = ["status", "ui", "logs", "get", "install", "list"];

    impl Place {
        /// As these flags say.
        pub(in crate::cli) fn given(flags: &[&str]) -> Self {
            #[derive(Parser)]
            struct Flags {
                #[command(flatten)]
                global: GlobalArgs,
            }
            let words = ["kubectl-flink"].iter().chain(flags);
            let root = || clap::Command::new("kubectl flink").subcommands(VERBS.map(clap::Command::new));
            Self::of(&Flags::try_parse_from(words).unwrap().global, root)
        }
    }

    #[track_caller]
    fn assert_renders(flags: &[&str], step: &NextStep, expected: &str) {
        assert_eq!(Place::given(flags).render(step, 100), expected);
    }

    #[test]
    fn a_command_leads_to_where_the_user_was() {
        let status = NextStep::flink(["status", "a"]);
        assert_renders(&[], &status, "kubectl flink status a");
        assert_renders(&["-n", "b"], &status, "kubectl flink -n b status a");
        assert_renders(
            &["--kube-context", "x", "-n", "b"],
            &status,
            "kubectl flink -n b --context x status a",
        );
        let flags = ["--as", "me", "--as-group", "g", "--as-group", "h", "--insecure-skip-tls-verify"];
        let list = NextStep::flink(["list"]).remark("all");
        assert_renders(&flags, &list, &format!("kubectl flink {} list   # all", flags.join(" ")));
        assert_renders(
            &["--context", "my cluster", "--token", "secret"],
            &NextStep::flink(["get", "values", "a"]).piped_to(["install", "a", "flink", "-f", "-"]),
            "kubectl flink --context 'my cluster' get values a |\n\
             kubectl flink --context 'my cluster' install a flink -f -",
        );
    }

    #[test]
    fn what_is_in_no_namespace_is_given_none() {
        let flags = ["-n", "b", "--context", "x"];
        let forward = NextStep::kubectl(["port-forward", "service/a", "1"]);
        assert_renders(&flags, &forward, "kubectl -n b --context x port-forward service/a 1");
        let create = NextStep::kubectl_cluster(["create", "namespace", "b"]);
        assert_renders(&flags, &create, "kubectl --context x create namespace b");
    }

    #[test]
    fn words_are_quoted_and_placeholders_are_not() {
        for (word, expected) in [
            ("orders", "orders"),
            ("file:///a/savepoint-1a", "file:///a/savepoint-1a"),
            ("orders=s3://a/b", "orders=s3://a/b"),
            ("my job", "'my job'"),
            ("", "''"),
            ("=x", "'=x'"),
            ("~x", "'~x'"),
            ("$(x)", "'$(x)'"),
            ("it's", "\"it's\""),
        ] {
            assert_eq!(quoted(word), expected);
        }
        let step = NextStep::flink(["upgrade", "a"]).placeholder("…").args(["--from-savepoint"]);
        assert_renders(
            &[],
            &step.placeholder("recorded|PATH"),
            "kubectl flink upgrade a … --from-savepoint recorded|PATH",
        );
        let again = NextStep::again(["--jar"]).prefixed("my job=", "FILE");
        assert_renders(&["-n", "b"], &again, "the same command with --jar 'my job='FILE");
        assert_renders(&["-n", "b"], &NextStep::again([]), "the same command again");
    }

    #[test]
    fn advice_is_printed_as_it_is() {
        let advice = "the plugin of kubectl flink is kubectl ";
        assert_renders(&["-n", "b"], &NextStep::say(advice), advice);
    }

    #[test]
    fn a_long_command_goes_on_in_the_next_line() {
        let step = NextStep::flink(["install", "orders", "flink", "--layout", "job", "-f", "-"])
            .args(["--from-savepoint", "recorded"]);
        let place = Place::given(&["-n", "streams"]);
        let lines = [
            "kubectl flink -n streams install orders flink --layout job -f - \\",
            "  --from-savepoint recorded",
        ];
        assert_eq!(place.render(&step, 76), lines.join("\n"));
        assert_eq!(place.render(&step, 100), lines.join("\n").replace(" \\\n ", ""));
        let words = NextStep::kubectl(["a", "command", "that", "has", "no", "flag", "however", "long"]);
        let whole = "kubectl a command that has no flag however long";
        assert_eq!(Place::unnamed().render(&words, 20), whole);
    }
}
