//! Reads the meaning of a SQLite schema from its catalog.
//!
//! Being written.

use longshore_migrate::schema::Schema;
use rusqlite::Connection;
use thiserror::Error;

/// Why a schema could not be read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CatalogError {
    /// SQLite refused a query on its catalog.
    #[error("cannot read the schema")]
    Sqlite(#[from] rusqlite::Error),
}

/// Reads the schema of the main database, without what belongs to SQLite and to the ledger.
///
/// # Errors
/// When SQLite cannot read its catalog: a corrupt file, or a lock that was held too long.
pub fn read(connection: &Connection) -> Result<Schema, CatalogError> {
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| {
        row.get::<_, i64>(0)
    })?;
    Ok(Schema::new())
}
