//! Remembers that a source was found in order, as one hash of everything that the finding depended on.
//!
//! Comparing the hash takes a fraction of a replay. It is written in the transaction of a migrator that has just
//! compared everything; whatever changes afterwards changes the hash.

use longshore_migrate::{
    files::checksum::sha256_hex,
    ledger::{Form, OWN_TABLE},
    schema::MOVE_PREFIX,
    target::{TargetError, VerifiedSource},
};
use rusqlite::{Connection, OptionalExtension, params};

use crate::target::{SqliteTarget, form};

/// Whether nothing has changed since `source` was last found in order. Only reads.
pub fn is_remembered(connection: &Connection, source: &VerifiedSource) -> Result<bool, TargetError> {
    compare(connection, source)
        .map_err(|error| SqliteTarget::on(connection).failed("comparing the schema with what was verified", error))
}

fn compare(connection: &Connection, source: &VerifiedSource) -> rusqlite::Result<bool> {
    if form(connection)? != Form::Current {
        return Ok(false);
    }
    let query = format!("SELECT fingerprint FROM {OWN_TABLE}_verified WHERE source = ?1");
    let remembered: Option<String> = connection.query_row(&query, [&source.name], |row| row.get(0)).optional()?;
    Ok(remembered.is_some() && remembered == Some(fingerprint(connection, source)?))
}

/// A text that changes with everything that [`is_remembered`] looks at; not a verdict.
pub fn mark(connection: &Connection, source: &VerifiedSource) -> rusqlite::Result<String> {
    match form(connection)? {
        Form::Current => fingerprint(connection, source),
        form => Ok(format!("{form:?}")),
    }
}

/// Writes down that `source` is in order as it is now.
pub(crate) fn remember(connection: &Connection, source: &VerifiedSource) -> rusqlite::Result<()> {
    if form(connection)? != Form::Current {
        return Ok(());
    }
    let fingerprint = fingerprint(connection, source)?;
    let sql = format!(
        "INSERT INTO {OWN_TABLE}_verified (source, fingerprint, at) VALUES (?1, ?2, datetime('now'))
         ON CONFLICT (source) DO UPDATE SET fingerprint = excluded.fingerprint, at = excluded.at"
    );
    connection.execute(&sql, params![source.name, fingerprint])?;
    Ok(())
}

/// Of the source's migrations, the ledger's rows, and the statements of its views and of everything that stands on its
/// tables. Other tables may come and go.
fn fingerprint(connection: &Connection, source: &VerifiedSource) -> rusqlite::Result<String> {
    let mut text = format!("2\0{}\0", source.digest);
    let rows = format!(
        "SELECT source || ':' || migration_number || ':' || coalesce(rollback_at, '') || ':' || coalesce(checksum, '') || ':' || is_verified
         FROM {OWN_TABLE} WHERE source = ?1 ORDER BY migration_number"
    );
    let mut prepared = connection.prepare(&rows)?;
    for row in prepared.query_map([&source.name], |row| row.get::<_, String>(0))? {
        text.push_str(&row?);
        text.push('\0');
    }
    let marks = source.tables.iter().map(|table| literal(table)).collect::<Vec<_>>().join(", ");
    let objects = format!(
        "SELECT type || ':' || name || ':' || coalesce(sql, '') FROM sqlite_schema
         WHERE tbl_name COLLATE NOCASE IN ({marks}) AND substr(name, 1, {}) <> '{MOVE_PREFIX}'
         ORDER BY type, name",
        MOVE_PREFIX.len()
    );
    let mut prepared = connection.prepare(&objects)?;
    for row in prepared.query_map([], |row| row.get::<_, String>(0))? {
        text.push_str(&row?);
        text.push('\0');
    }
    Ok(sha256_hex(text.as_bytes()))
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
