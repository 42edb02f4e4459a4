//! A package's notes, with the flags in their commands that lead to where the user is.
//!
//! They are text of the package's author, and were rendered when the revision was made, perhaps by
//! another user with other flags: here alone commands are searched for in text, by the verbs of
//! this program.

use super::next::Place;

const PROGRAM: &str = "kubectl ";
/// The verbs of kubectl itself that are given the flags too.
const KUBECTL: [&str; 2] = ["port-forward", "patch"];

/// Returns notes in which `kubectl flink status a` is `kubectl flink -n b status a`. A command that
/// has a namespace keeps it.
pub fn placed(notes: &str, place: &Place) -> String {
    if place.flags(true).next().is_none() || !notes.contains(PROGRAM) {
        return notes.to_owned();
    }
    let root = place.program();
    let mut placed = String::with_capacity(notes.len());
    let mut rest = notes;
    while let Some(at) = rest.find(PROGRAM) {
        let (before, after) = rest.split_at(at + PROGRAM.len());
        placed.push_str(before);
        rest = after;
        let plugin = if rest.starts_with("flink ") { "flink " } else { "" };
        let mut words = rest[plugin.len()..].split_whitespace();
        let first = words.next().unwrap_or_default();
        let has_namespace = first == "-n";
        let verb = if has_namespace { words.nth(1).unwrap_or_default() } else { first };
        let is_command =
            if plugin.is_empty() { KUBECTL.contains(&verb) } else { root.find_subcommand(verb).is_some() };
        if !is_command {
            continue;
        }
        placed.push_str(plugin);
        rest = &rest[plugin.len()..];
        for word in place.flags(!has_namespace) {
            placed.push_str(word);
            placed.push(' ');
        }
    }
    placed.push_str(rest);
    placed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(flags: &[&str], notes: &str) -> String {
        placed(notes, &Place::given(flags))
    }

    #[test]
    fn commands_in_notes_lead_to_where_the_user_was() {
        for (flags, notes, expected) in [
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
            assert_eq!(with(flags, notes), expected);
        }
    }
}
