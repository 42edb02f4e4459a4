//! Text and commands in lines of bounded width.

use std::fmt::Write as _;

/// Text in lines of at most so many columns where its words allow it; all but the first begin with `indent`.
pub fn wrap(text: &str, width: usize, indent: &str) -> String {
    let mut wrapped = String::new();
    let mut column = 0;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if column > 0 && column + 1 + length > width {
            let _ = write!(wrapped, "\n{indent}");
            column = 0;
        } else if column > 0 {
            wrapped.push(' ');
            column += 1;
        }
        wrapped.push_str(word);
        column += length;
    }
    wrapped
}

/// A command in lines of at most so many columns where its flags allow it: a line of a shell may go on in the next.
pub fn folded(command: &str, width: usize) -> String {
    let mut flags = command.split(" -");
    let mut folded = flags.next().unwrap_or_default().to_owned();
    let mut column = folded.chars().count();
    for flag in flags {
        let length = " -".len() + flag.chars().count();
        if column + length + " \\".len() > width {
            folded.push_str(" \\\n ");
            column = " ".len();
        }
        let _ = write!(folded, " -{flag}");
        column += length;
    }
    folded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_command_goes_on_in_the_next_line() {
        let command =
            "kubectl flink -n streams install orders flink --layout job -f - --from-savepoint recorded";
        let lines = [
            "kubectl flink -n streams install orders flink --layout job -f - \\",
            "  --from-savepoint recorded",
        ];
        assert_eq!(folded(command, 76), lines.join("\n"));
        assert_eq!(folded(command, 100), command);
        let word = "a word that has no flag, however long it may be";
        assert_eq!(folded(word, 20), word);
    }
}
