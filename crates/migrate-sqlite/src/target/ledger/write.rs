//! Makes, splits and writes the ledgers. Everything here runs in the caller's transaction.

use longshore_migrate::{
    MigrationId,
    files::checksum::Checksum,
    files::source::APP,
    ledger::{
        Event, EventKind, Form, Ledger, OWN_TABLE, Record, Row, RowChange, SharedRow, TABLE, Witness, implied_history,
    },
    target::Checkpoint,
};
use rusqlite::{Connection, params};

use super::{current_rows, form, is_table, shared, split, word};

/// Makes the ledgers where there are none, splits a combined one, and leaves the present ones alone.
pub(in crate::target) fn prepare(connection: &Connection, found: &Ledger) -> rusqlite::Result<()> {
    // Another runner may have been here between the survey and this transaction.
    let form = form(connection)?;
    if form == Form::Current {
        return Ok(());
    }
    create(connection)?;
    if form == Form::Combined {
        return split::split(connection, found);
    }
    for row in found.rows.iter().filter(|row| row.source.as_deref() != Some(APP)) {
        insert(connection, row)?;
    }
    implied_history(found).iter().try_for_each(|event| append(connection, event))
}

/// Forgets what a source has applied; the history continues.
pub(in crate::target) fn forget(connection: &Connection, source: &str) -> rusqlite::Result<()> {
    connection.execute(&format!("DELETE FROM {OWN_TABLE} WHERE source = ?1"), [source])?;
    move_schema_version(connection)
}

/// The tables beside the ledger may have outlived it: somebody dropped it, and the history continues.
fn create(connection: &Connection) -> rusqlite::Result<()> {
    let table = OWN_TABLE;
    connection.execute_batch(&format!(
        "CREATE TABLE {table} (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    migration_number INTEGER NOT NULL,
    migration_name TEXT NOT NULL,
    applied_at TEXT DEFAULT (datetime('now')),
    rollback_at TEXT NULL,
    source TEXT NOT NULL,
    checksum TEXT,
    duration_ms INTEGER,
    applied_by TEXT,
    is_verified INTEGER NOT NULL DEFAULT 1,
    UNIQUE (source, migration_number)
);
CREATE TABLE IF NOT EXISTS {table}_history (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at TEXT NOT NULL,
    event TEXT NOT NULL,
    source TEXT NOT NULL,
    migration_number INTEGER NOT NULL,
    migration_name TEXT NOT NULL,
    who TEXT,
    host TEXT,
    reason TEXT,
    duration_ms INTEGER,
    checksum TEXT,
    detail TEXT
);
CREATE TRIGGER IF NOT EXISTS {table}_history_is_never_changed BEFORE UPDATE ON {table}_history
BEGIN
    SELECT RAISE(ABORT, 'the history of migrations is append-only');
END;
CREATE TRIGGER IF NOT EXISTS {table}_history_is_never_shortened BEFORE DELETE ON {table}_history
BEGIN
    SELECT RAISE(ABORT, 'the history of migrations is append-only');
END;
CREATE TABLE IF NOT EXISTS {table}_checkpoints (
    source TEXT NOT NULL,
    migration_number INTEGER NOT NULL,
    direction TEXT NOT NULL,
    statement INTEGER NOT NULL,
    checksum TEXT NOT NULL,
    PRIMARY KEY (source, migration_number, direction, statement)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS {table}_verified (
    source TEXT PRIMARY KEY,
    fingerprint TEXT NOT NULL,
    at TEXT NOT NULL
) WITHOUT ROWID;"
    ))
}

fn insert(connection: &Connection, row: &Row) -> rusqlite::Result<()> {
    let sql = format!(
        "INSERT INTO {OWN_TABLE} (migration_number, migration_name, applied_at, rollback_at, source) VALUES (?1, ?2, ?3, ?4, ?5)"
    );
    let id = row.id();
    connection.execute(&sql, params![id.number, row.name, row.applied_at, row.rolled_back_at, id.source])?;
    Ok(())
}

/// Writes the row's change and its event.
pub(in crate::target) fn record(connection: &Connection, record: &Record) -> rusqlite::Result<()> {
    let event = &record.event;
    let mut row = SharedRow {
        number: event.id.number,
        name: event.name.clone(),
        applied_at: Some(in_ledger(&event.at)),
        rolled_back_at: None,
    };
    match &record.change {
        RowChange::Applied { checksum, witness } => {
            if event.id.source == APP {
                row = share(connection, event, row)?;
            }
            write_applied(connection, record, &row, (checksum.as_ref(), *witness))?;
        }
        RowChange::RolledBack { witness } => {
            let at = in_ledger(&event.at);
            if event.id.source == APP && shared::is_usable(connection)? {
                let was = shared::get(connection, event.id.number)?.filter(|was| was.rolled_back_at.is_none());
                let now = was.map(|was| SharedRow { rolled_back_at: Some(at.clone()), ..was });
                now.map_or(Ok(()), |now| shared::set(connection, now.number, Some(&now)))?;
            }
            let sql = format!(
                "UPDATE {OWN_TABLE} SET rollback_at = ?3, is_verified = ?4
                 WHERE source = ?1 AND migration_number = ?2 AND rollback_at IS NULL"
            );
            connection.execute(&sql, params![event.id.source, event.id.number, at, *witness == Witness::Shown])?;
        }
        RowChange::None => return append(connection, event),
    }
    move_schema_version(connection)?;
    append(connection, event)
}

