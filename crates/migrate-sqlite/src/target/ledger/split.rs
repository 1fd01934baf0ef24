//! The one table in which Longshore once kept every source, and its splitting into a ledger for each.

use longshore_migrate::{
    files::source::APP,
    ledger::{Ledger, OWN_TABLE, READ_FROM_OLDER, Row, SUFFIXES, SharedRow, TABLE},
};
use rusqlite::{Connection, params};

use super::{current_rows, has_older_events, shared};

/// Its rows. A row that an upgrade in place gave to a source by its number alone is open again, and one that our own
/// migration of the same number took the place of is read back from the history.
pub(super) fn rows(connection: &Connection) -> rusqlite::Result<Vec<Row>> {
    let older = older(connection)?;
    let mut rows = Vec::new();
    for mut row in current_rows(connection, TABLE)? {
        let is_own = row.source.as_deref() != Some(APP);
        let was = older.iter().find(|was| is_own && was.number == row.number);
        if let Some(was) = was.filter(|was| was.name != row.name) {
            rows.push(of_other_manager(&row, was));
        }
        if is_own && was.is_some_and(|was| was.name == row.name) || row.source.as_deref() == Some(APP) && is_plain(&row)
        {
            row.source = None;
        }
        rows.push(row);
    }
    Ok(rows)
}

/// A row of which nothing is known but what the other manager's columns say.
fn is_plain(row: &Row) -> bool {
    row.checksum.is_none() && row.duration_ms.is_none() && row.applied_by.is_none()
}

fn of_other_manager(row: &Row, was: &SharedRow) -> Row {
    Row {
        source: None,
        name: was.name.clone(),
        applied_at: was.applied_at.clone(),
        rolled_back_at: row.rolled_back_at.clone(),
        checksum: None,
        duration_ms: None,
        applied_by: None,
        ..row.clone()
    }
}

/// Whether the ledger was another manager's before it was upgraded in place.
pub(super) fn has_other_manager(connection: &Connection) -> rusqlite::Result<bool> {
    has_older_events(connection, TABLE)
}

/// The rows that another manager had written, as the history tells.
fn older(connection: &Connection) -> rusqlite::Result<Vec<SharedRow>> {
    let query = format!(
        "SELECT migration_number, migration_name, max(at) FROM {TABLE}_history
         WHERE detail = ?1 AND event = 'applied' GROUP BY migration_number, migration_name ORDER BY migration_number"
    );
    let mut prepared = connection.prepare(&query)?;
    let found = prepared.query_map([READ_FROM_OLDER], |row| {
        let at: String = row.get(2)?;
        // As the incident's manager writes an instant.
        let applied_at = at.replacen('T', " ", 1).trim_end_matches('Z').trim_end_matches(".000").to_owned();
        Ok(SharedRow { number: row.get(0)?, name: row.get(1)?, applied_at: Some(applied_at), rolled_back_at: None })
    })?;
    found.collect()
}

/// Moves everything of ours to ledgers of its own, and leaves to the application what another manager reads: its own
/// rows and, where it knew some of our migrations, those.
pub(super) fn split(connection: &Connection, found: &Ledger) -> rusqlite::Result<()> {
    let columns = "migration_number, migration_name, applied_at, rollback_at, source, checksum, duration_ms, applied_by, is_verified";
    connection.execute_batch(&format!(
        "INSERT INTO {OWN_TABLE} ({columns})
         SELECT {columns} FROM {TABLE}
         WHERE source <> '{APP}' OR checksum IS NOT NULL OR duration_ms IS NOT NULL OR applied_by IS NOT NULL
         ORDER BY id;
         INSERT INTO {OWN_TABLE}_history (at, event, source, migration_number, migration_name, who, host, reason, duration_ms, checksum, detail)
         SELECT at, event, source, migration_number, migration_name, who, host, reason, duration_ms, checksum, detail
         FROM {TABLE}_history ORDER BY id;
         INSERT OR REPLACE INTO {OWN_TABLE}_checkpoints (source, migration_number, direction, statement, checksum)
         SELECT source, migration_number, direction, statement, checksum FROM {TABLE}_checkpoints;"
    ))?;
    for suffix in SUFFIXES {
        connection.execute_batch(&format!("DROP TABLE {TABLE}{suffix}"))?;
    }
    for row in &found.theirs {
        let own = format!(
            "DELETE FROM {OWN_TABLE} WHERE source <> '{APP}' AND migration_number = ?1 AND migration_name = ?2"
        );
        connection.execute(&own, params![row.number, row.name])?;
    }
    connection.execute_batch(&format!("DELETE FROM {TABLE} WHERE source <> '{APP}'"))?;
    let kept = found.theirs.iter().chain(&found.shared).map(Row::shared).chain(found.marks.iter().cloned());
    for row in kept {
        shared::set(connection, row.number, Some(&row))?;
    }
    let is_empty = !connection.prepare(&format!("SELECT 1 FROM {TABLE}"))?.exists([])?;
    if is_empty && !found.has_other_manager {
        connection.execute_batch(&format!("DROP TABLE {TABLE}"))?;
    }
    Ok(())
}
