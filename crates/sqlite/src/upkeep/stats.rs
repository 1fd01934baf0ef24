use std::collections::BTreeMap;
use std::num::NonZero;

use longshore_core::{History, MinuteStats, QueueStats, Stats, Status, TimedJobs, Timestamp, TypeBacklog};
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::database::column;
use crate::limits::backlog::add_lanes;

/// How many pairs of queue and type one read visits, and of how many it counts as many jobs as it may. It is one read
/// transaction, and the log grows until it ends.
const PAIRS_MAX: usize = 100_000;
const COUNTED_PAIRS: u64 = 30;

pub(crate) fn stats(connection: &Connection, minutes: u32, now: Timestamp) -> rusqlite::Result<Stats> {
    let minutes = connection
        .prepare_cached(include_str!("../sql/upkeep/select_minutes.sql"))?
        .query_map(params![first_of(minutes, now), now.minute()], minute)?
        .collect::<Result<_, _>>()?;
    let backlog = backlog(connection, QueueStats::LOOKED_AT)?;
    let mut queues = queues(connection, &backlog)?;
    timed_jobs(connection, now)?.count_in(&mut queues, &backlog, QueueStats::LOOKED_AT);
    Ok(Stats { queues, minutes, next_due_at: next_due_at(connection)? })
}

const fn first_of(minutes: u32, now: Timestamp) -> i64 {
    now.minute() - minutes as i64 + 1
}

/// The minutes added up. They are read one by one, because there are ten thousand for each queue in a week.
pub(crate) fn history(
    connection: &Connection,
    minutes: u32,
    per: NonZero<u32>,
    now: Timestamp,
) -> rusqlite::Result<Vec<MinuteStats>> {
    let mut statement = connection.prepare_cached(include_str!("../sql/upkeep/select_minutes.sql"))?;
    let mut rows = statement.query(params![first_of(minutes, now), now.minute()])?;
    let mut history = History::new(per);
    while let Some(row) = rows.next()? {
        let sums = history.at(column::integer(row, 0)?, &column::borrowed_text(row, 1)?);
        let ended = [
            &mut sums.completed,
            &mut sums.failed,
            &mut sums.retried,
            &mut sums.cancelled,
            &mut sums.waited_ms,
            &mut sums.ran_ms,
        ];
        for (index, sum) in (2..).zip(ended) {
            *sum = sum.saturating_add(column::size(row, index)?);
        }
    }
    Ok(history.end())
}

/// What ended in one minute.
pub(crate) fn minute(row: &Row<'_>) -> rusqlite::Result<MinuteStats> {
    Ok(MinuteStats {
        minute: Timestamp::from_ms(column::integer(row, 0)?.saturating_mul(60_000)),
        queue: column::text(row, 1)?,
        completed: column::size(row, 2)?,
        failed: column::size(row, 3)?,
        retried: column::size(row, 4)?,
        cancelled: column::size(row, 5)?,
        waited_ms: column::size(row, 6)?,
        ran_ms: column::size(row, 7)?,
    })
}

fn next_due_at(connection: &Connection) -> rusqlite::Result<Option<Timestamp>> {
    connection
        .prepare_cached(include_str!("../sql/upkeep/select_first_due.sql"))?
        .query_row([], |row| column::timestamp(row, 0))
        .optional()
}

/// The first jobs with a time, to tell those that are due later.
pub(crate) fn timed_jobs(connection: &Connection, now: Timestamp) -> rusqlite::Result<TimedJobs> {
    let mut timed = TimedJobs::new(now);
    let mut statement = connection.prepare_cached(include_str!("../sql/upkeep/select_timed.sql"))?;
    let mut rows = statement.query([QueueStats::TIMED_LOOKED_AT])?;
    while let Some(row) = rows.next()? {
        timed.add(column::text(row, 0)?, column::status(row, 1)?, column::timestamp(row, 2)?);
    }
    Ok(timed)
}

