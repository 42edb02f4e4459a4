//! Where the release is, as flags: a command that is printed leads to the cluster and the namespace that the user has named.
//!
//! What the kubeconfig chooses by itself is not repeated, for it chooses the same the next time; a token never is.

use super::flags::global::GlobalArgs;

/// The flags that choose a cluster and a namespace, as they were given, in a shell's words.
#[derive(Clone, Debug)]
pub struct Place {
    namespace: Vec<String>,
    cluster: Vec<String>,
    /// The program's command line: what of a text is a command.
    root: fn() -> clap::Command,
}

impl Place {
    /// No place that would have to be named.
    #[cfg(test)]
    pub fn unnamed() -> Self {
        let root = || clap::Command::new("kubectl-flink");
        Self { namespace: Vec::new(), cluster: Vec::new(), root }
    }

    /// As the command line says; `root` makes the program's command line.
    pub fn of(global: &GlobalArgs, root: fn() -> clap::Command) -> Self {
        let mut place = Self { namespace: Vec::new(), cluster: Vec::new(), root };
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
        let verbs = (self.root)();
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
            // A namespace is in none: `create namespace` has a cluster only.
            let of_cluster = plugin.is_empty() && verb == "create";
            let is_command = match plugin {
                "" => matches!(verb, "port-forward" | "patch" | "create"),
                _ => verbs.find_subcommand(verb).is_some(),
            };
            if !is_command {
                continue;
            }
            placed.push_str(plugin);
            rest = &rest[plugin.len()..];
            let namespace = self.namespace.iter().filter(|_| !has_namespace && !of_cluster);
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
