//! What a look at storage can tell.

/// The result of a look at the state that a job has left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Look {
    /// The path of what is whole there.
    Found(String),
    /// The job has finished by itself; Flink deletes the checkpoints of such a job.
    Finished,
    Nothing,
    /// Nobody could look, or there is more than one answer.
    Unknown,
}

impl Look {
    /// The path, if there is one.
    pub fn found(self) -> Option<String> {
        match self {
            Look::Found(path) => Some(path),
            Look::Finished | Look::Nothing | Look::Unknown => None,
        }
    }
}