/// Every queue that has or had jobs or is paused, from the stored counts. What is due later is not counted.
pub(crate) fn queues(connection: &Connection, backlog: &[TypeBacklog]) -> rusqlite::Result<Vec<QueueStats>> {
    let mut queues: BTreeMap<String, QueueStats> = BTreeMap::new();
    let depths: Vec<(String, Status, u64)> = connection
        .prepare_cached(include_str!("../sql/upkeep/select_depths.sql"))?
        .query_map([], |row| Ok((column::text(row, 0)?, column::status(row, 1)?, column::size(row, 2)?)))?
        .collect::<Result<_, _>>()?;
    let known: Vec<(String, Option<Timestamp>)> = connection
        .prepare_cached(include_str!("../sql/upkeep/select_queues.sql"))?
        .query_map([], |row| Ok((column::text(row, 0)?, column::optional_timestamp(row, 1)?)))?
        .collect::<Result<_, _>>()?;
    for (queue, status, jobs) in depths {
        let stats = queues.entry(queue.clone()).or_insert_with(|| empty(queue));
        // A count of zero only shows that the queue had jobs.
        if jobs > 0 {
            // An unknown status is read as a dead letter, so two rows may have the same status.
            let sum = stats.jobs.entry(status).or_default();
            *sum = sum.saturating_add(jobs);
        }
    }
    for (queue, paused_at) in known {
        queues.entry(queue.clone()).or_insert_with(|| empty(queue)).paused_at = paused_at;
    }
    for of in backlog {
        // Another program that wrote such a name did so past the triggers, so nobody may have counted it.
        if !of.has_valid_names {
            queues.entry(of.queue.clone()).or_insert_with(|| empty(of.queue.clone()));
        }
        if let Some(stats) = queues.get_mut(&of.queue) {
            let oldest = stats.oldest_waiting_at.get_or_insert(of.oldest_ready_at);
            *oldest = of.oldest_ready_at.min(*oldest);
        }
    }
    Ok(queues.into_values().collect())
}

fn empty(queue: String) -> QueueStats {
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
pub(crate) fn backlog(connection: &Connection, jobs_max: u32) -> rusqlite::Result<Vec<TypeBacklog>> {
    let mut pairs = connection.prepare_cached(include_str!("../sql/upkeep/select_next_pair.sql"))?;
    let mut counts = connection.prepare_cached(include_str!("../sql/upkeep/select_backlog_of_type.sql"))?;
    let mut backlog: Vec<TypeBacklog> = Vec::new();
    let mut last = (StoredName::default(), StoredName::default());
    let mut left = COUNTED_PAIRS * u64::from(jobs_max);
    while backlog.len() < PAIRS_MAX {
        let next = pairs
            .query_row(params![last.0, last.1], |row| Ok((StoredName::of(row, 0)?, StoredName::of(row, 1)?)))
            .optional()?;
        // A pair that does not come after the last one would be read again for ever.
        let Some(pair) = next.filter(|pair| *pair > last) else { break };
        let limit = u32::try_from(left).unwrap_or(u32::MAX).clamp(1, jobs_max);
        let (jobs, oldest_ready_at) = counts
            .query_row(params![pair.1, pair.0, limit], |row| Ok((column::size(row, 0)?, column::timestamp(row, 1)?)))?;
        left = left.saturating_sub(jobs);
        let has_valid_names = pair.0.is_valid() && pair.1.is_valid();
        let (queue, job_type) = (pair.1.shown(), pair.0.shown());
        backlog.push(TypeBacklog { queue, job_type, jobs, oldest_ready_at, has_valid_names });
        last = pair;
    }
    add_lanes(connection, &mut backlog, jobs_max)?;
    backlog.sort_by(|a, b| (&a.queue, &a.job_type).cmp(&(&b.queue, &b.job_type)));
    Ok(backlog)
}

/// A name with the type that it has in the table. To SQLite no bytes equal a text, and all of them come after every text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
struct StoredName {
    is_blob: bool,
    bytes: Vec<u8>,
}

impl StoredName {
    fn of(row: &Row<'_>, index: usize) -> rusqlite::Result<Self> {
        Ok(match row.get_ref(index)? {
            ValueRef::Text(bytes) => Self { is_blob: false, bytes: bytes.to_vec() },
            ValueRef::Blob(bytes) => Self { is_blob: true, bytes: bytes.to_vec() },
            // Name columns have the affinity TEXT, so the only other value is NULL.
            _ => Self::default(),
        })
    }

    fn is_valid(&self) -> bool {
        !self.is_blob && std::str::from_utf8(&self.bytes).is_ok()
    }

    /// With invalid UTF-8 replaced, for people.
    fn shown(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }
}

impl ToSql for StoredName {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let value = if self.is_blob { ValueRef::Blob(&self.bytes) } else { ValueRef::Text(&self.bytes) };
        Ok(ToSqlOutput::Borrowed(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs::claim::tests::Counted;

    #[test]
    fn the_backlog_costs_as_much_beside_a_few_jobs_of_a_type_as_beside_many() {
        let counts_of = |jobs: u32| {
            let database = Counted::new();
            for _ in 0..jobs {
                database.insert(3, 4, "own");
            }
            database.read(|connection| backlog(connection, 5).unwrap().iter().map(|of| of.jobs).collect::<Vec<_>>())
        };
        let (few, many) = (counts_of(5), counts_of(500));
        assert_eq!((few.1, &many.1), (vec![5; 12], &vec![5; 12]));
        assert!(many.0 < few.0 + 50, "{} {}", few.0, many.0);
    }
}
