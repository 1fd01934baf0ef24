use std::collections::BTreeMap;
use std::time::Duration;

use longshore_core::{JobId, LongAttempt, Timestamp};
use rusqlite::{Connection, params};

use crate::database::column;

/// How many running attempts are looked at.
const RUNNING_MAX: u32 = 1000;

struct Running {
    id: JobId,
    job_type: String,
    started_at: Timestamp,
}

/// Running attempts that take far longer than those of their type usually do. While nothing has run for some minutes,
/// it reads the running jobs alone.
pub(crate) fn long_attempts(connection: &Connection, now: Timestamp) -> rusqlite::Result<Vec<LongAttempt>> {
    let running = running_since(connection, now.before(LongAttempt::RAN_MIN))?;
    if running.is_empty() {
        return Ok(Vec::new());
    }
    let usual = usual(connection, running.iter().map(|running| running.job_type.as_str()))?;
    let mut long: Vec<LongAttempt> = running
        .into_iter()
        .filter_map(|Running { id, job_type, started_at }| {
            let usual = *usual.get(&job_type)?;
            let usual_ms = u64::try_from(usual.as_millis()).unwrap_or(u64::MAX);
            let is_long = LongAttempt::is_long(now.since(started_at), usual);
            is_long.then_some(LongAttempt { id, job_type, started_at, usual_ms })
        })
        .collect();
    long.sort_by_key(|attempt| (attempt.started_at, attempt.id));
    long.truncate(LongAttempt::TOLD_MAX);
    Ok(long)
}

fn running_since(connection: &Connection, latest: Timestamp) -> rusqlite::Result<Vec<Running>> {
    connection
        .prepare_cached(include_str!("../sql/upkeep/select_running_since.sql"))?
        .query_map(params![latest.as_ms(), RUNNING_MAX], |row| {
            Ok(Running {
                id: column::id(row, 0)?,
                job_type: column::text(row, 1)?,
                started_at: column::timestamp(row, 2)?,
            })
        })?
        .collect()
}

/// How long the attempts of each type usually take, where that is known.
fn usual<'a>(
    connection: &Connection,
    job_types: impl Iterator<Item = &'a str>,
) -> rusqlite::Result<BTreeMap<String, Duration>> {
    let mut ran: BTreeMap<String, Vec<Duration>> = job_types.map(|name| (name.to_owned(), Vec::new())).collect();
    let names: Vec<&String> = ran.keys().collect();
    let names = serde_json::to_string(&names).expect("a list of strings is always JSON");
    let mut statement = connection.prepare_cached(include_str!("../sql/upkeep/select_recent_runs.sql"))?;
    let mut rows = statement.query(params![LongAttempt::JOBS_MAX, names])?;
    while let Some(row) = rows.next()? {
        if let Some(of_type) = ran.get_mut(&column::text(row, 0)?)
            && of_type.len() < LongAttempt::KNOWN_MAX
        {
            of_type.push(column::timestamp(row, 2)?.since(column::timestamp(row, 1)?));
        }
    }
    Ok(ran.into_iter().filter_map(|(job_type, ran)| Some((job_type, LongAttempt::usual(ran)?))).collect())
}
