//! The ledgers' tables on SQLite: read in every form, made and split. What another manager reads is never altered.

mod shared;
mod split;
mod write;

use std::collections::BTreeSet;

use longshore_migrate::{
    adoption,
    files::checksum::Checksum,
    files::source::APP,
    ledger::{Event, EventKind, ForeignLedger, Form, Ledger, OWN_TABLE, READ_FROM_OLDER, Row, TABLE, Tool, Witness},
    target::Checkpoint,
    {Direction, MigrationId},
};
use rusqlite::Connection;

pub(super) use shared::set as set_shared_row;
pub(super) use write::{add_checkpoint, clear_checkpoints, forget, prepare, record};

use super::quoted;
use crate::catalog::Ledgers;

/// Reads the ledgers and those of other tools. Every form of row is read by what columns there are.
pub(super) fn read(connection: &Connection) -> rusqlite::Result<Ledger> {
    let form = form(connection)?;
    let mut rows = match form {
        Form::Missing | Form::Old => Vec::new(),
        Form::Combined => split::rows(connection)?,
        Form::Current => current_rows(connection, OWN_TABLE)?,
    };
    if form != Form::Combined && shared::is_usable(connection)? {
        let details: Vec<Row> = rows.extract_if(.., |row| row.source.as_deref() == Some(APP)).collect();
        rows.extend(shared::rows(connection, &details)?);
    }
    let has_other_manager = match form {
        Form::Missing => false,
        Form::Old => !rows.is_empty(),
        Form::Combined => split::has_other_manager(connection)?,
        Form::Current => has_older_events(connection, OWN_TABLE)?,
    };
    let mut foreign = Vec::new();
    for name in tables(connection)?.iter().filter(|name| Tool::may_be_ledger(name)) {
        foreign.extend(foreign_ledger(connection, name)?);
    }
    Ok(Ledger { form, rows, has_other_manager, foreign, ..Ledger::default() })
}

/// The form of the ledgers in this database.
pub(crate) fn form(connection: &Connection) -> rusqlite::Result<Form> {
    let has = |columns: &[String], names: &[&str]| names.iter().all(|name| columns.iter().any(|one| one == name));
    let ours = ["migration_number", "migration_name", "source", "checksum", "is_verified"];
    if is_table(connection, OWN_TABLE)? && has(&columns(connection, OWN_TABLE)?, &ours) {
        return Ok(Form::Current);
    }
    if !is_table(connection, TABLE)? {
        return Ok(Form::Missing);
    }
    if has(&columns(connection, TABLE)?, &ours) {
        return Ok(Form::Combined);
    }
    Ok(if shared::is_usable(connection)? { Form::Old } else { Form::Missing })
}

/// Whether there is a table of that name that SQLite itself keeps. Asked for each migration, so a table with a
/// unique constraint, as a ledger has, is found without a walk through the whole catalog.
fn is_table(connection: &Connection, name: &str) -> rusqlite::Result<bool> {
    if connection.prepare_cached("SELECT 1 FROM pragma_index_list(?1)")?.exists([name])? {
        return Ok(true);
    }
    let query = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND rootpage > 0 AND name = ?1 COLLATE NOCASE";
    connection.prepare_cached(query)?.exists([name])
}

/// Whether somebody else's rows were there when the ledger was made.
fn has_older_events(connection: &Connection, table: &str) -> rusqlite::Result<bool> {
    let query = format!("SELECT 1 FROM {table}_history WHERE detail = ?1");
    connection.prepare(&query)?.exists([READ_FROM_OLDER])
}

fn tables(connection: &Connection) -> rusqlite::Result<BTreeSet<String>> {
    // A virtual table has no page of its own, and its module may be the application's.
    let query = "SELECT lower(name) FROM sqlite_schema WHERE type = 'table' AND rootpage > 0";
    let mut prepared = connection.prepare_cached(query)?;
    let found = prepared.query_map([], |row| row.get(0))?;
    found.collect()
}

/// The tables of the ledgers that are there.
pub(super) fn names(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let ledgers = if form(connection)? == Form::Combined { Ledgers::Combined } else { Ledgers::Apart };
    let is_ledger = |name: &String| ledgers.have(name) && !adoption::TABLES.contains(&name.as_str());
    Ok(tables(connection)?.into_iter().filter(|name| is_ledger(name) || Tool::may_be_ledger(name)).collect())
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
    let table = match form(connection)? {
        Form::Combined => TABLE,
        _ => OWN_TABLE,
    };
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
    let table = match form(connection)? {
        Form::Current => OWN_TABLE,
        Form::Combined => TABLE,
        Form::Missing | Form::Old => return Ok(Vec::new()),
    };
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
