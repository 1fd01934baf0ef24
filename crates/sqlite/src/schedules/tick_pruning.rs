use std::sync::{Mutex, PoisonError};

use longshore_core::{StoreError, TickRetention, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};

use crate::database::column;
use crate::database::fault::Fault;
use crate::schedules::ticks::next_ticked;
use crate::store::Parts;
use crate::writing::session::WriteTx;
use crate::writing::work::Work;

/// How many schedules one step looks at.
const SCHEDULES_MAX: usize = 50;

/// Removes old ticks, a few schedules at each sweep.
#[derive(Debug, Default)]
pub(crate) struct TickPruning {
    /// The last schedule that was looked at; empty at the beginning of a walk.
    after: Mutex<String>,
}

impl TickPruning {
    /// One bounded step. Returns whether old ticks may be left. Only reads where there are none.
    pub(crate) async fn step(&self, parts: &Parts, rows_max: u32) -> Result<bool, StoreError> {
        let after = self.after().clone();
        let (next, old) = parts
            .readers
            .run("finding old ticks of schedules", move |tx| Ok(find(tx.connection, &after, tx.now)?))
            .await?;
        self.after().clone_from(&next);
        if old.is_empty() {
            return Ok(false);
        }
        parts.writer.run(Prune { old, rows_max }).await
    }

    fn after(&self) -> std::sync::MutexGuard<'_, String> {
        self.after.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The schedules with old ticks, among the next ones, and where to go on.
fn find(connection: &Connection, after: &str, now: Timestamp) -> rusqlite::Result<(String, Vec<(String, Timestamp)>)> {
    let (mut after, mut old) = (after.to_owned(), Vec::new());
    for _ in 0..SCHEDULES_MAX {
        let Some(next) = next_ticked(connection, &after)? else { return Ok((String::new(), old)) };
        if let Some(before) = kept_from(connection, &next, now)?
            && has_tick_before(connection, &next, before)?
        {
            old.push((next.clone(), before));
        }
        after = next;
    }
    Ok((after, old))
}

/// The first instant whose ticks are kept.
fn kept_from(connection: &Connection, schedule: &str, now: Timestamp) -> rusqlite::Result<Option<Timestamp>> {
    let newest = |number: u32| -> rusqlite::Result<Option<Timestamp>> {
        connection
            .prepare_cached(include_str!("../sql/schedules/select_newest_tick.sql"))?
            .query_row(params![schedule, number - 1], |row| column::timestamp(row, 0))
            .optional()
    };
    let Some(always) = newest(TickRetention::ALWAYS)? else { return Ok(None) };
    Ok(Some(TickRetention::kept_from(always, newest(TickRetention::AT_MOST)?, now)))
}

fn has_tick_before(connection: &Connection, schedule: &str, before: Timestamp) -> rusqlite::Result<bool> {
    connection
        .prepare_cached(include_str!("../sql/schedules/has_tick_before.sql"))?
        .exists(params![schedule, before.as_ms()])
}

/// Removes the ticks of schedules before an instant, in bounded number.
struct Prune {
    old: Vec<(String, Timestamp)>,
    rows_max: u32,
}

impl Work for Prune {
    type Answer = bool;
    const DOING: &'static str = "removing old ticks of schedules";

    fn rows(&self) -> usize {
        self.rows_max as usize
    }

    fn write(&mut self, tx: &mut WriteTx<'_, '_>) -> Result<bool, Fault> {
        let mut left = self.rows_max as usize;
        for (schedule, before) in &self.old {
            let parameters = params![schedule, before.as_ms(), left as i64];
            let sql = include_str!("../sql/schedules/delete_old_ticks.sql");
            left -= tx.connection.prepare_cached(sql)?.execute(parameters)?.min(left);
        }
        Ok(left == 0)
    }
}
