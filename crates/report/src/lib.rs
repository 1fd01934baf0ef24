//! The documents that commands print with `--json` and that HTTP answers: their fields have one place. So have the
//! problems that `doctor`, `status` and the overview tell.
//!
//! It reads no database and knows neither commands nor HTTP. A document that `longshore-core` has already, such as
//! [`JobDetail`](longshore_core::JobDetail), is only placed here, if there are several databases.

mod audit_documents;
mod batch_documents;
mod health_problem;
mod job_documents;
mod limit_documents;
mod limit_problem;
mod plain_words;
mod queue_documents;
pub mod relative_time;
mod schedule_documents;

pub use audit_documents::AuditPage;
pub use batch_documents::{BatchDetail, BatchList, ChangedMembers, ClosedBatch, SentSignal};
pub use health_problem::{CountedJobs, HealthProblem};
pub use job_documents::{
    DependentList, EnqueuedJob, InsertedJobs, JobList, JobLog, PlacedDetail, PlacedExplanation, PlacedJob,
};
pub use limit_documents::{ChangedLimit, InvalidLimitCursor, LimitCursor, LimitList, LimitListPage};
pub use limit_problem::{LimitProblem, LimitProblemKind};
pub use plain_words::in_plain_words;
pub use queue_documents::{ChangedQueue, QueueList, QueueSummary, WorkerList};
pub use schedule_documents::{
    LastTick, NextTickList, NextTicks, ScheduleDetail, ScheduleList, ScheduleSummary, next_ticks, ticks_of,
};
