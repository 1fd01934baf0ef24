use std::sync::{Mutex, PoisonError};

use longshore_core::{BatchId, Retention, StoreError, Timestamp};
use rusqlite::{Connection, params};

use crate::database::column;
use crate::database::fault::Fault;
use crate::store::Parts;
use crate::upkeep::duties::Term;
use crate::writing::session::WriteTx;
use crate::writing::work::Work;

/// How many batches one step looks at, and how many signals it removes.
const ROWS_MAX: usize = 1000;

/// Removes batches that ended long enough ago and of which no job is left, with their signals: some at each sweep.
#[derive(Debug, Default)]
pub(crate) struct BatchPruning {
    /// The last batch that was looked at; 0 at the beginning of a walk.
    after: Mutex<i64>,
}

/// What a step looks at.
#[derive(Debug, Default)]
struct Page {
    old: Vec<BatchId>,
    next: i64,
    is_full: bool,
}

impl BatchPruning {
    /// One bounded step. Returns whether another one may remove more. Only reads where nothing is to be removed.
    pub(crate) async fn step(&self, parts: &Parts, term: Term, retention: Retention) -> Result<bool, StoreError> {
        let Some(span) = retention.span() else { return Ok(false) };
        let before = parts.options.clock.now().before(span);
        let after = *self.after.lock().unwrap_or_else(PoisonError::into_inner);
        let page =
            parts.readers.run("finding old batches", move |tx| Ok(Page::read(tx.connection, after, before)?)).await?;
        *self.after.lock().unwrap_or_else(PoisonError::into_inner) = page.next;
        if page.old.is_empty() {
            return Ok(false);
        }
        let is_cut = parts.writer.run(Prune { term, old: page.old, before }).await?;
        if is_cut {
            *self.after.lock().unwrap_or_else(PoisonError::into_inner) = after;
        }
        Ok(is_cut || page.is_full)
    }
}

impl Page {
    fn read(connection: &Connection, after: i64, before: Timestamp) -> rusqlite::Result<Self> {
        let mut statement = connection.prepare_cached(include_str!("../sql/workflows/select_old_batches.sql"))?;
        let mut rows = statement.query(params![after, ROWS_MAX as i64, before.as_ms()])?;
        let (mut page, mut looked) = (Self::default(), 0);
        let (mut has_ended, mut has_old) = (false, false);
        while let Some(row) = rows.next()? {
            looked += 1;
            let id = column::integer(row, 0)?;
            let ended_before: Option<bool> = row.get(1)?;
            has_ended |= ended_before.is_some();
            has_old |= ended_before == Some(true);
            if ended_before == Some(true) && row.get(2)? {
                page.old.push(BatchId(id));
            }
            page.next = id;
        }
        page.is_full = looked == ROWS_MAX;
        // Those with higher ids ended later, by and large: where all have ended too late, the walk begins again.
        if !page.is_full || has_ended && !has_old {
            page.next = 0;
        }
        Ok(page)
    }
}

struct Prune {
    term: Term,
    old: Vec<BatchId>,
    before: Timestamp,
}

impl Work for Prune {
    /// Whether something is left because there were too many signals.
    type Answer = bool;
    const DOING: &'static str = "removing old batches";

    fn rows(&self) -> usize {
        self.old.len()
    }

    fn write(&mut self, tx: &mut WriteTx<'_, '_>) -> Result<bool, Fault> {
        if !self.term.is_current(tx.connection)? {
            return Ok(false);
        }
        let mut left = ROWS_MAX;
        for id in &self.old {
            let is_old = tx
                .connection
                .prepare_cached(include_str!("../sql/workflows/is_old_batch.sql"))?
                .query_row(params![id.0, self.before.as_ms()], |row| row.get::<_, bool>(0))?;
            if !is_old {
                continue;
            }
            let sql = include_str!("../sql/workflows/delete_signals.sql");
            left -= tx.connection.prepare_cached(sql)?.execute(params![id.0, left as i64])?.min(left);
            if left == 0 {
                return Ok(true);
            }
            tx.connection.prepare_cached(include_str!("../sql/workflows/delete_batch.sql"))?.execute([id.0])?;
        }
        Ok(false)
    }
}
