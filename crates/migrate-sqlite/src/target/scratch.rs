//! A database in memory on which migrations are tried.

use std::sync::Arc;
use std::time::Duration;

use longshore_migrate::{
    files::script::{Token, tokens},
    schema::Schema,
    target::{Definition, Progress, Rebuild, SchemaChanges, Session, TargetError, Value},
};
use longshore_sqlite_file::FileAccess;
use rusqlite::{Connection, backup::Backup, hooks::AuthContext, limits::Limit};

use super::authorizer::Confinement;
use super::bulk::{Budget, Bulk, Within, makes_rows, within};
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
        Ok(Self { connection, reader: CatalogReader::default(), reach: Reach::Rows, budget, bulk: bulk.clone() })
    }

    /// Work on rows goes as far as the budget does; beyond it the statement has no rows.
    fn run_within(&self, statement: &str) -> rusqlite::Result<u64> {
        loop {
            let run = || run(&self.connection, statement);
            if let Within::Ended(result) = within(&self.budget, &self.bulk, &self.connection, statement, run) {
                return result;
            }
        }
    }

    fn read(&mut self) -> Result<Schema, TargetError> {
        let reach = std::mem::replace(&mut self.reach, Reach::Rows);
        self.reader.read_what(&self.connection, &reach).map_err(|error| unreadable(&context(), error))
    }

    /// The database itself with its budget, for whoever switches foreign keys as the runner does.
    pub(super) fn into_connection(self) -> (Connection, Arc<Budget>) {
        (self.connection, self.budget)
    }
}

impl Session for Scratch {
    fn execute(&mut self, statement: &str) -> Result<u64, TargetError> {
        let words: Vec<Token<'_>> = tokens(statement).into_iter().filter(Token::has_meaning).collect();
        // It leaves the schema as it is, and SQLite would attach a database for it.
        if is_plain_vacuum(&words) {
            return Ok(0);
        }
        let reach = Reach::of_words(statement, &words);
        let has_rows = reach == Reach::Rows || makes_rows(statement, &words);
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

/// A copy of the main database in memory, without a way to any file, and whether it has every row: with more bytes than
/// that only the schema and the ledgers are copied.
pub(super) fn copy(from: &Connection, bytes_max: i64) -> rusqlite::Result<(Connection, bool)> {
    let mut copy = Connection::open_in_memory()?;
    let number = |pragma: &str| from.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    let has_rows = number("page_count")?.saturating_mul(number("page_size")?) <= bytes_max;
    if has_rows {
        Backup::new(from, &mut copy)?.run_to_completion(COPIED_PAGES_AT_ONCE, Duration::ZERO, None)?;
    } else {
        copy_schema(from, &copy)?;
    }
    copy.pragma_update(None, "temp_store", "memory")?;
    copy.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
    confine(&mut copy)?;
    Ok((copy, has_rows))
}

const COPIED_PAGES_AT_ONCE: i32 = 4096;

fn copy_schema(from: &Connection, copy: &Connection) -> rusqlite::Result<()> {
    let query =
        "SELECT sql, name FROM main.sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
        ORDER BY CASE type WHEN 'table' THEN 0 WHEN 'index' THEN 1 WHEN 'view' THEN 2 ELSE 3 END, rowid";
    let mut prepared = from.prepare(query)?;
    let mut rows = prepared.query([])?;
    copy.pragma_update(None, "foreign_keys", false)?;
    while let Some(row) = rows.next()? {
        // What wants a module, a function or a collation of the application is not ours.
        let _ = run(copy, &row.get::<_, String>(0)?);
    }
    drop(rows);
    // A ledger is small, and it decides.
    for ledger in super::ledger::names(from)? {
        copy_rows(from, copy, &ledger)?;
    }
    Ok(())
}

fn copy_rows(from: &Connection, copy: &Connection, table: &str) -> rusqlite::Result<()> {
    let mut prepared = from.prepare(&format!("SELECT * FROM main.{}", super::quoted(table)))?;
    let marks = vec!["?"; prepared.column_count()].join(", ");
    let mut insert = copy.prepare(&format!("INSERT INTO {} VALUES ({marks})", super::quoted(table)))?;
    let count = prepared.column_count();
    let mut rows = prepared.query([])?;
    while let Some(row) = rows.next()? {
        let values =
            (0..count).map(|at| row.get::<_, rusqlite::types::Value>(at)).collect::<rusqlite::Result<Vec<_>>>()?;
        insert.execute(rusqlite::params_from_iter(values))?;
    }
    Ok(())
}

/// Every statement from now on is asked for its files.
pub(super) fn confine(connection: &mut Connection) -> rusqlite::Result<()> {
    connection.authorizer(Some(|context: AuthContext<'_>| Confinement::Scratch.judge(&context.action)))
}

/// A VACUUM that writes no other file.
pub(super) fn is_plain_vacuum(words: &[Token<'_>]) -> bool {
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
    fn a_copy_has_all_rows_where_they_are_few_and_else_those_of_the_ledger() {
        let from = Connection::open_in_memory().unwrap();
        from.execute_batch(
            "CREATE TABLE schema_migrations (id INTEGER PRIMARY KEY, migration_number INTEGER, migration_name TEXT);
             INSERT INTO schema_migrations VALUES (1, 7, 'seven');
             CREATE TABLE a (i INTEGER PRIMARY KEY AUTOINCREMENT); INSERT INTO a VALUES (1), (2);
             CREATE VIEW v AS SELECT i FROM a; CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT 1; END;",
        )
        .unwrap();
        let counted = |copy: &Connection| {
            let query = "SELECT (SELECT count(*) FROM a), (SELECT migration_name FROM schema_migrations),
                         (SELECT count(*) FROM sqlite_schema WHERE name IN ('v', 't'))";
            let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get::<_, String>(1)?, row.get(2)?));
            copy.query_row::<(i64, String, i64), _, _>(query, [], read).unwrap()
        };
        let (whole, has_rows) = copy(&from, 1_000_000).unwrap();
        assert_eq!((counted(&whole), has_rows), ((2, "seven".to_owned(), 2), true));
        let (bare, has_rows) = copy(&from, 1000).unwrap();
        assert_eq!((counted(&bare), has_rows), ((0, "seven".to_owned(), 2), false));
        assert!(
            bare.execute_batch("ATTACH 'x.db' AS x").is_err() && whole.execute_batch("VACUUM INTO 'x.db'").is_err()
        );
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
