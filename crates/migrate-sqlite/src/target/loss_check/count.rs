//! Counts rows and values.

use std::collections::{BTreeMap, BTreeSet};

use longshore_migrate::files::script::{Token, tokens};
use rusqlite::{Connection, OptionalExtension};

use super::reached::Write;
use crate::target::quoted;

/// Columns counted in one scan; SQLite gives at most 2000 results a row, and each column needs three.
const COLUMNS_AT_ONCE: usize = 500;

/// What a table held before anything changed it, as far as it can be changed.
#[derive(Debug, Clone, Default)]
pub(super) struct Counts {
    pub(super) rows: Option<u64>,
    /// By the name that the column has now.
    pub(super) columns: BTreeMap<String, Values>,
    /// Every column was counted, because rows could go.
    pub(super) is_whole: bool,
}

/// What one column holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Values {
    /// The name that it had when it was counted.
    pub(super) name: String,
    /// Rows where it is not NULL.
    pub(super) not_null: u64,
    /// Rows where it is neither NULL nor empty: an empty text that becomes NULL is no loss.
    pub(super) not_empty: u64,
    /// Rows where it is neither NULL nor `default`.
    pub(super) set: u64,
    /// Its default, where that is a plain value.
    pub(super) default: Option<String>,
    /// A foreign key sets it to its default when the row goes that it refers to.
    pub(super) is_reset_by_key: bool,
}

impl Values {
    /// Takes away what there is less of in `after` than in `before`.
    pub(super) fn take_away(&mut self, before: &Self, after: &Self) {
        self.not_null = self.not_null.saturating_sub(before.not_null.saturating_sub(after.not_null));
        self.not_empty = self.not_empty.saturating_sub(before.not_empty.saturating_sub(after.not_empty));
        self.set = self.set.saturating_sub(before.set.saturating_sub(after.set));
    }
}

struct Column {
    name: String,
    default: Option<String>,
}

impl Counts {
    /// Counts what `write` can change and was not counted before.
    pub(super) fn add(&mut self, connection: &Connection, table: &str, write: &Write) -> rusqlite::Result<()> {
        if self.rows.is_none() {
            self.rows = Some(rows(connection, table)?);
        }
        // Who holds nothing loses nothing.
        if self.is_whole || self.rows == Some(0) || !write.deletes && write.columns.is_empty() {
            return Ok(());
        }
        let is_new = |column: &Column| {
            let name = column.name.to_lowercase();
            (write.deletes || write.columns.contains(&name)) && !self.columns.contains_key(&name)
        };
        let columns: Vec<Column> = columns(connection, table)?.into_iter().filter(is_new).collect();
        let reset = reset_by_keys(connection, table)?;
        for column in columns.chunks(COLUMNS_AT_ONCE) {
            for mut values in values(connection, table, column)? {
                values.is_reset_by_key = reset.contains(&values.name);
                self.columns.insert(values.name.clone(), values);
            }
        }
        self.is_whole |= write.deletes;
        Ok(())
    }

    pub(super) fn rename(&mut self, from: &str, to: &str) {
        if let Some(values) = self.columns.remove(from) {
            self.columns.insert(to.to_owned(), values);
        }
    }
}

/// The same columns of another table, or of the same at another time, by the default that they had before.
pub(super) fn again(
    connection: &Connection,
    table: &str,
    before: &BTreeMap<String, Values>,
) -> rusqlite::Result<BTreeMap<String, Values>> {
    let here: BTreeSet<String> = column_names(connection, table)?.into_iter().collect();
    let wanted: Vec<Column> = before
        .iter()
        .filter(|(name, _)| here.contains(*name))
        .map(|(name, values)| Column { name: name.clone(), default: values.default.clone() })
        .collect();
    let mut found = BTreeMap::new();
    for columns in wanted.chunks(COLUMNS_AT_ONCE) {
        found.extend(values(connection, table, columns)?.into_iter().map(|values| (values.name.clone(), values)));
    }
    Ok(found)
}

/// How many values that are not NULL each of the columns has that `before` does not know.
pub(super) fn others(
    connection: &Connection,
    table: &str,
    before: &BTreeMap<String, Values>,
) -> rusqlite::Result<Vec<u64>> {
    let new: Vec<Column> = columns(connection, table)?
        .into_iter()
        .filter(|column| !before.contains_key(&column.name.to_lowercase()))
        .collect();
    let mut found = Vec::new();
    for columns in new.chunks(COLUMNS_AT_ONCE) {
        found.extend(values(connection, table, columns)?.into_iter().map(|values| values.not_null));
    }
    Ok(found)
}

pub(super) fn rows(connection: &Connection, table: &str) -> rusqlite::Result<u64> {
    let count = |from: String| {
        let rows = connection.query_row(&format!("SELECT count(*) FROM {from}"), [], |row| row.get::<_, i64>(0))?;
        Ok(u64::try_from(rows).unwrap_or_default())
    };
    // An index in an order that this program does not know cannot be read, the table itself can.
    count(quoted(table)).or_else(|_: rusqlite::Error| count(format!("{} NOT INDEXED", quoted(table))))
}

