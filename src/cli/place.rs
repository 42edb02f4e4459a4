//! Where the release is, as flags: a command that is printed leads to the cluster and the namespace that the person has named.
//!
//! What the kubeconfig chooses by itself is not repeated, for it chooses the same the next time; a token never is.

use super::flags::global::GlobalArgs;

/// The flags that choose a cluster and a namespace, as they were given, in a shell's words.
#[derive(Clone, Debug, Default)]
pub struct Place {
    namespace: Vec<String>,
    cluster: Vec<String>,
    verbs: Vec<String>,
}

impl Place {
    /// As the command line says; `program` knows which verbs there are.
    pub fn of(global: &GlobalArgs, program: &clap::Command) -> Self {
        let mut place = Self::default();
        let names = |verb: &clap::Command| {
            verb.get_name_and_visible_aliases().into_iter().map(str::to_owned).collect::<Vec<_>>()
        };
        place.verbs = program.get_subcommands().flat_map(names).collect();
        let path = global.kubeconfig.as_ref().map(|path| path.display().to_string());
        let given = |flag: &str, value: &str| [flag.to_owned(), quoted(value)];
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

    /// Text with these flags in each of its commands: `kubectl flink status a` becomes `kubectl flink -n b status a`. A command
    /// that has a namespace keeps it.
    pub fn in_commands(&self, text: &str) -> String {
        const PROGRAM: &str = "kubectl ";
        let nowhere = self.namespace.is_empty() && self.cluster.is_empty();
        if nowhere || !text.contains(PROGRAM) {
            return text.to_owned();
        }
        let mut placed = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find(PROGRAM) {
            let (before, after) = rest.split_at(at + PROGRAM.len());
            placed.push_str(before);
            rest = after;
            let plugin = if rest.starts_with("flink ") { "flink " } else { "" };
            let mut words = rest[plugin.len()..].split_whitespace();
            let first = words.next().unwrap_or_default();
            let has_namespace = first == "-n";
            let verb = if has_namespace { words.nth(1).unwrap_or_default() } else { first };
            let is_command = match plugin {
                "" => matches!(verb, "port-forward" | "patch"),
                _ => self.verbs.iter().any(|known| known == verb),
            };
            if !is_command {
                continue;
            }
            placed.push_str(plugin);
            rest = &rest[plugin.len()..];
            let namespace = self.namespace.iter().filter(|_| !has_namespace);
            for word in namespace.chain(&self.cluster) {
                placed.push_str(word);
                placed.push(' ');
            }
        }
        placed.push_str(rest);
        placed
    }
}

/// As one word of a shell; what no shell can be given (a NUL) stays as it is.
fn quoted(value: &str) -> String {
    shlex::try_quote(value).map_or_else(|_| value.to_owned(), std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use clap::{Args, Command, FromArgMatches};

    use super::*;

    fn placed(flags: &[&str], text: &str) -> String {
        let words = ["kubectl-flink"].iter().chain(flags);
        let matches = GlobalArgs::augment_args(Command::new("kubectl-flink")).get_matches_from(words);
        let verbs = ["status", "ui", "logs", "get", "install", "list"];
        let program = Command::new("kubectl-flink").subcommands(verbs.map(Command::new));
        Place::of(&GlobalArgs::from_arg_matches(&matches).unwrap(), &program).in_commands(text)
    }

    #[test]
    fn a_command_leads_to_where_the_person_was() {
        for (flags, text, expected) in [
            (&[][..], "kubectl flink status a", "kubectl flink status a"),
            (&["-n", "b"], "kubectl flink status a", "kubectl flink -n b status a"),
            (&["-n", "b"], "kubectl flink -n c status a", "kubectl flink -n c status a"),
            (
                &["--kube-context", "x", "-n", "b"],
                "kubectl flink -n b ui a\nkubectl flink logs a",
                "kubectl flink --context x -n b ui a\nkubectl flink -n b --context x logs a",
            ),
            (
                &["--context", "my cluster", "--token", "secret"],
                "kubectl flink get values a |\nkubectl flink install a flink -f -",
                "kubectl flink --context 'my cluster' get values a |\n\
                 kubectl flink --context 'my cluster' install a flink -f -",
            ),
            (&["-n", "b"], "kubectl port-forward service/a 1", "kubectl -n b port-forward service/a 1"),
            (
                &["-n", "b"],
                "the plugin of kubectl flink is kubectl ",
                "the plugin of kubectl flink is kubectl ",
            ),
            (
                &["--as", "me", "--as-group", "g", "--as-group", "h", "--insecure-skip-tls-verify"],
                "x: kubectl flink list   # all",
                "x: kubectl flink --as me --as-group g --as-group h --insecure-skip-tls-verify list   # all",
            ),
        ] {
            assert_eq!(placed(flags, text), expected);
        }
    }
}
