use std::collections::HashSet;
use std::ops::RangeInclusive;
use std::sync::Arc;

use longshore_core::{JobId, Tick, TickKind, TickOutcome, TickPage, TickRetention, TicksRequest, Timestamp};
use postgres_types::Type;
use tokio_postgres::{Error, Row};

use crate::instant::Instant;
use crate::session::columns::Columns;
use crate::session::fault::Fault;
use crate::session::sql::sql;
use crate::session::statements::{Parameter, Session};
use crate::store::Parts;

/// The maximum number of ticks in one answer.
const PAGE_MAX: u32 = 1000;

fn tick(row: &Row) -> Result<Tick, Error> {
    let columns = &mut Columns::of(row);
    Ok(Tick {
        schedule: columns.read()?,
        due_at: columns.instant()?,
        until_at: columns.optional_instant()?,
        ticks: columns.size()?,
        kind: columns.read::<&str>()?.parse().unwrap_or(TickKind::Scheduled),
        // A newer program may have written another word. Whatever it is, nothing is known to have run.
        outcome: columns.read::<&str>()?.parse().unwrap_or(TickOutcome::Missed),
        job_id: columns.read::<Option<i64>>()?.map(JobId),
        decided_at: columns.instant()?,
        decided_by: columns.read()?,
        why: columns.read()?,
    })
}

pub(super) fn tick_rows(rows: &[Row]) -> Result<Vec<Tick>, Error> {
    rows.iter().map(tick).collect()
}

/// A page of the ticks of a schedule, newest first.
pub(super) async fn ticks(parts: Arc<Parts>, request: TicksRequest) -> Result<TickPage, Fault> {
    let limit = request.limit.clamp(1, PAGE_MAX);
    let before = request.before.map(Instant);
    let words: Option<Vec<&str>> =
        request.outcomes.as_ref().map(|outcomes| outcomes.iter().map(|outcome| outcome.as_str()).collect());
    let one_more = i64::from(limit) + 1;
    let parameters: [Parameter<'_>; 4] = [
        (&request.schedule, Type::TEXT),
        (&before, Type::TIMESTAMPTZ),
        (&words, Type::TEXT_ARRAY),
        (&one_more, Type::INT8),
    ];
    // Its best plan depends on the conditions that are left out.
    let transaction = parts.pool.begin_reading().await?;
    let rows = transaction.query(sql!("schedules/select_ticks_page"), &parameters).await?;
    Ok(TickPage::of(tick_rows(&rows)?, limit))
}

/// All ticks of a span, and the runs that reach into it, oldest first.
pub(super) async fn ticks_over(
    session: &Session,
    schedule: &str,
    span: &RangeInclusive<Timestamp>,
) -> Result<Vec<Tick>, Error> {
    let (first, last) = (Instant(*span.start()), Instant(*span.end()));
    let parameters: [Parameter<'_>; 3] =
        [(&schedule, Type::TEXT), (&first, Type::TIMESTAMPTZ), (&last, Type::TIMESTAMPTZ)];
    tick_rows(&session.query(sql!("schedules/select_ticks_over"), &parameters).await?)
}

/// The instants of the ticks of a span.
pub(super) async fn instants(
    session: &Session,
    schedule: &str,
    span: &RangeInclusive<Timestamp>,
) -> Result<Vec<Timestamp>, Error> {
    let (first, last) = (Instant(*span.start()), Instant(*span.end()));
    let parameters: [Parameter<'_>; 3] =
        [(&schedule, Type::TEXT), (&first, Type::TIMESTAMPTZ), (&last, Type::TIMESTAMPTZ)];
    let rows = session.query(sql!("schedules/select_tick_instants"), &parameters).await?;
    rows.iter().map(|row| Columns::of(row).instant()).collect()
}

/// Those of these ticks that are there.
pub(super) async fn existing(
    session: &Session,
    wanted: &[(&str, Timestamp)],
) -> Result<HashSet<(String, Timestamp)>, Error> {
    let names: Vec<&str> = wanted.iter().map(|(name, _)| *name).collect();
    let dues: Vec<Instant> = wanted.iter().map(|(_, due_at)| Instant(*due_at)).collect();
    let parameters: [Parameter<'_>; 2] = [(&names, Type::TEXT_ARRAY), (&dues, Type::TIMESTAMPTZ_ARRAY)];
    let rows = session.query(sql!("schedules/select_existing_ticks"), &parameters).await?;
    rows.iter()
        .map(|row| {
            let columns = &mut Columns::of(row);
            Ok((columns.read()?, columns.instant()?))
        })
        .collect()
}

/// The newest ticks of each schedule, by schedule.
pub(crate) async fn newest_ticks(session: &Session) -> Result<Vec<Tick>, Error> {
    let moved = i64::from(TickRetention::MOVED);
    tick_rows(&session.query(sql!("moving/select_moved_ticks"), &[(&moved, Type::INT8)]).await?)
}

pub(crate) async fn insert(session: &Session, ticks: &[Tick]) -> Result<(), Error> {
    if ticks.is_empty() {
        return Ok(());
    }
    let schedules: Vec<&str> = ticks.iter().map(|tick| tick.schedule.as_str()).collect();
    let dues: Vec<Instant> = ticks.iter().map(|tick| Instant(tick.due_at)).collect();
    let untils: Vec<Option<Instant>> = ticks.iter().map(|tick| tick.until_at.map(Instant)).collect();
    let numbers: Vec<i64> = ticks.iter().map(|tick| tick.ticks.clamp(1, i64::MAX as u64) as i64).collect();
    let kinds: Vec<&str> = ticks.iter().map(|tick| tick.kind.as_str()).collect();
    let outcomes: Vec<&str> = ticks.iter().map(|tick| tick.outcome.as_str()).collect();
    let jobs: Vec<Option<i64>> = ticks.iter().map(|tick| tick.job_id.map(|id| id.0)).collect();
    let decided: Vec<Instant> = ticks.iter().map(|tick| Instant(tick.decided_at)).collect();
    let by: Vec<&str> = ticks.iter().map(|tick| tick.decided_by.as_str()).collect();
    let whys: Vec<&str> = ticks.iter().map(|tick| tick.why.as_str()).collect();
    session
        .execute(
            sql!("schedules/insert_ticks"),
            &[
                (&schedules, Type::TEXT_ARRAY),
                (&dues, Type::TIMESTAMPTZ_ARRAY),
                (&untils, Type::TIMESTAMPTZ_ARRAY),
                (&numbers, Type::INT8_ARRAY),
                (&kinds, Type::TEXT_ARRAY),
                (&outcomes, Type::TEXT_ARRAY),
                (&jobs, Type::INT8_ARRAY),
                (&decided, Type::TIMESTAMPTZ_ARRAY),
                (&by, Type::TEXT_ARRAY),
                (&whys, Type::TEXT_ARRAY),
            ],
        )
        .await?;
    Ok(())
}
