//! For those who look below a [`Queue`](crate::Queue) or write a backend: the traits of a store, [`Store`],
//! [`Console`], [`Schedules`], [`Limiting`], [`Workflows`], [`Tokens`] and [`AuditTrail`], with the types of their calls.
//!
//! An application reaches them by [`Queue::backend`](crate::Queue::backend), for pages of jobs, statistics and health.

pub use crate::audited::{ResumedSchedule, Touched, audited};
pub use crate::database_url::DatabaseUrl;
pub use longshore_combined::{
    CombineError, CombinedStore, NamedDatabase, Numbering, Opener, Opening, UnreachableDatabase,
};
pub use longshore_core::{
    Action, Actor, AddTicks, Advanced, Ancestor, ApplySchedules, AttemptEnd, AuditEntry, AuditId, AuditRequest,
    AuditTrail, Awaited, Backend, BatchChange, BatchJob, BatchJobPage, BatchJobsRequest, BatchesRequest, Budgets,
    ChangeBatch, ChangeLimit, ChangeSchedule, ChangedBatch, CheckpointRow, ClaimRequest, Claimed, Clock, Condition,
    Console, DeadRows, Deed, DeedAction, DeedEnd, DeedOutcome, DependenciesRequest, Dependent, Dependents,
    DependentsRequest, DueSchedule, EnqueueStream, Extended, Fence, Filter, Filtered, HELD_LEASES_MAX, Health,
    Heartbeat, HeartbeatSession, Held, HeldClaims, HeldSnapshot, Hint, IdRange, Inbox, Interest, JobFacts, JobKeeper,
    JobPage, JobPageRequest, LeaseVerdict, LeaseWatch, Limiting, LimitsRequest, LocalHealth, LogBuffer, LogEndRequest,
    LogEntry, LogPage, LogRequest, LongAttempt, Maintained, Maintenance, MinuteStats, MovePhase, MoveState,
    NewCheckpoint, NewDependency, NewSignal, NewToken, NewWorkflow, Overdue, PageCursor, PlanTicks, PlannedTick,
    Presence, QueueChange, QueueLimit, QueueScope, QueueStats, Reclaimed, Record, Recorded, Registration, Report,
    RequestId, RunningJob, RunningMember, ScheduleChange, ScheduleFit, ScheduleRow, Schedules, SchedulesRequest,
    Selection, ServerHealth, SessionLost, SettleSchedules, SettledSchedules, SettledTick, StartedAttempt, Stats,
    StepName, Store, StoreFuture, StoredPiece, StuckCause, StuckJob, Suspects, SystemClock, TickPlan, TickRetention,
    TickRun, TicksOfRecord, TimeBounds, TokenHash, TokenRecord, Tokens, TypeBacklog, TypeSettings, UnknownDeedAction,
    ValidJob, ValidJobStream, ValidWorkflow, ValidWorkflowJob, Via, WaitingFacts, WaitingTick, Wakeups, WorkerFacts,
    WorkerRecord, WorkerSession, WorkflowBatch, WorkflowCheck, WorkflowJob, WorkflowStream, Workflows, WriteReading,
    decide, is_want_of_files, next_of,
};
