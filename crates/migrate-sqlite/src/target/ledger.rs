//! The ledger's tables on SQLite: read in every form, made and upgraded in place.

mod write;

use std::collections::BTreeSet;

use longshore_migrate::{
    Direction, MigrationId,
    checksum::Checksum,
    ledger::{Event, EventKind, ForeignLedger, Form, Ledger, Row, TABLE, TABLE_BESIDE_ANOTHER, Tool, Witness},
    target::Checkpoint,
};
use rusqlite::Connection;

pub(super) use write::{add_checkpoint, clear_checkpoints, prepare, record};

use super::quoted;

/// Reads the ledger and those of other tools. Every form of row is read by what columns there are.
pub(super) fn read(connection: &Connection) -> rusqlite::Result<Ledger> {
    let tables = tables(connection)?;
    let (table, form) = place(connection, &tables)?;
    let rows = match form {
        Form::Missing => Vec::new(),
        Form::Old => old_rows(connection, table)?,
        Form::Current => current_rows(connection, table)?,
    };
    let mut foreign = Vec::new();
    for name in tables.iter().filter(|name| Tool::may_be_ledger(name)) {
        foreign.extend(foreign_ledger(connection, name)?);
    }
    Ok(Ledger { table: table.to_owned(), form, rows, foreign })
}

/// The ledger's name and form in this database.
pub(crate) fn place(connection: &Connection, tables: &BTreeSet<String>) -> rusqlite::Result<(&'static str, Form)> {
    for table in [TABLE, TABLE_BESIDE_ANOTHER].into_iter().filter(|table| tables.contains(*table)) {
        let columns = columns(connection, table)?;
        let has = |name: &str| columns.iter().any(|column| column == name);
        if has("migration_number") && has("migration_name") {
            let is_current = has("source") && has("checksum") && has("is_verified");
            return Ok((table, if is_current { Form::Current } else { Form::Old }));
        }
    }
    let table = if tables.contains(TABLE) { TABLE_BESIDE_ANOTHER } else { TABLE };
    Ok((table, Form::Missing))
}

pub(crate) fn tables(connection: &Connection) -> rusqlite::Result<BTreeSet<String>> {
    // A virtual table has no page of its own, and its module may be the application's.
    let query = "SELECT lower(name) FROM sqlite_schema WHERE type = 'table' AND rootpage > 0";
    let mut prepared = connection.prepare_cached(query)?;
    let found = prepared.query_map([], |row| row.get(0))?;
    found.collect()
}

fn columns(connection: &Connection, table: &str) -> rusqlite::Result<Vec<String>> {
    let mut prepared = connection.prepare_cached("SELECT lower(name) FROM pragma_table_info(?1) ORDER BY cid")?;
    let found = prepared.query_map([table], |row| row.get(0))?;
    found.collect()
}

fn foreign_ledger(connection: &Connection, table: &str) -> rusqlite::Result<Option<ForeignLedger>> {
    let Some(tool) = Tool::recognise(table, &columns(connection, table)?) else {
        return Ok(None);
    };
    let versions = match tool.query(table) {
        Some(query) => {
            let mut prepared = connection.prepare(&query)?;
            let found = prepared.query_map([], |row| row.get::<_, Option<String>>(0))?;
            found.collect::<rusqlite::Result<Vec<_>>>()?.into_iter().flatten().collect()
        }
        None => Vec::new(),
    };
    Ok(Some(ForeignLedger { tool, table: table.to_owned(), versions }))
}

fn old_rows(connection: &Connection, table: &str) -> rusqlite::Result<Vec<Row>> {
    let columns = columns(connection, table)?;
    let column = |name: &str| {
        let has = columns.iter().any(|column| column == name);
        if has { format!("CAST({name} AS TEXT)") } else { "NULL".to_owned() }
    };
    let query = format!(
        "SELECT CAST(migration_number AS INTEGER), migration_name, {}, {} FROM {} ORDER BY migration_number",
        column("applied_at"),
        column("rollback_at"),
        quoted(table)
    );
    let mut prepared = connection.prepare(&query)?;
    let found = prepared.query_map([], |row| {
        Ok(Row {
            source: None,
            number: row.get(0)?,
            name: row.get(1)?,
            applied_at: row.get(2)?,
            rolled_back_at: row.get(3)?,
            checksum: None,
            duration_ms: None,
            applied_by: None,
            witness: Witness::Shown,
        })
    })?;
    found.collect()
}

fn current_rows(connection: &Connection, table: &str) -> rusqlite::Result<Vec<Row>> {
    let query = format!(
        "SELECT source, migration_number, migration_name, applied_at, rollback_at, checksum, duration_ms, applied_by, is_verified
         FROM {} ORDER BY source, migration_number",
        quoted(table)
    );
    let mut prepared = connection.prepare(&query)?;
    let found = prepared.query_map([], |row| {
        Ok(Row {
            source: row.get(0)?,
            number: row.get(1)?,
            name: row.get(2)?,
            applied_at: row.get(3)?,
            rolled_back_at: row.get(4)?,
            checksum: row.get::<_, Option<String>>(5)?.map(Checksum::recorded),
            duration_ms: row.get(6)?,
            applied_by: row.get(7)?,
            witness: if row.get(8)? { Witness::Shown } else { Witness::Unverified },
        })
    })?;
    found.collect()
}

/// Every event in the order in which it was written.
pub(super) fn history(connection: &Connection) -> rusqlite::Result<Vec<Event>> {
    let (table, _) = place(connection, &tables(connection)?)?;
    let query = format!(
        "SELECT source, migration_number, migration_name, event, at, who, host, reason, duration_ms, detail
         FROM {} ORDER BY id",
        quoted(&format!("{table}_history"))
    );
    let mut prepared = connection.prepare(&query)?;
    let found = prepared.query_map([], |row| {
        let word: String = row.get(3)?;
        let known = EventKind::ALL.into_iter().find(|kind| kind.word() == word);
        let Some(event) = known else { return Ok(None) };
        Ok(Some(Event {
            id: MigrationId::new(row.get::<_, String>(0)?, row.get(1)?),
            name: row.get(2)?,
            event,
            at: row.get(4)?,
            who: row.get(5)?,
            host: row.get(6)?,
            reason: row.get(7)?,
            duration_ms: row.get(8)?,
            detail: row.get(9)?,
        }))
    })?;
    Ok(found.collect::<rusqlite::Result<Vec<_>>>()?.into_iter().flatten().collect())
}

/// The checkpoints of one direction, in the order of the statements.
pub(super) fn checkpoints(
    connection: &Connection,
    id: &MigrationId,
    direction: Direction,
) -> rusqlite::Result<Vec<Checkpoint>> {
    let (table, form) = place(connection, &tables(connection)?)?;
    if form != Form::Current {
        return Ok(Vec::new());
    }
    let query = format!(
        "SELECT statement, checksum FROM {} WHERE source = ?1 AND migration_number = ?2 AND direction = ?3 ORDER BY statement",
        quoted(&format!("{table}_checkpoints"))
    );
    let mut prepared = connection.prepare(&query)?;
    let found = prepared.query_map((&id.source, id.number, word(direction)), |row| {
        let statement = usize::try_from(row.get::<_, i64>(0)?).unwrap_or(usize::MAX);
        Ok(Checkpoint { id: id.clone(), direction, statement, checksum: row.get(1)? })
    })?;
    found.collect()
}

fn word(direction: Direction) -> &'static str {
    match direction {
        Direction::Up => "up",
        Direction::Down => "down",
    }
}
