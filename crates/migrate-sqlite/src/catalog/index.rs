//! Reads the indexes of a table: those of its own statements, and those that stand for a constraint.

use std::collections::BTreeMap;

use longshore_migrate::schema::{Definition, Facet};
use rusqlite::Connection;

use super::text::canonical::{Names, canonical};
use super::text::cursor::{Cursor, comma_separated};
use super::text::token::{self, Token, tokens};

/// One index as the pragmas report it.
pub(super) struct Index {
    pub(super) name: String,
    pub(super) origin: Origin,
    pub(super) is_unique: bool,
    pub(super) terms: Vec<Term>,
    sql: Option<String>,
}

/// What made an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    Statement,
    Unique,
    PrimaryKey,
}

/// One key term of an index.
pub(super) struct Term {
    /// `None` for an expression, or for the rowid.
    pub(super) column: Option<String>,
    is_rowid: bool,
    is_descending: bool,
    collation: String,
}

impl Term {
    /// The term with what is not usual for its column.
    pub(super) fn written(&self, collation_of_column: &str) -> String {
        let mut text = match &self.column {
            Some(column) => token::written(column),
            None => "rowid".to_owned(),
        };
        if !self.collation.eq_ignore_ascii_case(collation_of_column) && !self.is_rowid {
            text.push_str(" COLLATE ");
            text.push_str(&self.collation.to_ascii_lowercase());
        }
        text + self.direction()
    }

    fn direction(&self) -> &'static str {
        if self.is_descending { " DESC" } else { "" }
    }
}

/// The statements that made the indexes of a table, by their names as they are stored.
pub(super) type IndexTexts<'a> = BTreeMap<&'a str, &'a str>;

/// Every index of a table.
pub(super) fn of_table(connection: &Connection, table: &str, texts: &IndexTexts<'_>) -> rusqlite::Result<Vec<Index>> {
    let mut statement =
        connection.prepare_cached("SELECT name, \"unique\", origin FROM pragma_index_list(?1, 'main') ORDER BY seq")?;
    let mut rows = statement.query([table])?;
    let mut indexes = Vec::new();
    while let Some(row) = rows.next()? {
        let name: String = row.get(0)?;
        let origin = match row.get_ref(2)?.as_str()? {
            "pk" => Origin::PrimaryKey,
            "u" => Origin::Unique,
            _ => Origin::Statement,
        };
        let terms = terms(connection, &name)?;
        let sql = texts.get(name.as_str()).map(|sql| (*sql).to_owned());
        indexes.push(Index { name, origin, is_unique: row.get(1)?, terms, sql });
    }
    Ok(indexes)
}

fn terms(connection: &Connection, index: &str) -> rusqlite::Result<Vec<Term>> {
    let mut statement = connection.prepare_cached(
        "SELECT cid, name, \"desc\", coll FROM pragma_index_xinfo(?1, 'main') WHERE key ORDER BY seqno",
    )?;
    let terms = statement.query_map([index], |row| {
        Ok(Term {
            column: row.get::<_, Option<String>>(1)?.map(|name| name.to_ascii_lowercase()),
            is_rowid: row.get::<_, i64>(0)? == -1,
            is_descending: row.get(2)?,
            collation: row.get(3)?,
        })
    })?;
    terms.collect()
}

impl Index {
    /// What an index of its own statement means. `collation` tells that of a column.
    pub(super) fn definition(&self, names: &Names<'_>, collation: impl Fn(&str) -> String) -> Definition {
        let sql = self.sql.as_deref().unwrap_or_default();
        let tokens = tokens(sql);
        let mut cursor = Cursor::new(&tokens);
        cursor.skip_to(&["on"]);
        cursor.next();
        cursor.next();
        let expressions = comma_separated(cursor.take_group().unwrap_or_default());
        let terms: Vec<String> = self
            .terms
            .iter()
            .enumerate()
            .map(|(at, term)| match &term.column {
                Some(column) => term.written(&collation(column)),
                None if term.is_rowid => term.written(""),
                None => expression(expressions.get(at).copied().unwrap_or_default(), names) + term.direction(),
            })
            .collect();
        let predicate = cursor.take(&["where"]).then(|| canonical(cursor.rest(), Some(names)));
        Definition::new()
            .with(Facet::IndexColumns, terms.join(", "))
            .with_optional(Facet::IndexUnique, self.is_unique.then(|| "UNIQUE".to_owned()))
            .with_optional(Facet::IndexPredicate, predicate)
    }
}

// The direction is known from the pragma, where its absence is already ASC.
fn expression(term: &[Token<'_>], names: &Names<'_>) -> String {
    let length = term.len() - usize::from(term.last().is_some_and(|last| last.is_word("asc") || last.is_word("desc")));
    canonical(&term[..length], Some(names))
}
