use longshore_core::{ScheduleRecord, ScheduleRow, SchedulesRequest, Status, TicksOfRecord, TicksRequest, Timestamp};
use rusqlite::{Connection, params};

use super::{schedule_row, ticks};
use crate::database::column;
use crate::database::readers::ReadTx;

/// The maximum number of schedules in one answer.
const PAGE_MAX: u32 = 1000;

/// A page of schedules by name.
pub(super) fn schedules(tx: &ReadTx<'_>, request: &SchedulesRequest) -> rusqlite::Result<Vec<ScheduleRecord>> {
    let limit = request.limit.clamp(1, PAGE_MAX);
    let after = request.after.as_deref().unwrap_or_default();
    let rows = match &request.names {
        None => schedule_row::page(tx.connection, after, limit)?,
        Some(names) => named(tx.connection, names, after, limit)?,
    };
    rows.into_iter().map(|row| Ok(ScheduleRecord::of(row.clone(), of_record(tx.connection, &row)?, tx.now))).collect()
}

fn named(connection: &Connection, names: &[String], after: &str, limit: u32) -> rusqlite::Result<Vec<ScheduleRow>> {
    let mut names: Vec<&str> = names.iter().map(String::as_str).filter(|name| *name > after).collect();
    names.sort_unstable();
    names.dedup();
    let rows = names.into_iter().map(|name| schedule_row::read(connection, name));
    rows.filter_map(Result::transpose).take(limit as usize).collect()
}

fn of_record(connection: &Connection, row: &ScheduleRow) -> rusqlite::Result<TicksOfRecord> {
    let newest = TicksRequest { schedule: row.name.clone(), outcomes: None, before: None, limit: 1 };
    Ok(TicksOfRecord {
        last: ticks::ticks(connection, &newest)?.ticks.pop(),
        open_job: schedule_row::open_job(connection, row)?,
        last_completed: last_completed(connection, &row.name)?,
    })
}

/// Reads the newest ticks only up to the first one whose job has completed.
fn last_completed(connection: &Connection, name: &str) -> rusqlite::Result<Option<(Timestamp, Timestamp)>> {
    let mut statement = connection.prepare_cached(include_str!("../sql/schedules/select_ticks_with_job.sql"))?;
    let mut rows = statement.query(params![name, ScheduleRecord::COMPLETED_AMONG])?;
    while let Some(row) = rows.next()? {
        let (due_at, decided_at) = (column::timestamp(row, 0)?, column::timestamp(row, 1)?);
        let is_gone = column::optional_integer(row, 2)?.is_none();
        if is_gone || column::status(row, 3)? == Status::Completed {
            let completed_at = column::optional_timestamp(row, 4)?.unwrap_or(decided_at);
            return Ok(Some((completed_at, due_at)));
        }
    }
    Ok(None)
}
