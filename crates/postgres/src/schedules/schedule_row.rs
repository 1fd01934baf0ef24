use longshore_core::{JobId, ScheduleRow, ScheduleSource};
use postgres_types::Type;
use tokio_postgres::{Error, Row};

use crate::instant::Instant;
use crate::session::columns::Columns;
use crate::session::sql::sql;
use crate::session::statements::{Parameter, Session};

/// A schedule in the order of the columns that each statement names.
fn schedule_row(row: &Row) -> Result<ScheduleRow, Error> {
    let columns = &mut Columns::of(row);
    Ok(ScheduleRow {
        name: columns.read()?,
        definition: columns.read()?,
        revision: columns.size()?,
        source: columns.read::<&str>()?.parse().unwrap_or(ScheduleSource::Manual),
        created_at: columns.instant()?,
        changed_at: columns.instant()?,
        settled_until: columns.instant()?,
        next_due_at: columns.optional_instant()?,
        paused_at: columns.optional_instant()?,
        pause_reason: columns.read()?,
        waiting: columns.read::<Option<&str>>()?.map(ScheduleRow::waiting_from).unwrap_or_default(),
        last_job_id: columns.read::<Option<i64>>()?.map(JobId),
    })
}

pub(super) fn schedule_rows(rows: &[Row]) -> Result<Vec<ScheduleRow>, Error> {
    rows.iter().map(schedule_row).collect()
}

/// Locks it, so that nobody else settles or changes it.
pub(super) async fn lock(session: &Session, name: &str) -> Result<Option<ScheduleRow>, Error> {
    let row = session.query_opt(sql!("schedules/lock_schedule"), &[(&name, Type::TEXT)]).await?;
    row.as_ref().map(schedule_row).transpose()
}

/// All of them, by name.
pub(crate) async fn all_schedules(session: &Session) -> Result<Vec<ScheduleRow>, Error> {
    let (after, limit) = ("", i64::MAX);
    let parameters: [Parameter<'_>; 2] = [(&after, Type::TEXT), (&limit, Type::INT8)];
    schedule_rows(&session.query(sql!("schedules/select_schedules_page"), &parameters).await?)
}

/// Writes all of them.
pub(crate) async fn write(session: &Session, rows: &[ScheduleRow]) -> Result<(), Error> {
    if rows.is_empty() {
        return Ok(());
    }
    let instants =
        |of: fn(&ScheduleRow) -> longshore_core::Timestamp| rows.iter().map(|row| Instant(of(row))).collect::<Vec<_>>();
    let names: Vec<&str> = rows.iter().map(|row| row.name.as_str()).collect();
    let definitions: Vec<&str> = rows.iter().map(|row| row.definition.as_str()).collect();
    let revisions: Vec<i64> = rows.iter().map(|row| row.revision.min(i64::MAX as u64) as i64).collect();
    let sources: Vec<&str> = rows.iter().map(|row| row.source.as_str()).collect();
    let (created, changed) = (instants(|row| row.created_at), instants(|row| row.changed_at));
    let settled = instants(|row| row.settled_until);
    let due: Vec<Option<Instant>> = rows.iter().map(|row| row.next_due_at.map(Instant)).collect();
    let paused: Vec<Option<Instant>> = rows.iter().map(|row| row.paused_at.map(Instant)).collect();
    let reasons: Vec<Option<&str>> = rows.iter().map(|row| row.pause_reason.as_deref()).collect();
    let waiting: Vec<Option<String>> = rows.iter().map(ScheduleRow::waiting_text).collect();
    let jobs: Vec<Option<i64>> = rows.iter().map(|row| row.last_job_id.map(|id| id.0)).collect();
    session
        .execute(
            sql!("schedules/upsert_schedules"),
            &[
                (&names, Type::TEXT_ARRAY),
                (&definitions, Type::TEXT_ARRAY),
                (&revisions, Type::INT8_ARRAY),
                (&sources, Type::TEXT_ARRAY),
                (&created, Type::TIMESTAMPTZ_ARRAY),
                (&changed, Type::TIMESTAMPTZ_ARRAY),
                (&settled, Type::TIMESTAMPTZ_ARRAY),
                (&due, Type::TIMESTAMPTZ_ARRAY),
                (&paused, Type::TIMESTAMPTZ_ARRAY),
                (&reasons, Type::TEXT_ARRAY),
                (&waiting, Type::TEXT_ARRAY),
                (&jobs, Type::INT8_ARRAY),
            ],
        )
        .await?;
    Ok(())
}

/// Writes how far they are settled.
pub(super) async fn write_positions<'r>(
    session: &Session,
    rows: impl Iterator<Item = &'r ScheduleRow> + Clone,
) -> Result<(), Error> {
    let names: Vec<&str> = rows.clone().map(|row| row.name.as_str()).collect();
    let settled: Vec<Instant> = rows.clone().map(|row| Instant(row.settled_until)).collect();
    let due: Vec<Option<Instant>> = rows.clone().map(|row| row.next_due_at.map(Instant)).collect();
    let waiting: Vec<Option<String>> = rows.clone().map(ScheduleRow::waiting_text).collect();
    let jobs: Vec<Option<i64>> = rows.map(|row| row.last_job_id.map(|id| id.0)).collect();
    session
        .execute(
            sql!("schedules/settle_schedules"),
            &[
                (&names, Type::TEXT_ARRAY),
                (&settled, Type::TIMESTAMPTZ_ARRAY),
                (&due, Type::TIMESTAMPTZ_ARRAY),
                (&waiting, Type::TEXT_ARRAY),
                (&jobs, Type::INT8_ARRAY),
            ],
        )
        .await?;
    Ok(())
}

pub(super) async fn delete(session: &Session, names: &[String]) -> Result<(), Error> {
    if !names.is_empty() {
        session.execute(sql!("schedules/delete_schedules"), &[(&names, Type::TEXT_ARRAY)]).await?;
    }
    Ok(())
}
