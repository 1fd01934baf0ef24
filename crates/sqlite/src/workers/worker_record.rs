use std::time::Duration;

use longshore_core::{RunningJob, Timestamp, WorkerId, WorkerRecord, WorkerWatches};
use rusqlite::{Connection, params};

use crate::database::column;
use crate::workers::liveness::{Evidence, Liveness};
use crate::workers::worker_row::{FileRecord, WorkerRow};

/// How many workers are listed, and how many jobs of each.
const WORKERS_MAX: u32 = 1000;
const RUNNING_MAX: u32 = WorkerRecord::RUNNING_MAX;

/// The sources of liveness evidence.
#[derive(Clone, Copy)]
pub(crate) struct Signs<'a> {
    pub(crate) liveness: &'a Liveness,
    pub(crate) watches: &'a WorkerWatches<WorkerId>,
    pub(crate) now: Timestamp,
    pub(crate) monotonic: Duration,
}

impl Signs<'_> {
    /// Only for people. Whose jobs are taken is decided elsewhere, without the wall clock.
    fn is_alive(self, row: &WorkerRow, heartbeat_at: Timestamp) -> bool {
        let is_still = || self.watches.observe(&row.reading(), self.monotonic);
        match self.liveness.probe(&row.worker_id, &row.file) {
            Evidence::Own => true,
            Evidence::Dead(_) => false,
            Evidence::Alive => !is_still(),
            // A command that reads only once cannot wait for a lease to end.
            Evidence::Unknown => !is_still() && self.now.since(heartbeat_at) < row.lease,
        }
    }
}

/// All registered workers, and whether they live.
pub(crate) fn workers(connection: &Connection, signs: Signs<'_>) -> rusqlite::Result<Vec<WorkerRecord>> {
    let mut records: Vec<WorkerRecord> = connection
        .prepare_cached(include_str!("../sql/workers/select_workers.sql"))?
        .query_map([WORKERS_MAX], |row| {
            let worker_id = WorkerId::from_stored(&column::text(row, 0)?);
            let lease = Duration::from_millis(column::size(row, 6)?);
            let file = FileRecord::read(row, 10)?;
            let heartbeat_number = column::integer(row, 5)?;
            let heartbeat_at = column::timestamp(row, 4)?;
            let of_worker = WorkerRow { worker_id: worker_id.clone(), heartbeat_number, lease, file };
            Ok(WorkerRecord {
                worker_id,
                host: column::text(row, 1)?,
                pid: column::count(row, 2)?,
                started_at: column::timestamp(row, 3)?,
                heartbeat_at,
                queues: words(&column::text(row, 7)?),
                job_types: words(&column::text(row, 8)?),
                concurrency: column::count(row, 9)?,
                is_alive: signs.is_alive(&of_worker, heartbeat_at),
                running: Vec::new(),
            })
        })?
        .collect::<Result<_, _>>()?;
    for record in &mut records {
        record.running = running(connection, &record.worker_id)?;
    }
    Ok(records)
}

fn running(connection: &Connection, worker_id: &WorkerId) -> rusqlite::Result<Vec<RunningJob>> {
    connection
        .prepare_cached(include_str!("../sql/workers/select_running_jobs.sql"))?
        .query_map(params![worker_id.as_str(), RUNNING_MAX], |row| {
            Ok(RunningJob {
                id: column::id(row, 0)?,
                job_type: column::text(row, 1)?,
                started_at: column::timestamp(row, 2)?,
            })
        })?
        .collect()
}

/// A list that a worker wrote. An invalid list is shown as empty.
fn words(json: &str) -> Vec<String> {
    serde_json::from_str(json).unwrap_or_default()
}
