//! A database in memory on which migrations are tried.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use longshore_migrate::{
    schema::Schema,
    script::{Token, tokens},
    target::{Definition, Progress, Rebuild, SchemaChanges, Session, TargetError, Value},
};
use longshore_sqlite_file::FileAccess;
use rusqlite::{Connection, ErrorCode, hooks::AuthContext, limits::Limit};

use super::{authorizer::Confinement, failed, rebuild, rows, run, unreadable};
use crate::catalog::{CatalogReader, Reach};

fn context() -> FileAccess {
    FileAccess { database: "the scratch database".into(), busy_timeout: Duration::ZERO }
}

/// Statements that change rows may take so many steps of SQLite's virtual machine on a scratch database, some ten
/// milliseconds, and so many in all. What they do beyond that is taken back: rows are not what a replay is for.
const STEPS_OF_ROWS: i32 = 300_000;
const STEPS_OF_ALL_ROWS: i32 = 5_000_000;

/// Steps between two looks at the budget.
const STEPS: i32 = 10_000;

/// A database in memory without foreign keys and without a way to any file.
pub(super) struct Scratch {
    connection: Connection,
    reader: CatalogReader,
    /// What the statements since the last reading can have changed.
    reach: Reach,
    budget: Arc<Budget>,
}

/// How many steps are left.
struct Budget {
    of_statement: AtomicI32,
    of_all: AtomicI32,
}

impl Scratch {
    /// Without foreign keys: there are no rows, and a rebuild must be able to drop a parent. What runs on it was
    /// written by anybody and may only be looked at, so it opens no file: what it sorts or sets aside stays in memory.
    pub(super) fn open() -> Result<Self, TargetError> {
        let budget = Arc::new(Budget::new());
        let open = || {
            let mut connection = Connection::open_in_memory()?;
            connection.pragma_update(None, "foreign_keys", false)?;
            connection.pragma_update(None, "temp_store", "memory")?;
            connection.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
            confine(&mut connection)?;
            let spent = Arc::clone(&budget);
            connection.progress_handler(STEPS, Some(move || spent.is_spent()))?;
            Ok(connection)
        };
        let connection = open().map_err(|error: rusqlite::Error| failed(&context(), "opening it", error))?;
        Ok(Self { connection, reader: CatalogReader::default(), reach: Reach::default(), budget })
    }

    /// A table that is made of a query gets its rows as far as the budget goes, else none.
    fn make_with_rows(&self, statement: &str, emptied: &str) -> rusqlite::Result<u64> {
        match self.within_budget(statement)? {
            Some(changed) => Ok(changed),
            None => run(&self.connection, emptied),
        }
    }

    /// A statement that only changes rows is compiled, so that its errors show, and runs as far as the budget goes.
    fn change_rows(&self, statement: &str) -> rusqlite::Result<u64> {
        match self.within_budget(statement)? {
            Some(changed) => Ok(changed),
            None => self.connection.prepare(statement).map(|_| 0),
        }
    }

    /// None where the budget was too small, so that nothing has happened.
    fn within_budget(&self, statement: &str) -> rusqlite::Result<Option<u64>> {
        if !self.budget.begin() {
            return Ok(None);
        }
        let result = run(&self.connection, statement);
        self.budget.end();
        match result {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) => Ok(None),
            result => result.map(Some),
        }
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

impl Budget {
    fn new() -> Self {
        Self { of_statement: AtomicI32::new(i32::MAX), of_all: AtomicI32::new(STEPS_OF_ALL_ROWS) }
    }

    /// Whether a statement may run at all.
    fn begin(&self) -> bool {
        self.of_statement.store(STEPS_OF_ROWS, Ordering::Relaxed);
        self.of_all.load(Ordering::Relaxed) > 0
    }

    fn end(&self) {
        self.of_statement.store(i32::MAX, Ordering::Relaxed);
    }

    /// Counts the steps of a statement that changes rows. Others have no bound: they make the schema.
    fn is_spent(&self) -> bool {
        if self.of_statement.load(Ordering::Relaxed) == i32::MAX {
            return false;
        }
        self.of_all.fetch_sub(STEPS, Ordering::Relaxed);
        self.of_statement.fetch_sub(STEPS, Ordering::Relaxed) <= STEPS
    }
}

impl Session for Scratch {
    fn execute(&mut self, statement: &str) -> Result<u64, TargetError> {
        // It leaves the schema as it is, and SQLite would attach a database for it.
        if is_plain_vacuum(statement) {
            return Ok(0);
        }
        let reach = Reach::of(statement);
        let is_of_rows = reach == Reach::Rows;
        self.reach.extend(reach);
        let result = match (is_of_rows, emptied(statement)) {
            (true, _) => self.change_rows(statement),
            (_, Some(emptied)) => self.make_with_rows(statement, &emptied),
            _ => run(&self.connection, statement),
        };
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

/// `CREATE TABLE … AS SELECT …` for the same table without rows.
fn emptied(statement: &str) -> Option<String> {
    let mut at = 0;
    let mut words = Vec::new();
    for token in tokens(statement) {
        at += token.text.len();
        if !token.has_meaning() {
            continue;
        }
        // A column list comes before any AS that does not make the table.
        if token.text == "(" || words.first().is_some_and(|first: &Token<'_>| !first.is("create")) {
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

#[cfg(test)]
mod tests {
    use super::*;

    const ENDLESS: &str =
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i AS \"no\", 'x' AS t FROM n";

    #[test]
    fn work_on_rows_that_never_ends_is_taken_back_and_the_schema_is_made_all_the_same() {
        let mut scratch = Scratch::open().unwrap();
        scratch.execute("CREATE TABLE a (i, t)").unwrap();
        scratch.execute(&format!("INSERT INTO a {ENDLESS}")).unwrap();
        scratch.execute(&format!("CREATE TABLE b AS {ENDLESS}")).unwrap();
        assert_eq!(scratch.query("SELECT count(*) FROM a").unwrap(), [[Value::Integer(0)]]);
        let mut plain = Scratch::open().unwrap();
        plain.execute("CREATE TABLE a (i, t)").unwrap();
        plain.execute("CREATE TABLE b AS SELECT 1 AS \"no\", 'x' AS t").unwrap();
        assert_eq!(scratch.observe().unwrap(), plain.observe().unwrap());
    }

    #[test]
    fn an_error_of_a_statement_that_is_not_run_to_its_end_shows() {
        let mut scratch = Scratch::open().unwrap();
        let missing = scratch.execute(&format!("INSERT INTO missing {ENDLESS}")).unwrap_err();
        assert!(missing.to_string().contains("no such table"), "{missing}");
    }

    #[test]
    fn the_budget_of_all_statements_together_ends_too() {
        let mut scratch = Scratch::open().unwrap();
        scratch.execute("CREATE TABLE a (i, t)").unwrap();
        for _ in 0..100 {
            scratch.execute(&format!("INSERT INTO a {ENDLESS}")).unwrap();
        }
        assert!(!scratch.budget.begin());
    }
}
