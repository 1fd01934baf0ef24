pub(crate) mod duplicate;
pub(crate) mod id;
pub(crate) mod job_data;
pub(crate) mod job_edit;
pub(crate) mod job_request;
pub(crate) mod new_job;
pub(crate) mod priority;
pub(crate) mod status;
pub(crate) mod time_bounds;
pub(crate) mod valid_job;

use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::{ClaimNumber, DeadLetterCode, FailureType, JobData, JobId, Priority, Status, Timestamp, WorkerId};

/// A job as the store keeps it; serialised with the field names of `--json` and HTTP.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Job {
    /// Its number.
    pub id: JobId,
    /// Which handler runs it.
    pub job_type: String,
    /// The payload.
    pub job_data: JobData,
    /// Where it stands.
    pub status: Status,
    /// Higher runs first.
    pub priority: Priority,
    /// When it was enqueued.
    pub created_at: Timestamp,
    /// When its last attempt began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub completed_at: Option<Timestamp>,
    /// A log file that an application of before keeps; our logs are in the store.
    pub log_file_path: Option<String>,
    /// What went wrong last.
    pub error_message: Option<String>,
    /// How many retries were spent.
    pub retry_count: u32,
    /// How many retries follow the first attempt.
    pub max_retries: u32,
    /// Who runs it, or ran it last.
    pub worker_id: Option<WorkerId>,
    /// The time limit of an attempt, in seconds.
    #[serde(rename = "timeout_seconds", serialize_with = "seconds")]
    pub timeout: Option<Duration>,
    /// The job that it waits or waited for.
    pub parent_job_id: Option<JobId>,
    /// What kind of thing went wrong last; free text in rows of before.
    pub failure_type: Option<String>,
    /// When the next attempt is due.
    pub next_retry_at: Option<Timestamp>,
    /// The longer story of what went wrong last.
    pub last_error_traceback: Option<String>,
    /// Why it was given up, or that it expired.
    pub dead_letter_reason: Option<String>,
    /// When it was given up.
    pub moved_to_dead_letter_at: Option<Timestamp>,
    /// The code of that reason; none where another program gave one of its own.
    pub dead_letter_code: Option<DeadLetterCode>,
    /// The queue it stands in.
    pub queue: String,
    /// From when on it may run, or might.
    pub run_at: Timestamp,
    /// How often it was claimed.
    pub claim_number: ClaimNumber,
    /// How often its worker died, or lost it to another one by not extending its lease.
    pub crash_count: u32,
    /// At which crash it is given up.
    pub max_crashes: u32,
    /// How often it was deferred.
    pub deferral_count: u32,
    /// How often it may be deferred.
    pub max_deferrals: u32,
    /// While it has not ended, no second job has this key, unless that one was enqueued to wait behind it.
    pub unique_key: Option<String>,
    /// When somebody asked to cancel it.
    pub cancel_requested_at: Option<Timestamp>,
    /// How far its attempt says it is, from 0 to 1.
    pub progress: Option<f64>,
    /// What its attempt says it is at.
    pub progress_message: Option<String>,
    /// What it came to.
    pub result: Option<JobData>,
    /// What the application keeps beside the payload.
    pub metadata: Option<JobData>,
    /// From when on no attempt begins.
    pub expires_at: Option<Timestamp>,
    /// From when on no attempt begins or goes on.
    pub deadline_at: Option<Timestamp>,
}

/// One attempt of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Attempt {
    /// Which try it was, from one; an attempt that was given back has the same number as the one after it.
    pub attempt: u32,
    /// Which claim it was; never the same twice.
    pub claim_number: ClaimNumber,
    /// Who made it.
    pub worker_id: Option<WorkerId>,
    /// When it began; not known of one that was claimed and never began.
    pub started_at: Option<Timestamp>,
    /// When it ended; none while it runs.
    pub finished_at: Option<Timestamp>,
    /// What became of it.
    pub outcome: AttemptOutcome,
    /// What kind of thing went wrong.
    pub failure_type: Option<FailureType>,
    /// What went wrong.
    pub error_message: Option<String>,
    /// The longer story.
    pub traceback: Option<String>,
}

/// What became of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AttemptOutcome {
    /// It has not ended.
    Running,
    /// It succeeded.
    Completed,
    /// It failed, and another one follows.
    Retrying,
    /// It failed, and none follows.
    DeadLetter,
    /// Somebody asked for its end, or its job had expired when it was to begin or to be retried.
    Cancelled,
    /// It asked to be run later.
    Deferred,
    /// Its worker shut down and gave it back, or did not extend its lease.
    Returned,
    /// Its worker died.
    Crashed,
}

impl AttemptOutcome {
    const ALL: [Self; 8] = [
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

    /// The outcome that a store wrote.
    pub fn from_stored(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.as_str() == word)
    }
}

/// Whole seconds as an integer, as the column has them; a part of a second as a fraction.
fn seconds<S: Serializer>(timeout: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    match timeout {
        None => serializer.serialize_none(),
        Some(span) if span.subsec_nanos() == 0 => serializer.serialize_u64(span.as_secs()),
        Some(span) => serializer.serialize_f64(span.as_secs_f64()),
    }
}
