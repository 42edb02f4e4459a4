//! Doc comments that say nothing, or begin with a word that is not their subject.

use super::{Source, percent};

/// Up to how many words a doc comment only repeats a name.
const SHORT: usize = 3;
/// First words by which a summary is no sentence about the thing.
const WEAK: &[&str] = &["It", "Whether", "Who", "What"];

/// The doc comments of some files, each the text of its `///` lines.
pub struct DocComments(Vec<String>);

impl DocComments {
    pub fn of(sources: &[Source]) -> Self {
        Self(sources.iter().flat_map(|source| in_text(&source.text)).collect())
    }

    pub fn share_short(&self) -> String {
        self.share(|comment| comment.split_whitespace().count() <= SHORT)
    }

    pub fn share_weak(&self) -> String {
        self.share(|comment| WEAK.contains(&first_word(comment)))
    }

    fn share(&self, is_it: impl Fn(&str) -> bool) -> String {
        percent(self.0.iter().filter(|comment| is_it(comment)).count(), self.0.len())
    }
}

/// Returns the letters that a comment begins with: `What` of `What's`.
fn first_word(comment: &str) -> &str {
    let word = comment.split_whitespace().next().unwrap_or_default();
    &word[..word.find(|c: char| !c.is_alphanumeric()).unwrap_or(word.len())]
}

fn in_text(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut begun: Option<String> = None;
    for line in text.lines().chain([""]) {
        let doc = line.trim_start().strip_prefix("///").filter(|rest| !rest.starts_with('/'));
        match doc {
            Some(rest) => {
                let comment = begun.get_or_insert_default();
                comment.push_str(rest);
                comment.push('\n');
            }
            None => found.extend(begun.take()),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_one_comment_count_together() {
        let text = "/// The name of it.\n//// no doc\n    /// The\n    /// second one here.\nfn a() {}\n/// What's there\n/// and more";
        assert_eq!(
            in_text(text),
            [" The name of it.\n", " The\n second one here.\n", " What's there\n and more\n"]
        );
        let comments =
            DocComments::of(&[Source { path: String::new(), text: format!("{text}\n\n/// A name.\n") }]);
        assert_eq!(
            (comments.share_short(), comments.share_weak()),
            ("25.0 %".to_owned(), "25.0 %".to_owned())
        );
    }

    #[test]
    fn only_the_word_itself_is_weak() {
        assert_eq!(["Item", "It is", "", "`It`"].map(first_word), ["Item", "It", "", ""]);
    }
}
