//! What a job is: its properties, its states, what is stored about it, and how it is changed.

pub use longshore_core::{
    Actioned, Attempt, AttemptOutcome, Backoff, ClaimNumber, DeadLetterCode, DeadLetterReason, Due, Duplicate,
    Enqueued, FinishedStep, InvalidDuplicateRule, InvalidDuration, InvalidId, InvalidJob, InvalidJobData,
    InvalidPriority, InvalidTimestamp, Job, JobCheckpoints, JobData, JobDetail, JobEdit, JobId, JobRequest, Limits,
    NewJob, OnDuplicate, Priority, Refusal, Retention, RetryPolicy, Status, Stream, Timestamp, UniqueWhile,
    UnknownDeadLetterCode, UnknownStatus, UnusableRow, WorkerId, deserialize_duration, parse_duration, stream_of,
};
