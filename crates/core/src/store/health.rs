use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::{JobId, MoveState, QueueStats, Status, Timestamp, WorkerId};

/// The facts about a database that `doctor` checks. Collecting them changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Health {
    /// When the facts were collected, by the database's clock.
    pub now: Timestamp,
    /// The latest time that the database has recorded. It is later than `now` if the clock jumped back.
    pub latest_record_at: Option<Timestamp>,
    /// Facts about files and disk, if the database is a file on this machine.
    #[serde(flatten)]
    pub local: Option<LocalHealth>,
    /// Facts about the server, if the database is on one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<ServerHealth>,
    /// All queues.
    pub queues: Vec<QueueStats>,
    /// Waiting jobs by queue and type, counted up to a limit.
    pub backlog: Vec<TypeBacklog>,
    /// Dead workers that still hold jobs, with the number of jobs.
    pub dead_workers: Vec<(WorkerId, u64)>,
    /// Types that at least one living worker can run.
    pub known_job_types: Vec<String>,
    /// The number of living workers.
    pub living_workers: u64,
    /// Jobs that cannot continue until housekeeping fixes them, by id; at most [`StuckJob::TOLD_MAX`].
    pub stuck: Vec<StuckJob>,
    /// Tables of the application that prevent the removal of ended jobs.
    pub keepers: Vec<JobKeeper>,
    /// Foreign keys of the application with which the database rejects changes of jobs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub broken_keys: Vec<BrokenKey>,
    /// Attempts that have run far longer than those of their type usually do, the longest first; at most
    /// [`LongAttempt::TOLD_MAX`].
    pub long_attempts: Vec<LongAttempt>,
    /// The number of dead letters.
    pub dead_letters: u64,
    /// The number of new dead letters in the last hour.
    pub dead_letters_last_hour: u64,
    /// The move that the database is or was part of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub moving: Option<MoveState>,
}

/// The few facts that a scrape of metrics needs beside the counts. They cost little however many jobs there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Condition {
    /// When the facts were collected, by the database's clock.
    pub now: Timestamp,
    /// Facts about files and disk, if the database is a file on this machine.
    pub local: Option<LocalHealth>,
    /// The database's size in bytes, if it is on a server.
    pub server_bytes: Option<u64>,
    /// The number of jobs that cannot continue until housekeeping fixes them, up to [`StuckJob::TOLD_MAX`] and among
    /// the first [`Condition::BLOCKED_MAX`] blocked ones.
    pub stuck_jobs: usize,
}

impl Condition {
    /// How many of the blocked jobs are looked at.
    pub const BLOCKED_MAX: u32 = 500;
}

impl From<&Health> for Condition {
    fn from(health: &Health) -> Self {
        Self {
            now: health.now,
            local: health.local,
            server_bytes: health.server.as_ref().map(|server| server.database_bytes),
            stuck_jobs: health.stuck.len(),
        }
    }
}

/// Facts about a database that is a file on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct LocalHealth {
    /// The database's size in bytes.
    pub database_bytes: u64,
    /// The write-ahead log's size in bytes.
    pub wal_bytes: u64,
    /// Free bytes on the file system, if known.
    pub disk_free_bytes: Option<u64>,
    /// The size of the file system in bytes, if known.
    pub disk_total_bytes: Option<u64>,
}

/// Facts about a database on a server.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize)]
pub struct ServerHealth {
    /// The database's size in bytes.
    pub database_bytes: u64,
    /// Whether it takes no writes: it is a standby, or it, the database or the role is set to read-only.
    pub is_read_only: bool,
    /// Who keeps the server from cleaning up deleted rows, the longest first; at most ten. Only those that this role may
    /// see.
    pub held_snapshots: Vec<HeldSnapshot>,
    /// The queue's tables with many deleted rows that were not cleaned up yet.
    pub dead_rows: Vec<DeadRows>,
    /// The queue's tables that are never cleaned up, because autovacuum is off.
    pub tables_without_autovacuum: Vec<String>,
    /// The queue's sequences that are nearly used up, with the percentage that is used.
    pub used_up_sequences: Vec<(String, u64)>,
    /// What the role lacks to work on the queue, such as `INSERT on job`.
    pub missing_rights: Vec<String>,
    /// Why the role cannot drop whole partitions of old jobs, and deletes them row by row. `None` if it can, or if there
    /// are too few jobs for that to matter.
    pub partition_obstacle: Option<String>,
}

impl ServerHealth {
    /// A snapshot that is held longer than this is listed.
    pub const HELD_MAX: Duration = Duration::from_secs(5 * 60);
    /// A table with this many deleted rows is listed.
    pub const DEAD_ROWS_MAX: u64 = 500_000;
    /// A sequence of which more than this percentage is used is listed.
    pub const USED_PERCENT_MAX: u32 = 80;
}

/// A session, a prepared transaction or a replication slot that still needs old rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HeldSnapshot {
    /// Which, in words.
    pub holder: String,
    /// For how long, if known.
    pub held_seconds: Option<u64>,
}

/// A table with many deleted rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DeadRows {
    /// The table.
    pub table: String,
    /// The number of deleted rows, as the server estimates it.
    pub dead: u64,
    /// The number of other rows.
    pub live: u64,
}

