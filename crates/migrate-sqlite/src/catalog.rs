//! Reads the meaning of a SQLite schema from its catalog.
//!
//! The pragmas tell of columns, indexes and foreign keys; CHECK, COLLATE, expressions, predicates, triggers and
//! views are only in the stored text, which SQLite keeps as it was typed. That text is brought to a canonical form
//! (`catalog/canonical.rs`), so that spacing, quotes, case, comments and idle parentheses make no difference.
//! Names of constraints are not part of the meaning. Begin reading at [`read`].

mod canonical;
mod cursor;
mod foreign_key;
mod index;
mod keyword;
mod literal;
mod operator;
mod piece;
mod table;
mod table_text;
mod token;
mod trigger;

use longshore_migrate::schema::{ObjectKind, ObjectName, Schema};
use longshore_migrate::{adoption, ledger};
use rusqlite::Connection;
use thiserror::Error;

use canonical::Names;
use table::Table;

/// Why a schema could not be read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CatalogError {
    /// SQLite refused a query on its catalog.
    #[error("cannot read the schema of the database")]
    Sqlite(#[from] rusqlite::Error),
}

/// Reads the schema of the main database, without what belongs to SQLite and to the ledger, under
/// whichever of its names.
///
/// It only reads. Run it inside a transaction to see one state of the catalog.
///
/// # Errors
/// When SQLite cannot read its catalog: a corrupt file, a lock that was held too long, a name that is no UTF-8.
pub fn read(connection: &Connection) -> Result<Schema, CatalogError> {
    let mut schema = Schema::new();
    let entries = entries(connection)?;
    for Entry { table, .. } in entries.iter().filter(|entry| entry.kind == "table") {
        table.read_into(connection, &mut schema)?;
    }
    let mut names = names(&schema);
    names.extend(entries.iter().map(|entry| entry.table.name.to_ascii_lowercase()));
    for Entry { kind, table } in &entries {
        let name = table.name.to_ascii_lowercase();
        match kind.as_str() {
            "view" => schema.insert(ObjectName::view(name), trigger::view(&table.sql, &names)),
            "virtual" => schema.insert(ObjectName::table(name), trigger::virtual_table(&table.sql)),
            _ => {}
        }
    }
    read_triggers(connection, &mut schema)?;
    Ok(schema)
}

/// SQL text in canonical form: equal for texts that mean the same, and its own canonical form.
///
/// It takes any text, also what is no SQL, never fails and needs no more stack than a thread has.
#[must_use]
pub fn canonical_sql(sql: &str) -> String {
    canonical::canonical(&token::tokens(sql), None)
}

/// A table, a view or a virtual table: `kind` says which.
struct Entry {
    kind: String,
    table: Table,
}

// Shadow tables belong to their virtual table, which makes and drops them.
fn entries(connection: &Connection) -> rusqlite::Result<Vec<Entry>> {
    let mut statement = connection.prepare_cached(
        "SELECT l.name, l.type, s.sql, l.wr, l.strict
         FROM pragma_table_list l
         JOIN main.sqlite_schema s ON s.name = l.name AND s.type IN ('table', 'view')
         WHERE l.schema = 'main' AND l.type <> 'shadow'
         ORDER BY l.name",
    )?;
    let entries = statement.query_map([], |row| {
        Ok(Entry {
            kind: row.get(1)?,
            table: Table { name: row.get(0)?, sql: row.get(2)?, is_without_rowid: row.get(3)?, is_strict: row.get(4)? },
        })
    })?;
    let ours = entries.filter(|entry| !entry.as_ref().is_ok_and(|entry| is_apart(&entry.table.name)));
    ours.collect()
}

fn is_apart(table: &str) -> bool {
    let name = table.to_ascii_lowercase();
    name.starts_with("sqlite_") || is_of_ledger(&name)
}

fn is_of_ledger(name: &str) -> bool {
    let is_part = |ledger: &str| {
        name.strip_prefix(ledger).is_some_and(|rest| rest.is_empty() || ledger::SUFFIXES.contains(&rest))
    };
    is_part(ledger::TABLE) || is_part(ledger::OWN_TABLE) || adoption::TABLES.contains(&name)
}

fn read_triggers(connection: &Connection, schema: &mut Schema) -> rusqlite::Result<()> {
    let names = names(schema);
    let mut statement =
        connection.prepare_cached("SELECT name, tbl_name, sql FROM main.sqlite_schema WHERE type = 'trigger'")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (name, table): (String, String) = (row.get(0)?, row.get(1)?);
        if is_apart(&table) {
            continue;
        }
        let object = ObjectName::on(ObjectKind::Trigger, table.to_ascii_lowercase(), name.to_ascii_lowercase());
        schema.insert(object, trigger::trigger(row.get_ref(2)?.as_str()?, &names));
    }
    Ok(())
}

fn names(schema: &Schema) -> Names {
    let named = [ObjectKind::Table, ObjectKind::View, ObjectKind::Column, ObjectKind::Index];
    schema.objects().filter(|(name, _)| named.contains(&name.kind)).map(|(name, _)| name.name.clone()).collect()
}
