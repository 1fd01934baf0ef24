use longshore_core::{JobId, ScheduleRow, ScheduleSource, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::database::column::{self, Columns};

/// A schedule in the order of the columns that each statement names.
pub(super) fn schedule_row(row: &Row<'_>) -> rusqlite::Result<ScheduleRow> {
    let mut columns = Columns::of(row);
    Ok(ScheduleRow {
        name: columns.read(column::text)?,
        definition: columns.read(column::text)?,
        revision: columns.read(column::size)?,
        source: columns.read(column::text)?.parse().unwrap_or(ScheduleSource::Manual),
        created_at: columns.read(column::timestamp)?,
        changed_at: columns.read(column::timestamp)?,
        settled_until: columns.read(column::timestamp)?,
        next_due_at: columns.read(column::optional_timestamp)?,
        paused_at: columns.read(column::optional_timestamp)?,
        pause_reason: columns.read(column::optional_text)?,
        waiting: columns.read(column::optional_text)?.map(|text| ScheduleRow::waiting_from(&text)).unwrap_or_default(),
        last_job_id: columns.read(column::optional_integer)?.map(JobId),
    })
}

pub(super) fn read(connection: &Connection, name: &str) -> rusqlite::Result<Option<ScheduleRow>> {
    connection
        .prepare_cached(include_str!("../sql/schedules/select_schedule.sql"))?
        .query_row([name], schedule_row)
        .optional()
}

pub(super) fn page(connection: &Connection, after: &str, limit: u32) -> rusqlite::Result<Vec<ScheduleRow>> {
    connection
        .prepare_cached(include_str!("../sql/schedules/select_schedules_page.sql"))?
        .query_map(params![after, limit], schedule_row)?
        .collect()
}

/// All of them, by name.
pub(crate) fn all_schedules(connection: &Connection) -> rusqlite::Result<Vec<ScheduleRow>> {
    page(connection, "", u32::MAX)
}

/// Writes all of it.
pub(crate) fn write(connection: &Connection, row: &ScheduleRow) -> rusqlite::Result<()> {
    connection.prepare_cached(include_str!("../sql/schedules/upsert_schedule.sql"))?.execute(params![
        row.name,
        row.definition,
        row.revision.min(i64::MAX as u64) as i64,
        row.source.as_str(),
        row.created_at.as_ms(),
        row.changed_at.as_ms(),
        row.settled_until.as_ms(),
        row.next_due_at.map(Timestamp::as_ms),
        row.paused_at.map(Timestamp::as_ms),
        row.pause_reason,
        row.waiting_text(),
        row.last_job_id.map(|id| id.0),
    ])?;
    Ok(())
}

/// Writes how far it is settled.
pub(super) fn write_position(connection: &Connection, row: &ScheduleRow) -> rusqlite::Result<()> {
    connection.prepare_cached(include_str!("../sql/schedules/settle_schedule.sql"))?.execute(params![
        row.name,
        row.settled_until.as_ms(),
        row.next_due_at.map(Timestamp::as_ms),
        row.waiting_text(),
        row.last_job_id.map(|id| id.0),
    ])?;
    Ok(())
}

pub(super) fn delete(connection: &Connection, name: &str) -> rusqlite::Result<()> {
    connection.prepare_cached(include_str!("../sql/schedules/delete_schedule.sql"))?.execute([name]).map(drop)
}

/// The job of its last tick, if that has not ended.
pub(super) fn open_job(connection: &Connection, row: &ScheduleRow) -> rusqlite::Result<Option<JobId>> {
    let Some(id) = row.last_job_id else { return Ok(None) };
    let status = connection
        .prepare_cached(include_str!("../sql/enqueue/select_status.sql"))?
        .query_row([id.0], |row| column::status(row, 0))
        .optional()?;
    Ok(status.filter(|status| !status.is_ended()).map(|_| id))
}
