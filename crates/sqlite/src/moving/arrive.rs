use longshore_core::{JobId, MoveChange, MoveState, MovedJob, MovedPart, MovedSettings, MovedToken, Status};
use rusqlite::{Connection, OptionalExtension, params};

use crate::database::column;
use crate::database::fault::Fault;
use crate::jobs::type_settings;
use crate::limits;
use crate::moving::fence::{read_state, replace_state};
use crate::moving::{job_row, workflow_rows};
use crate::schedules::{schedule_row, ticks};
use crate::upkeep::counts::{Minute, add_depth_of, add_minute};
use crate::writing::session::WriteTx;
use crate::writing::work::{Passing, Work};

/// Writes a part of what moves, and the state that says so.
pub(crate) struct KeepMoved {
    pub(crate) change: MoveChange,
    pub(crate) part: MovedPart,
}

impl Work for KeepMoved {
    type Answer = bool;
    const DOING: &'static str = "writing what moves here";
    const PASSING: Passing = Passing::Always;

    fn rows(&self) -> usize {
        match &self.part {
            MovedPart::Settings(settings) => settings.minutes.len() + settings.ticks.len() + settings.limit_keys.len(),
            MovedPart::Jobs(jobs) => jobs.len(),
        }
    }

    fn write(&mut self, tx: &mut WriteTx<'_, '_>) -> Result<bool, Fault> {
        let MoveChange { expected, next } = &self.change;
        // First, so that a state that is another one is met before anything is written.
        if !replace_state(tx.connection, expected.as_ref(), next.as_ref())? {
            return Ok(false);
        }
        match &self.part {
            MovedPart::Settings(settings) => keep_settings(tx, settings)?,
            MovedPart::Jobs(jobs) => keep_jobs(tx, jobs)?,
        }
        Ok(true)
    }
}

fn keep_jobs(tx: &mut WriteTx<'_, '_>, jobs: &[MovedJob]) -> Result<(), Fault> {
    for moved in jobs {
        job_row::insert(tx.connection, moved)?;
        tx.counts.entered(&moved.job.queue, moved.job.status);
    }
    Ok(())
}

fn keep_settings(tx: &mut WriteTx<'_, '_>, settings: &MovedSettings) -> Result<(), Fault> {
    // Every field is listed, so that a new one cannot be forgotten.
    let MovedSettings {
        last_id,
        history_last_id,
        types,
        queues,
        minutes,
        limits: moved_limits,
        limit_keys,
        schedules,
        ticks: moved_ticks,
        batches,
        signals,
        tokens,
    } = settings;
    let connection = tx.connection;
    connection.prepare_cached(include_str!("../sql/moving/raise_last_given_id.sql"))?.execute([last_id])?;
    connection.prepare_cached(include_str!("../sql/moving/insert_last_given_id.sql"))?.execute([last_id])?;
    connection.prepare_cached(include_str!("../sql/moving/raise_history.sql"))?.execute([history_last_id])?;
    // What an earlier move left behind here is of the same queue, and older.
    for table in ["job_type_settings", "job_queues", "job_minutes", "job_schedules", "job_ticks", "job_tokens"] {
        connection.execute(&format!("DELETE FROM {table}"), [])?;
    }
    for of_type in types {
        type_settings::keep(connection, of_type)?;
    }
    let mut pause = connection.prepare_cached(include_str!("../sql/upkeep/pause_queue.sql"))?;
    for (queue, paused_at) in queues {
        match paused_at {
            Some(paused_at) => drop(pause.execute(params![queue, paused_at.as_ms()])?),
            // A queue is known by its counts.
            None => add_depth_of(connection, queue, Status::Pending.as_str(), 0)?,
        }
    }
    for of_minute in minutes {
        let what = Minute {
            completed: number(of_minute.completed),
            failed: number(of_minute.failed),
            retried: number(of_minute.retried),
            cancelled: number(of_minute.cancelled),
            waited_ms: number(of_minute.waited_ms),
            ran_ms: number(of_minute.ran_ms),
        };
        add_minute(connection, &of_minute.queue, of_minute.minute.minute(), what)?;
    }
    limits::moved::replace_all(tx, moved_limits, limit_keys)?;
    schedules.iter().try_for_each(|row| schedule_row::write(connection, row))?;
    moved_ticks.iter().try_for_each(|tick| ticks::insert(connection, tick))?;
    workflow_rows::keep_batches(connection, batches, signals, tx.now)?;
    keep_tokens(connection, tokens)?;
    Ok(())
}

fn keep_tokens(connection: &Connection, tokens: &[MovedToken]) -> rusqlite::Result<()> {
    let mut insert = connection.prepare_cached(include_str!("../sql/moving/insert_moved_token.sql"))?;
    for MovedToken { name, hash, scopes, created_at } in tokens {
        insert.execute(params![name, hash.0.as_slice(), scopes.join(" "), created_at.as_ms()])?;
    }
    Ok(())
}

fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Deletes jobs of a move that is given up, or of one that left them here.
pub(crate) struct DropMoved {
    pub(crate) expected: MoveState,
    pub(crate) ids: Vec<JobId>,
}

impl Work for DropMoved {
    type Answer = bool;
    const DOING: &'static str = "removing what had moved here";
    const PASSING: Passing = Passing::Always;

    fn rows(&self) -> usize {
        self.ids.len()
    }

    fn write(&mut self, tx: &mut WriteTx<'_, '_>) -> Result<bool, Fault> {
        if read_state(tx.connection)?.as_ref() != Some(&self.expected) {
            return Ok(false);
        }
        for id in &self.ids {
            release_children(tx, *id)?;
            workflow_rows::drop_place(tx.connection, *id)?;
            let mut delete = tx.connection.prepare_cached(include_str!("../sql/moving/delete_moved_job.sql"))?;
            let deleted =
                delete.query_row([id.0], |row| Ok((column::text(row, 0)?, column::status(row, 1)?))).optional()?;
            if let Some((queue, status)) = deleted {
                tx.counts.left(&queue, status);
            }
        }
        Ok(true)
    }
}

fn release_children(tx: &mut WriteTx<'_, '_>, parent: JobId) -> Result<(), Fault> {
    let mut release = tx.connection.prepare_cached(include_str!("../sql/moving/release_children.sql"))?;
    let queues: Vec<String> = release.query_map([parent.0], |row| column::text(row, 0))?.collect::<Result<_, _>>()?;
    for queue in queues {
        tx.counts.moved(&queue, Status::Blocked, Status::Pending);
    }
    Ok(())
}
