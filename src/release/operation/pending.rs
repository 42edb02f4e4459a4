//! What an operation has recorded, for another run to go on with should its own die.

use crate::id::JobId;
use crate::operation::SavepointFormat;
use crate::operation::{Journal, Trigger};
use serde::{Deserialize, Serialize};

/// A pending operation, and how far it has got.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pending {
    /// A change of the release.
    Change(Box<Journal>),
    /// A savepoint of a job that goes on.
    Savepoint(Taking),
    /// Savepoints that are deleted.
    Dispose(Disposing),
}

/// A savepoint that is being taken of a job which goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Taking {
    /// The job's name in the release.
    pub job: String,
    pub id: JobId,
    /// The revision that it is of.
    pub revision: u32,
    /// What was asked for, or is about to be: where to look.
    pub trigger: Trigger,
    /// How the state is written.
    pub format: SavepointFormat,
}

/// Savepoints that are being deleted, one after the other.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Disposing {
    /// Their paths, in the order in which they go.
    pub paths: Vec<String>,
    /// Of how many Flink may have been asked: the files of the last of these may be there, gone, or
    /// some of each.
    pub asked: usize,
}

impl Pending {
    /// Returns false where nothing has been done yet, so that the lock of an interrupted run may
    /// simply be taken over.
    pub fn has_begun(&self) -> bool {
        match self {
            Self::Change(journal) => journal.begun,
            Self::Savepoint(_) => true,
            Self::Dispose(disposing) => disposing.asked > 0,
        }
    }

    /// Says where it stands, in words.
    pub fn position(&self) -> String {
        match self {
            Self::Change(journal) => journal.position(),
            Self::Savepoint(taking) => taking.position(),
            Self::Dispose(disposing) => disposing.position(),
        }
    }
}

impl From<&Journal> for Pending {
    fn from(journal: &Journal) -> Self {
        Self::Change(Box::new(journal.clone()))
    }
}

impl Taking {
    /// Says where the savepoint would be, in words.
    pub fn position(&self) -> String {
        let (job, directory) = (&self.job, &self.trigger.directory);
        format!("a savepoint of {job} was asked for; if it was written it is in {directory}")
    }
}

impl Disposing {
    /// Returns the paths of which Flink may have been asked.
    pub fn may_be_gone(&self) -> &[String] {
        &self.paths[..self.asked.min(self.paths.len())]
    }

    /// Says how far it has got, in words.
    pub fn position(&self) -> String {
        let all = self.paths.len();
        match self.may_be_gone() {
            [] => format!("{all} savepoints are to be deleted, none is yet"),
            asked @ [.., last] => format!("savepoint {} of {all} is being deleted: {last}", asked.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::Kind;

    #[test]
    fn what_has_not_begun_has_done_nothing() {
        let journal = Journal::begin(Kind::Upgrade, 2);
        let begun = Journal { begun: true, ..journal.clone() };
        let paths = vec!["file:///a".to_owned(), "file:///b".to_owned()];
        for (pending, has_begun) in [
            (Pending::from(&journal), false),
            (Pending::from(&begun), true),
            (Pending::Dispose(Disposing { paths: paths.clone(), asked: 0 }), false),
            (Pending::Dispose(Disposing { paths, asked: 1 }), true),
        ] {
            assert_eq!(pending.has_begun(), has_begun, "{pending:?}");
            let json = serde_json::to_vec(&pending).unwrap();
            assert_eq!(serde_json::from_slice::<Pending>(&json).unwrap(), pending);
        }
    }

    #[test]
    fn a_disposal_says_how_far_it_has_got() {
        let paths = vec!["file:///a".to_owned(), "file:///b".to_owned()];
        let at = |asked| Pending::Dispose(Disposing { paths: paths.clone(), asked }).position();
        assert_eq!(at(0), "2 savepoints are to be deleted, none is yet");
        assert_eq!(at(2), "savepoint 2 of 2 is being deleted: file:///b");
        assert_eq!(at(9), "savepoint 2 of 2 is being deleted: file:///b");
    }
}
