//! Work on rows that a look at migrations does not repeat: what they make is the schema, and that has no rows.

use std::collections::HashSet;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use longshore_migrate::files::script::{Token, tokens};
use rusqlite::{Connection, ErrorCode};

use super::run;

/// A statement may take so many steps of SQLite's virtual machine for rows, some ten milliseconds, and all statements
/// of a replay so many.
const STEPS_OF_STATEMENT: i32 = 300_000;
const STEPS_OF_ALL: i32 = 5_000_000;

/// How many steps are left.
#[derive(Debug)]
pub(super) struct Budget {
    of_statement: AtomicI32,
    of_all: AtomicI32,
}

impl Default for Budget {
    fn default() -> Self {
        Self { of_statement: AtomicI32::new(i32::MAX), of_all: AtomicI32::new(STEPS_OF_ALL) }
    }
}

impl Budget {
    /// Steps between two calls of [`Budget::is_spent`].
    pub(super) const STEPS: i32 = 10_000;

    /// Whether a statement may run at all.
    pub(super) fn begin(&self) -> bool {
        self.of_statement.store(STEPS_OF_STATEMENT, Ordering::Relaxed);
        self.of_all.load(Ordering::Relaxed) > 0
    }

    pub(super) fn end(&self) {
        self.of_statement.store(i32::MAX, Ordering::Relaxed);
    }

    /// Counts the steps of a statement that has begun. Others have no bound: they make the schema.
    pub(super) fn is_spent(&self) -> bool {
        if self.of_statement.load(Ordering::Relaxed) == i32::MAX {
            return false;
        }
        self.of_all.fetch_sub(Self::STEPS, Ordering::Relaxed);
        self.of_statement.fetch_sub(Self::STEPS, Ordering::Relaxed) <= Self::STEPS
    }
}

/// The statements that were too much for one replay. In a transaction none can be broken off without taking back all
/// of it, so whatever runs one there begins the transaction again.
#[derive(Clone, Debug, Default)]
pub(super) struct Bulk(Arc<Mutex<HashSet<String>>>);

impl Bulk {
    fn note(&self, statement: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(statement.to_owned());
    }

    /// Runs a statement that was too much without its rows; none if it was not.
    pub(super) fn without_rows(&self, connection: &Connection, statement: &str) -> Option<rusqlite::Result<u64>> {
        let is_bulk = self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(statement);
        is_bulk.then(|| run_without_rows(connection, statement))
    }
}

/// How a statement that may be too much ended.
pub(super) enum Within {
    /// By itself, or without its rows.
    Ended(rusqlite::Result<u64>),
    /// It was broken off, and is bulk from now on.
    BrokenOff,
}

/// Runs a statement that changes rows by `run`, as far as the budget goes.
pub(super) fn within(
    budget: &Budget,
    bulk: &Bulk,
    connection: &Connection,
    statement: &str,
    run: impl FnOnce() -> rusqlite::Result<u64>,
) -> Within {
    if let Some(without_rows) = bulk.without_rows(connection, statement) {
        return Within::Ended(without_rows);
    }
    if !budget.begin() {
        bulk.note(statement);
        return Within::Ended(run_without_rows(connection, statement));
    }
    let result = run();
    budget.end();
    if result.as_ref().is_err_and(|error| error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted)) {
        bulk.note(statement);
        return Within::BrokenOff;
    }
    Within::Ended(result)
}

/// A statement that changes rows is only compiled, so that its errors show; a table that is made of a query is empty.
fn run_without_rows(connection: &Connection, statement: &str) -> rusqlite::Result<u64> {
    match emptied(statement) {
        Some(emptied) => run(connection, &emptied),
        None => connection.prepare(statement).map(|_| 0),
    }
}

/// Whether it makes a table of a query.
pub(super) fn makes_rows(statement: &str, words: &[Token<'_>]) -> bool {
    words.first().is_some_and(|word| word.is("create")) && emptied(statement).is_some()
}

/// `CREATE TABLE … AS SELECT …` for the same table without rows.
fn emptied(statement: &str) -> Option<String> {
    let mut at = 0;
    let mut words: Vec<Token<'_>> = Vec::new();
    for token in tokens(statement) {
        at += token.text.len();
        if !token.has_meaning() {
            continue;
        }
        // A column list comes before any AS that does not make the table.
        if token.text == "(" || words.first().is_some_and(|first| !first.is("create")) {
            return None;
        }
        if token.is("as") {
            let is_table = words.iter().any(|word| word.is("table"));
            return is_table.then(|| format!("{} SELECT * FROM ({}) LIMIT 0", &statement[..at], &statement[at..]));
        }
        words.push(token);
    }
    None
}
