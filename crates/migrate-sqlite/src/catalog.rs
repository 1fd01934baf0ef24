//! Reads the meaning of a SQLite schema from its catalog.
//!
//! The pragmas report columns, indexes and foreign keys; CHECK, COLLATE, expressions, predicates, triggers and
//! views are only in the stored text, which SQLite keeps as it was typed. That text is brought to a canonical form
//! (`catalog/text/canonical.rs`), so that spacing, quotes, case, comments and idle parentheses make no difference.
//! Names of constraints are not part of the meaning. Begin reading at
//! [`CatalogReader`].

mod entry;
mod foreign_key;
mod index;
mod reach;
mod reader;
mod shadow;
mod table;
mod table_text;
mod text;
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
/// When SQLite cannot read its catalog: a corrupt file, a lock that was held too long, a name that is not UTF-8.
pub fn read(connection: &Connection) -> Result<Schema, CatalogError> {
    CatalogReader::default().read(connection)
}

/// SQL text in canonical form: equal for texts that mean the same, and its own canonical form.
///
/// Accepts any text, valid SQL or not. It never fails, and it bounds its recursion, so that any thread's stack is
/// enough.
#[must_use]
pub fn canonical_sql(sql: &str) -> String {
    text::canonical::canonical(&text::token::tokens(sql), None)
}

/// Which tables belong to ledgers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Ledgers {
    /// Ours, and the one table that the application has for its own.
    #[default]
    Apart,
    /// Those that an earlier version kept beside the application's, too.
    Combined,
}

impl Ledgers {
    /// Whether a table of this name, in lower case, belongs to a ledger or to an adoption.
    pub(crate) fn have(self, name: &str) -> bool {
        let is_part = |ledger: &str| {
            name.strip_prefix(ledger).is_some_and(|rest| rest.is_empty() || ledger::SUFFIXES.contains(&rest))
        };
        let is_shared = name == ledger::TABLE || self == Self::Combined && is_part(ledger::TABLE);
        is_shared || is_part(ledger::OWN_TABLE) || adoption::TABLES.contains(&name)
    }

    fn is_apart(self, table: &str) -> bool {
        let name = table.to_ascii_lowercase();
        name.starts_with("sqlite_") || self.have(&name)
    }
}
