use std::fmt;

use serde::Serialize;
use thiserror::Error;

use crate::{ClaimNumber, InvalidJobData, JobData, JobId, Timestamp};

/// What a running attempt stores with its job: where it stands, or the result of a step.
///
/// Its value was checked: see [`NewCheckpoint::value`].
#[derive(Clone, Debug, PartialEq)]
pub struct NewCheckpoint {
    /// The job.
    pub id: JobId,
    /// The claim number of the attempt.
    pub claim_number: ClaimNumber,
    /// The number of the attempt; the first is 1.
    pub attempt: u32,
    /// The step whose result this is. `None` is the job's checkpoint.
    pub step: Option<StepName>,
    /// The value.
    pub value: JobData,
}

impl NewCheckpoint {
    /// The maximum size of a checkpoint and of the result of a step, in bytes of JSON text.
    pub const VALUE_BYTES_MAX: usize = 64 * 1024;
    /// How many steps of one job are stored.
    pub const STEPS_MAX: u32 = 1000;

    /// Encodes a value. Rejects one that is too large.
    pub fn value<T: Serialize + ?Sized>(value: &T) -> Result<JobData, InvalidCheckpoint> {
        Self::check(JobData::encode(value)?)
    }

    /// Rejects a value that is too large.
    pub fn check(value: JobData) -> Result<JobData, InvalidCheckpoint> {
        if value.len() > Self::VALUE_BYTES_MAX {
            return Err(InvalidCheckpoint::TooLarge { bytes: value.len() });
        }
        Ok(value)
    }
}

/// Why a checkpoint or the result of a step cannot be stored.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum InvalidCheckpoint {
    /// The value cannot be encoded.
    #[error("the value cannot be stored: {0}")]
    Value(#[from] InvalidJobData),
    /// The value is too large.
    #[error(
        "the value has {bytes} bytes of JSON, and at most {} are stored: keep the data elsewhere and store where it is",
        NewCheckpoint::VALUE_BYTES_MAX
    )]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// The name of the step is empty, too long or not plain text.
    #[error(
        "the name of a step must have 1 to {} bytes and no control characters, and {name:?} does not",
        StepName::BYTES_MAX
    )]
    Name {
        /// The name, cut to a printable length.
        name: String,
    },
    /// The job has as many steps as are stored.
    #[error("the job has {} steps already: give work that repeats a checkpoint instead", NewCheckpoint::STEPS_MAX)]
    TooManySteps,
}

/// The name of a step: 1 to 200 bytes without control characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StepName(String);

impl StepName {
    /// The maximum length.
    pub const BYTES_MAX: usize = 200;

    /// Checks the name.
    pub fn new(name: impl Into<String>) -> Result<Self, InvalidCheckpoint> {
        let name = name.into();
        if name.is_empty() || name.len() > Self::BYTES_MAX || name.chars().any(char::is_control) {
            return Err(InvalidCheckpoint::Name { name: name.chars().take(40).collect() });
        }
        Ok(Self(name))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StepName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A stored checkpoint or the stored result of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedCheckpoint {
    /// The step whose result this is. `None` is the job's checkpoint.
    pub step: Option<String>,
    /// The attempt that stored it; the first is 1.
    pub attempt: u32,
    /// When it was stored.
    pub saved_at: Timestamp,
    /// The value.
    pub value: JobData,
}

/// What the attempts of a job have stored, for people.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize)]
pub struct JobCheckpoints {
    /// The last checkpoint.
    pub checkpoint: Option<JobData>,
    /// When that was stored.
    pub checkpoint_at: Option<Timestamp>,
    /// The finished steps, oldest first.
    pub steps: Vec<FinishedStep>,
}

/// A step that has finished.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FinishedStep {
    /// Its name.
    pub name: String,
    /// The attempt that ran it; the first is 1.
    pub attempt: u32,
    /// When its result was stored.
    pub finished_at: Timestamp,
    /// Its result. `None` if it is longer than [`FinishedStep::SHOWN_BYTES_MAX`].
    pub result: Option<JobData>,
    /// The length of its result in bytes of JSON text.
    pub result_bytes: u64,
}

impl FinishedStep {
    /// Longer results are not shown, so that a job with many large ones can be read.
    pub const SHOWN_BYTES_MAX: usize = 4096;
}

/// A row of what is stored, as a backend reads it for [`JobCheckpoints`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckpointRow {
    /// The step whose result this is. `None` is the job's checkpoint.
    pub step: Option<String>,
    /// The attempt that stored it; the first is 1.
    pub attempt: u32,
    /// When it was stored.
    pub saved_at: Timestamp,
    /// The value. Need not be read if it is the result of a step longer than [`FinishedStep::SHOWN_BYTES_MAX`].
    pub value: Option<JobData>,
    /// The length of the value.
    pub bytes: u64,
}

