use std::time::Duration;

use longshore_core::{RunningJob, WorkerId, WorkerRecord};
use rusqlite::{Connection, params};

use crate::column;
use crate::workers::liveness::{Evidence, Liveness};

/// How many workers are told, and how many jobs of each.
const WORKERS_MAX: u32 = 1000;
const RUNNING_MAX: u32 = 100;

/// Everybody who is registered, and whether they live.
pub(crate) fn workers(
    connection: &Connection,
    liveness: &Liveness,
    now: Duration,
) -> rusqlite::Result<Vec<WorkerRecord>> {
    let mut records: Vec<WorkerRecord> = connection
        .prepare_cached(include_str!("../sql/select_workers.sql"))?
        .query_map([WORKERS_MAX], |row| {
            let worker_id = WorkerId::from_stored(&column::text(row, 0)?);
            let lease = Duration::from_millis(column::size(row, 6)?);
            let has_process = matches!(liveness.probe(&worker_id), Evidence::Alive);
            let is_over = liveness.is_lease_over(&worker_id, column::integer(row, 5)?, lease, now);
            Ok(WorkerRecord {
                worker_id,
                host: column::text(row, 1)?,
                pid: column::count(row, 2)?,
                started_at: column::timestamp(row, 3)?,
                heartbeat_at: column::timestamp(row, 4)?,
                queues: words(&column::text(row, 7)?),
                job_types: words(&column::text(row, 8)?),
                concurrency: column::count(row, 9)?,
                is_alive: has_process && !is_over,
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
        .prepare_cached(include_str!("../sql/select_running_jobs.sql"))?
        .query_map(params![worker_id.as_str(), RUNNING_MAX], |row| {
            Ok(RunningJob {
                id: column::id(row, 0)?,
                job_type: column::text(row, 1)?,
                started_at: column::timestamp(row, 2)?,
            })
        })?
        .collect()
}

/// A list that a worker wrote; what is none is shown as empty.
fn words(json: &str) -> Vec<String> {
    serde_json::from_str(json).unwrap_or_default()
}
