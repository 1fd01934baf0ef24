//! The types and rules of a job queue: what a job is, which state changes are legal, and how an ended attempt is
//! handled.
//!
//! This crate does no I/O, starts no threads, contains no SQL and reads the time only through [`Clock`]. Start with
//! [`Store`], the contract of every backend, then [`decide`], the one function that decides the outcome of an attempt.

mod attempt;
mod explanation;
mod job;
mod limiting;
mod liveness;
mod measures;
mod moving;
mod schedule;
mod store;
mod time;
mod workflow;

pub use attempt::checkpoint::{
    CheckpointRow, FinishedStep, InvalidCheckpoint, JobCheckpoints, NewCheckpoint, SavedCheckpoint, StepName,
};
pub use attempt::dead_letter::{DeadLetterCode, DeadLetterReason, UnknownDeadLetterCode, UnusableRow};
pub use attempt::failure::{Failure, FailureType, UnknownFailureType};
pub use attempt::lease::Lease;
pub use attempt::lease_watch::{LeaseVerdict, LeaseWatch};
pub use attempt::log::{LogBuffer, LogChunk, LogLimits, StoredPiece};
pub use attempt::outcome::{AttemptEnd, Budgets, Outcome, Suspects, decide};
pub use attempt::retry::{Backoff, RetryPolicy};
pub use explanation::facts::{Ancestor, JobFacts, WaitingFacts, WorkerFacts};
pub use explanation::reason::Reason;
pub use explanation::{Cause, Explanation, explain, explain_with};
pub use futures_core::Stream;
pub use job::duplicate::{Duplicate, InvalidDuplicateRule, OnDuplicate, UniqueWhile};
pub use job::id::{ClaimNumber, InvalidId, JobId, RequestId, WorkerId};
pub use job::id_range::IdRange;
pub use job::job_data::{InvalidJobData, JobData};
pub use job::job_edit::JobEdit;
pub use job::job_request::JobRequest;
pub use job::json_object::JsonObject;
pub use job::new_job::{Due, Enqueued, InvalidJob, Limits, NewJob};
pub use job::priority::{InvalidPriority, Priority};
pub use job::status::{Status, UnknownStatus};
pub use job::time_bounds::{Overdue, TimeBounds};
pub use job::trace_context::{is_traceparent, traceparent};
pub use job::type_settings::TypeSettings;
pub use job::valid_job::ValidJob;
pub use job::{Attempt, AttemptOutcome, Job, fractional_seconds};
pub use limiting::arrival::{Arrival, Pace};
pub use limiting::key_pointer::{InvalidKeyPointer, KeyPointer};
pub use limiting::rate::{InvalidRate, Rate};
pub use limiting::row::{LimitPage, LimitPosition, LimitRow, LimitScope, LimitSource};
pub use limiting::rule::{InvalidLimit, LimitRule, LimitSubject};
pub use limiting::{AppliedLimits, ApplyLimits, ChangeLimit, LimitSelection, Limiting, LimitsRequest};
pub use liveness::search_rounds::{SearchRound, SearchRounds};
pub use liveness::told_claims::ToldClaims;
pub use liveness::worker_watches::{WorkerReading, WorkerWatches};
pub use longshore_cause::{OutsideCause, is_want_of_files, is_want_of_threads};
pub use measures::histogram::{Histogram, HistogramReading};
pub use measures::write_measures::{WriteMeasures, WriteReading};
pub use moving::checksum::Checksum;
pub use moving::job::MovedJob;
pub use moving::limit::{MovedLimit, MovedLimitKey};
pub use moving::name_bounds::{NameBounds, NameExcess};
pub use moving::state::{Fence, MovePhase, MoveState};
pub use moving::workflow::{MovedDependency, MovedMember, MovedSignal, MovedTarget};
pub use moving::{MoveChange, MovedJobsRequest, MovedPart, MovedSettings, MovedToken, Moving};
pub use schedule::addition::TickAddition;
pub use schedule::definition::{Missed, Overlap, ScheduleDefinition, ScheduleSource, ScheduledJob, Timing};
pub use schedule::plan::{DueSchedule, PlanTicks, PlannedTick, TickPlan, WaitingTick};
pub use schedule::record::{ScheduleRecord, TicksOfRecord};
pub use schedule::row::{ScheduleFit, ScheduleRow, Settling};
pub use schedule::tick::{Tick, TickKind, TickOutcome, TickPage, TickRetention, UnknownScheduleWord};
pub use schedule::tick_run::TickRun;
pub use schedule::{
    AddTicks, AppliedSchedules, ApplySchedules, ChangeSchedule, ScheduleChange, Schedules, SchedulesRequest,
    SettleSchedules, SettledSchedules, SettledTick, TicksRequest,
};
pub use store::audit::{
    Actor, AuditEntry, AuditId, AuditRequest, AuditTrail, Deed, DeedAction, DeedEnd, DeedOutcome, UnknownDeedAction,
    Via,
};
pub use store::console::{
    Action, Actioned, Console, Filter, Filtered, JobDetail, JobPage, JobPageRequest, LogEndRequest, LogEntry, LogPage,
    LogRequest, Maintained, Maintenance, MinuteStats, QueueChange, QueueStats, Refusal, Retention, RunningJob,
    Selection, Stats, WorkerRecord, WorkflowPlace,
};
pub use store::error::{SchemaVerdict, StoreError};
pub use store::health::{
    BrokenKey, Condition, DeadRows, Health, HeldSnapshot, JobKeeper, LocalHealth, LongAttempt, ServerHealth,
    StuckCause, StuckJob, TypeBacklog,
};
pub use store::heartbeat::{Extended, Heartbeat, Held, HeldClaims};
pub use store::history::History;
pub use store::job_stream::{EnqueueStream, ValidJobStream, next_of, stream_of};
pub use store::page_cursor::PageCursor;
pub use store::timed_jobs::TimedJobs;
pub use store::tokens::{NewToken, TokenHash, TokenRecord, Tokens};
pub use store::wakeups::changes::{Cancellation, Changes, JobKind, Known};
pub use store::wakeups::subscribers::{Subscribers, Subscription};
pub use store::wakeups::{Hint, Interest, Wakeups};
pub use store::worker_session::{HeartbeatSession, SessionLost, WorkerSession};
pub use store::{
    Backend, ClaimRequest, Claimed, HELD_LEASES_MAX, Inbox, Presence, Progress, QueueLimit, QueueScope, Reclaimed,
    Record, Recorded, Registration, Report, StartedAttempt, Store, StoreFuture,
};
pub use time::clock::{Clock, SystemClock};
pub use time::duration::{
    DurationWord, FormattedDuration, InvalidDuration, deserialize_duration, format_duration, parse_duration,
};
pub use time::timestamp::{InvalidTimestamp, Timestamp};
pub use workflow::batch::{
    BatchCounts, BatchId, BatchJob, BatchRecord, BatchRole, BatchStatus, InvalidBatchId, UnknownBatchStatus,
    counted_status,
};
pub use workflow::dependency::{
    Awaited, Dependency, DependencyState, DependencyTarget, Needs, NewDependency, Otherwise,
};
pub use workflow::line::{InvalidWorkflowLine, WorkflowLine};
pub use workflow::new_workflow::{
    InvalidWorkflow, NewWorkflow, RunningMember, ValidWorkflow, ValidWorkflowJob, WorkflowBatch, WorkflowCheck,
    WorkflowJob, WorkflowStream,
};
pub use workflow::settle::{
    AwaitedState, DependencySettled, is_given_up_for_dependency, is_judged_again, job_failed, settle_dependency,
    signal_missed,
};
pub use workflow::{
    Advanced, BatchChange, BatchJobPage, BatchJobsRequest, BatchesRequest, ChangeBatch, ChangedBatch,
    DependenciesRequest, Dependent, Dependents, DependentsRequest, EnqueuedWorkflow, NewSignal, Workflows,
};
