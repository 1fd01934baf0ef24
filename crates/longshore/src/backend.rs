//! For those who look below a [`Queue`](crate::Queue) or write a backend: the traits of a store, [`Store`],
//! [`Console`], [`Schedules`] and [`Limiting`], with the types of their calls.
//!
//! An application reaches them by [`Queue::backend`](crate::Queue::backend), for pages of jobs, statistics and health.

pub use crate::audited::{Touched, audited};
pub use crate::database_url::DatabaseUrl;
pub use longshore_combined::{
    CombineError, CombinedStore, NamedDatabase, Numbering, Opener, Opening, UnreachableDatabase,
};
pub use longshore_core::{
    Action, Actor, AddTicks, ApplySchedules, AttemptEnd, AuditEntry, AuditId, AuditRequest, AuditTrail, Backend,
    Budgets, ChangeSchedule, CheckpointRow, ClaimRequest, Claimed, Clock, Console, DeadRows, Deed, DeedEnd,
    DeedOutcome, DueSchedule, EnqueueStream, Extended, Filter, Filtered, Health, Heartbeat, Held, HeldClaims,
    HeldSnapshot, Hint, IdRange, Inbox, Interest, JobKeeper, JobPage, JobPageRequest, LeaseVerdict, LeaseWatch,
    Limiting, LimitsRequest, LocalHealth, LogBuffer, LogEntry, LogPage, LogRequest, Maintained, Maintenance,
    MinuteStats, NewCheckpoint, NewToken, Overdue, PageCursor, PlanTicks, PlannedTick, QueueChange, QueueLimit,
    QueueScope, QueueStats, Reclaimed, Record, Recorded, Registration, Report, RequestId, RunningJob, ScheduleChange,
    Schedules, SchedulesRequest, Selection, ServerHealth, SessionLost, SettleSchedules, SettledSchedules, SettledTick,
    StartedAttempt, Stats, StepName, Store, StoreFuture, StuckCause, StuckJob, Suspects, SystemClock, TickPlan,
    TimeBounds, TokenHash, TokenRecord, Tokens, TypeBacklog, TypeSettings, ValidJob, ValidJobStream, Via, WaitingFacts,
    Wakeups, WorkerRecord, WorkerSession, decide, is_want_of_files, next_of,
};
