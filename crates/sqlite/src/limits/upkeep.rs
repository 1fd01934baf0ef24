use std::time::Duration;

use longshore_core::StoreError;
use rusqlite::params;

use crate::database::column;
use crate::database::fault::Fault;
use crate::limits::change::move_schema_version;
use crate::limits::sorting::{settle_lanes, sort_strays};
use crate::store::Parts;
use crate::writing::session::WriteTx;
use crate::writing::work::{Passing, Work};

/// A lane that was not served for so long, and has no jobs, is removed.
const IDLE: Duration = Duration::from_secs(3600);

/// One bounded step of the housekeeping of limits. Returns whether another one has something to do.
pub(crate) async fn maintain(parts: &Parts, rows_max: u32) -> Result<bool, StoreError> {
    // A database without limits is not written to.
    let has_limits = parts
        .readers
        .run("looking for limits", |tx| {
            Ok(tx.connection.prepare_cached("SELECT 1 FROM job_limits LIMIT 1")?.exists([])?)
        })
        .await?;
    if !has_limits {
        return Ok(false);
    }
    parts.writer.run(Tidy { rows_max }).await
}

/// Sorts jobs and lanes from before a change of a rule, and removes lanes that nobody needs.
struct Tidy {
    rows_max: u32,
}

impl Work for Tidy {
    type Answer = bool;
    const DOING: &'static str = "tidying the lanes of limits";
    const PASSING: Passing = Passing::WhileDraining;

    fn rows(&self) -> usize {
        self.rows_max as usize
    }

    fn write(&mut self, tx: &mut WriteTx<'_, '_>) -> Result<bool, Fault> {
        let set = tx.limits.set();
        let mut left = self.rows_max;
        for limit in set.types() {
            left -= settle_lanes(tx, limit, left)?.min(left);
            if limit.has_lanes() && left > 0 {
                left -= sort_strays(tx, limit, left)?.min(left);
            }
            if left == 0 {
                return Ok(true);
            }
        }
        let is_full = remove_idle(tx, left)?;
        remove_spent(tx)?;
        Ok(is_full)
    }
}

/// A lane with jobs, or whose rate is not yet forgotten, is looked at again after another hour.
fn remove_idle(tx: &mut WriteTx<'_, '_>, rows_max: u32) -> Result<bool, Fault> {
    let now = tx.now;
    let lanes: Vec<(i64, bool)> = tx
        .connection
        .prepare_cached(include_str!("../sql/limits/select_idle_lanes.sql"))?
        .query_map(params![now.as_ms(), now.as_ms().saturating_mul(1000), now.before(IDLE).as_ms(), rows_max], |row| {
            Ok((column::integer(row, 0)?, row.get(1)?))
        })?
        .collect::<Result<_, _>>()?;
    for (id, is_open) in &lanes {
        let has_jobs = || -> rusqlite::Result<bool> {
            let live = include_str!("../sql/limits/select_live_in_lane.sql");
            tx.connection.prepare_cached(live)?.exists([*id, 1])
        };
        if *is_open && !has_jobs()? {
            tx.connection.prepare_cached(include_str!("../sql/limits/delete_lane.sql"))?.execute([id])?;
        } else {
            let sql = include_str!("../sql/limits/keep_lane.sql");
            tx.connection.prepare_cached(sql)?.execute(params![id, now.as_ms()])?;
        }
    }
    if !lanes.is_empty() {
        // One that was closed may give a job.
        tx.wake_all();
    }
    Ok(lanes.len() == rows_max as usize)
}

/// A type that has neither a rule nor lanes any more is like every other one again.
fn remove_spent(tx: &mut WriteTx<'_, '_>) -> Result<(), Fault> {
    let mut removed = 0;
    for limit in tx.limits.set().types().filter(|limit| !limit.has_lanes()) {
        removed += tx
            .connection
            .prepare_cached(include_str!("../sql/limits/delete_spent_limit.sql"))?
            .execute(params![limit.number, tx.now.as_ms()])?;
    }
    if removed > 0 {
        move_schema_version(tx.connection)?;
        tx.limits.refresh_within(tx.connection)?;
    }
    Ok(())
}
