use longshore_core::{
    CheckpointRow, FinishedStep, JobCheckpoints, JobData, JobId, Lease, NewCheckpoint, Recorded, SavedCheckpoint,
    StepName, WorkerId,
};
use rusqlite::{Connection, OptionalExtension, params};

use crate::database::column;
use crate::database::column::Columns;
use crate::database::fault::Fault;
use crate::jobs::outcomes::record::refused;
use crate::writing::session::WriteTx;
use crate::writing::work::{Effect, Passing, Work};

/// The step of the job's checkpoint. The names of steps are not empty.
const CHECKPOINT: &str = "";

/// Stores a checkpoint or the result of a step of a running attempt.
pub(crate) struct SaveCheckpoint {
    pub(crate) worker_id: WorkerId,
    pub(crate) checkpoint: NewCheckpoint,
}

impl Work for SaveCheckpoint {
    type Answer = Recorded;
    const DOING: &'static str = "storing a checkpoint";
    const PASSING: Passing = Passing::WhileDraining;
    const EFFECT: Effect = Effect::Told;

    fn write(&mut self, tx: &mut WriteTx<'_, '_>) -> Result<Recorded, Fault> {
        Ok(tx.apart(|tx| self.save(tx))?.unwrap_or_else(|error| refused(&error)))
    }
}

impl SaveCheckpoint {
    fn save(&self, tx: &WriteTx<'_, '_>) -> Result<Recorded, Fault> {
        let NewCheckpoint { id, claim_number, attempt, step, value } = &self.checkpoint;
        let sql = include_str!("../../sql/checkpoints/save_checkpoint.sql");
        let saved = tx.connection.prepare_cached(sql)?.execute(params![
            id.0,
            self.worker_id.as_str(),
            claim_number.0,
            step.as_ref().map_or(CHECKPOINT, StepName::as_str),
            attempt,
            tx.now.as_ms(),
            value.as_str()
        ])?;
        Ok(if saved == 1 { Recorded::Recorded } else { Recorded::Fenced })
    }
}

/// The stored result of a step.
pub(crate) fn step_result(connection: &Connection, id: JobId, step: &StepName) -> rusqlite::Result<Option<JobData>> {
    let sql = include_str!("../../sql/checkpoints/select_step_result.sql");
    connection.prepare_cached(sql)?.query_row(params![id.0, step.as_str()], |row| column::data(row, 0)).optional()
}

/// Adds to leases what earlier attempts of their jobs have stored.
pub(crate) fn add_checkpoints(connection: &Connection, leases: &mut [Lease]) -> rusqlite::Result<()> {
    for lease in leases.iter_mut().filter(|lease| lease.claim_number.0 > 1) {
        let sql = include_str!("../../sql/checkpoints/select_for_lease.sql");
        (lease.checkpoint, lease.step_count) = connection.prepare_cached(sql)?.query_row([lease.id.0], |row| {
            Ok((column::optional_data(row, 0)?, column::optional_count(row, 1)?.unwrap_or(0)))
        })?;
    }
    Ok(())
}

/// What the attempts of a job have stored, for people.
pub(crate) fn shown(connection: &Connection, id: JobId) -> rusqlite::Result<JobCheckpoints> {
    let mut select = connection.prepare_cached(include_str!("../../sql/checkpoints/select_shown.sql"))?;
    let rows = select.query_map(params![id.0, FinishedStep::SHOWN_BYTES_MAX as i64], |row| {
        let mut columns = Columns::of(row);
        Ok(CheckpointRow {
            step: columns.read(step)?,
            attempt: columns.read(column::count)?,
            saved_at: columns.read(column::timestamp)?,
            value: columns.read(column::optional_data)?,
            bytes: columns.read(column::size)?,
        })
    })?;
    Ok(JobCheckpoints::new(rows.collect::<Result<Vec<_>, _>>()?))
}

/// All that the attempts of a job have stored.
pub(crate) fn saved(connection: &Connection, id: JobId) -> rusqlite::Result<Vec<SavedCheckpoint>> {
    let mut select = connection.prepare_cached(include_str!("../../sql/checkpoints/select_saved.sql"))?;
    let rows = select.query_map([id.0], |row| {
        let mut columns = Columns::of(row);
        Ok(SavedCheckpoint {
            step: columns.read(step)?,
            attempt: columns.read(column::count)?,
            saved_at: columns.read(column::timestamp)?,
            value: columns.read(column::data)?,
        })
    })?;
    rows.collect()
}

/// Writes what the attempts of a job have stored in another database.
pub(crate) fn insert_saved(connection: &Connection, id: JobId, all: &[SavedCheckpoint]) -> rusqlite::Result<()> {
    let mut insert = connection.prepare_cached(include_str!("../../sql/checkpoints/insert_saved.sql"))?;
    for SavedCheckpoint { step, attempt, saved_at, value } in all {
        let step = step.as_deref().unwrap_or(CHECKPOINT);
        insert.execute(params![id.0, step, attempt, saved_at.as_ms(), value.as_str()])?;
    }
    Ok(())
}

/// The next attempt of the job starts from the beginning.
pub(crate) fn forget(connection: &Connection, id: JobId) -> rusqlite::Result<()> {
    connection.prepare_cached(include_str!("../../sql/checkpoints/delete_checkpoints.sql"))?.execute([id.0])?;
    Ok(())
}

fn step(row: &rusqlite::Row<'_>, index: usize) -> rusqlite::Result<Option<String>> {
    Ok(Some(column::text(row, index)?).filter(|step| step != CHECKPOINT))
}
