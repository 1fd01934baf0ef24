use std::collections::BTreeMap;

use longshore_core::{MovedJob, MovedJobsRequest, MovedSettings, MovedToken, TokenHash, TypeSettings};
use rusqlite::{Connection, params};

use crate::database::column;
use crate::jobs::outcomes::checkpoint::saved;
use crate::limits::moved::{all_keys, all_limits};
use crate::moving::{job_row, workflow_rows};
use crate::schedules::schedule_row::all_schedules;
use crate::schedules::ticks::newest_ticks;
use crate::upkeep::stats::{minute, queues};

/// The next jobs that move.
pub(super) fn jobs(connection: &Connection, request: MovedJobsRequest) -> rusqlite::Result<Vec<MovedJob>> {
    let MovedJobsRequest { after, jobs_max, bytes_max, takes_ended } = request;
    let mut select = connection.prepare_cached(include_str!("../sql/moving/select_moved_jobs.sql"))?;
    let mut rows = select.query(params![after.0, takes_ended, jobs_max])?;
    let (mut jobs, mut bytes) = (Vec::new(), 0);
    while bytes < bytes_max
        && let Some(row) = rows.next()?
    {
        let mut moved = job_row::moved_job(row)?;
        moved.attempts = job_row::attempts(connection, moved.job.id)?;
        moved.log = job_row::log(connection, moved.job.id)?;
        moved.checkpoints = saved(connection, moved.job.id)?;
        moved.member = workflow_rows::member(connection, moved.job.id)?;
        moved.dependencies = workflow_rows::dependencies(connection, moved.job.id)?;
        bytes += moved.size();
        jobs.push(moved.normal());
    }
    Ok(jobs)
}

/// All that moves beside the jobs.
pub(super) fn settings(connection: &Connection) -> rusqlite::Result<MovedSettings> {
    let number = |sql: &str| -> rusqlite::Result<i64> {
        connection.prepare_cached(sql)?.query_row([], |row| column::integer(row, 0))
    };
    let minutes = connection
        .prepare_cached(include_str!("../sql/moving/select_all_minutes.sql"))?
        .query_map([], minute)?
        .collect::<Result<_, _>>()?;
    let known = queues(connection, &[])?.into_iter().map(|stats| (stats.queue, stats.paused_at));
    Ok(MovedSettings {
        last_id: number(include_str!("../sql/upkeep/select_last_given_id.sql"))?,
        history_last_id: number(include_str!("../sql/upkeep/select_history.sql"))?,
        types: types(connection)?,
        queues: known.collect::<BTreeMap<_, _>>(),
        minutes,
        limits: all_limits(connection)?,
        limit_keys: all_keys(connection)?,
        schedules: all_schedules(connection)?,
        ticks: newest_ticks(connection)?,
        batches: workflow_rows::batches(connection)?,
        signals: workflow_rows::signals(connection)?,
        tokens: tokens(connection)?,
    })
}

fn tokens(connection: &Connection) -> rusqlite::Result<Vec<MovedToken>> {
    connection
        .prepare_cached(include_str!("../sql/moving/select_all_tokens.sql"))?
        .query_map([], |row| {
            Ok(MovedToken {
                name: column::text(row, 0)?,
                // A CHECK of the table allows no other length.
                hash: TokenHash(row.get(1)?),
                scopes: column::text(row, 2)?.split_ascii_whitespace().map(str::to_owned).collect(),
                created_at: column::timestamp(row, 3)?,
            })
        })?
        .collect()
}

fn types(connection: &Connection) -> rusqlite::Result<Vec<TypeSettings>> {
    connection
        .prepare_cached(include_str!("../sql/moving/select_type_settings.sql"))?
        .query_map([], |row| {
            Ok(TypeSettings {
                job_type: column::text(row, 0)?,
                queue: column::optional_text(row, 1)?,
                priority: column::optional_integer(row, 2)?.map(|_| column::priority(row, 2)).transpose()?,
                max_retries: column::optional_count(row, 3)?,
                timeout: column::optional_seconds(row, 4)?,
            })
        })?
        .collect()
}
