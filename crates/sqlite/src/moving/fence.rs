//! The state of a move, and the fence that it puts up.
//!
//! The table and the triggers exist only while they say something, so that no migration and no statement of a queue that
//! stays where it is knows them. Each change of the fence changes SQLite's schema version, which every store compares in
//! each transaction: so the fence costs nothing until there is one, and holds from its commit on. The triggers are for
//! other programs, because the stores write with triggers off.

use longshore_core::{Fence, MoveChange, MoveState, StoreError};
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension};

use crate::database::fault::Fault;
use crate::writing::session::WriteTx;
use crate::writing::work::{Passing, Work};

/// Replaces the state of the move.
pub(crate) struct ChangeMoveState {
    pub(crate) change: MoveChange,
}

impl Work for ChangeMoveState {
    type Answer = bool;
    const DOING: &'static str = "changing the state of a move";
    const PASSING: Passing = Passing::Always;

    fn write(&mut self, tx: &mut WriteTx<'_, '_>) -> Result<bool, Fault> {
        let MoveChange { expected, next } = &self.change;
        let changed = replace_state(tx.connection, expected.as_ref(), next.as_ref())?;
        // Workers that found nothing must look again once the fence is gone.
        tx.wake_watchers();
        Ok(changed)
    }
}

/// The state. An error if another program wrote something else into the table.
pub(crate) fn read_state(connection: &Connection) -> rusqlite::Result<Option<MoveState>> {
    let has_table = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'longshore_move'";
    if !connection.prepare_cached(has_table)?.exists([])? {
        return Ok(None);
    }
    let document: Option<String> =
        connection.query_row("SELECT document FROM longshore_move", [], |row| row.get(0)).optional()?;
    let read = |document: String| {
        MoveState::from_document(&document)
            .map_err(|error| rusqlite::Error::FromSqlConversionFailure(0, Type::Text, Box::new(error)))
    };
    document.map(read).transpose()
}

/// Replaces the state and the fence, if the state is the expected one. Returns whether it was.
pub(crate) fn replace_state(
    connection: &Connection,
    expected: Option<&MoveState>,
    next: Option<&MoveState>,
) -> rusqlite::Result<bool> {
    let found = read_state(connection)?;
    if found.as_ref() != expected {
        return Ok(false);
    }
    let phase = |state: Option<&MoveState>| state.map(|state| state.phase);
    if phase(expected) != phase(next) {
        connection.execute_batch(TAKE_DOWN)?;
        next.map_or(Ok(()), |next| put_up(connection, next))?;
    }
    match next {
        Some(next) => {
            connection.execute_batch("CREATE TABLE IF NOT EXISTS longshore_move (document TEXT NOT NULL)")?;
            connection.execute("DELETE FROM longshore_move", [])?;
            connection.execute("INSERT INTO longshore_move (document) VALUES (?1)", [next.to_document()])?;
        }
        None => connection.execute_batch("DROP TABLE IF EXISTS longshore_move")?,
    }
    Ok(true)
}

const TAKE_DOWN: &str = "
    DROP TRIGGER IF EXISTS longshore_move_refuses_insert;
    DROP TRIGGER IF EXISTS longshore_move_refuses_update;
    DROP TRIGGER IF EXISTS longshore_move_refuses_delete;";

fn put_up(connection: &Connection, state: &MoveState) -> rusqlite::Result<()> {
    let when = match state.phase.fence() {
        Fence::Open => return Ok(()),
        // Attempts may still end, also in the transaction of their handler.
        Fence::Draining => "WHEN NEW.status = 'running' AND OLD.status <> 'running'",
        Fence::Closed => "",
    };
    // The message of RAISE is part of the trigger: older versions of SQLite accept only a literal.
    let message = state.to_string().replace('\'', "''");
    connection.execute_batch(&format!(
        "CREATE TRIGGER longshore_move_refuses_insert BEFORE INSERT ON job_queue
         BEGIN SELECT RAISE(ABORT, '{message}'); END;
         CREATE TRIGGER longshore_move_refuses_update BEFORE UPDATE ON job_queue {when}
         BEGIN SELECT RAISE(ABORT, '{message}'); END;
         CREATE TRIGGER longshore_move_refuses_delete BEFORE DELETE ON job_queue
         BEGIN SELECT RAISE(ABORT, '{message}'); END;"
    ))
}

/// The error of a statement that failed on a connection of the application, if the fence is the cause.
pub(crate) fn refusal_of(connection: &Connection, error: &rusqlite::Error) -> Option<StoreError> {
    let state = read_state(connection).ok().flatten()?;
    error.to_string().contains(&state.to_string()).then(|| state.refusal()).flatten()
}
