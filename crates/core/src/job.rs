pub(crate) mod duplicate;
pub(crate) mod id;
pub(crate) mod id_range;
pub(crate) mod job_data;
pub(crate) mod job_edit;
pub(crate) mod job_request;
pub(crate) mod json_object;
pub(crate) mod new_job;
pub(crate) mod priority;
pub(crate) mod status;
pub(crate) mod time_bounds;
pub(crate) mod trace_context;
pub(crate) mod type_settings;
pub(crate) mod unique_key;
pub(crate) mod valid_job;

use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::{ClaimNumber, DeadLetterCode, FailureType, JobData, JobId, Priority, Status, Timestamp, WorkerId};

/// A job as the store keeps it. Serialised with the field names of `--json` and HTTP.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Job {
    /// The job id.
    pub id: JobId,
    /// The job type; it selects the handler.
    pub job_type: String,
    /// The payload.
    pub job_data: JobData,
    /// Its status.
    pub status: Status,
    /// Higher runs first.
    pub priority: Priority,
    /// When it was enqueued.
    pub created_at: Timestamp,
    /// When its last attempt started.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub completed_at: Option<Timestamp>,
    /// A log file path kept for older applications. Our logs are in the store.
    pub log_file_path: Option<String>,
    /// The message of the last failure.
    pub error_message: Option<String>,
    /// The number of retries spent.
    pub retry_count: u32,
    /// The number of retries allowed after the first attempt.
    pub max_retries: u32,
    /// The worker that runs it, or ran it last.
    pub worker_id: Option<WorkerId>,
    /// The timeout of an attempt, serialised in seconds.
    #[serde(rename = "timeout_seconds", serialize_with = "seconds")]
    pub timeout: Option<Duration>,
    /// The job that it waits or waited for.
    pub parent_job_id: Option<JobId>,
    /// The type of the last failure. Older rows may hold any text.
    pub failure_type: Option<String>,
    /// When its next retry is due.
    pub next_retry_at: Option<Timestamp>,
    /// The traceback of the last failure.
    pub last_error_traceback: Option<String>,
    /// Why it became a dead letter, or that it expired.
    pub dead_letter_reason: Option<String>,
    /// When it became a dead letter.
    pub moved_to_dead_letter_at: Option<Timestamp>,
    /// The code of that reason. `None` if another program wrote its own reason.
    pub dead_letter_code: Option<DeadLetterCode>,
    /// Its queue.
    pub queue: String,
    /// The earliest time at which it may run.
    pub run_at: Timestamp,
    /// How many times it was claimed.
    pub claim_number: ClaimNumber,
    /// How many times its worker died, or lost it because it did not extend its lease.
    pub crash_count: u32,
    /// The crash count at which it becomes a dead letter.
    pub max_crashes: u32,
    /// How many times it was deferred.
    pub deferral_count: u32,
    /// How many times it may be deferred.
    pub max_deferrals: u32,
    /// Its unique key. No second job gets this key until this job has ended, unless it was enqueued with
    /// [`UniqueWhile::Waiting`].
    pub unique_key: Option<String>,
    /// The key under which its type may be limited, if the enqueue set it by hand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit_key: Option<String>,
    /// When its cancellation was requested.
    pub cancel_requested_at: Option<Timestamp>,
    /// The progress that its attempt reported, from 0 to 1.
    pub progress: Option<f64>,
    /// The progress message that its attempt reported.
    pub progress_message: Option<String>,
    /// The result of the handler.
    pub result: Option<JobData>,
    /// Data that the application keeps beside the payload.
    pub metadata: Option<JobData>,
    /// No attempt starts at or after this time.
    pub expires_at: Option<Timestamp>,
    /// No attempt starts or runs at or after this time.
    pub deadline_at: Option<Timestamp>,
}

/// One attempt of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Attempt {
    /// The number of the attempt; the first is 1. An attempt that was returned does not count, so the next one has the
    /// same number.
    pub attempt: u32,
    /// The claim number. It is unique for the job.
    pub claim_number: ClaimNumber,
    /// The worker.
    pub worker_id: Option<WorkerId>,
    /// When it started. `None` if it was claimed and never started.
    pub started_at: Option<Timestamp>,
    /// When it ended. `None` while it runs.
    pub finished_at: Option<Timestamp>,
    /// How it ended.
    pub outcome: AttemptOutcome,
    /// The type of the failure.
    pub failure_type: Option<FailureType>,
    /// The message of the failure.
    pub error_message: Option<String>,
    /// The traceback of the failure.
    pub traceback: Option<String>,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AttemptOutcome {
    /// It has not ended.
    Running,
    /// It succeeded.
    Completed,
    /// It failed, and the job will be retried.
    Retrying,
    /// It failed, and the job became a dead letter.
    DeadLetter,
    /// It was cancelled, or its job had expired before it could start or be retried.
    Cancelled,
    /// It asked to run later.
    Deferred,
    /// Its worker shut down and returned it, or did not extend its lease.
    Returned,
    /// Its worker died.
    Crashed,
}

impl AttemptOutcome {
    /// All outcomes.
    pub const ALL: [Self; 8] = [
        Self::Running,
        Self::Completed,
        Self::Retrying,
        Self::DeadLetter,
        Self::Cancelled,
        Self::Deferred,
        Self::Returned,
        Self::Crashed,
    ];

    /// The word in SQL and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Retrying => "retrying",
            Self::DeadLetter => "dead_letter",
            Self::Cancelled => "cancelled",
            Self::Deferred => "deferred",
            Self::Returned => "returned",
            Self::Crashed => "crashed",
        }
    }

    /// Parses the word that a store wrote.
    pub fn from_stored(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.as_str() == word)
    }
}

/// Serialises a duration as seconds: an integer for whole seconds, as in the column, else a fraction.
fn seconds<S: Serializer>(timeout: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    match timeout {
        None => serializer.serialize_none(),
        Some(span) if span.subsec_nanos() == 0 => serializer.serialize_u64(span.as_secs()),
        Some(span) => serializer.serialize_f64(fractional_seconds(*span)),
    }
}

/// A duration as seconds with a fraction. Whole milliseconds give the number that people write for them: a sum of the
/// seconds and the fraction may miss it in the last digit.
pub fn fractional_seconds(span: Duration) -> f64 {
    if span.subsec_nanos().is_multiple_of(1_000_000) { span.as_millis() as f64 / 1000.0 } else { span.as_secs_f64() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_in_milliseconds_is_the_number_that_people_write() {
        for ms in [1, 1235, 1001, 90_007, 316_224_000_235] {
            let written: f64 = format!("{}.{:03}", ms / 1000, ms % 1000).parse().unwrap();
            assert_eq!(fractional_seconds(Duration::from_millis(ms)), written, "{ms}");
        }
        assert_eq!(fractional_seconds(Duration::from_micros(100)), 0.0001);
    }
}
