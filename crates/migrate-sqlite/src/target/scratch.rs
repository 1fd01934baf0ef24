//! A database in memory on which migrations are tried.

use std::sync::Arc;
use std::time::Duration;

use longshore_migrate::{
    files::script::{Token, tokens},
    schema::Schema,
    target::{Definition, Progress, Rebuild, SchemaChanges, Session, TargetError, Value},
};
use longshore_sqlite_file::FileAccess;
use rusqlite::{Connection, ErrorCode, hooks::AuthContext, limits::Limit};

use super::authorizer::Confinement;
use super::bulk::{Budget, Bulk, makes_rows, run_without_rows};
use super::{failed, rebuild, rows, run, unreadable};
use crate::catalog::{CatalogReader, Reach};

fn context() -> FileAccess {
    FileAccess { database: "the scratch database".into(), busy_timeout: Duration::ZERO }
}

/// A database in memory without foreign keys and without a way to any file.
pub(super) struct Scratch {
    connection: Connection,
    reader: CatalogReader,
    /// What the statements since the last reading can have changed.
    reach: Reach,
    budget: Arc<Budget>,
    bulk: Bulk,
}

impl Scratch {
    /// Without foreign keys: there are no rows, and a rebuild must be able to drop a parent. What runs on it was
    /// written by anybody and may only be looked at, so it opens no file: what it sorts or sets aside stays in memory.
    pub(super) fn open(bulk: &Bulk) -> Result<Self, TargetError> {
        let budget = Arc::new(Budget::default());
        let open = || {
            let mut connection = Connection::open_in_memory()?;
            connection.pragma_update(None, "foreign_keys", false)?;
            connection.pragma_update(None, "temp_store", "memory")?;
            connection.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
            confine(&mut connection)?;
            let spent = Arc::clone(&budget);
            connection.progress_handler(Budget::STEPS, Some(move || spent.is_spent()))?;
            Ok(connection)
        };
        let connection = open().map_err(|error: rusqlite::Error| failed(&context(), "opening it", error))?;
        Ok(Self { connection, reader: CatalogReader::default(), reach: Reach::default(), budget, bulk: bulk.clone() })
    }

    /// Work on rows goes as far as the budget does; beyond it the statement has no rows.
    fn run_within(&self, statement: &str) -> rusqlite::Result<u64> {
        if let Some(without_rows) = self.bulk.without_rows(&self.connection, statement) {
            return without_rows;
        }
        if !self.budget.begin() {
            self.bulk.note(statement);
            return run_without_rows(&self.connection, statement);
        }
        let result = run(&self.connection, statement);
        self.budget.end();
        if result.as_ref().is_err_and(|error| error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted)) {
            self.bulk.note(statement);
            return run_without_rows(&self.connection, statement);
        }
        result
    }

    fn read(&mut self) -> Result<Schema, TargetError> {
        let reach = std::mem::take(&mut self.reach);
        self.reader.read_what(&self.connection, &reach).map_err(|error| unreadable(&context(), error))
    }

    /// The database itself, for whoever switches foreign keys as the runner does.
    pub(super) fn into_connection(self) -> Connection {
        self.connection
    }
}

impl Session for Scratch {
    fn execute(&mut self, statement: &str) -> Result<u64, TargetError> {
        // It leaves the schema as it is, and SQLite would attach a database for it.
        if is_plain_vacuum(statement) {
            return Ok(0);
        }
        let reach = Reach::of(statement);
        let has_rows = reach == Reach::Rows || makes_rows(statement);
        self.reach.extend(reach);
        let result = if has_rows { self.run_within(statement) } else { run(&self.connection, statement) };
        result.map_err(|error| failed(&context(), statement, error))
    }

    fn query(&mut self, statement: &str) -> Result<Vec<Vec<Value>>, TargetError> {
        // Code may ask for an answer of a statement that changes the schema.
        self.reach.extend(Reach::of(statement));
        rows(&self.connection, statement).map_err(|error| failed(&context(), statement, error))
    }

