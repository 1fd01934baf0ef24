//! The upper bound: hand-written SQLite with the same columns, claim index and durability. It uses one thread and
//! prepared statements.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use rusqlite::{Connection, params};
use serde::Serialize;

use super::{PAYLOAD, Rate};
use crate::arguments::Durability;

const SCHEMA: &str = include_str!("raw_schema.sql");
const INSERT: &str = "INSERT INTO raw_jobs (job_type, job_data, queue, priority, created_at, max_retries) \
                      VALUES (?1, ?2, 'default', 5, ?3, 3)";
const CLAIM: &str = "UPDATE raw_jobs \
                     SET status = 'running', worker_id = ?1, started_at = ?2, claim_number = claim_number + 1 \
                     WHERE id IN (SELECT id FROM raw_jobs \
                                  WHERE status = 'pending' AND run_at IS NULL AND queue = 'default' AND job_type = ?3 \
                                  ORDER BY priority DESC, id LIMIT ?4) \
                     RETURNING id, job_type, job_data";
const FINISH: &str = "UPDATE raw_jobs SET status = 'completed', completed_at = ?2 WHERE id = ?1 AND status = 'running'";
const JOB_TYPE: &str = "raw";
/// As long as a worker id, so that rows have the same size as ours.
const WORKER: &str = "k3J9xQ0aZ7b";
/// The page cache size that the engine uses, in KiB. SQLite expects a negative number.
const CACHE_KIB: i32 = -8000;
const NOW_MS: i64 = 1_795_467_849_179;

/// Rates of hand-written SQLite, in jobs a second.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct RawRates {
    /// One row in each transaction.
    pub insert_1: Rate,
    /// A thousand rows in each transaction.
    pub insert_1000: Rate,
    /// Inserted, claimed and finished in three transactions for each hundred jobs.
    pub lifecycle_100: Rate,
    /// The same for each thousand jobs.
    pub lifecycle_1000: Rate,
    /// Claimed and finished in two transactions for each thousand jobs.
    pub finish_1000: Rate,
}

impl RawRates {
    /// The median of each rate over the rounds.
    pub(super) fn median(rounds: &[Self]) -> Self {
        let middle = |rate: fn(&Self) -> Rate| Rate::median(rounds.iter().map(rate).collect());
        Self {
            insert_1: middle(|round| round.insert_1),
            insert_1000: middle(|round| round.insert_1000),
            lifecycle_100: middle(|round| round.lifecycle_100),
            lifecycle_1000: middle(|round| round.lifecycle_1000),
            finish_1000: middle(|round| round.finish_1000),
        }
    }
}

/// Measures on a new file in `folder`, which must be on the file system to measure.
pub(super) fn measure(folder: &Path, jobs: u64, durability: Durability) -> Result<RawRates> {
    let mut raw = Raw::open(&folder.join("raw.db"), durability)?;
    let singles = (jobs / 40).clamp(200, 5_000);
    let insert_1 = Rate::of(singles, || raw.insert(singles, 1))?;
    let insert_1000 = Rate::of(jobs, || raw.insert(jobs, 1000))?;
    let finish_1000 = Rate::of(jobs, || raw.finish(jobs, 1000))?;
    raw.finish(u64::MAX, 1000)?;
    let lifecycle_100 = Rate::of(jobs / 4, || raw.lifecycle(jobs / 4, 100))?;
    let lifecycle_1000 = Rate::of(jobs / 4, || raw.lifecycle(jobs / 4, 1000))?;
    Ok(RawRates { insert_1, insert_1000, lifecycle_100, lifecycle_1000, finish_1000 })
}

/// Measures single-row commits a second, on a new file.
pub(super) fn measure_singles(folder: &Path, jobs: u64, durability: Durability) -> Result<Rate> {
    let mut raw = Raw::open(&folder.join("raw.db"), durability)?;
    Rate::of(jobs, || raw.insert(jobs, 1))
}

/// The time of single-row commits in milliseconds, with a pause before each. A machine that was idle needs longer for a
/// commit than a busy one.
pub(super) fn commit_samples(folder: &Path, samples: u64, pause: Duration, durability: Durability) -> Result<Vec<f64>> {
    let mut raw = Raw::open(&folder.join("commit.db"), durability)?;
    let mut times = Vec::new();
    for _ in 0..samples {
        std::thread::sleep(pause);
        let begin = Instant::now();
        raw.insert(1, 1)?;
        times.push(begin.elapsed().as_secs_f64() * 1000.0);
    }
    Ok(times)
}

struct Raw {
    connection: Connection,
}

impl Raw {
    fn open(path: &Path, durability: Durability) -> Result<Self> {
        let connection = Connection::open(path)?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(None, "synchronous", durability.as_str())?;
        connection.pragma_update(None, "cache_size", CACHE_KIB)?;
        connection.execute_batch(SCHEMA)?;
        connection.set_prepared_statement_cache_capacity(16);
        Ok(Self { connection })
    }

    fn insert(&mut self, jobs: u64, batch: u64) -> Result<()> {
        let mut left = jobs;
        while left > 0 {
            let rows = left.min(batch);
            self.insert_batch(rows)?;
            left -= rows;
        }
        Ok(())
    }

    fn insert_batch(&mut self, rows: u64) -> Result<()> {
        let transaction = self.connection.transaction()?;
        {
            let mut insert = transaction.prepare_cached(INSERT)?;
            for row in 0..rows {
                insert.execute(params![JOB_TYPE, PAYLOAD, NOW_MS + i64::try_from(row)?])?;
            }
        }
        Ok(transaction.commit()?)
    }

    fn finish(&mut self, jobs: u64, batch: u64) -> Result<()> {
        let mut done = 0;
        while done < jobs {
            let claimed = self.claim_batch(batch)?;
            if claimed.is_empty() {
                break;
            }
            self.finish_batch(&claimed)?;
            done += claimed.len() as u64;
        }
        Ok(())
    }

    fn claim_batch(&mut self, batch: u64) -> Result<Vec<i64>> {
        let transaction = self.connection.transaction()?;
        let claimed = {
            let mut claim = transaction.prepare_cached(CLAIM)?;
            let rows = claim.query_map(params![WORKER, NOW_MS, JOB_TYPE, i64::try_from(batch)?], |row| {
                let (_, _): (String, String) = (row.get(1)?, row.get(2)?);
                row.get(0)
            })?;
            rows.collect::<Result<Vec<i64>, _>>()?
        };
        transaction.commit()?;
        Ok(claimed)
    }

    fn finish_batch(&mut self, ids: &[i64]) -> Result<()> {
        let transaction = self.connection.transaction()?;
        {
            let mut finish = transaction.prepare_cached(FINISH)?;
            for id in ids {
                finish.execute(params![id, NOW_MS])?;
            }
        }
        Ok(transaction.commit()?)
    }

    fn lifecycle(&mut self, jobs: u64, batch: u64) -> Result<()> {
        let mut left = jobs;
        while left > 0 {
            let rows = left.min(batch);
            self.insert_batch(rows)?;
            let claimed = self.claim_batch(rows)?;
            self.finish_batch(&claimed)?;
            left -= rows;
        }
        Ok(())
    }
}
