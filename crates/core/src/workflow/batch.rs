use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{JobId, Status, Timestamp};

/// The id of a batch: a positive number of the database's [`IdRange`](crate::IdRange), never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BatchId(pub i64);

/// The word is not a batch id.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("\"{word}\" is not a batch id: expected a whole number, 1 or higher")]
pub struct InvalidBatchId {
    /// The word that was given.
    pub word: String,
}

impl fmt::Display for BatchId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for BatchId {
    type Err = InvalidBatchId;

    fn from_str(word: &str) -> Result<Self, InvalidBatchId> {
        match word.parse::<i64>() {
            Ok(id) if id > 0 => Ok(Self(id)),
            _ => Err(InvalidBatchId { word: word.to_owned() }),
        }
    }
}

/// Where a batch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BatchStatus {
    /// Anybody may add members. It does not end before it is closed.
    Open,
    /// It is closed, and members have not ended. Only running members may add others.
    Running,
    /// It is closed, and every member has completed.
    Completed,
    /// It is closed, every member has ended, and not all of them have completed.
    Failed,
}

/// The word is not the status of a batch.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("\"{word}\" is not the status of a batch: expected open, running, completed or failed")]
pub struct UnknownBatchStatus {
    /// The word that was given.
    pub word: String,
}

impl BatchStatus {
    /// All statuses, in the order of a batch's life.
    pub const ALL: [Self; 4] = [Self::Open, Self::Running, Self::Completed, Self::Failed];

    /// The word in SQL, JSON and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
        }
    }

    /// Whether it is judged. A redrive of a member opens it again.
    pub const fn is_ended(self) -> bool {
        matches!(self, Self::Completed | Self::Failed)
    }
}

impl fmt::Display for BatchStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for BatchStatus {
    type Err = UnknownBatchStatus;

    fn from_str(word: &str) -> Result<Self, UnknownBatchStatus> {
        let known = Self::ALL.into_iter().find(|status| status.as_str() == word);
        known.ok_or_else(|| UnknownBatchStatus { word: word.to_owned() })
    }
}

/// What a job is to its batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BatchRole {
    /// The batch has not ended before it has.
    Member,
    /// It waits for the batch, or for a job that does. The batch does not wait for it.
    Callback,
}

impl BatchRole {
    /// The word in SQL and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Callback => "callback",
        }
    }

    /// Parses the word that a store wrote.
    pub fn from_stored(word: &str) -> Option<Self> {
        [Self::Member, Self::Callback].into_iter().find(|role| role.as_str() == word)
    }
}

/// The members of a batch, counted by how they ended. Callbacks do not count.
///
/// A store keeps beside each member the status that the counts hold of it ([`BatchCounts::move_member`]), so a member is
/// counted once however often somebody looks at it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchCounts {
    /// All of them, those that were deleted too.
    pub members: u64,
    /// Those that completed.
    pub completed: u64,
    /// Those that were cancelled or expired, or were deleted before they had ended.
    pub cancelled: u64,
    /// Those that were given up.
    pub dead_letter: u64,
}

impl BatchCounts {
    /// How many have not ended.
    pub const fn unended(&self) -> u64 {
        let ended = self.completed.saturating_add(self.cancelled).saturating_add(self.dead_letter);
        self.members.saturating_sub(ended)
    }

    /// Adds a member that has not ended. [`BatchCounts::move_member`] counts one that has.
    pub const fn add_member(&mut self) {
        self.members = self.members.saturating_add(1);
    }

    /// Moves a member from the final status that the counts hold of it to the one that it has now; none for one that has
    /// not ended.
    pub const fn move_member(&mut self, from: Option<Status>, to: Option<Status>) {
        if let Some(count) = self.count_of(from) {
            *count = count.saturating_sub(1);
        }
        if let Some(count) = self.count_of(to) {
            *count = count.saturating_add(1);
        }
    }

    const fn count_of(&mut self, status: Option<Status>) -> Option<&mut u64> {
        match status {
            Some(Status::Completed) => Some(&mut self.completed),
            Some(Status::Cancelled) => Some(&mut self.cancelled),
            Some(Status::DeadLetter) => Some(&mut self.dead_letter),
            _ => None,
        }
    }

    /// The status of a batch with these members. An empty closed batch has completed.
    pub const fn status(&self, is_closed: bool) -> BatchStatus {
        if !is_closed {
            return BatchStatus::Open;
        }
        if self.unended() > 0 {
            return BatchStatus::Running;
        }
        if self.completed == self.members { BatchStatus::Completed } else { BatchStatus::Failed }
    }
}

