use std::collections::BTreeSet;
use std::time::Duration;

use longshore_core::{ScheduleRow, SettleSchedules, SettledSchedules, Settling, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};

use super::schedule_row::schedule_row;
use super::settlement::Settlement;
use crate::database::column;
use crate::database::fault::Fault;
use crate::writing::session::WriteTx;
use crate::writing::work::Work;

/// How many schedules that cannot be settled one step passes over.
const PASSED_MAX: usize = 1000;

/// Whether anything may be due, and when the next tick is. Only reads.
pub(super) fn look(connection: &Connection, now: Timestamp) -> rusqlite::Result<Result<Option<Duration>, IsDue>> {
    let due = due_page(connection, now, &Cursor::default(), 1)?;
    let is_due = !due.is_empty() || !released_page(connection, "", 1)?.is_empty();
    Ok(if is_due { Err(IsDue) } else { Ok(next_due(connection, now)?) })
}

/// Something must be settled now.
pub(super) struct IsDue;

/// Settles what is due.
pub(super) struct Settle {
    pub(super) request: SettleSchedules,
}

impl Work for Settle {
    type Answer = SettledSchedules;
    const DOING: &'static str = "settling schedules";

    fn rows(&self) -> usize {
        self.request.limit as usize
    }

    fn write(&mut self, tx: &mut WriteTx<'_, '_>) -> Result<SettledSchedules, Fault> {
        let mut step = Step { request: &self.request, visited: BTreeSet::new(), answer: SettledSchedules::default() };
        step.settle_due(tx)?;
        step.settle_released(tx)?;
        let Step { visited, mut answer, .. } = step;
        answer.has_more |= visited.len() - answer.unsettled.len() >= self.request.limit.max(1) as usize;
        answer.next_due = next_due(tx.connection, tx.now)?;
        Ok(answer)
    }
}

/// One step of a scheduler.
struct Step<'a> {
    request: &'a SettleSchedules,
    visited: BTreeSet<String>,
    answer: SettledSchedules,
}

/// The place in the order of what is due.
struct Cursor {
    due_at: i64,
    name: String,
}

impl Default for Cursor {
    fn default() -> Self {
        Self { due_at: i64::MIN, name: String::new() }
    }
}

impl Step<'_> {
    /// How many schedules may still be settled; none once enough were passed over.
    fn left(&self) -> u32 {
        if self.answer.unsettled.len() >= PASSED_MAX {
            return 0;
        }
        let settled = u32::try_from(self.visited.len() - self.answer.unsettled.len()).unwrap_or(u32::MAX);
        self.request.limit.max(1).saturating_sub(settled)
    }

    fn settle_due(&mut self, tx: &mut WriteTx<'_, '_>) -> Result<(), Fault> {
        let mut cursor = Cursor::default();
        while self.left() > 0 {
            let page = due_page(tx.connection, tx.now, &cursor, self.left())?;
            let Some(last) = page.last() else { return Ok(()) };
            let due_at = last.next_due_at.map_or(i64::MAX, Timestamp::as_ms);
            cursor = Cursor { due_at, name: last.name.clone() };
            page.into_iter().try_for_each(|row| self.visit(tx, row))?;
        }
        Ok(())
    }

    fn settle_released(&mut self, tx: &mut WriteTx<'_, '_>) -> Result<(), Fault> {
        let mut after = String::new();
        while self.left() > 0 {
            let page = released_page(tx.connection, &after, self.left())?;
            let Some(last) = page.last() else { return Ok(()) };
            after.clone_from(&last.name);
            page.into_iter().try_for_each(|row| self.visit(tx, row))?;
        }
        Ok(())
    }

    /// Each in its own savepoint: one that cannot be settled stops none of the others.
    fn visit(&mut self, tx: &mut WriteTx<'_, '_>, mut row: ScheduleRow) -> Result<(), Fault> {
        let name = row.name.clone();
        if !self.visited.insert(name.clone()) {
            return Ok(());
        }
        let definition = match row.parsed() {
            Ok(definition) => definition,
            Err(reason) => {
                self.answer.unsettled.push((name, format!("its definition is not understood: {reason}")));
                return Ok(());
            }
        };
        let SettleSchedules { planner, decided_by, .. } = self.request;
        let settlement = Settlement { planner: &**planner, decided_by, settling: Settling::Planned };
        match tx.apart(|tx| settlement.settle(tx, &mut row, definition))? {
            Ok(settled) => {
                self.answer.has_more |= row.next_due_at.is_some_and(|at| at <= tx.now);
                self.answer.ticks.extend(settled.ticks);
                self.answer.warnings.extend(settled.warning.map(|warning| (name, warning)));
            }
            Err(error) => self.answer.unsettled.push((name, error.to_string())),
        }
        Ok(())
    }
}

fn due_page(
    connection: &Connection,
    now: Timestamp,
    cursor: &Cursor,
    limit: u32,
) -> rusqlite::Result<Vec<ScheduleRow>> {
    connection
        .prepare_cached(include_str!("../sql/schedules/select_due_schedules.sql"))?
        .query_map(params![now.as_ms(), cursor.due_at, cursor.name, limit], schedule_row)?
        .collect()
}

fn released_page(connection: &Connection, after: &str, limit: u32) -> rusqlite::Result<Vec<ScheduleRow>> {
    connection
        .prepare_cached(include_str!("../sql/schedules/select_released_schedules.sql"))?
        .query_map(params![after, limit], schedule_row)?
        .collect()
}

/// How long until the next tick, or until a waiting one is looked at again.
fn next_due(connection: &Connection, now: Timestamp) -> rusqlite::Result<Option<Duration>> {
    let next = connection
        .prepare_cached(include_str!("../sql/schedules/select_next_tick.sql"))?
        .query_row([now.as_ms()], |row| column::timestamp(row, 0))
        .optional()?;
    let is_any_waiting = connection.prepare_cached(include_str!("../sql/schedules/is_any_waiting.sql"))?.exists([])?;
    let look = is_any_waiting.then_some(SettledSchedules::WAITING_LOOK);
    Ok(next.map(|at| at.since(now)).into_iter().chain(look).min())
}
