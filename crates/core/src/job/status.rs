use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The state of a job.
///
/// ```text
/// blocked ─▶ pending ─▶ running ─▶ completed
///               ▲          ├─────▶ cancelled
///               ├ retrying ◀┤
///               └───────────┴────▶ dead_letter
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Waits for a worker, now or from its start time on.
    Pending,
    /// A worker holds its lease.
    Running,
    /// Failed, and waits for its next attempt.
    Retrying,
    /// Ended successfully.
    Completed,
    /// Ended by a cancellation or an expiry.
    Cancelled,
    /// Given up, with a reason. A person must decide what to do.
    DeadLetter,
    /// Waits for its parent to complete.
    Blocked,
}

/// The word is not a status.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "\"{word}\" is not a status: expected pending, running, retrying, completed, cancelled, dead_letter or blocked"
)]
pub struct UnknownStatus {
    /// The word that was given.
    pub word: String,
}

impl Status {
    /// All statuses, in the order of a job's life.
    pub const ALL: [Self; 7] = [
        Self::Blocked,
        Self::Pending,
        Self::Running,
        Self::Retrying,
        Self::Completed,
        Self::Cancelled,
        Self::DeadLetter,
    ];

    /// The word in SQL, JSON and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Retrying => "retrying",
            Self::Completed => "completed",
            Self::Cancelled => "cancelled",
            Self::DeadLetter => "dead_letter",
            Self::Blocked => "blocked",
        }
    }

    /// Whether the job has ended: its status changes only if a person changes it.
    pub const fn is_ended(self) -> bool {
        matches!(self, Self::Completed | Self::Cancelled | Self::DeadLetter)
    }

    /// Whether a person may retry the job with new budgets.
    pub const fn is_retryable(self) -> bool {
        self.is_ended() || matches!(self, Self::Retrying)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Status {
    type Err = UnknownStatus;

    fn from_str(word: &str) -> Result<Self, UnknownStatus> {
        Self::ALL
            .into_iter()
            .find(|status| status.as_str() == word)
            .ok_or_else(|| UnknownStatus { word: word.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_is_read_back_from_its_word() {
        for status in Status::ALL {
            assert_eq!(status.as_str().parse(), Ok(status));
        }
        assert!("failed".parse::<Status>().is_err());
    }
}
