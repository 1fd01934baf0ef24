//! The nouns and the rules of a job queue: what a job is, which moves it may make, and what an ended attempt
//! becomes.
//!
//! This crate does no I/O, starts no threads, knows no SQL and never reads the time by itself ([`Clock`] does).
//! Begin with [`Store`], the contract that every backend keeps, then [`decide`], the one place where the fate
//! of an attempt is decided.

mod clock;
mod console;
mod dead_letter;
mod duration;
mod error;
mod failure;
mod health;
mod id;
mod job;
mod job_data;
mod job_request;
mod lease;
mod lease_watch;
mod log;
mod new_job;
mod outcome;
mod priority;
mod retry;
mod status;
mod store;
mod time_bounds;
mod timestamp;

pub use clock::{Clock, SystemClock};
pub use console::{
    Action, Actioned, Console, Filter, Filtered, JobDetail, JobPage, JobPageRequest, LogEntry, LogPage, LogRequest,
    Maintained, Maintenance, MinuteStats, QueueChange, QueueStats, Refusal, RunningJob, Selection, Stats, WorkerRecord,
};
pub use dead_letter::{DeadLetterCode, DeadLetterReason, UnknownDeadLetterCode, UnusableRow};
pub use duration::{InvalidDuration, deserialize_duration, parse_duration};
pub use error::{SchemaVerdict, StoreError};
pub use failure::{Failure, FailureType, UnknownFailureType};
pub use health::{Health, JobKeeper, LocalHealth, StuckCause, StuckJob, TypeBacklog};
pub use id::{ClaimNumber, InvalidId, JobId, RequestId, WorkerId};
pub use job::{Attempt, AttemptOutcome, Job};
pub use job_data::{InvalidJobData, JobData};
pub use job_request::JobRequest;
pub use lease::Lease;
pub use lease_watch::{LeaseVerdict, LeaseWatch};
pub use log::{LogBuffer, LogChunk, LogLimits};
pub use longshore_cause::{OutsideCause, is_want_of_files};
pub use new_job::{Due, Enqueued, InvalidJob, Limits, NewJob};
pub use outcome::{AttemptEnd, Budgets, Outcome, Suspects, decide};
pub use priority::{InvalidPriority, Priority};
pub use retry::RetryPolicy;
pub use status::{Status, UnknownStatus};
pub use store::{
    ClaimRequest, Claimed, EnqueueStream, Extended, Heartbeat, Inbox, Progress, QueueLimit, QueueScope, Reclaimed,
    Record, Recorded, Registration, Report, StartedAttempt, Store, StoreFuture, Wakeups,
};
pub use time_bounds::{Overdue, TimeBounds};
pub use timestamp::{InvalidTimestamp, Timestamp};
