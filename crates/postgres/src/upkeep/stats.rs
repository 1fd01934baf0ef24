use std::collections::BTreeMap;
use std::num::NonZero;
use std::sync::Arc;

use longshore_core::{Filter, MinuteStats, QueueStats, Stats, Status, TimedJobs, Timestamp, TypeBacklog};
use postgres_types::Type;
use tokio_postgres::{Error, Row};

use crate::instant::Instant;
use crate::session::columns::Columns;
use crate::session::fault::Fault;
use crate::session::sql::sql;
use crate::session::statements::{Parameter, Session};
use crate::store::Parts;

/// How many pairs of queue and type one read visits, and of how many it counts as many jobs as it may.
const PAIRS_MAX: i64 = 100_000;
const COUNTED_PAIRS: u32 = 30;

/// The depths of all queues, and what ended in the last minutes.
pub(crate) async fn stats(parts: Arc<Parts>, minutes: u32) -> Result<Stats, Fault> {
    let transaction = parts.pool.begin_reading().await?;
    let now = now(&transaction).await?;
    let minutes = select_minutes(&transaction, minutes, now).await?;
    let backlog = backlog(&transaction, QueueStats::LOOKED_AT).await?;
    let mut queues = queues(&transaction, &backlog).await?;
    timed_jobs(&transaction, now).await?.count_in(&mut queues, &backlog, QueueStats::LOOKED_AT);
    let stats = Stats { queues, minutes, next_due_at: next_due_at(&transaction).await? };
    transaction.commit().await?;
    Ok(stats)
}

/// The time of the database.
pub(crate) async fn now(session: &Session) -> Result<Timestamp, Error> {
    let row = session.query_opt(sql!("upkeep/select_now"), &[]).await?;
    row.expect("a SELECT without FROM gives one row").try_get(0).map(|Instant(now)| now)
}

async fn select_minutes(session: &Session, minutes: u32, now: Timestamp) -> Result<Vec<MinuteStats>, Error> {
    if minutes == 0 {
        return Ok(Vec::new());
    }
    let (first, last) = last_minutes(minutes, now);
    minutes_between(session, first, last).await
}

/// The first and the last one of the last minutes.
fn last_minutes(minutes: u32, now: Timestamp) -> (Timestamp, Timestamp) {
    let start_of = |minute: i64| Timestamp::from_ms(minute.saturating_mul(60_000));
    (start_of(now.minute() - i64::from(minutes) + 1), start_of(now.minute()))
}

