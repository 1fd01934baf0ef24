//! After a change of a rule: jobs that wait already get the lanes that they would have now.

use longshore_core::JobId;
use rusqlite::{Connection, params};

use crate::database::column;
use crate::database::fault::Fault;
use crate::jobs::stuck::unless_refused;
use crate::limits::limit_set::TypeLimit;
use crate::writing::session::{WriteTx, is_of_a_row};

impl TypeLimit {
    /// Whether ready jobs of the type stand in no lane.
    pub(crate) fn has_strays(&self, connection: &Connection) -> rusqlite::Result<bool> {
        let sql = include_str!("../sql/limits/select_stray_jobs.sql");
        connection.prepare_cached(sql)?.exists(params![self.job_type, 1])
    }

    /// Whether lanes are as the rule before has left them.
    pub(crate) fn has_unsettled(&self, connection: &Connection) -> rusqlite::Result<bool> {
        let sql = include_str!("../sql/limits/select_unsettled_lanes.sql");
        connection.prepare_cached(sql)?.exists(params![self.job_type, self.revision, 1])
    }
}

/// Gives ready jobs without a lane theirs, at most so many. Returns how many were found.
pub(crate) fn sort_strays(tx: &mut WriteTx<'_, '_>, limit: &TypeLimit, rows_max: u32) -> Result<u32, Fault> {
    let ids =
        ids_of(tx.connection, include_str!("../sql/limits/select_stray_jobs.sql"), params![limit.job_type, rows_max])?;
    sort(tx, &ids)?;
    Ok(ids.len() as u32)
}

/// Settles lanes from before the last change of the rule, at most so many lanes and jobs. Returns how many of both. A lane
/// of other keys gives its jobs to those that they have now, and goes.
pub(crate) fn settle_lanes(tx: &mut WriteTx<'_, '_>, limit: &TypeLimit, rows_max: u32) -> Result<u32, Fault> {
    let lanes: Vec<(i64, i64)> = tx
        .connection
        .prepare_cached(include_str!("../sql/limits/select_unsettled_lanes.sql"))?
        .query_map(params![limit.job_type, limit.revision, rows_max], |row| {
            Ok((column::integer(row, 0)?, column::integer(row, 1)?))
        })?
        .collect::<Result<_, _>>()?;
    let mut left = rows_max;
    for (id, key_revision) in lanes {
        if key_revision == limit.key_revision {
            let sql = include_str!("../sql/limits/settle_lane.sql");
            tx.connection.prepare_cached(sql)?.execute(params![id, limit.revision])?;
        } else {
            let sql = include_str!("../sql/limits/select_live_in_lane.sql");
            let ids = ids_of(tx.connection, sql, params![id, left])?;
            sort(tx, &ids)?;
            left -= (ids.len() as u32).min(left);
            // It may have more.
            if left == 0 {
                break;
            }
            retire(tx, limit, id)?;
        }
        left -= 1;
        if left == 0 {
            break;
        }
    }
    Ok(rows_max - left)
}

/// Removes a lane of another key that has only jobs that have ended. One that is retried finds no lane, and gets the one of
/// its key. What the rate of the key has spent stays, because another pointer may find the same key.
fn retire(tx: &WriteTx<'_, '_>, limit: &TypeLimit, id: i64) -> Result<(), Fault> {
    let keep = include_str!("../sql/limits/keep_spent_rate.sql");
    let kept = tx.connection.prepare_cached(keep)?.execute(params![id, limit.job_type, limit.key_revision])?;
    if kept == 0 {
        let now = tx.now.as_ms();
        let renew = include_str!("../sql/limits/renew_lane.sql");
        let state = params![id, limit.key_revision, limit.revision, now.saturating_mul(1000), now];
        if tx.connection.prepare_cached(renew)?.execute(state)? > 0 {
            tx.connection
                .prepare_cached(include_str!("../sql/moving/raise_last_lane.sql"))?
                .execute([&limit.job_type])?;
            return Ok(());
        }
    }
    tx.connection.prepare_cached(include_str!("../sql/limits/delete_lane.sql"))?.execute([id])?;
    Ok(())
}

fn ids_of(connection: &Connection, sql: &str, params: impl rusqlite::Params) -> rusqlite::Result<Vec<JobId>> {
    connection.prepare_cached(sql)?.query_map(params, |row| column::id(row, 0))?.collect()
}

/// The trigger finds the lanes. A job that a constraint refuses is given up, so that it does not stop the others.
pub(crate) fn sort(tx: &mut WriteTx<'_, '_>, ids: &[JobId]) -> Result<(), Fault> {
    if ids.is_empty() {
        return Ok(());
    }
    let sort = |tx: &WriteTx<'_, '_>, ids: &[JobId]| {
        let sql = include_str!("../sql/limits/sort_jobs.sql");
        tx.connection.prepare_cached(sql)?.execute([column::ids(ids.iter().copied())])
    };
    match sort(tx, ids) {
        Ok(_) => Ok(()),
        Err(error) if !is_of_a_row(&error) || tx.connection.is_autocommit() => Err(error.into()),
        Err(_) => {
            for id in ids {
                let done = sort(tx, std::slice::from_ref(id));
                unless_refused(tx, *id, done)?;
            }
            Ok(())
        }
    }
}
