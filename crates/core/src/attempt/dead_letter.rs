use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};
use thiserror::Error;

use crate::{BatchId, BatchStatus, FailureType, JobId, Status, Timestamp};

/// Why a job became a dead letter, or that it expired.
///
/// Printed and stored as a code, a colon and a sentence: `retries_spent: all of its 4 attempts failed`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeadLetterReason {
    /// Its retries are spent.
    RetriesSpent {
        /// The number of attempts.
        attempts: u32,
    },
    /// Its failure type is not retried.
    NotRetried(FailureType),
    /// Its worker died too often while it ran.
    CrashesSpent {
        /// How many times.
        crashes: u32,
    },
    /// It was deferred too often.
    DeferralsSpent {
        /// How many times.
        deferrals: u32,
    },
    /// The parent that it waited for did not complete.
    ParentEnded {
        /// The parent.
        parent: JobId,
        /// The parent's final status.
        status: Status,
    },
    /// The parent that it waited for was deleted.
    ParentDeleted {
        /// The parent.
        parent: JobId,
    },
    /// A job that it waited for did not end as it needed.
    DependencyEnded {
        /// The job.
        job: JobId,
        /// Its final status.
        status: Status,
    },
    /// A job that it waited for was deleted.
    DependencyDeleted {
        /// The job.
        job: JobId,
    },
    /// The batch that it waited for did not end as it needed.
    BatchEnded {
        /// The batch.
        batch: BatchId,
        /// How it ended; none if it was deleted.
        status: Option<BatchStatus>,
    },
    /// No attempt started before its expiry, or could start again before it. Such a job ends as `cancelled`.
    Expired {
        /// Its expiry.
        at: Timestamp,
    },
    /// It did not complete before its deadline, or its next attempt could not start before it.
    DeadlinePassed {
        /// Its deadline.
        at: Timestamp,
    },
    /// It waited for itself: its chain of parents is a cycle.
    WaitsForItself,
    /// Another program wrote a row that no claim can use.
    UnusableRow(UnusableRow),
    /// The store rejected the outcome of its attempt; retrying cannot help.
    OutcomeRefused,
}

/// What is wrong with a row that another program wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnusableRow {
    /// The claim number is not a number, or cannot grow any more.
    ClaimNumber,
    /// The status is unknown.
    Status,
    /// A constraint of the table rejects every change of the row.
    Constraint,
}

/// The code at the start of a [`DeadLetterReason`]. Stable, for scripts and filters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum DeadLetterCode {
    /// Every attempt failed.
    RetriesSpent,
    /// Failures of this type are not retried.
    NotRetried,
    /// Its worker died too often while it ran.
    CrashesSpent,
    /// It was deferred too often.
    DeferralsSpent,
    /// Its parent did not complete, or was deleted.
    ParentEnded,
    /// Something else that it waited for can no longer happen.
    DependencyFailed,
    /// Its expiry or deadline passed.
    Expired,
    /// Its row, or its outcome, can never be stored.
    Refused,
    /// An earlier version had already given up the job.
    Upgraded,
}

/// The word is not a dead-letter code.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "\"{word}\" is not a dead-letter reason: expected retries_spent, not_retried, crashes_spent, deferrals_spent, \
    parent_ended, dependency_failed, \
     expired, refused or upgraded"
)]
pub struct UnknownDeadLetterCode {
    /// The word that was given.
    pub word: String,
}

impl DeadLetterCode {
    /// Every code.
    pub const ALL: [Self; 9] = [
        Self::RetriesSpent,
        Self::NotRetried,
        Self::CrashesSpent,
        Self::DeferralsSpent,
        Self::ParentEnded,
        Self::DependencyFailed,
        Self::Expired,
        Self::Refused,
        Self::Upgraded,
    ];

