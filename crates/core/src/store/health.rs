use std::fmt;

use serde::Serialize;

use crate::{JobId, QueueStats, Status, Timestamp, WorkerId};

/// The facts about a database that `doctor` judges; gathered without changing anything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Health {
    /// The database's time at which this was gathered.
    pub now: Timestamp,
    /// The latest instant that the database has on record; later than `now` when the clock jumped back.
    pub latest_record_at: Option<Timestamp>,
    /// What can be told of files and disk where the database is a file of this machine.
    #[serde(flatten)]
    pub local: Option<LocalHealth>,
    /// Every queue.
    pub queues: Vec<QueueStats>,
    /// What waits, by queue and type; counted up to a bound.
    pub backlog: Vec<TypeBacklog>,
    /// Workers that are dead and still hold jobs, with how many.
    pub dead_workers: Vec<(WorkerId, u64)>,
    /// Types that some living worker can run.
    pub known_job_types: Vec<String>,
    /// How many living workers there are.
    pub living_workers: u64,
    /// Jobs that cannot go on by themselves until housekeeping settles them, by id; at most [`StuckJob::TOLD_MAX`].
    pub stuck: Vec<StuckJob>,
    /// Tables of the application that keep ended jobs from being removed.
    pub keepers: Vec<JobKeeper>,
    /// Dead letters altogether.
    pub dead_letters: u64,
    /// Dead letters of the last hour.
    pub dead_letters_last_hour: u64,
}

/// The facts about a database that is a file of this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct LocalHealth {
    /// The database's size in bytes.
    pub database_bytes: u64,
    /// The write-ahead log's size in bytes.
    pub wal_bytes: u64,
    /// Bytes left on the file system, where it can be told.
    pub disk_free_bytes: Option<u64>,
    /// The file system's size in bytes, where it can be told.
    pub disk_total_bytes: Option<u64>,
}

/// A job that no claim, no instant and no other job moves on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct StuckJob {
    /// The job.
    pub id: JobId,
    /// Why.
    #[serde(flatten)]
    pub cause: StuckCause,
}

impl StuckJob {
    /// How many are told.
    pub const TOLD_MAX: usize = 100;
}

/// Why a job cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "cause", rename_all = "snake_case")]
pub enum StuckCause {
    /// It waits for a job that has ended.
    ParentEnded {
        /// That job.
        parent: JobId,
        /// How it ended.
        status: Status,
    },
    /// It waits for a job that is not there.
    ParentMissing,
    /// It waits for itself, by way of its parent's parents.
    WaitsForItself,
    /// A column has a value with which the job cannot be moved.
    UnusableRow,
}

impl fmt::Display for StuckCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ParentEnded { parent, status } => write!(f, "waits for job {parent}, which ended as {status}"),
            Self::ParentMissing => f.write_str("waits for a job that is not there"),
            Self::WaitsForItself => f.write_str("waits for itself, by way of its parents"),
            Self::UnusableRow => f.write_str("has a value in its row with which it cannot be moved"),
        }
    }
}

/// A foreign key of the application on the jobs, without `ON DELETE CASCADE` or `SET NULL`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct JobKeeper {
    /// The table.
    pub table: String,
    /// Its column.
    pub column: String,
    /// How many ended jobs it refers to, counted up to [`JobKeeper::JOBS_MAX`].
    pub jobs: u64,
}

impl JobKeeper {
    /// Counting ends here.
    pub const JOBS_MAX: u32 = 1000;
}

/// Jobs of one type that wait in one queue and could run now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TypeBacklog {
    /// The queue.
    pub queue: String,
    /// The type.
    pub job_type: String,
    /// How many, counted up to [`TypeBacklog::JOBS_MAX`].
    pub jobs: u64,
    /// Since when the first of them could have run.
    pub oldest_ready_at: Timestamp,
    /// Whether both names are valid UTF-8. No worker can claim the jobs otherwise.
    pub has_valid_names: bool,
}

impl TypeBacklog {
    /// Counting ends here, so that a look costs the same whatever waits.
    pub const JOBS_MAX: u32 = 10_000;
}
