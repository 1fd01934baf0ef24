//! A database in memory on which migrations are tried.

use std::time::Duration;

use longshore_migrate::{
    schema::Schema,
    target::{Definition, Progress, Rebuild, Session, TargetError, Value},
};
use longshore_sqlite_file::FileAccess;
use rusqlite::Connection;

use super::{definitions, failed, observe, rebuild, rows, run};

fn context() -> FileAccess {
    FileAccess { database: "the scratch database".into(), busy_timeout: Duration::ZERO }
}

pub(super) struct Scratch {
    connection: Connection,
}

impl Scratch {
    /// Without foreign keys: there are no rows, and a rebuild must be able to drop a parent.
    pub(super) fn open() -> Result<Self, TargetError> {
        let open = || {
            let connection = Connection::open_in_memory()?;
            connection.pragma_update(None, "foreign_keys", false)?;
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
        run(&self.connection, statement).map_err(|error| failed(&context(), statement, error))
    }

    fn query(&mut self, statement: &str) -> Result<Vec<Vec<Value>>, TargetError> {
        rows(&self.connection, statement).map_err(|error| failed(&context(), statement, error))
    }

    fn rebuild(&mut self, rebuild: &Rebuild) -> Result<u64, TargetError> {
        let run = |statement: &str| run(&self.connection, statement);
        rebuild::rebuild(&self.connection, rebuild, &run, &|_, _| {})
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