/// A job that will never run: no claim, no due time and no other job will change it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct StuckJob {
    /// The job id.
    pub id: JobId,
    /// The reason.
    #[serde(flatten)]
    pub cause: StuckCause,
}

impl StuckJob {
    /// The maximum number of jobs in the list.
    pub const TOLD_MAX: usize = 100;
}

/// Why a job cannot continue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "cause", rename_all = "snake_case")]
pub enum StuckCause {
    /// It waits for a job that has ended.
    ParentEnded {
        /// The parent.
        parent: JobId,
        /// The parent's status.
        status: Status,
    },
    /// It waits for a job that does not exist.
    ParentMissing,
    /// It waits for itself: its chain of parents is a cycle.
    WaitsForItself,
    /// A column contains a value that prevents every change of the job.
    UnusableRow,
}

impl fmt::Display for StuckCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ParentEnded { parent, status } => write!(f, "waits for job {parent}, which ended as {status}"),
            Self::ParentMissing => f.write_str("waits for a job that does not exist"),
            Self::WaitsForItself => f.write_str("waits for itself: its parents form a cycle"),
            Self::UnusableRow => f.write_str("has a value in its row that prevents every change"),
        }
    }
}

/// A running attempt that has run far longer than those of its type usually do.
///
/// It is one that has run for at least [`LongAttempt::RAN_MIN`], and longer than [`LongAttempt::FACTOR`] times the 95th
/// percentile of the last attempts of its type that completed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LongAttempt {
    /// The job.
    pub id: JobId,
    /// Its type.
    pub job_type: String,
    /// Since when it runs.
    pub started_at: Timestamp,
    /// 95 of 100 attempts of its type took no longer than this, in milliseconds.
    pub usual_ms: u64,
}

impl LongAttempt {
    /// The maximum number of attempts in the list.
    pub const TOLD_MAX: usize = 20;
    /// A shorter run is never long.
    pub const RAN_MIN: Duration = Duration::from_secs(5 * 60);
    /// A long run takes more than this many times what is usual.
    pub const FACTOR: u32 = 3;
    /// With fewer attempts it is not known what is usual.
    pub const KNOWN_MIN: usize = 5;
    /// How many attempts of a type count.
    pub const KNOWN_MAX: usize = 100;
    /// How many of the newest jobs are read for them.
    pub const JOBS_MAX: u32 = 10_000;

    /// What is usual, by the last attempts: their 95th percentile. `None` if there are too few.
    pub fn usual(mut ran: Vec<Duration>) -> Option<Duration> {
        if ran.len() < Self::KNOWN_MIN {
            return None;
        }
        ran.sort_unstable();
        // The smallest value that at least 95 % of them do not exceed.
        ran.get((ran.len() * 95).div_ceil(100) - 1).copied()
    }

    /// Whether a run of this length is long where `usual` is usual.
    pub fn is_long(ran: Duration, usual: Duration) -> bool {
        ran >= Self::RAN_MIN && ran > usual.saturating_mul(Self::FACTOR)
    }
}

/// A foreign key of the application that prevents the deletion of jobs: it refers to them, or to rows that are deleted with
/// them, and does not let go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct JobKeeper {
    /// The table.
    pub table: String,
    /// The column.
    pub column: String,
    /// The number of ended jobs that it refers to, counted up to [`JobKeeper::JOBS_MAX`].
    pub jobs: u64,
}

impl JobKeeper {
    /// The limit of the count.
    pub const JOBS_MAX: u32 = 1000;
}

/// A foreign key of the application that refers to columns of the jobs that are no unique key. SQLite accepts it, and then
/// rejects every deletion of a job and every change of these columns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BrokenKey {
    /// The table.
    pub table: String,
    /// Its columns.
    pub columns: Vec<String>,
    /// The columns of the jobs.
    pub refers_to: Vec<String>,
}

/// Jobs of one type in one queue that could run now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TypeBacklog {
    /// The queue.
    pub queue: String,
    /// The type.
    pub job_type: String,
    /// The number of jobs, counted up to [`TypeBacklog::JOBS_MAX`].
    pub jobs: u64,
    /// When the first of them became claimable.
    pub oldest_ready_at: Timestamp,
    /// Whether both names are valid UTF-8. Otherwise no worker can claim the jobs.
    pub has_valid_names: bool,
}

impl TypeBacklog {
    /// The limit of the count. It bounds the cost of the check.
    pub const JOBS_MAX: u32 = 10_000;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minutes(minutes: u64) -> Duration {
        Duration::from_secs(60 * minutes)
    }

    #[test]
    fn what_is_usual_is_the_95th_percentile_of_enough_attempts() {
        assert_eq!(LongAttempt::usual(vec![minutes(1); 4]), None);
        assert_eq!(LongAttempt::usual((1..=5).map(minutes).collect()), Some(minutes(5)));
        assert_eq!(LongAttempt::usual((1..=100).rev().map(minutes).collect()), Some(minutes(95)));
    }

    #[test]
    fn a_run_is_long_beyond_some_minutes_and_three_times_what_is_usual() {
        let is_long = |ran, usual| LongAttempt::is_long(minutes(ran), minutes(usual));
        assert!(!is_long(4, 0), "a few minutes are never long");
        assert!(is_long(5, 0));
        assert!(!is_long(30, 10));
        assert!(is_long(31, 10));
        assert!(!LongAttempt::is_long(Duration::MAX, Duration::MAX));
    }
}