impl From<SavedCheckpoint> for CheckpointRow {
    fn from(SavedCheckpoint { step, attempt, saved_at, value }: SavedCheckpoint) -> Self {
        let bytes = value.len() as u64;
        Self { step, attempt, saved_at, value: Some(value), bytes }
    }
}

impl JobCheckpoints {
    /// From the rows of one job, in any order.
    pub fn new(rows: impl IntoIterator<Item = impl Into<CheckpointRow>>) -> Self {
        let mut all = Self::default();
        for row in rows {
            let CheckpointRow { step, attempt, saved_at, value, bytes } = row.into();
            let Some(name) = step else {
                (all.checkpoint, all.checkpoint_at) = (value, Some(saved_at));
                continue;
            };
            let result = value.filter(|_| bytes <= FinishedStep::SHOWN_BYTES_MAX as u64);
            all.steps.push(FinishedStep { name, attempt, finished_at: saved_at, result, result_bytes: bytes });
        }
        all.steps.sort_by(|a, b| (a.finished_at, &a.name).cmp(&(b.finished_at, &b.name)));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_of_64_kib_is_stored_and_a_longer_one_is_not() {
        let of = |bytes: usize| NewCheckpoint::value(&"a".repeat(bytes - 2));
        assert_eq!(of(65_536).unwrap().len(), 65_536);
        let refused = of(65_537).unwrap_err();
        assert!(matches!(refused, InvalidCheckpoint::TooLarge { bytes: 65_537 }), "{refused}");
    }

    #[test]
    fn the_name_of_a_step_is_bounded_plain_text() {
        for name in ["charge", "step 2: größer", &"n".repeat(200)] {
            assert_eq!(StepName::new(name).unwrap().as_str(), name);
        }
        for name in ["", "a\0b", "two\nlines", &"n".repeat(201)] {
            assert!(matches!(StepName::new(name), Err(InvalidCheckpoint::Name { .. })), "{name:?}");
        }
    }

    fn saved(step: Option<&str>, at: i64) -> SavedCheckpoint {
        let value = JobData::encode(&at).unwrap();
        SavedCheckpoint { step: step.map(str::to_owned), attempt: 1, saved_at: Timestamp::from_ms(at), value }
    }

    #[test]
    fn steps_are_in_the_order_in_which_they_finished() {
        let all = [saved(Some("ship"), 7), saved(None, 9), saved(Some("pack"), 7), saved(Some("charge"), 8)];
        let all = JobCheckpoints::new(all);
        let names: Vec<&str> = all.steps.iter().map(|step| step.name.as_str()).collect();
        assert_eq!(names, ["pack", "ship", "charge"]);
        assert_eq!((all.checkpoint.unwrap().as_str(), all.checkpoint_at), ("9", Some(Timestamp::from_ms(9))));
    }

    #[test]
    fn a_long_result_is_told_by_its_length_alone() {
        let long = |bytes| CheckpointRow { bytes, ..saved(Some("step"), bytes as i64).into() };
        let all = JobCheckpoints::new([long(4096), long(4097)]);
        let shown: Vec<(bool, u64)> = all.steps.iter().map(|step| (step.result.is_some(), step.result_bytes)).collect();
        assert_eq!(shown, [(true, 4096), (false, 4097)]);
    }
}
