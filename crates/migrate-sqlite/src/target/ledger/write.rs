//! Makes, upgrades and writes the ledger. Everything here runs in the caller's transaction.

use longshore_migrate::{
    MigrationId,
    ledger::{Event, Form, Ledger, Record, Row, RowChange, Witness, implied_history},
    target::Checkpoint,
};
use rusqlite::{Connection, params};

use super::{columns, place, tables, word};
use crate::target::quoted;

/// The columns of the incident's ledger.
const OLD_COLUMNS: [&str; 5] = ["id", "migration_number", "migration_name", "applied_at", "rollback_at"];

/// Makes the ledger where there is none, upgrades an old one, leaves a current one alone.
pub(in crate::target) fn prepare(connection: &Connection, found: &Ledger) -> rusqlite::Result<()> {
    // Another runner may have been here between the survey and this transaction.
    let (table, form) = place(connection, &tables(connection)?)?;
    if form == Form::Current {
        return Ok(());
    }
    if form == Form::Old {
        keep_unknown_columns(connection, table)?;
        // Dropped and made again rather than renamed: a view of somebody's over the ledger would stop a rename.
        connection.execute_batch(&format!("DROP TABLE {}", quoted(table)))?;
    }
    create(connection, table)?;
    for row in &found.rows {
        insert(connection, table, row)?;
    }
    implied_history(found).iter().try_for_each(|event| append(connection, table, event))
}

/// Columns beyond the known ones may matter to their owner: such a ledger is kept whole under another name.
fn keep_unknown_columns(connection: &Connection, table: &str) -> rusqlite::Result<()> {
    let is_known = columns(connection, table)?.iter().all(|column| OLD_COLUMNS.contains(&column.as_str()));
    if is_known {
        return Ok(());
    }
    let kept = format!("{table}_as_it_was");
    connection.execute_batch(&format!("CREATE TABLE {} AS SELECT * FROM {}", quoted(&kept), quoted(table)))
}

/// The tables beside the ledger may have outlived it: somebody dropped it, and the history goes on.
fn create(connection: &Connection, table: &str) -> rusqlite::Result<()> {
    connection.execute_batch(&format!(
        "CREATE TABLE {table} (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    migration_number INTEGER NOT NULL,
    migration_name TEXT NOT NULL,
    applied_at TEXT DEFAULT (datetime('now')),
    rollback_at TEXT NULL,
    source TEXT NOT NULL DEFAULT 'app',
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

fn insert(connection: &Connection, table: &str, row: &Row) -> rusqlite::Result<()> {
    let sql = format!(
        "INSERT INTO {table} (migration_number, migration_name, applied_at, rollback_at, source) VALUES (?1, ?2, ?3, ?4, ?5)"
    );
    let id = row.id();
    connection.execute(&sql, params![id.number, row.name, row.applied_at, row.rolled_back_at, id.source])?;
    Ok(())
}

/// Writes the row's change and its event.
pub(in crate::target) fn record(connection: &Connection, record: &Record) -> rusqlite::Result<()> {
    let (table, _) = place(connection, &tables(connection)?)?;
    let event = &record.event;
    match &record.change {
        RowChange::Applied { checksum, witness } => {
            let sql = format!(
                "INSERT INTO {table} (migration_number, migration_name, applied_at, rollback_at, source, checksum, duration_ms, applied_by, is_verified)
                 VALUES (?1, ?2, ?3, NULL, ?4, ?5, ?6, ?7, ?8)
                 ON CONFLICT (source, migration_number) DO UPDATE SET
                     migration_name = excluded.migration_name, applied_at = excluded.applied_at, rollback_at = NULL,
                     checksum = excluded.checksum, duration_ms = excluded.duration_ms,
                     applied_by = excluded.applied_by, is_verified = excluded.is_verified"
            );
            let checksum = checksum.as_ref().map(|checksum| checksum.as_str().to_owned());
            let values = params![
                event.id.number,
                event.name,
                in_ledger(&event.at),
                event.id.source,
                checksum,
                event.duration_ms,
                author(event),
                *witness == Witness::Shown
            ];
            connection.execute(&sql, values)?;
        }
        RowChange::RolledBack { witness } => {
            let sql = format!(
                "UPDATE {table} SET rollback_at = ?3, is_verified = ?4
                 WHERE source = ?1 AND migration_number = ?2 AND rollback_at IS NULL"
            );
            let at = in_ledger(&event.at);
            connection.execute(&sql, params![event.id.source, event.id.number, at, *witness == Witness::Shown])?;
        }
        RowChange::None => return append(connection, table, event),
    }
    move_schema_version(connection, table)?;
    append(connection, table, event)
}

/// A migration may change rows alone. Those who run compare `PRAGMA schema_version` before each write and look at the
/// ledger only when it has moved, so it moves with every row of the ledger; a view that comes and goes moves it.
fn move_schema_version(connection: &Connection, table: &str) -> rusqlite::Result<()> {
    connection.execute_batch(&format!("CREATE VIEW {table}_moved AS SELECT 1; DROP VIEW {table}_moved"))
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

fn append(connection: &Connection, table: &str, event: &Event) -> rusqlite::Result<()> {
    let sql = format!(
        "INSERT INTO {table}_history (at, event, source, migration_number, migration_name, who, host, reason, duration_ms, checksum, detail)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, (SELECT checksum FROM {table} WHERE source = ?3 AND migration_number = ?4), ?10)"
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
    let (table, _) = place(connection, &tables(connection)?)?;
    let sql = format!(
        "INSERT OR REPLACE INTO {table}_checkpoints (source, migration_number, direction, statement, checksum)
         VALUES (?1, ?2, ?3, ?4, ?5)"
    );
    let Checkpoint { id, direction, statement, checksum } = checkpoint;
    let statement = i64::try_from(*statement).unwrap_or(i64::MAX);
    connection.execute(&sql, params![id.source, id.number, word(*direction), statement, checksum])?;
    Ok(())
}

/// Forgets what an earlier run of either direction did.
pub(in crate::target) fn clear_checkpoints(connection: &Connection, id: &MigrationId) -> rusqlite::Result<()> {
    let (table, _) = place(connection, &tables(connection)?)?;
    let sql = format!("DELETE FROM {table}_checkpoints WHERE source = ?1 AND migration_number = ?2");
    connection.execute(&sql, params![id.source, id.number])?;
    Ok(())
}