/// The status of a job as the counts of its batch hold it: the final one, or none. `None` for `job` is a deleted one, which
/// counts as cancelled unless it was counted as ended before.
pub const fn counted_status(counted: Option<Status>, job: Option<Status>) -> Option<Status> {
    match job {
        Some(status) if status.is_ended() => Some(status),
        Some(_) => None,
        None => match counted {
            Some(status) => Some(status),
            None => Some(Status::Cancelled),
        },
    }
}

/// A batch as the store keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BatchRecord {
    /// Its id.
    #[serde(rename = "batch_id")]
    pub id: BatchId,
    /// Its name, for people.
    pub name: String,
    /// Where it is.
    pub status: BatchStatus,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was closed.
    pub closed_at: Option<Timestamp>,
    /// When it was judged last, while it is.
    pub ended_at: Option<Timestamp>,
    /// Its members.
    #[serde(flatten)]
    pub counts: BatchCounts,
    /// How many jobs wait for it, or follow one that does.
    pub callbacks: u64,
}

/// A job of a batch.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BatchJob {
    /// The job.
    pub id: JobId,
    /// The name that the workflow gave it.
    #[serde(rename = "ref")]
    pub reference: Option<String>,
    /// What it is to the batch.
    pub role: BatchRole,
    /// Its type.
    pub job_type: String,
    /// Its status.
    pub status: Status,
    /// What it waits or waited for, in the order in which it was given. At most [`BatchJob::DEPENDENCIES_MAX`], without
    /// results.
    pub dependencies: Vec<crate::Dependency>,
}

impl BatchJob {
    /// How many dependencies a listed job shows.
    pub const DEPENDENCIES_MAX: u32 = 20;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(members: u64, ends: &[Status]) -> BatchCounts {
        let mut counts = BatchCounts { members, ..BatchCounts::default() };
        ends.iter().for_each(|status| counts.move_member(None, Some(*status)));
        counts
    }

    #[test]
    fn a_batch_is_judged_when_it_is_closed_and_every_member_has_ended() {
        assert_eq!(counts(0, &[]).status(false), BatchStatus::Open);
        assert_eq!(counts(0, &[]).status(true), BatchStatus::Completed);
        assert_eq!(counts(1, &[]).status(true), BatchStatus::Running);
        assert_eq!(counts(1, &[Status::Completed]).status(false), BatchStatus::Open);
        assert_eq!(counts(1, &[Status::Completed]).status(true), BatchStatus::Completed);
        for bad in [Status::Cancelled, Status::DeadLetter] {
            assert_eq!(counts(2, &[Status::Completed, bad]).status(true), BatchStatus::Failed);
            assert_eq!(counts(2, &[bad]).status(true), BatchStatus::Running);
        }
    }

    #[test]
    fn a_member_that_is_retried_opens_its_batch_again() {
        let mut counts = counts(1, &[Status::DeadLetter]);
        counts.move_member(Some(Status::DeadLetter), None);
        assert_eq!((counts.unended(), counts.status(true)), (1, BatchStatus::Running));
        counts.move_member(None, Some(Status::Completed));
        assert_eq!(counts.status(true), BatchStatus::Completed);
    }

    #[test]
    fn a_deleted_member_counts_as_cancelled_unless_it_had_ended() {
        assert_eq!(counted_status(None, None), Some(Status::Cancelled));
        for ended in [Status::Completed, Status::Cancelled, Status::DeadLetter] {
            assert_eq!(counted_status(Some(ended), None), Some(ended));
            assert_eq!(counted_status(None, Some(ended)), Some(ended));
        }
        assert_eq!(counted_status(Some(Status::DeadLetter), Some(Status::Pending)), None);
    }

    #[test]
    fn every_status_and_role_is_read_again() {
        for status in BatchStatus::ALL {
            assert_eq!(status.to_string().parse(), Ok(status));
        }
        assert!("done".parse::<BatchStatus>().is_err());
        for role in [BatchRole::Member, BatchRole::Callback] {
            assert_eq!(BatchRole::from_stored(role.as_str()), Some(role));
        }
    }

    #[test]
    fn a_batch_id_is_a_positive_whole_number() {
        assert_eq!("7".parse(), Ok(BatchId(7)));
        for word in ["0", "-1", "", "x"] {
            assert!(word.parse::<BatchId>().is_err(), "{word}");
        }
    }
}