/// Generated columns hold nothing of their own.
fn columns(connection: &Connection, table: &str) -> rusqlite::Result<Vec<Column>> {
    if is_virtual(connection, table)? {
        return Ok(Vec::new());
    }
    let query = "SELECT name, dflt_value FROM pragma_table_xinfo(?1) WHERE hidden = 0 ORDER BY cid";
    let mut prepared = connection.prepare_cached(query)?;
    let found = prepared.query_map([table], |row| {
        let default: Option<String> = row.get(1)?;
        Ok(Column { name: row.get(0)?, default: default.filter(|text| is_plain(text)) })
    })?;
    found.collect()
}

pub(super) fn column_names(connection: &Connection, table: &str) -> rusqlite::Result<Vec<String>> {
    let mut prepared = connection.prepare_cached("SELECT lower(name) FROM pragma_table_xinfo(?1)")?;
    let found = prepared.query_map([table], |row| row.get(0))?;
    found.collect()
}

/// A text or a number, not an expression that gives another value each time.
fn is_plain(default: &str) -> bool {
    let text = default.trim();
    text.starts_with(|first: char| first.is_ascii_digit() || ['\'', '-', '+', '.'].contains(&first))
        || ["true", "false"].iter().any(|word| text.eq_ignore_ascii_case(word))
}

fn values(connection: &Connection, table: &str, columns: &[Column]) -> rusqlite::Result<Vec<Values>> {
    if columns.is_empty() {
        return Ok(Vec::new());
    }
    let terms: Vec<String> = columns.iter().map(terms).collect();
    let query = format!("SELECT {} FROM {} NOT INDEXED", terms.join(", "), quoted(table));
    connection.query_row(&query, [], |row| {
        let number = |at: usize| -> rusqlite::Result<u64> {
            // The sum over no row is NULL.
            Ok(u64::try_from(row.get::<_, Option<i64>>(at)?.unwrap_or(0)).unwrap_or_default())
        };
        let read = |(at, column): (usize, &Column)| {
            Ok(Values {
                name: column.name.to_lowercase(),
                not_null: number(3 * at)?,
                not_empty: number(3 * at + 1)?,
                set: number(3 * at + 2)?,
                default: column.default.clone(),
                is_reset_by_key: false,
            })
        };
        columns.iter().enumerate().map(read).collect()
    })
}

fn terms(column: &Column) -> String {
    let name = quoted(&column.name);
    let set = match &column.default {
        Some(default) => format!("sum({name} IS NOT NULL AND {name} IS NOT ({default}))"),
        None => format!("count({name})"),
    };
    format!("count({name}), count(nullif({name}, '')), {set}")
}

fn reset_by_keys(connection: &Connection, table: &str) -> rusqlite::Result<BTreeSet<String>> {
    let query = "SELECT lower(\"from\") FROM pragma_foreign_key_list(?1) WHERE 'SET DEFAULT' IN (on_delete, on_update)";
    let mut prepared = connection.prepare_cached(query)?;
    let found = prepared.query_map([table], |row| row.get(0))?;
    found.collect()
}

/// The statement that made a table; `None` where there is none of that name.
pub(super) fn stored(connection: &Connection, table: &str) -> rusqlite::Result<Option<String>> {
    let query = "SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = ?1 COLLATE NOCASE";
    connection.prepare_cached(query)?.query_row([table], |row| row.get(0)).optional()
}

/// Whether there is such a table, and it is not the inside of a virtual one.
pub(super) fn is_counted(connection: &Connection, table: &str) -> rusqlite::Result<bool> {
    let inside = "SELECT 1 FROM sqlite_schema
        WHERE type = 'table' AND sql LIKE 'CREATE VIRTUAL%' AND ?1 LIKE replace(name, '_', '\\_') || '\\_%' ESCAPE '\\'";
    Ok(stored(connection, table)?.is_some() && !connection.prepare_cached(inside)?.exists([table])?)
}

fn is_virtual(connection: &Connection, table: &str) -> rusqlite::Result<bool> {
    Ok(stored(connection, table)?.is_some_and(|sql| words(&sql).get(1).is_some_and(|word| word == "virtual")))
}

/// Whether the table itself says that a row in conflict is replaced.
pub(super) fn replaces_on_conflict(connection: &Connection, table: &str) -> rusqlite::Result<bool> {
    let words = stored(connection, table)?.map(|sql| words(&sql)).unwrap_or_default();
    Ok(words.windows(3).any(|three| three == ["on", "conflict", "replace"]))
}

pub(super) fn is_autoincrement(connection: &Connection, table: &str) -> rusqlite::Result<bool> {
    let words = stored(connection, table)?.map(|sql| words(&sql)).unwrap_or_default();
    Ok(words.iter().any(|word| word == "autoincrement"))
}

fn words(sql: &str) -> Vec<String> {
    tokens(sql).into_iter().filter(Token::has_meaning).map(|token| token.text.to_ascii_lowercase()).collect()
}

/// Where each AUTOINCREMENT counter stands.
pub(super) fn counters(connection: &Connection) -> rusqlite::Result<BTreeMap<String, i64>> {
    if connection.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'sqlite_sequence'")?.exists([])? {
        let query = "SELECT lower(name), max(seq) FROM sqlite_sequence WHERE typeof(seq) = 'integer' GROUP BY 1";
        let mut prepared = connection.prepare(query)?;
        let found = prepared.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        return found.collect();
    }
    Ok(BTreeMap::new())
}
