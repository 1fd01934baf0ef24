use std::time::Instant;

use longshore_sqlite::rusqlite::{Connection, params};
use tempfile::TempDir;

use crate::store::File;

const TABLE: &str = "
CREATE TABLE job_queue (
    id INTEGER PRIMARY KEY AUTOINCREMENT, job_type TEXT NOT NULL, job_data TEXT NOT NULL,
    status TEXT NOT NULL DEFAULT 'pending', priority INTEGER NOT NULL DEFAULT 5, created_at INTEGER NOT NULL,
    started_at INTEGER, completed_at INTEGER, log_file_path TEXT, error_message TEXT,
    retry_count INTEGER NOT NULL DEFAULT 0, max_retries INTEGER NOT NULL DEFAULT 3, worker_id TEXT,
    timeout_seconds INTEGER, parent_job_id INTEGER, failure_type TEXT, next_retry_at INTEGER,
    last_error_traceback TEXT, dead_letter_reason TEXT, moved_to_dead_letter_at INTEGER,
    queue TEXT NOT NULL DEFAULT 'default', run_at INTEGER, ready_at INTEGER, claim_number INTEGER NOT NULL DEFAULT 0,
    crash_count INTEGER NOT NULL DEFAULT 0, max_crashes INTEGER NOT NULL DEFAULT 3,
    deferral_count INTEGER NOT NULL DEFAULT 0, max_deferrals INTEGER NOT NULL DEFAULT 1000, unique_key TEXT,
    cancel_requested_at INTEGER, progress REAL, progress_message TEXT, result TEXT, metadata TEXT
);
CREATE INDEX job_queue_ready ON job_queue (job_type, queue, priority DESC, id)
    WHERE status = 'pending' AND run_at IS NULL;";

pub(crate) const JOB_DATA: &str = r#"{"path":"/photos/2026/05/img_0042.jpg","width":640}"#;

struct Raw {
    connection: Connection,
    _folder: TempDir,
}

fn open() -> Raw {
    let folder = crate::store::folder();
    let connection = Connection::open(folder.path().join("raw.db")).unwrap();
    connection
        .execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -8000")
        .unwrap();
    connection.execute_batch(TABLE).unwrap();
    Raw { connection, _folder: folder }
}

fn transaction(connection: &Connection, work: impl FnOnce()) {
    connection.prepare_cached("BEGIN IMMEDIATE").unwrap().execute([]).unwrap();
    work();
    connection.prepare_cached("COMMIT").unwrap().execute([]).unwrap();
}

fn fill(connection: &Connection, count: usize, batch: usize) {
    let mut insert = connection
        .prepare_cached(
            "INSERT INTO job_queue (job_type, job_data, status, priority, created_at, max_retries, queue,
                 max_crashes, max_deferrals)
             VALUES (?1, ?2, 'pending', ?3, ?4, ?5, ?6, 3, 1000)",
        )
        .unwrap();
    for _ in 0..count / batch {
        transaction(connection, || {
            for _ in 0..batch {
                insert.execute(params!["noop", JOB_DATA, 5, 1_700_000_000_000_i64, 3, "default"]).unwrap();
            }
        });
    }
}

/// Inserts in transactions of `batch` jobs; in jobs a second.
pub(crate) fn insert(count: usize, batch: usize) -> f64 {
    let raw = open();
    fill(&raw.connection, 500 * batch.min(2), batch);
    let begun = Instant::now();
    fill(&raw.connection, count, batch);
    count as f64 / begun.elapsed().as_secs_f64()
}

/// Single inserts into the queue's own tables, with their CHECKs and the triggers that update the counts.
pub(crate) fn insert_into(file: &File, count: usize) -> f64 {
    let connection = Connection::open(file.path()).unwrap();
    connection.execute_batch("PRAGMA synchronous = FULL").unwrap();
    fill(&connection, 1000, 1);
    let begun = Instant::now();
    fill(&connection, count, 1);
    count as f64 / begun.elapsed().as_secs_f64()
}

/// Claims and finishes in batches; in jobs a second.
pub(crate) fn drain(count: usize, batch: usize) -> f64 {
    let raw = open();
    fill(&raw.connection, count, 1000);
    let mut claim = raw
        .connection
        .prepare(
            "UPDATE job_queue
             SET status = 'running', worker_id = ?1, started_at = ?2, claim_number = claim_number + 1
             WHERE id IN (SELECT id FROM job_queue
                 WHERE queue = 'default' AND job_type = 'noop' AND status = 'pending' AND run_at IS NULL
                 ORDER BY priority DESC, id LIMIT ?3)
             RETURNING id, claim_number, job_type, job_data",
        )
        .unwrap();
    let mut finish = raw
        .connection
        .prepare(
            "UPDATE job_queue SET status = 'completed', completed_at = ?4
             WHERE id = ?1 AND worker_id = ?2 AND claim_number = ?3 AND status = 'running'",
        )
        .unwrap();
    let begun = Instant::now();
    loop {
        let mut jobs: Vec<(i64, i64, String, String)> = Vec::new();
        transaction(&raw.connection, || {
            let rows = claim.query_map(params!["worker-0123456789abcdef", 5, batch as i64], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
            });
            jobs = rows.unwrap().map(Result::unwrap).collect();
        });
        if jobs.is_empty() {
            return count as f64 / begun.elapsed().as_secs_f64();
        }
        transaction(&raw.connection, || {
            for (id, claim_number, _, _) in &jobs {
                finish.execute(params![id, "worker-0123456789abcdef", claim_number, 7]).unwrap();
            }
        });
    }
}