fn write_applied(
    connection: &Connection,
    record: &Record,
    row: &SharedRow,
    (checksum, witness): (Option<&Checksum>, Witness),
) -> rusqlite::Result<()> {
    let event = &record.event;
    let sql = format!(
        "INSERT INTO {OWN_TABLE} (migration_number, migration_name, applied_at, rollback_at, source, checksum, duration_ms, applied_by, is_verified)
         VALUES (?1, ?2, ?3, NULL, ?4, ?5, ?6, ?7, ?8)
         ON CONFLICT (source, migration_number) DO UPDATE SET
             migration_name = excluded.migration_name, applied_at = excluded.applied_at, rollback_at = NULL,
             checksum = excluded.checksum, duration_ms = excluded.duration_ms,
             applied_by = excluded.applied_by, is_verified = excluded.is_verified"
    );
    let values = params![
        event.id.number,
        event.name,
        row.applied_at,
        event.id.source,
        checksum.map(|checksum| checksum.as_str().to_owned()),
        event.duration_ms,
        author(event),
        witness == Witness::Shown
    ];
    connection.execute(&sql, values)?;
    Ok(())
}

/// Writes the row into the application's ledger, and gives it as it is there. A mark changes nothing of a row that
/// another manager has written, but that it counts.
fn share(connection: &Connection, event: &Event, row: SharedRow) -> rusqlite::Result<SharedRow> {
    if !is_table(connection, TABLE)? {
        shared::create(connection)?;
        let kept: Vec<Row> = current_rows(connection, OWN_TABLE)?;
        let kept: Vec<Row> = kept.into_iter().filter(|row| row.source.as_deref() == Some(APP)).collect();
        shared::fill(connection, &kept)?;
    } else if !shared::is_usable(connection)? {
        return Ok(row);
    }
    let was = shared::get(connection, row.number)?.filter(|_| event.event != EventKind::Applied);
    let row = was.map_or(row, |was| SharedRow { rolled_back_at: None, ..was });
    shared::set(connection, row.number, Some(&row))?;
    Ok(row)
}

/// A migration may change rows alone. Those who run compare `PRAGMA schema_version` before each write and look at the
/// ledger only when it has moved, so it moves with every row of the ledger; a view that comes and goes moves it.
fn move_schema_version(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(&format!("CREATE VIEW {OWN_TABLE}_moved AS SELECT 1; DROP VIEW {OWN_TABLE}_moved"))
}

/// The incident's form of an instant: a space for the `T`, no `Z`.
fn in_ledger(at: &str) -> String {
    at.replacen('T', " ", 1).trim_end_matches('Z').to_owned()
}

fn author(event: &Event) -> Option<String> {
    match (&event.who, &event.host) {
        (Some(who), Some(host)) => Some(format!("{who}@{host}")),
        (who, host) => who.clone().or_else(|| host.clone()),
    }
}

fn append(connection: &Connection, event: &Event) -> rusqlite::Result<()> {
    let sql = format!(
        "INSERT INTO {OWN_TABLE}_history (at, event, source, migration_number, migration_name, who, host, reason, duration_ms, checksum, detail)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, (SELECT checksum FROM {OWN_TABLE} WHERE source = ?3 AND migration_number = ?4), ?10)"
    );
    let values = params![
        event.at,
        event.event.word(),
        event.id.source,
        event.id.number,
        event.name,
        event.who,
        event.host,
        event.reason,
        event.duration_ms,
        event.detail
    ];
    connection.execute(&sql, values)?;
    Ok(())
}

/// Adds a checkpoint, or writes it again for a statement that is run again.
pub(in crate::target) fn add_checkpoint(connection: &Connection, checkpoint: &Checkpoint) -> rusqlite::Result<()> {
    let sql = format!(
        "INSERT OR REPLACE INTO {OWN_TABLE}_checkpoints (source, migration_number, direction, statement, checksum)
         VALUES (?1, ?2, ?3, ?4, ?5)"
    );
    let Checkpoint { id, direction, statement, checksum } = checkpoint;
    let statement = i64::try_from(*statement).unwrap_or(i64::MAX);
    connection.execute(&sql, params![id.source, id.number, word(*direction), statement, checksum])?;
    Ok(())
}

/// Forgets what an earlier run of either direction did.
pub(in crate::target) fn clear_checkpoints(connection: &Connection, id: &MigrationId) -> rusqlite::Result<()> {
    let sql = format!("DELETE FROM {OWN_TABLE}_checkpoints WHERE source = ?1 AND migration_number = ?2");
    connection.execute(&sql, params![id.source, id.number])?;
    Ok(())
}
