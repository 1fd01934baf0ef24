use std::collections::BTreeMap;

use longshore_core::{MinuteStats, QueueStats, Stats, Status, Timestamp, TypeBacklog};
use rusqlite::{Connection, OptionalExtension, params};

use crate::column;

/// How many types of one queue are visited.
const TYPES_MAX: usize = 10_000;

pub(crate) fn stats(connection: &Connection, minutes: u32, now: Timestamp) -> rusqlite::Result<Stats> {
    let first = now.minute() - i64::from(minutes) + 1;
    let minutes = connection
        .prepare_cached(include_str!("../sql/select_minutes.sql"))?
        .query_map(params![first, now.minute()], |row| {
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
        })?
        .collect::<Result<_, _>>()?;
    Ok(Stats { queues: queues(connection)?, minutes })
}

/// Every queue that has or had jobs or is paused, from the counts that are kept.
pub(crate) fn queues(connection: &Connection) -> rusqlite::Result<Vec<QueueStats>> {
    let mut queues: BTreeMap<String, QueueStats> = BTreeMap::new();
    let depths: Vec<(String, Status, u64)> = connection
        .prepare_cached(include_str!("../sql/select_depths.sql"))?
        .query_map([], |row| Ok((column::text(row, 0)?, column::status(row, 1)?, column::size(row, 2)?)))?
        .collect::<Result<_, _>>()?;
    let known: Vec<(String, Option<Timestamp>)> = connection
        .prepare_cached(include_str!("../sql/select_queues.sql"))?
        .query_map([], |row| Ok((column::text(row, 0)?, column::optional_timestamp(row, 1)?)))?
        .collect::<Result<_, _>>()?;
    for (queue, status, jobs) in depths {
        let stats = queues.entry(queue.clone()).or_insert_with(|| empty(queue));
        // A count of zero tells that the queue had jobs, and is otherwise nothing.
        if jobs > 0 {
            // A word that is no status is read as a dead letter, so two rows may be of one state.
            let sum = stats.jobs.entry(status).or_default();
            *sum = sum.saturating_add(jobs);
        }
    }
    for (queue, paused_at) in known {
        queues.entry(queue.clone()).or_insert_with(|| empty(queue)).paused_at = paused_at;
    }
    for stats in queues.values_mut() {
        stats.oldest_waiting_at = backlog_of(connection, &stats.queue)?.iter().map(|of| of.oldest_ready_at).min();
    }
    Ok(queues.into_values().collect())
}

fn empty(queue: String) -> QueueStats {
    QueueStats { queue, paused_at: None, jobs: BTreeMap::new(), oldest_waiting_at: None }
}

/// What could run now in one queue, by type; counted up to a bound.
pub(crate) fn backlog_of(connection: &Connection, queue: &str) -> rusqlite::Result<Vec<TypeBacklog>> {
    let mut types = connection.prepare_cached(include_str!("../sql/select_next_ready_type.sql"))?;
    let mut counts = connection.prepare_cached(include_str!("../sql/select_backlog_of_type.sql"))?;
    let mut backlog: Vec<TypeBacklog> = Vec::new();
    while backlog.len() < TYPES_MAX {
        let last = backlog.last().map_or("", |of| of.job_type.as_str());
        let next = types.query_row([queue, last], |row| column::text(row, 0)).optional()?;
        let Some(job_type) = next else { break };
        let (jobs, oldest) = counts.query_row(params![queue, job_type, TypeBacklog::JOBS_MAX], |row| {
            Ok((column::size(row, 0)?, column::timestamp(row, 1)?))
        })?;
        backlog.push(TypeBacklog { queue: queue.to_owned(), job_type, jobs, oldest_ready_at: oldest });
    }
    Ok(backlog)
}
