//! What a job is: its properties, its states, what is stored about it, and how it is changed.

pub use longshore_core::{
    Actioned, Attempt, AttemptOutcome, Backoff, Cause, ClaimNumber, DeadLetterCode, DeadLetterReason, Due, Duplicate,
    Enqueued, Explanation, FinishedStep, InvalidDuplicateRule, InvalidDuration, InvalidId, InvalidJob, InvalidJobData,
    InvalidPriority, InvalidTimestamp, Job, JobCheckpoints, JobData, JobDetail, JobEdit, JobId, JobRequest, Limits,
    NewJob, OnDuplicate, Priority, Reason, Refusal, Retention, RetryPolicy, Status, Stream, Timestamp, UniqueWhile,
    UnknownDeadLetterCode, UnknownStatus, UnusableRow, WorkerId, deserialize_duration, parse_duration, stream_of,
};
