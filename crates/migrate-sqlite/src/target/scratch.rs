//! A database in memory on which migrations are tried.

use std::time::Duration;

use longshore_migrate::{
    schema::Schema,
    script::{Token, tokens},
    target::{Definition, Progress, Rebuild, Session, TargetError, Value},
};
use longshore_sqlite_file::FileAccess;
use rusqlite::{Connection, hooks::AuthContext, limits::Limit};

use super::{authorizer::Confinement, definitions, failed, observe, rebuild, rows, run};

fn context() -> FileAccess {
    FileAccess { database: "the scratch database".into(), busy_timeout: Duration::ZERO }
}

/// A database in memory without foreign keys and without a way to any file.
pub(super) struct Scratch {
    connection: Connection,
}

impl Scratch {
    /// Without foreign keys: there are no rows, and a rebuild must be able to drop a parent. What runs on it was
    /// written by anybody and may only be looked at, so it opens no file: what it sorts or sets aside stays in memory.
    pub(super) fn open() -> Result<Self, TargetError> {
        let open = || {
            let mut connection = Connection::open_in_memory()?;
            connection.pragma_update(None, "foreign_keys", false)?;
            connection.pragma_update(None, "temp_store", "memory")?;
            connection.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
            confine(&mut connection)?;
            Ok(connection)
        };
        let connection = open().map_err(|error: rusqlite::Error| failed(&context(), "opening it", error))?;
        Ok(Self { connection })
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
        run(&self.connection, statement).map_err(|error| failed(&context(), statement, error))
    }

    fn query(&mut self, statement: &str) -> Result<Vec<Vec<Value>>, TargetError> {
        rows(&self.connection, statement).map_err(|error| failed(&context(), statement, error))
    }

    fn rebuild(&mut self, rebuild: &Rebuild) -> Result<u64, TargetError> {
        let run = |statement: &str| run(&self.connection, statement);
        rebuild::rebuild(&self.connection, rebuild, &|_, _| {}, &run)
            .map_err(|(statement, error)| failed(&context(), &statement, error))
    }

    fn observe(&mut self) -> Result<Schema, TargetError> {
        observe(&self.connection, &context())
    }

    fn definitions(&mut self) -> Result<Vec<Definition>, TargetError> {
        definitions::read(&self.connection).map_err(|error| failed(&context(), "reading sqlite_schema", error))
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
