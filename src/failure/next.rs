//! What to type next, as data: `cli` renders it once, with the flags that lead to the user's
//! cluster and namespace.
//!
//! Words are kept apart until then, so that each is quoted as a shell needs it, and no text is
//! searched for commands.

use std::borrow::Cow;

/// One thing to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NextStep {
    /// What it is.
    pub what: What,
    /// What it is good for, as a comment behind the command.
    pub remark: Option<Cow<'static, str>>,
}

/// A kind of step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// Commands, each one's output the input of the next.
    Run(Vec<Command>),
    /// The command that failed once more, with these words beside its own.
    Again(Vec<Word>),
    /// Advice that is no command.
    Say(Cow<'static, str>),
}

/// A command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// Which program.
    pub program: Program,
    /// The words that follow its name.
    pub words: Vec<Word>,
}

/// The program that a command runs; it says which of the user's flags belong into the command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// `kubectl flink`.
    Flink,
    /// `kubectl`, for an object of the release's namespace.
    Kubectl,
    /// `kubectl`, for an object of the cluster.
    KubectlCluster,
}

/// One word of a command: what is known of it, then a placeholder that the user fills in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// Quoted where a shell needs it.
    pub known: String,
    /// Never quoted; mostly empty.
    pub placeholder: &'static str,
}

impl From<&str> for Word {
    fn from(known: &str) -> Self {
        Self { known: known.to_owned(), placeholder: "" }
    }
}

impl NextStep {
    /// Returns a command of the plugin, its verb first.
    pub fn flink<'a>(words: impl IntoIterator<Item = &'a str>) -> Self {
        Self::of(What::Run(vec![Command { program: Program::Flink, words: of(words) }]))
    }

    /// Returns a command of kubectl in the release's namespace.
    pub fn kubectl<'a>(words: impl IntoIterator<Item = &'a str>) -> Self {
        Self::of(What::Run(vec![Command { program: Program::Kubectl, words: of(words) }]))
    }

    /// Returns a command of kubectl on an object that is in no namespace.
    pub fn kubectl_cluster<'a>(words: impl IntoIterator<Item = &'a str>) -> Self {
        Self::of(What::Run(vec![Command { program: Program::KubectlCluster, words: of(words) }]))
    }

    /// Returns the command that failed once more, with these words added.
    pub fn again<'a>(words: impl IntoIterator<Item = &'a str>) -> Self {
        Self::of(What::Again(of(words)))
    }

    /// Returns advice that is no command.
    pub fn say(advice: impl Into<Cow<'static, str>>) -> Self {
        Self::of(What::Say(advice.into()))
    }

    fn of(what: What) -> Self {
        Self { what, remark: None }
    }

    /// Adds words. Advice has none to add to.
    #[must_use]
    pub fn args<'a>(mut self, words: impl IntoIterator<Item = &'a str>) -> Self {
        self.extend(of(words));
        self
    }

    /// Adds a word that the user fills in: `PACKAGE`, `…`.
    #[must_use]
    pub fn placeholder(self, placeholder: &'static str) -> Self {
        self.prefixed("", placeholder)
    }

    /// Adds a word that begins as it is known, and that the user completes: `orders=FILE`.
    #[must_use]
    pub fn prefixed(mut self, known: &str, placeholder: &'static str) -> Self {
        self.extend(vec![Word { known: known.to_owned(), placeholder }]);
        self
    }

    /// Has another command of the plugin read what this one prints.
    #[must_use]
    pub fn piped_to<'a>(mut self, words: impl IntoIterator<Item = &'a str>) -> Self {
        if let What::Run(commands) = &mut self.what {
            commands.push(Command { program: Program::Flink, words: of(words) });
        }
        self
    }

    /// Says what it is good for.
    #[must_use]
    pub fn remark(self, remark: impl Into<Cow<'static, str>>) -> Self {
        Self { remark: Some(remark.into()), ..self }
    }

    fn extend(&mut self, words: Vec<Word>) {
        match &mut self.what {
            What::Run(commands) => {
                if let Some(last) = commands.last_mut() {
                    last.words.extend(words);
                }
            }
            What::Again(known) => known.extend(words),
            What::Say(_) => {}
        }
    }
}

fn of<'a>(words: impl IntoIterator<Item = &'a str>) -> Vec<Word> {
    words.into_iter().map(Word::from).collect()
}
