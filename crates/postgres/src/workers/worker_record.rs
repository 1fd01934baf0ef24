use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use longshore_core::{JobId, RunningJob, WorkerId, WorkerReading, WorkerRecord};
use postgres_types::Type;
use tokio_postgres::Row;
use tokio_postgres::error::SqlState;

use crate::instant::Instant;
use crate::session::fault::Fault;
use crate::session::sql::sql;
use crate::session::statements::Session;
use crate::store::Parts;

/// How many workers are listed, and how many jobs of each.
const WORKERS_MAX: i64 = 1000;
const RUNNING_MAX: i64 = WorkerRecord::RUNNING_MAX as i64;

/// All registered workers, and whether they live.
pub(crate) async fn records(parts: Arc<Parts>) -> Result<Vec<WorkerRecord>, Fault> {
    let session = parts.pool.session().await?;
    let rows = session.query(sql!("workers/select_workers"), &[(&WORKERS_MAX, Type::INT8)]).await?;
    let workers = rows.iter().map(|row| row.try_get("worker")).collect::<Result<Vec<i32>, _>>()?;
    let locks = locks(&session, &workers).await?;
    let monotonic = parts.options.clock.monotonic();
    let mut running = running(&session, &workers).await?;
    let mut records = Vec::with_capacity(rows.len());
    for (row, worker) in rows.iter().zip(workers) {
        let mut record = record(row, running.remove(&worker).unwrap_or_default())?;
        let is_own = parts.workers.own.contains(&record.worker_id);
        // As long as it is observed here that its heartbeat stands still, it may be frozen, whatever its session says.
        let is_still = !is_own && parts.workers.reclaim.is_still(&reading(row, worker)?, monotonic);
        record.is_alive = is_own || !is_still && is_alive(row, &record, locks.get(&worker).copied())?;
        records.push(record);
    }
    Ok(records)
}

/// Whether a worker's session still has its lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lock {
    Held,
    Free,
}

/// The locks of those workers that took one in this run of the server. Knows of none on a replica.
async fn locks(session: &Session, workers: &[i32]) -> Result<HashMap<i32, Lock>, Fault> {
    let sql = sql!("workers/probe_workers");
    let rows = match session.query(sql, &[(&workers, Type::INT4_ARRAY)]).await {
        Err(error) if error.code() == Some(&SqlState::FEATURE_NOT_SUPPORTED) => return Ok(HashMap::new()),
        rows => rows?,
    };
    let mut locks = HashMap::new();
    for row in rows {
        let lock = if row.try_get("is_free")? { Lock::Free } else { Lock::Held };
        locks.insert(row.try_get("worker")?, lock);
    }
    Ok(locks)
}

fn reading(row: &Row, worker: i32) -> Result<WorkerReading<i32>, tokio_postgres::Error> {
    let lease = Duration::from_millis(u64::try_from(row.try_get::<_, i64>("lease_ms")?).unwrap_or(0));
    Ok(WorkerReading { worker, heartbeat_number: row.try_get("heartbeat_number")?, lease })
}

/// Only for people. Whose jobs are taken is decided elsewhere, without the time of day.
fn is_alive(row: &Row, record: &WorkerRecord, lock: Option<Lock>) -> Result<bool, tokio_postgres::Error> {
    if row.try_get("is_given_up")? {
        return Ok(false);
    }
    if let Some(lock) = lock {
        return Ok(lock == Lock::Held);
    }
    let lease = Duration::from_millis(u64::try_from(row.try_get::<_, i64>("lease_ms")?).unwrap_or(0));
    Ok(row.try_get::<_, Instant>("now")?.0.since(record.heartbeat_at) < lease)
}

fn record(row: &Row, running: Vec<RunningJob>) -> Result<WorkerRecord, tokio_postgres::Error> {
    let count = |name: &str| Ok::<_, tokio_postgres::Error>(u32::try_from(row.try_get::<_, i32>(name)?).unwrap_or(0));
    Ok(WorkerRecord {
        worker_id: WorkerId::from_stored(row.try_get("worker_id")?),
        host: row.try_get("host")?,
        pid: count("pid")?,
        started_at: row.try_get::<_, Instant>("started_at")?.0,
        heartbeat_at: row.try_get::<_, Instant>("heartbeat_at")?.0,
        queues: row.try_get("queues")?,
        job_types: row.try_get("job_types")?,
        concurrency: count("concurrency")?,
        is_alive: false,
        running,
    })
}

async fn running(session: &Session, workers: &[i32]) -> Result<BTreeMap<i32, Vec<RunningJob>>, Fault> {
    let parameters = [(&workers as _, Type::INT4_ARRAY), (&RUNNING_MAX as _, Type::INT8)];
    let mut running: BTreeMap<i32, Vec<RunningJob>> = BTreeMap::new();
    for row in session.query(sql!("workers/select_running_jobs"), &parameters).await? {
        running.entry(row.try_get("worker")?).or_default().push(RunningJob {
            id: JobId(row.try_get("id")?),
            job_type: row.try_get("job_type")?,
            started_at: row.try_get::<_, Instant>("started_at")?.0,
        });
    }
    Ok(running)
}