    /// The code as a string.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RetriesSpent => "retries_spent",
            Self::NotRetried => "not_retried",
            Self::CrashesSpent => "crashes_spent",
            Self::DeferralsSpent => "deferrals_spent",
            Self::ParentEnded => "parent_ended",
            Self::DependencyFailed => "dependency_failed",
            Self::Expired => "expired",
            Self::Refused => "refused",
            Self::Upgraded => "upgraded",
        }
    }

    /// The code of a stored reason. `None` if another program wrote its own reason.
    pub fn of_reason(reason: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.prefixes().iter().any(|prefix| reason.starts_with(prefix)))
    }

    /// The sentence of a stored reason, without its code.
    pub fn sentence_of(reason: &str) -> &str {
        let code = Self::ALL.into_iter().find_map(|code| reason.strip_prefix(code.as_str())?.strip_prefix(": "));
        code.unwrap_or(reason)
    }

    /// The prefixes of stored reasons with this code: the code itself, and the sentences without a code that earlier
    /// versions and the triggers of the queue's tables write.
    pub fn prefixes(self) -> Vec<String> {
        let sentences: &[&str] = match self {
            Self::RetriesSpent => &["its only attempt failed", "all of its "],
            Self::CrashesSpent => &["its worker died "],
            Self::DeferralsSpent => &["it was deferred "],
            Self::ParentEnded => &["its parent job "],
            Self::Refused => &["its row cannot be used: ", "it waited for itself: "],
            Self::Upgraded => &["was \""],
            Self::Expired => &["it expired: ", "its deadline passed: "],
            Self::NotRetried | Self::DependencyFailed => &[],
        };
        let not_retried = FailureType::ALL.iter().filter(|_| self == Self::NotRetried);
        let code = [format!("{self}: ")].into_iter();
        let sentences = sentences.iter().map(|sentence| (*sentence).to_owned());
        code.chain(sentences).chain(not_retried.map(|kind| format!("a {kind} is not retried"))).collect()
    }
}

impl fmt::Display for DeadLetterCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for DeadLetterCode {
    type Err = UnknownDeadLetterCode;

    fn from_str(word: &str) -> Result<Self, UnknownDeadLetterCode> {
        let known = Self::ALL.into_iter().find(|code| code.as_str() == word);
        known.ok_or_else(|| UnknownDeadLetterCode { word: word.to_owned() })
    }
}

impl Serialize for DeadLetterCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl DeadLetterReason {
    /// The code of this reason.
    pub const fn code(&self) -> DeadLetterCode {
        match self {
            Self::RetriesSpent { .. } => DeadLetterCode::RetriesSpent,
            Self::NotRetried(_) => DeadLetterCode::NotRetried,
            Self::CrashesSpent { .. } => DeadLetterCode::CrashesSpent,
            Self::DeferralsSpent { .. } => DeadLetterCode::DeferralsSpent,
            Self::ParentEnded { .. } | Self::ParentDeleted { .. } => DeadLetterCode::ParentEnded,
            Self::DependencyEnded { .. } | Self::DependencyDeleted { .. } | Self::BatchEnded { .. } => {
                DeadLetterCode::DependencyFailed
            }
            Self::Expired { .. } | Self::DeadlinePassed { .. } => DeadLetterCode::Expired,
            Self::WaitsForItself | Self::UnusableRow(_) | Self::OutcomeRefused => DeadLetterCode::Refused,
        }
    }

    /// The sentence after the code.
    pub fn sentence(&self) -> String {
        match self {
            Self::RetriesSpent { attempts: 1 } => "its only attempt failed".to_owned(),
            Self::RetriesSpent { attempts } => format!("all of its {attempts} attempts failed"),
            Self::NotRetried(failure_type) => format!("a {failure_type} is not retried"),
            Self::CrashesSpent { crashes } => format!("its worker died {crashes} times while it ran"),
            Self::DeferralsSpent { deferrals } => format!("it was deferred {deferrals} times"),
            Self::ParentEnded { parent, status } => format!("its parent job {parent} ended as {status}"),
            Self::ParentDeleted { parent } => format!("its parent job {parent} was deleted"),
            Self::DependencyEnded { job, status } => format!("job {job}, which it waited for, ended as {status}"),
            Self::DependencyDeleted { job } => format!("job {job}, which it waited for, was deleted"),
            Self::BatchEnded { batch, status: Some(status) } => {
                format!("batch {batch}, which it waited for, ended as {status}")
            }
            Self::BatchEnded { batch, status: None } => format!("batch {batch}, which it waited for, was deleted"),
            Self::Expired { at } => format!("it expired: no attempt may begin after {at}"),
            Self::DeadlinePassed { at } => format!("its deadline passed: no attempt may run after {at}"),
            Self::WaitsForItself => "it waited for itself: its parents form a circle".to_owned(),
            Self::UnusableRow(UnusableRow::ClaimNumber) => {
                "its row cannot be used: its claim number cannot grow".to_owned()
            }
            Self::UnusableRow(UnusableRow::Status) => "its row cannot be used: its status was unknown".to_owned(),
            Self::UnusableRow(UnusableRow::Constraint) => {
                "its row cannot be used: it broke a constraint of its table".to_owned()
            }
            Self::OutcomeRefused => "its outcome could not be stored".to_owned(),
        }
    }
}

