use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use thiserror::Error;

use crate::Status;

/// What an enqueue does if another job has its unique key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum OnDuplicate {
    /// Does not change the other job.
    #[default]
    Keep,
    /// If the other job is waiting, gives it the type, payload, metadata, priority, budgets, timeout, expiry and
    /// deadline of the new job. Its id, queue, parent and time stay. A running job is not changed.
    Replace,
    /// Like `Replace`, and also moves the other job to the start time of the new one. With a delay, a job runs once no
    /// enqueue with its key has happened for that long.
    PushBack,
}

/// Which jobs count as duplicates of a new one with their unique key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum UniqueWhile {
    /// Every job that has not ended.
    #[default]
    Unfinished,
    /// A waiting job: `pending`, `retrying` or `blocked`. While one job runs, a second one may be enqueued. The second
    /// one then owns the key, so that a third one is a duplicate of it.
    Waiting,
}

/// What an enqueue did with another job that has its unique key. No second job was created.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Duplicate {
    /// The other job was not changed.
    Kept,
    /// The other job got the content of the new one, except its queue, parent and time.
    Replaced,
    /// Like `Replaced`, and the other job also got the time of the new one.
    PushedBack,
}

/// The word is not a rule for duplicates.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("\"{word}\" is not a {what}: expected {expected}")]
pub struct InvalidDuplicateRule {
    what: &'static str,
    word: String,
    expected: &'static str,
}

impl OnDuplicate {
    /// What happens to the other job if it has this status.
    pub const fn meet(self, status: Status) -> Duplicate {
        match (self, status) {
            (Self::Replace, Status::Pending | Status::Retrying | Status::Blocked) => Duplicate::Replaced,
            (Self::PushBack, Status::Pending | Status::Retrying | Status::Blocked) => Duplicate::PushedBack,
            _ => Duplicate::Kept,
        }
    }

    /// The word in JSON and the configuration. The command line uses a hyphen instead of the underscore.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Replace => "replace",
            Self::PushBack => "push_back",
        }
    }
}

impl UniqueWhile {
    /// Whether a job with this status counts.
    pub const fn covers(self, status: Status) -> bool {
        match status {
            Status::Pending | Status::Retrying | Status::Blocked => true,
            Status::Running => matches!(self, Self::Unfinished),
            Status::Completed | Status::Cancelled | Status::DeadLetter => false,
        }
    }

    /// The word in JSON, the configuration and the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unfinished => "unfinished",
            Self::Waiting => "waiting",
        }
    }
}

impl Serialize for OnDuplicate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl Serialize for UniqueWhile {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl FromStr for OnDuplicate {
    type Err = InvalidDuplicateRule;

    fn from_str(word: &str) -> Result<Self, InvalidDuplicateRule> {
        match word {
            "keep" => Ok(Self::Keep),
            "replace" => Ok(Self::Replace),
            "push_back" | "push-back" => Ok(Self::PushBack),
            _ => Err(InvalidDuplicateRule {
                what: "rule for duplicates",
                word: word.to_owned(),
                expected: "keep, replace or push_back",
            }),
        }
    }
}

impl FromStr for UniqueWhile {
    type Err = InvalidDuplicateRule;

    fn from_str(word: &str) -> Result<Self, InvalidDuplicateRule> {
        match word {
            "unfinished" => Ok(Self::Unfinished),
            "waiting" => Ok(Self::Waiting),
            _ => Err(InvalidDuplicateRule {
                what: "state for a unique key",
                word: word.to_owned(),
                expected: "unfinished or waiting",
            }),
        }
    }
}

impl fmt::Display for OnDuplicate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for UniqueWhile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for OnDuplicate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for UniqueWhile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_is_read_as_it_is_written() {
        for rule in [OnDuplicate::Keep, OnDuplicate::Replace, OnDuplicate::PushBack] {
            assert_eq!(rule.to_string().parse(), Ok(rule));
            assert_eq!(rule.to_string().replace('_', "-").parse(), Ok(rule));
        }
        for states in [UniqueWhile::Unfinished, UniqueWhile::Waiting] {
            assert_eq!(states.to_string().parse(), Ok(states));
        }
        let error = "pushback".parse::<OnDuplicate>().unwrap_err().to_string();
        assert_eq!(error, "\"pushback\" is not a rule for duplicates: expected keep, replace or push_back");
        let error = "running".parse::<UniqueWhile>().unwrap_err().to_string();
        assert_eq!(error, "\"running\" is not a state for a unique key: expected unfinished or waiting");
    }

    #[test]
    fn only_a_job_that_waits_is_replaced_and_an_ended_one_counts_for_nothing() {
        for status in Status::ALL {
            let waits = matches!(status, Status::Pending | Status::Retrying | Status::Blocked);
            assert_eq!(UniqueWhile::Waiting.covers(status), waits, "{status}");
            assert_eq!(UniqueWhile::Unfinished.covers(status), !status.is_ended(), "{status}");
            assert_eq!(OnDuplicate::Keep.meet(status), Duplicate::Kept, "{status}");
            assert_eq!(OnDuplicate::Replace.meet(status) == Duplicate::Replaced, waits, "{status}");
            assert_eq!(OnDuplicate::PushBack.meet(status) == Duplicate::PushedBack, waits, "{status}");
        }
    }
}
