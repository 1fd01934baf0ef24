use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The id of a job: a positive number from the store, never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JobId(pub i64);

/// The word is not a job id.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("\"{word}\" is not a job id: expected a whole number, 1 or higher")]
pub struct InvalidId {
    /// The word that was given.
    pub word: String,
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for JobId {
    type Err = InvalidId;

    fn from_str(word: &str) -> Result<Self, InvalidId> {
        match word.parse::<i64>() {
            Ok(id) if id > 0 => Ok(Self(id)),
            _ => Err(InvalidId { word: word.to_owned() }),
        }
    }
}

/// Counts the claims of one job and only grows. Every write of an attempt names it, so that a worker that lost its
/// lease cannot write (the fence).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClaimNumber(pub i64);

impl fmt::Display for ClaimNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Identifies one claim request of a worker. If a claim is repeated because its answer was lost, the store returns the
/// same leases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// The identity of a worker: random and new for each registration, never a host name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct WorkerId(Arc<str>);

impl WorkerId {
    /// A new identity of eleven random letters and digits (65 bits). It is short because every claim writes it to the
    /// job's row.
    pub fn random() -> Self {
        let word: String = std::iter::repeat_with(fastrand::alphanumeric).take(11).collect();
        Self(word.into())
    }

    /// The identity from a stored value.
    pub fn from_stored(word: &str) -> Self {
        Self(word.into())
    }

    /// The identity as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for WorkerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_id_is_a_positive_whole_number() {
        assert_eq!("7".parse(), Ok(JobId(7)));
        for word in ["0", "-1", "", "seven", "1.5", "9223372036854775808"] {
            assert!(word.parse::<JobId>().is_err(), "{word}");
        }
    }

    #[test]
    fn two_workers_never_share_an_identity() {
        assert_ne!(WorkerId::random(), WorkerId::random());
    }
}
