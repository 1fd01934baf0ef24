use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use longshore_core::{
    Condition, Health, LocalHealth, Status, StuckCause, StuckJob, Timestamp, TypeBacklog, WorkerId, WorkerRecord,
};
use longshore_sqlite_file::beside;
use rusqlite::{Connection, params};

use crate::database::column;
use crate::jobs::actions::keepers::Keepers;
use crate::jobs::stuck::{BlockedCause, blocked_page, stuck_rows, unplaced_rows};
use crate::moving::fence;
use crate::upkeep::long_attempts::long_attempts;
use crate::upkeep::stats::{backlog, queues, timed_jobs};
use crate::workers::worker_record::{Signs, workers};

const HOUR: Duration = Duration::from_secs(3600);
/// How many of the newest dead letters are read to count those of the last hour.
const LATE_DEAD_LETTERS_MAX: u32 = 10_000;
/// How many of the newest jobs are read to find the latest time.
const LATEST_JOBS_MAX: u32 = 1000;

/// Collects the facts. Does not write, and opens the file only through SQLite.
pub(crate) fn health(connection: &Connection, signs: Signs<'_>, path: &Path) -> rusqlite::Result<Health> {
    let now = signs.now;
    let (living, dead): (Vec<WorkerRecord>, Vec<WorkerRecord>) =
        workers(connection, signs)?.into_iter().partition(|worker| worker.is_alive);
    let known: BTreeSet<String> = living.iter().flat_map(|worker| worker.job_types.iter().cloned()).collect();
    let backlog = backlog(connection, TypeBacklog::JOBS_MAX)?;
    let mut queues = queues(connection, &backlog)?;
    timed_jobs(connection, now)?.count_in(&mut queues, &backlog, TypeBacklog::JOBS_MAX);
    let keepers = Keepers::read(connection)?;
    Ok(Health {
        now,
        latest_record_at: latest_record_at(connection)?,
        local: Some(local(path)),
        server: None,
        queues,
        backlog,
        dead_workers: holding(connection, &dead)?,
        known_job_types: known.into_iter().collect(),
        living_workers: living.len() as u64,
        stuck: stuck(connection, BLOCKED_MAX)?,
        keepers: keepers.tell(connection)?,
        broken_keys: keepers.broken(),
        long_attempts: long_attempts(connection, now)?,
        dead_letters: number(connection, include_str!("../sql/upkeep/count_dead_letters.sql"), params![])?,
        dead_letters_last_hour: number(
            connection,
            include_str!("../sql/upkeep/count_late_dead_letters.sql"),
            params![now.as_ms() - column::milliseconds(HOUR), LATE_DEAD_LETTERS_MAX],
        )?,
        moving: fence::read_state(connection)?,
    })
}

/// The facts that are measured again and again.
pub(crate) fn condition(connection: &Connection, now: Timestamp, path: &Path) -> rusqlite::Result<Condition> {
    let stuck_jobs = stuck(connection, Condition::BLOCKED_MAX)?.len();
    Ok(Condition { now, local: Some(local(path)), server_bytes: None, stuck_jobs })
}

fn local(path: &Path) -> LocalHealth {
    let (disk_free_bytes, disk_total_bytes) = disk(path);
    let (database_bytes, wal_bytes) = (file_bytes(path), file_bytes(&beside(path, "-wal")));
    LocalHealth { database_bytes, wal_bytes, disk_free_bytes, disk_total_bytes }
}

/// How many of the blocked jobs are read.
const BLOCKED_MAX: u32 = 10_000;

fn stuck(connection: &Connection, blocked_max: u32) -> rusqlite::Result<Vec<StuckJob>> {
    let mut rows = stuck_rows(connection, StuckJob::TOLD_MAX as u32)?;
    rows.extend(unplaced_rows(connection, StuckJob::TOLD_MAX as u32)?);
    let mut stuck: Vec<StuckJob> = rows.into_iter().map(|id| StuckJob { id, cause: StuckCause::UnusableRow }).collect();
    for job in blocked_page(connection, (i64::MIN, i64::MIN), blocked_max)? {
        match job.cause {
            Some(BlockedCause::Hopeless(cause)) => stuck.push(StuckJob { id: job.id, cause }),
            Some(BlockedCause::ParentCompleted) => {
                let cause = StuckCause::ParentEnded { parent: job.parent, status: Status::Completed };
                stuck.push(StuckJob { id: job.id, cause });
            }
            None => {}
        }
    }
    stuck.sort_unstable_by_key(|job| job.id);
    stuck.dedup_by_key(|job| job.id);
    stuck.truncate(StuckJob::TOLD_MAX);
    Ok(stuck)
}

fn holding(connection: &Connection, dead: &[WorkerRecord]) -> rusqlite::Result<Vec<(WorkerId, u64)>> {
    let mut holding = Vec::new();
    for worker in dead {
        let sql = include_str!("../sql/upkeep/count_running_of_worker.sql");
        let jobs = number(connection, sql, params![worker.worker_id.as_str()])?;
        if jobs > 0 {
            holding.push((worker.worker_id.clone(), jobs));
        }
    }
    Ok(holding)
}

fn latest_record_at(connection: &Connection) -> rusqlite::Result<Option<Timestamp>> {
    connection
        .prepare_cached(include_str!("../sql/upkeep/select_latest_record.sql"))?
        .query_row([LATEST_JOBS_MAX], |row| column::optional_timestamp(row, 0))
}

fn number(connection: &Connection, sql: &str, params: &[&dyn rusqlite::ToSql]) -> rusqlite::Result<u64> {
    connection.prepare_cached(sql)?.query_row(params, |row| column::size(row, 0))
}

/// Uses a stat, which opens nothing. A missing file has zero bytes.
fn file_bytes(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |found| found.len())
}

/// Free and total bytes of the file system of the database.
#[cfg(unix)]
fn disk(path: &Path) -> (Option<u64>, Option<u64>) {
    match rustix::fs::statvfs(path) {
        Ok(disk) => {
            (Some(disk.f_bavail.saturating_mul(disk.f_frsize)), Some(disk.f_blocks.saturating_mul(disk.f_frsize)))
        }
        Err(_) => (None, None),
    }
}

#[cfg(not(unix))]
fn disk(_path: &Path) -> (Option<u64>, Option<u64>) {
    (None, None)
}
