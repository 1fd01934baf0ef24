use std::ops::RangeInclusive;
use std::rc::Rc;

use longshore_core::{JobId, Tick, TickKind, TickOutcome, TickPage, TickRetention, TicksRequest, Timestamp};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::database::column::{self, Columns};

/// The maximum number of ticks in one answer.
const PAGE_MAX: u32 = 1000;

pub(super) fn tick(row: &Row<'_>) -> rusqlite::Result<Tick> {
    let mut columns = Columns::of(row);
    Ok(Tick {
        schedule: columns.read(column::text)?,
        due_at: columns.read(column::timestamp)?,
        until_at: columns.read(column::optional_timestamp)?,
        ticks: columns.read(column::size)?,
        kind: columns.read(column::text)?.parse().unwrap_or(TickKind::Scheduled),
        // A newer program may have written another word. Whatever it is, nothing is known to have run.
        outcome: columns.read(column::text)?.parse().unwrap_or(TickOutcome::Missed),
        job_id: columns.read(column::optional_integer)?.map(JobId),
        decided_at: columns.read(column::timestamp)?,
        decided_by: columns.read(column::text)?,
        why: columns.read(column::text)?,
    })
}

/// A page of the ticks of a schedule, newest first.
pub(super) fn ticks(connection: &Connection, request: &TicksRequest) -> rusqlite::Result<TickPage> {
    let limit = request.limit.clamp(1, PAGE_MAX);
    let before = request.before.map_or(i64::MAX, Timestamp::as_ms);
    let ticks: Vec<Tick> = match &request.outcomes {
        None => connection
            .prepare_cached(include_str!("../sql/schedules/select_ticks_page.sql"))?
            .query_map(params![request.schedule, before, limit + 1], tick)?
            .collect::<Result<_, _>>()?,
        Some(outcomes) => {
            let words = outcomes.iter().map(|outcome| Value::Text(outcome.as_str().to_owned()));
            let words: Rc<Vec<Value>> = Rc::new(words.collect());
            connection
                .prepare_cached(include_str!("../sql/schedules/select_ticks_of_outcomes_page.sql"))?
                .query_map(params![request.schedule, before, words, limit + 1], tick)?
                .collect::<Result<_, _>>()?
        }
    };
    Ok(TickPage::of(ticks, limit))
}

/// All ticks of a span, and the runs that reach into it, oldest first.
pub(super) fn ticks_over(
    connection: &Connection,
    schedule: &str,
    span: &RangeInclusive<Timestamp>,
) -> rusqlite::Result<Vec<Tick>> {
    connection
        .prepare_cached(include_str!("../sql/schedules/select_ticks_over.sql"))?
        .query_map(params![schedule, span.start().as_ms(), span.end().as_ms()], tick)?
        .collect()
}

/// The instants of the ticks of a span.
pub(super) fn instants(
    connection: &Connection,
    schedule: &str,
    span: &RangeInclusive<Timestamp>,
) -> rusqlite::Result<Vec<Timestamp>> {
    connection
        .prepare_cached(include_str!("../sql/schedules/select_tick_instants.sql"))?
        .query_map(params![schedule, span.start().as_ms(), span.end().as_ms()], |row| column::timestamp(row, 0))?
        .collect()
}

pub(super) fn has_tick(connection: &Connection, schedule: &str, due_at: Timestamp) -> rusqlite::Result<bool> {
    connection.prepare_cached(include_str!("../sql/schedules/has_tick.sql"))?.exists(params![schedule, due_at.as_ms()])
}

pub(super) fn delete_tick(connection: &Connection, schedule: &str, due_at: Timestamp) -> rusqlite::Result<()> {
    connection
        .prepare_cached(include_str!("../sql/schedules/delete_tick.sql"))?
        .execute(params![schedule, due_at.as_ms()])
        .map(drop)
}

/// The newest ticks of each schedule, by schedule.
pub(crate) fn newest_ticks(connection: &Connection) -> rusqlite::Result<Vec<Tick>> {
    let (mut newest, mut after) = (Vec::new(), String::new());
    while let Some(name) = next_ticked(connection, &after)? {
        let mut select = connection.prepare_cached(include_str!("../sql/schedules/select_ticks_page.sql"))?;
        for row in select.query_map(params![name, i64::MAX, TickRetention::MOVED], tick)? {
            newest.push(row?);
        }
        after = name;
    }
    Ok(newest)
}

/// The first schedule behind this name that has ticks.
pub(super) fn next_ticked(connection: &Connection, after: &str) -> rusqlite::Result<Option<String>> {
    connection
        .prepare_cached(include_str!("../sql/schedules/select_next_ticked.sql"))?
        .query_row([after], |row| column::text(row, 0))
        .optional()
}

pub(crate) fn insert(connection: &Connection, tick: &Tick) -> rusqlite::Result<()> {
    connection.prepare_cached(include_str!("../sql/schedules/insert_tick.sql"))?.execute(params![
        tick.schedule,
        tick.due_at.as_ms(),
        tick.until_at.map(Timestamp::as_ms),
        tick.ticks.clamp(1, i64::MAX as u64) as i64,
        tick.kind.as_str(),
        tick.outcome.as_str(),
        tick.job_id.map(|id| id.0),
        tick.decided_at.as_ms(),
        tick.decided_by,
        tick.why,
    ])?;
    Ok(())
}