/// The minutes added up by the server, because there are ten thousand for each queue in a week.
pub(crate) async fn history(parts: Arc<Parts>, minutes: u32, per: NonZero<u32>) -> Result<Vec<MinuteStats>, Fault> {
    let transaction = parts.pool.begin_reading().await?;
    let (first, last) = last_minutes(minutes, now(&transaction).await?);
    let (first, last, seconds) = (Instant(first), Instant(last), i64::from(per.get()) * 60);
    let parameters: [Parameter<'_>; 3] =
        [(&first, Type::TIMESTAMPTZ), (&last, Type::TIMESTAMPTZ), (&seconds, Type::INT8)];
    let spans = read_minutes(&transaction.query(sql!("upkeep/select_spans"), &parameters).await?)?;
    transaction.commit().await?;
    Ok(spans)
}

/// What ended in the minutes from the first to the last one.
pub(crate) async fn minutes_between(
    session: &Session,
    first: Timestamp,
    last: Timestamp,
) -> Result<Vec<MinuteStats>, Error> {
    let (first, last) = (Instant(first), Instant(last));
    let rows = session
        .query(sql!("upkeep/select_minutes"), &[(&first, Type::TIMESTAMPTZ), (&last, Type::TIMESTAMPTZ)])
        .await?;
    read_minutes(&rows)
}

fn read_minutes(rows: &[Row]) -> Result<Vec<MinuteStats>, Error> {
    let mut minutes = rows.iter().map(minute).collect::<Result<Vec<_>, _>>()?;
    minutes.sort_unstable_by(|a, b| (a.minute, &a.queue).cmp(&(b.minute, &b.queue)));
    Ok(minutes)
}

fn minute(row: &Row) -> Result<MinuteStats, Error> {
    let columns = &mut Columns::of(row);
    Ok(MinuteStats {
        minute: columns.instant()?,
        queue: columns.read()?,
        completed: columns.size()?,
        failed: columns.size()?,
        retried: columns.size()?,
        cancelled: columns.size()?,
        waited_ms: columns.size()?,
        ran_ms: columns.size()?,
    })
}

async fn next_due_at(session: &Session) -> Result<Option<Timestamp>, Error> {
    let row = session.query_opt(sql!("upkeep/select_first_due"), &[]).await?;
    row.map(|row| row.try_get(0).map(|Instant(due_at)| due_at)).transpose()
}

/// The first jobs with a time, to tell those that are due later.
pub(crate) async fn timed_jobs(session: &Session, now: Timestamp) -> Result<TimedJobs, Error> {
    let limit = i64::from(QueueStats::TIMED_LOOKED_AT);
    let mut timed = TimedJobs::new(now);
    for row in session.query(sql!("upkeep/select_timed"), &[(&limit, Type::INT8)]).await? {
        let columns = &mut Columns::of(&row);
        let queue: String = columns.read()?;
        let status = match columns.read::<bool>()? {
            true => Status::Retrying,
            false => Status::Pending,
        };
        timed.add(queue, status, columns.instant()?);
    }
    Ok(timed)
}

/// The order of the columns of `select_depths.sql`.
const COLUMNS: [Status; 7] = [
    Status::Pending,
    Status::Running,
    Status::Retrying,
    Status::Blocked,
    Status::Completed,
    Status::Cancelled,
    Status::DeadLetter,
];

/// The number of jobs by queue and status, from the stored counts.
pub(crate) async fn depths(session: &Session) -> Result<BTreeMap<String, BTreeMap<Status, i64>>, Error> {
    let mut depths = BTreeMap::new();
    for row in session.query(sql!("upkeep/select_depths"), &[]).await? {
        let columns = &mut Columns::of(&row);
        let queue = columns.read()?;
        let mut jobs = BTreeMap::new();
        for status in COLUMNS {
            jobs.insert(status, columns.read::<Option<i64>>()?.unwrap_or(0));
        }
        depths.insert(queue, jobs);
    }
    Ok(depths)
}

/// The number of jobs that a filter by status and queue selects, from the stored counts.
pub(crate) async fn count(session: &Session, filter: &Filter) -> Result<u64, Error> {
    let Filter { statuses, queues, .. } = filter;
    let mut count = 0_u64;
    for (queue, jobs) in depths(session).await? {
        if queues.as_ref().is_some_and(|queues| !queues.contains(&queue)) {
            continue;
        }
        let selected = jobs.iter().filter(|(status, _)| statuses.as_ref().is_none_or(|known| known.contains(status)));
        count = selected.fold(count, |sum, (_, jobs)| sum.saturating_add(u64::try_from(*jobs).unwrap_or(0)));
    }
    Ok(count)
}

/// Every queue that has or had jobs or is paused, from the stored counts. What is due later is not counted.
pub(crate) async fn queues(session: &Session, backlog: &[TypeBacklog]) -> Result<Vec<QueueStats>, Error> {
    let mut queues: BTreeMap<String, QueueStats> = BTreeMap::new();
    for (queue, depths) in depths(session).await? {
        // A count of zero only shows that the queue had jobs.
        let jobs = depths.into_iter().filter_map(|(status, jobs)| Some((status, u64::try_from(jobs).ok()?)));
        let jobs = jobs.filter(|(_, jobs)| *jobs > 0).collect();
        queues.insert(queue.clone(), QueueStats { jobs, ..empty(queue) });
    }
    for row in session.query(sql!("upkeep/select_pauses"), &[]).await? {
        let columns = &mut Columns::of(&row);
        let queue: String = columns.read()?;
        queues.entry(queue.clone()).or_insert_with(|| empty(queue)).paused_at = Some(columns.instant()?);
    }
    for of in backlog {
        let stats = queues.entry(of.queue.clone()).or_insert_with(|| empty(of.queue.clone()));
        let oldest = stats.oldest_waiting_at.get_or_insert(of.oldest_ready_at);
        *oldest = of.oldest_ready_at.min(*oldest);
    }
    Ok(queues.into_values().collect())
}

const fn empty(queue: String) -> QueueStats {
    QueueStats {
        queue,
        paused_at: None,
        jobs: BTreeMap::new(),
        scheduled: 0,
        has_more_scheduled: false,
        oldest_waiting_at: None,
    }
}

/// Jobs that could run now, by queue and type, counted up to a limit for each.
pub(crate) async fn backlog(session: &Session, jobs_max: u32) -> Result<Vec<TypeBacklog>, Error> {
    let rows = session.query(sql!("upkeep/select_pairs"), &[(&PAIRS_MAX, Type::INT8)]).await?;
    let (mut job_types, mut queues) = (Vec::<String>::new(), Vec::<String>::new());
    for row in rows {
        job_types.push(row.try_get(0)?);
        queues.push(row.try_get(1)?);
    }
    let pairs = u32::try_from(job_types.len()).unwrap_or(u32::MAX).max(1);
    let limit = i64::from((jobs_max.saturating_mul(COUNTED_PAIRS) / pairs).clamp(1, jobs_max));
    let parameters: [Parameter<'_>; 3] =
        [(&job_types, Type::TEXT_ARRAY), (&queues, Type::TEXT_ARRAY), (&limit, Type::INT8)];
    let rows = session.query(sql!("upkeep/count_backlog"), &parameters).await?;
    let mut backlog = rows.iter().map(of_type).collect::<Result<Vec<_>, _>>()?;
    backlog.sort_by(|a, b| (&a.queue, &a.job_type).cmp(&(&b.queue, &b.job_type)));
    Ok(backlog)
}

fn of_type(row: &Row) -> Result<TypeBacklog, Error> {
    let columns = &mut Columns::of(row);
    let (job_type, queue) = (columns.read()?, columns.read()?);
    Ok(TypeBacklog {
        queue,
        job_type,
        jobs: columns.size()?,
        oldest_ready_at: columns.instant()?,
        // The server keeps no other text.
        has_valid_names: true,
    })
}
