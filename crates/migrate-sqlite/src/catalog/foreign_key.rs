//! Reads the foreign keys of a table.

use std::collections::{BTreeMap, BTreeSet};

use longshore_migrate::schema::{Definition, Facet};
use rusqlite::Connection;

use super::text::token;

struct ForeignKey {
    parent: String,
    columns: Vec<String>,
    /// Empty where the text names none, which means the parent's primary key.
    parent_columns: Vec<String>,
    on_update: String,
    on_delete: String,
}

/// The foreign keys of one table.
#[derive(Default)]
pub(super) struct ForeignKeys {
    /// By their columns; a second one on the same columns has a number behind them.
    pub(super) named: BTreeMap<String, Definition>,
    /// The parents whose columns the text does not name, so that they follow from the parent's primary key.
    pub(super) parents_by_key: BTreeSet<String>,
}

/// Reads the foreign keys of a table. `deferred` says for each key, in the order of the text, whether it is checked at
/// the commit. `has_key` says whether a parent is an ordinary table: SQLite expands a view to read its columns.
pub(super) fn of_table(
    connection: &Connection,
    table: &str,
    deferred: &[bool],
    has_key: &dyn Fn(&str) -> bool,
) -> rusqlite::Result<ForeignKeys> {
    let mut written = Vec::new();
    let mut parents_by_key = BTreeSet::new();
    // SQLite counts foreign keys from the last to the first.
    for (place, key) in list(connection, table)?.into_values().rev().enumerate() {
        let timing = if deferred.get(place) == Some(&true) { " DEFERRABLE INITIALLY DEFERRED" } else { "" };
        if key.parent_columns.is_empty() {
            parents_by_key.insert(key.parent.to_ascii_lowercase());
        }
        let references = key.references(connection, has_key)? + timing;
        written.push((key.columns.join(", "), references));
    }
    written.sort_unstable();
    let mut named = BTreeMap::new();
    for (columns, references) in written {
        let mut name = columns.clone();
        let mut count = 1;
        while named.contains_key(&name) {
            count += 1;
            name = format!("{columns} {count}");
        }
        named.insert(name, Definition::new().with(Facet::References, references));
    }
    Ok(ForeignKeys { named, parents_by_key })
}

impl ForeignKey {
    fn references(&self, connection: &Connection, has_key: &dyn Fn(&str) -> bool) -> rusqlite::Result<String> {
        let columns = if self.parent_columns.is_empty() && has_key(&self.parent) {
            primary_key(connection, &self.parent)?
        } else {
            self.parent_columns.clone()
        };
        let mut text = format!("REFERENCES {} ({})", token::written(&self.parent), columns.join(", "));
        for (event, action) in [("UPDATE", &self.on_update), ("DELETE", &self.on_delete)] {
            if action != "NO ACTION" {
                text.push_str(&format!(" ON {event} {action}"));
            }
        }
        Ok(text)
    }
}

fn list(connection: &Connection, table: &str) -> rusqlite::Result<BTreeMap<i64, ForeignKey>> {
    let mut statement = connection.prepare_cached(
        "SELECT id, \"table\", \"from\", \"to\", on_update, on_delete
         FROM pragma_foreign_key_list(?1, 'main')
         ORDER BY id, seq",
    )?;
    let mut rows = statement.query([table])?;
    let mut keys: BTreeMap<i64, ForeignKey> = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let (parent, on_update, on_delete): (String, _, _) = (row.get(1)?, row.get(4)?, row.get(5)?);
        let key = keys.entry(row.get(0)?).or_insert_with(|| ForeignKey {
            parent,
            columns: Vec::new(),
            parent_columns: Vec::new(),
            on_update,
            on_delete,
        });
        key.columns.push(token::written(row.get_ref(2)?.as_str()?));
        key.parent_columns.extend(row.get::<_, Option<String>>(3)?.map(|column| token::written(&column)));
    }
    Ok(keys)
}

fn primary_key(connection: &Connection, table: &str) -> rusqlite::Result<Vec<String>> {
    let mut statement =
        connection.prepare_cached("SELECT name FROM pragma_table_xinfo(?1, 'main') WHERE pk > 0 ORDER BY pk")?;
    let columns = statement.query_map([table], |row| Ok(token::written(row.get_ref(0)?.as_str()?)))?;
    columns.collect()
}
