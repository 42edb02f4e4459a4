//! Version ranges as the users of Helm write them: `>=1.2 <2 || ~3.1`, `1.2 - 1.4`, `^1.2.x`,
//! `!=1.3.0`.
//!
//! The rules are those of Masterminds/semver v3, which Helm uses; `tests/oracle/semver*.tsv` holds
//! verdicts of the real thing. `semver::VersionReq` is another language: `1.2` means `^1.2` there,
//! and it knows neither `||` nor `!=`.

use std::fmt;
use std::str::FromStr;

use semver::{BuildMetadata, Prerelease, Version};

#[cfg(test)]
mod tests;

/// The text is no version, or no range of versions.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VersionError {
    #[error("`{0}` is not a version: write it as 1.2.3")]
    Version(String),
    #[error("`{0}` is not a range of versions: write it as `>=1.2 <2` or `^1.2.3`")]
    Range(String),
}

/// Reads a version as Helm does: a leading `v`, and a missing minor or patch number, are allowed.
pub fn parse_version(text: &str) -> Result<Version, VersionError> {
    let error = || VersionError::Version(shortened(text));
    let mut scanner = Scanner { rest: text };
    let spec = scanner.version().filter(|_| scanner.rest.is_empty()).ok_or_else(error)?;
    let number = |part: Part| match part {
        Part::Number(number) => Some(number),
        Part::Missing => Some(0),
        Part::Any => None,
    };
    let Part::Number(major) = spec.major else {
        return Err(error());
    };
    Ok(Version {
        major,
        minor: number(spec.minor).ok_or_else(error)?,
        patch: number(spec.patch).ok_or_else(error)?,
        pre: spec.pre,
        build: spec.build,
    })
}

/// A set of versions; `||` between alternatives, blanks or commas between conditions that all must
/// hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range {
    text: String,
    alternatives: Vec<Vec<Condition>>,
}

impl Range {
    /// Reads a range.
    pub fn parse(text: &str) -> Result<Self, VersionError> {
        let alternatives: Option<Vec<_>> =
            text.split("||").map(|part| Scanner { rest: part }.conditions()).collect();
        let alternatives = alternatives.ok_or_else(|| VersionError::Range(shortened(text)))?;
        Ok(Self { text: text.to_owned(), alternatives })
    }

    /// Returns whether `version` is in the range. A pre-release is only where the same alternative
    /// names one (`>=1.2.3-0`).
    pub fn matches(&self, version: &Version) -> bool {
        self.alternatives.iter().any(|all| {
            let pre_releases = all.iter().any(|condition| !condition.version.pre.is_empty());
            (version.pre.is_empty() || pre_releases) && all.iter().all(|one| one.holds(version))
        })
    }

    /// The text it was read from.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Range {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        Self::parse(text)
    }
}

impl serde::Serialize for Range {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> serde::Deserialize<'de> for Range {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(80).collect()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Greater,
    Less,
    GreaterOrEqual,
    LessOrEqual,
    Tilde,
    Caret,
}

/// Which of the numbers were left open (`1.2`, `1.x`): Masterminds calls such a condition dirty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Open {
    Nothing,
    Patch,
    Minor,
    Everything,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Condition {
    operator: Operator,
    version: Version,
    open: Open,
}

impl Condition {
    fn holds(&self, version: &Version) -> bool {
        // Build metadata has no say: `Equal` and `Compare` leave it out.
        let order = version.cmp_precedence(&self.version);
        match self.operator {
            Operator::Equal if self.open == Open::Nothing => order.is_eq(),
            Operator::Equal | Operator::Tilde => self.tilde(version),
            Operator::NotEqual => self.not_equal(version),
            Operator::Greater => self.greater(version),
            Operator::Less => order.is_lt(),
            Operator::GreaterOrEqual => order.is_ge(),
            Operator::LessOrEqual => self.less_or_equal(version),
            Operator::Caret => self.caret(version),
        }
    }

    fn not_equal(&self, version: &Version) -> bool {
        let other = &self.version;
        if self.open == Open::Nothing {
            return version.cmp_precedence(other).is_ne();
        }
        if version.major != other.major {
            return true;
        }
        match self.open {
            Open::Minor => false,
            _ if version.minor != other.minor => true,
            Open::Patch => version.pre != other.pre,
            _ => version.cmp_precedence(other).is_ne(),
        }
    }

    fn greater(&self, version: &Version) -> bool {
        let other = &self.version;
        match self.open {
            Open::Minor => version.major > other.major,
            Open::Patch => (version.major, version.minor) > (other.major, other.minor),
            Open::Nothing | Open::Everything => version.cmp_precedence(other).is_gt(),
        }
    }

    fn less_or_equal(&self, version: &Version) -> bool {
        let other = &self.version;
        match self.open {
            Open::Nothing => version.cmp_precedence(other).is_le(),
            Open::Minor => version.major <= other.major,
            Open::Patch | Open::Everything => (version.major, version.minor) <= (other.major, other.minor),
        }
    }

    fn tilde(&self, version: &Version) -> bool {
        let other = &self.version;
        if version.cmp_precedence(other).is_lt() {
            return false;
        }
        let zero = (other.major, other.minor, other.patch) == (0, 0, 0);
        if zero && matches!(self.open, Open::Nothing | Open::Everything) {
            return true; // `*`, and Masterminds' special case `~0.0.0`
        }
        version.major == other.major && (version.minor == other.minor || self.open == Open::Minor)
    }

