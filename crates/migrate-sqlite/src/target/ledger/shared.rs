//! The application's ledger, which another manager may keep: five columns, of which nothing is ever altered.

use longshore_migrate::ledger::{Row, SharedRow, TABLE, Witness};
use rusqlite::{Connection, params};

use super::{columns, is_table};

/// The columns that are read and written, as far as they are there.
const KNOWN: [&str; 5] = ["id", "migration_number", "migration_name", "applied_at", "rollback_at"];

/// Whether it can hold our rows: it has the incident's columns, and no other column that needs a value.
pub(super) fn is_usable(connection: &Connection) -> rusqlite::Result<bool> {
    if !is_table(connection, TABLE)? {
        return Ok(false);
    }
    let found = columns(connection, TABLE)?;
    let has = |name: &str| found.iter().any(|column| column == name);
    let query = "SELECT lower(name) FROM pragma_table_info(?1) WHERE \"notnull\" AND dflt_value IS NULL";
    let mut prepared = connection.prepare(query)?;
    let wanted: Vec<String> = prepared.query_map([TABLE], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    let wants_no_other = wanted.iter().all(|name| KNOWN.contains(&name.as_str()));
    Ok(has("migration_number") && has("migration_name") && wants_no_other)
}

/// Its rows; those of which `details` tell what it has no column for are the application's source's.
pub(super) fn rows(connection: &Connection, details: &[Row]) -> rusqlite::Result<Vec<Row>> {
    let rows = read(connection, "migration_number IS NOT NULL")?;
    Ok(rows.into_iter().map(|row| with_details(row, details)).collect())
}

/// The row of a number.
pub(super) fn get(connection: &Connection, number: i64) -> rusqlite::Result<Option<SharedRow>> {
    let found = read(connection, &format!("migration_number = {number}"))?;
    Ok(found.first().map(Row::shared))
}

fn read(connection: &Connection, condition: &str) -> rusqlite::Result<Vec<Row>> {
    let found = columns(connection, TABLE)?;
    let column = |name: &str| {
        let has = found.iter().any(|column| column == name);
        if has { format!("CAST({name} AS TEXT)") } else { "NULL".to_owned() }
    };
    let query = format!(
        "SELECT CAST(migration_number AS INTEGER), coalesce(CAST(migration_name AS TEXT), ''), {}, {} FROM {TABLE}
         WHERE {condition} ORDER BY 1",
        column("applied_at"),
        column("rollback_at")
    );
    let mut prepared = connection.prepare(&query)?;
    let rows = prepared.query_map([], |row| {
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
    rows.collect()
}

/// What another manager has written since is not what our details are about.
fn with_details(row: Row, details: &[Row]) -> Row {
    let at = details.partition_point(|detail| detail.number < row.number);
    match details.get(at).filter(|detail| detail.number == row.number && detail.applied_at == row.applied_at) {
        Some(detail) => Row { rolled_back_at: row.rolled_back_at, ..detail.clone() },
        None => row,
    }
}

/// Makes the ledger of an application that has none, in the form that the incident's manager reads, too.
pub(super) fn create(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(&format!(
        "CREATE TABLE {TABLE} (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    migration_number INTEGER UNIQUE NOT NULL,
    migration_name TEXT NOT NULL,
    applied_at TEXT DEFAULT (datetime('now')),
    rollback_at TEXT NULL
)"
    ))
}

/// Writes the row of a number, or takes it away.
pub(in crate::target) fn set(connection: &Connection, number: i64, row: Option<&SharedRow>) -> rusqlite::Result<()> {
    let Some(row) = row else {
        connection.execute(&format!("DELETE FROM {TABLE} WHERE migration_number = ?1"), [number])?;
        return Ok(());
    };
    let found = columns(connection, TABLE)?;
    let has = |name: &str| found.iter().any(|column| column == name);
    if !has("rollback_at") && row.rolled_back_at.is_some() {
        return set(connection, number, None);
    }
    let mut values: Vec<(&str, &dyn rusqlite::ToSql)> = vec![("migration_name", &row.name)];
    values.extend(has("applied_at").then_some(("applied_at", &row.applied_at as &dyn rusqlite::ToSql)));
    values.extend(has("rollback_at").then_some(("rollback_at", &row.rolled_back_at as &dyn rusqlite::ToSql)));
    let sets: Vec<String> = (2..).zip(&values).map(|(at, (name, _))| format!("{name} = ?{at}")).collect();
    let update = format!("UPDATE {TABLE} SET {} WHERE migration_number = ?1", sets.join(", "));
    let bound = || {
        std::iter::once(&number as &dyn rusqlite::ToSql)
            .chain(values.iter().map(|(_, value)| *value))
            .collect::<Vec<_>>()
    };
    if connection.execute(&update, bound().as_slice())? > 0 {
        return Ok(());
    }
    let names: Vec<&str> = values.iter().map(|(name, _)| *name).collect();
    let marks: Vec<String> = (2..).take(names.len()).map(|at| format!("?{at}")).collect();
    let insert =
        format!("INSERT INTO {TABLE} (migration_number, {}) VALUES (?1, {})", names.join(", "), marks.join(", "));
    connection.execute(&insert, bound().as_slice())?;
    Ok(())
}

/// Takes the rows that a ledger of ours kept while there was no such table.
pub(super) fn fill(connection: &Connection, rows: &[Row]) -> rusqlite::Result<()> {
    let sql = format!(
        "INSERT INTO {TABLE} (migration_number, migration_name, applied_at, rollback_at) VALUES (?1, ?2, ?3, ?4)"
    );
    for row in rows {
        connection.execute(&sql, params![row.number, row.name, row.applied_at, row.rolled_back_at])?;
    }
    Ok(())
}
