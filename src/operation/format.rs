//! The format in which a savepoint is written, as Flink names it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The format of a savepoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum SavepointFormat {
    /// The same for all state backends: the state can change its backend.
    #[default]
    Canonical,
    /// The backend's own: faster with large state.
    Native,
}

impl fmt::Display for SavepointFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Canonical => "CANONICAL",
            Self::Native => "NATIVE",
        })
    }
}

/// The text names no savepoint format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a savepoint format: canonical or native")]
pub struct SavepointFormatError(pub String);

impl FromStr for SavepointFormat {
    type Err = SavepointFormatError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.to_ascii_lowercase().as_str() {
            "canonical" => Ok(Self::Canonical),
            "native" => Ok(Self::Native),
            _ => Err(SavepointFormatError(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_format_is_written_as_flink_has_it() {
        for (format, word) in [(SavepointFormat::Canonical, "CANONICAL"), (SavepointFormat::Native, "NATIVE")]
        {
            assert_eq!(json!(format), json!(word));
            assert_eq!(serde_json::from_value::<SavepointFormat>(json!(word)).unwrap(), format);
            assert_eq!((format.to_string().as_str(), word.parse()), (word, Ok(format)));
        }
        assert!(serde_json::from_value::<SavepointFormat>(json!("canonical")).is_err());
    }
}