    fn caret(&self, version: &Version) -> bool {
        let other = &self.version;
        if version.cmp_precedence(other).is_lt() {
            return false;
        }
        if other.major > 0 || self.open == Open::Minor {
            return version.major == other.major;
        }
        if version.major > 0 {
            return false;
        }
        if other.minor > 0 || self.open == Open::Patch {
            return version.minor == other.minor;
        }
        version.minor == 0 && version.patch == other.patch
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Number(u64),
    Any,
    Missing,
}

/// A version with parts that may be open.
struct Spec {
    major: Part,
    minor: Part,
    patch: Part,
    pre: Prerelease,
    build: BuildMetadata,
}

impl Spec {
    fn condition(self, operator: Operator) -> Condition {
        let (major, minor, patch, open) = match (self.major, self.minor, self.patch) {
            (Part::Number(major), Part::Number(minor), Part::Number(patch)) => {
                (major, minor, patch, Open::Nothing)
            }
            (Part::Number(major), Part::Number(minor), _) => (major, minor, 0, Open::Patch),
            (Part::Number(major), _, _) => (major, 0, 0, Open::Minor),
            _ => (0, 0, 0, Open::Everything),
        };
        let version = Version { major, minor, patch, pre: self.pre, build: BuildMetadata::EMPTY };
        Condition { operator, version, open }
    }
}

struct Scanner<'a> {
    rest: &'a str,
}

impl<'a> Scanner<'a> {
    /// The conditions of one alternative; at least one.
    fn conditions(mut self) -> Option<Vec<Condition>> {
        let mut all = Vec::new();
        self.blanks();
        loop {
            let operator = self.operator();
            self.blanks();
            let spec = self.version()?;
            let blanks = self.blanks();
            let hyphen = self.rest.strip_prefix('-').filter(|rest| rest.starts_with(char::is_whitespace));
            if let (true, Some(rest)) = (blanks, hyphen) {
                self.rest = rest;
                self.blanks();
                let last = self.version()?;
                if operator.is_some() {
                    return None;
                }
                all.push(spec.condition(Operator::GreaterOrEqual));
                all.push(last.condition(Operator::LessOrEqual));
            } else {
                all.push(spec.condition(operator.unwrap_or(Operator::Equal)));
            }
            let blanks = self.blanks() || blanks;
            if self.rest.is_empty() {
                return Some(all);
            }
            if let Some(rest) = self.rest.strip_prefix(',') {
                self.rest = rest;
                self.blanks();
            } else if !blanks {
                return None;
            }
        }
    }

    fn blanks(&mut self) -> bool {
        let trimmed = self.rest.trim_start();
        let any = trimmed.len() < self.rest.len();
        self.rest = trimmed;
        any
    }

    fn operator(&mut self) -> Option<Operator> {
        const OPERATORS: [(&str, Operator); 11] = [
            (">=", Operator::GreaterOrEqual),
            ("=>", Operator::GreaterOrEqual),
            ("<=", Operator::LessOrEqual),
            ("=<", Operator::LessOrEqual),
            ("!=", Operator::NotEqual),
            ("~>", Operator::Tilde),
            ("~", Operator::Tilde),
            ("^", Operator::Caret),
            ("=", Operator::Equal),
            (">", Operator::Greater),
            ("<", Operator::Less),
        ];
        let (text, operator) = OPERATORS.iter().find(|(text, _)| self.rest.starts_with(text))?;
        self.rest = &self.rest[text.len()..];
        Some(*operator)
    }

    fn version(&mut self) -> Option<Spec> {
        self.rest = self.rest.strip_prefix('v').unwrap_or(self.rest);
        let major = self.part()?;
        let minor = self.dotted_part()?;
        let patch = if minor == Part::Missing { Part::Missing } else { self.dotted_part()? };
        let pre = match self.identifiers('-') {
            Some(text) => Prerelease::new(text).ok()?,
            None => Prerelease::EMPTY,
        };
        let build = match self.identifiers('+') {
            Some(text) => BuildMetadata::new(text).ok()?,
            None => BuildMetadata::EMPTY,
        };
        Some(Spec { major, minor, patch, pre, build })
    }

    fn dotted_part(&mut self) -> Option<Part> {
        match self.rest.strip_prefix('.') {
            None => Some(Part::Missing),
            Some(rest) => {
                self.rest = rest;
                self.part()
            }
        }
    }

    fn part(&mut self) -> Option<Part> {
        if let Some(rest) = self.rest.strip_prefix(['x', 'X', '*']) {
            self.rest = rest;
            return Some(Part::Any);
        }
        let text = self.take(|c| c.is_ascii_digit());
        text.parse().ok().map(Part::Number)
    }

    /// Returns what follows `-` or `+`; its characters are checked by semver.
    fn identifiers(&mut self, mark: char) -> Option<&'a str> {
        let rest = self.rest.strip_prefix(mark)?;
        if !rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '-') {
            return None;
        }
        self.rest = rest;
        Some(self.take(|c| c.is_ascii_alphanumeric() || c == '-' || c == '.'))
    }

    fn take(&mut self, accept: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !accept(c)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }
}
