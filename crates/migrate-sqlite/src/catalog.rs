//! Reads the meaning of a SQLite schema from its catalog.
//!
//! The pragmas tell of columns, indexes and foreign keys; CHECK, COLLATE, expressions, predicates, triggers and
//! views are only in the stored text, which SQLite keeps as it was typed. That text is brought to a canonical form
//! (`catalog/canonical.rs`), so that spacing, quotes, case, comments and idle parentheses make no difference.
//! Names of constraints are not part of the meaning. Begin reading at
//! [`CatalogReader`].

mod canonical;
mod cursor;
mod entry;
mod foreign_key;
mod index;
mod keyword;
mod literal;
mod operator;
mod piece;
mod reach;
mod reader;
mod shadow;
mod table;
mod table_text;
mod token;
mod trigger;

use longshore_migrate::schema::Schema;
use longshore_migrate::{adoption, ledger};
use rusqlite::Connection;
use thiserror::Error;

pub(crate) use reach::Reach;
pub use reader::CatalogReader;

/// Why a schema could not be read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CatalogError {
    /// SQLite refused a query on its catalog.
    #[error("cannot read the schema of the database")]
    Sqlite(#[from] rusqlite::Error),
}

/// Reads the schema of the main database once; see [`CatalogReader::read`].
///
/// # Errors
/// When SQLite cannot read its catalog: a corrupt file, a lock that was held too long, a name that is no UTF-8.
pub fn read(connection: &Connection) -> Result<Schema, CatalogError> {
    CatalogReader::default().read(connection)
}

/// SQL text in canonical form: equal for texts that mean the same, and its own canonical form.
///
/// Accepts any text, valid SQL or not. It never fails, and it bounds its recursion, so that any thread's stack is enough.
#[must_use]
pub fn canonical_sql(sql: &str) -> String {
    canonical::canonical(&token::tokens(sql), None)
}

fn is_apart(table: &str) -> bool {
    let name = table.to_ascii_lowercase();
    name.starts_with("sqlite_") || is_of_ledger(&name)
}

/// Whether a table of this name, in lower case, belongs to a ledger or to an adoption.
pub(crate) fn is_of_ledger(name: &str) -> bool {
    let is_part = |ledger: &str| {
        name.strip_prefix(ledger).is_some_and(|rest| rest.is_empty() || ledger::SUFFIXES.contains(&rest))
    };
    is_part(ledger::TABLE) || is_part(ledger::OWN_TABLE) || adoption::TABLES.contains(&name)
}