    fn rebuild(&mut self, rebuild: &Rebuild) -> Result<u64, TargetError> {
        self.reach = Reach::Everything;
        let run = |statement: &str| run(&self.connection, statement);
        rebuild::rebuild(&self.connection, rebuild, &|_, _| {}, &run)
            .map_err(|(statement, error)| failed(&context(), &statement, error))
    }

    fn observe(&mut self) -> Result<Schema, TargetError> {
        self.read()
    }

    fn changes(&mut self) -> Result<SchemaChanges, TargetError> {
        self.read()?;
        Ok(self.reader.changes())
    }

    fn definitions(&mut self) -> Result<Vec<Definition>, TargetError> {
        self.read()?;
        Ok(self.reader.definitions())
    }

    fn report(&mut self, _progress: &Progress) {}
}

/// Every statement from now on is asked for its files.
pub(super) fn confine(connection: &mut Connection) -> rusqlite::Result<()> {
    connection.authorizer(Some(|context: AuthContext<'_>| Confinement::Scratch.judge(&context.action)))
}

/// A VACUUM that writes no other file.
pub(super) fn is_plain_vacuum(statement: &str) -> bool {
    let words: Vec<Token<'_>> = tokens(statement).into_iter().filter(Token::has_meaning).collect();
    words.first().is_some_and(|word| word.is("vacuum")) && !words.iter().any(|word| word.is("into"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENDLESS: &str =
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i AS \"no\", 'x' AS t FROM n";

    #[test]
    fn work_on_rows_that_never_ends_is_taken_back_and_the_schema_is_made_all_the_same() {
        let mut scratch = Scratch::open(&Bulk::default()).unwrap();
        scratch.execute("CREATE TABLE a (i, t)").unwrap();
        scratch.execute(&format!("INSERT INTO a {ENDLESS}")).unwrap();
        scratch.execute(&format!("CREATE TABLE b AS {ENDLESS}")).unwrap();
        assert_eq!(scratch.query("SELECT count(*) FROM a").unwrap(), [[Value::Integer(0)]]);
        let mut plain = Scratch::open(&Bulk::default()).unwrap();
        plain.execute("CREATE TABLE a (i, t)").unwrap();
        plain.execute("CREATE TABLE b AS SELECT 1 AS \"no\", 'x' AS t").unwrap();
        assert_eq!(scratch.observe().unwrap(), plain.observe().unwrap());
    }

    #[test]
    fn what_was_bulk_once_is_so_in_a_rehearsal() {
        let bulk = Bulk::default();
        let endless = format!("INSERT INTO a {ENDLESS}");
        let mut scratch = Scratch::open(&bulk).unwrap();
        scratch.execute("CREATE TABLE a (i, t)").unwrap();
        scratch.execute(&endless).unwrap();
        assert!(bulk.without_rows(&scratch.connection, &endless).unwrap().is_ok());
        assert!(bulk.without_rows(&scratch.connection, "INSERT INTO a (i) VALUES (1)").is_none());
    }

    #[test]
    fn an_error_of_a_statement_that_is_not_run_to_its_end_shows() {
        let mut scratch = Scratch::open(&Bulk::default()).unwrap();
        let missing = scratch.execute(&format!("INSERT INTO missing {ENDLESS}")).unwrap_err();
        assert!(missing.to_string().contains("no such table"), "{missing}");
    }

    #[test]
    fn the_budget_of_all_statements_together_ends_too() {
        let mut scratch = Scratch::open(&Bulk::default()).unwrap();
        scratch.execute("CREATE TABLE a (i, t)").unwrap();
        for number in 0..100 {
            scratch.execute(&format!("INSERT INTO a {ENDLESS} WHERE i <> {number}")).unwrap();
        }
        assert!(!scratch.budget.begin());
    }
}