impl fmt::Display for DeadLetterReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code(), self.sentence())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reasons() -> Vec<DeadLetterReason> {
        vec![
            DeadLetterReason::RetriesSpent { attempts: 1 },
            DeadLetterReason::RetriesSpent { attempts: 4 },
            DeadLetterReason::NotRetried(FailureType::ConfigError),
            DeadLetterReason::CrashesSpent { crashes: 3 },
            DeadLetterReason::DeferralsSpent { deferrals: 9 },
            DeadLetterReason::ParentEnded { parent: JobId(1), status: Status::Cancelled },
            DeadLetterReason::ParentDeleted { parent: JobId(1) },
            DeadLetterReason::DependencyEnded { job: JobId(1), status: Status::Cancelled },
            DeadLetterReason::DependencyDeleted { job: JobId(1) },
            DeadLetterReason::BatchEnded { batch: BatchId(1), status: Some(BatchStatus::Failed) },
            DeadLetterReason::BatchEnded { batch: BatchId(1), status: None },
            DeadLetterReason::Expired { at: Timestamp::MIN },
            DeadLetterReason::DeadlinePassed { at: Timestamp::MIN },
            DeadLetterReason::WaitsForItself,
            DeadLetterReason::UnusableRow(UnusableRow::ClaimNumber),
            DeadLetterReason::UnusableRow(UnusableRow::Status),
            DeadLetterReason::UnusableRow(UnusableRow::Constraint),
            DeadLetterReason::OutcomeRefused,
        ]
    }

    #[test]
    fn a_reason_begins_with_its_code() {
        assert_eq!(reasons()[0].to_string(), "retries_spent: its only attempt failed");
        for reason in reasons() {
            let text = reason.to_string();
            assert_eq!(text.split_once(": ").map(|(code, _)| code.parse()), Some(Ok(reason.code())), "{text}");
            assert_eq!(DeadLetterCode::of_reason(&text), Some(reason.code()), "{text}");
            assert_eq!(DeadLetterCode::sentence_of(&text), reason.sentence());
            assert_eq!(DeadLetterCode::sentence_of(&reason.sentence()), reason.sentence());
        }
    }

    #[test]
    fn a_sentence_of_an_earlier_version_has_the_code_of_today() {
        for reason in reasons().into_iter().filter(|reason| {
            // No earlier version wrote these.
            *reason != DeadLetterReason::OutcomeRefused && reason.code() != DeadLetterCode::DependencyFailed
        }) {
            assert_eq!(DeadLetterCode::of_reason(&reason.sentence()), Some(reason.code()), "{reason}");
        }
        let of = DeadLetterCode::of_reason;
        assert_eq!(of("its parent job 7 had not completed"), Some(DeadLetterCode::ParentEnded));
        assert_eq!(of("was \"failed\" before the queue was upgraded"), Some(DeadLetterCode::Upgraded));
        for own in ["", "a customer asked for it", "x", "retries_spent", "unknown_code: because"] {
            assert_eq!(of(own), None, "{own}");
        }
    }

    #[test]
    fn no_reason_has_two_codes() {
        let prefixes =
            || DeadLetterCode::ALL.into_iter().flat_map(|code| code.prefixes().into_iter().map(move |it| (code, it)));
        for (code, prefix) in prefixes() {
            let clash = prefixes().find(|(other, text)| *other != code && text.starts_with(&prefix));
            assert_eq!(clash, None, "{prefix}");
        }
    }

    #[test]
    fn every_code_is_read_again_and_no_other_word_is() {
        for code in DeadLetterCode::ALL {
            assert_eq!(code.to_string().parse(), Ok(code));
        }
        for word in ["", "retries", "RETRIES_SPENT", "dead_letter"] {
            assert!(word.parse::<DeadLetterCode>().is_err(), "{word}");
        }
    }
}
