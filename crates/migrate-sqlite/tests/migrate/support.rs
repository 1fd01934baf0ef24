//! Databases and migrators for the tests.

use std::path::{Path, PathBuf};

use longshore_migrate::{
    AdoptRequest, Author, Choices, Marking, MigrationId, Migrator, RepairMode, RepairRequest, RunRequest, Source,
    Verification,
};
use longshore_migrate_sqlite::{Access, SqliteTarget};
use rusqlite::Connection;
use tempfile::TempDir;

pub(crate) use crate::longshore;

/// A database file in a directory of its own.
pub(crate) struct Database {
    directory: TempDir,
    pub(crate) path: PathBuf,
}

impl Database {
    pub(crate) fn empty() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("jobs.db");
        Self { directory, path }
    }

    pub(crate) fn with(sql: &str) -> Self {
        let database = Self::empty();
        database.execute(sql);
        database
    }

    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn connection(&self) -> Connection {
        let connection = Connection::open(&self.path).unwrap();
        connection.busy_timeout(std::time::Duration::from_secs(30)).unwrap();
        connection
    }

    pub(crate) fn execute(&self, sql: &str) {
        let connection = self.connection();
        connection.pragma_update(None, "foreign_keys", false).unwrap();
        connection.execute_batch(sql).unwrap();
    }

    /// One value of one row, as text; NULL is "NULL".
    pub(crate) fn value(&self, query: &str) -> String {
        self.rows(query).into_iter().next().unwrap_or_default()
    }

    /// Each row as its values with bars between.
    pub(crate) fn rows(&self, query: &str) -> Vec<String> {
        let connection = self.connection();
        let mut prepared = connection.prepare(query).unwrap();
        let count = prepared.column_count();
        let found = prepared.query_map([], |row| {
            let values = (0..count).map(|at| {
                Ok(match row.get::<_, rusqlite::types::Value>(at)? {
                    rusqlite::types::Value::Null => "NULL".to_owned(),
                    rusqlite::types::Value::Integer(number) => number.to_string(),
                    rusqlite::types::Value::Real(number) => number.to_string(),
                    rusqlite::types::Value::Text(text) => text,
                    rusqlite::types::Value::Blob(bytes) => format!("{bytes:?}"),
                })
            });
            Ok(values.collect::<rusqlite::Result<Vec<_>>>()?.join("|"))
        });
        found.unwrap().map(Result::unwrap).collect()
    }

    /// The migrator of the queue's own source.
    pub(crate) fn migrator(&self) -> Migrator<'static> {
        self.migrator_of(vec![longshore()])
    }

    pub(crate) fn migrator_of(&self, sources: Vec<Source>) -> Migrator<'static> {
        let target = SqliteTarget::open(&self.path, Access::Write).unwrap();
        let author = Author { who: Some("ann".to_owned()), host: Some("dock".to_owned()) };
        Migrator::new(Box::new(target), sources).author(author)
    }

    /// One that may only look.
    pub(crate) fn looker(&self) -> Migrator<'static> {
        Migrator::new(Box::new(SqliteTarget::open(&self.path, Access::Inspect).unwrap()), vec![longshore()])
    }

    /// What the schema means, for comparing two databases.
    pub(crate) fn schema(&self) -> longshore_migrate::schema::Schema {
        use longshore_migrate::target::Session;
        SqliteTarget::open(&self.path, Access::Inspect).unwrap().observe().unwrap()
    }
}

pub(crate) fn id(number: i64) -> MigrationId {
    MigrationId::new("longshore", number)
}

pub(crate) fn app(number: i64) -> MigrationId {
    MigrationId::new("app", number)
}

pub(crate) fn marking(id: MigrationId) -> Marking {
    Marking { id, reason: "the table is there".to_owned(), verification: Verification::Required }
}

pub(crate) fn repair_now() -> RepairRequest {
    RepairRequest { mode: RepairMode::Apply { reason: "log entry 068".to_owned() } }
}

pub(crate) fn adopt_now() -> AdoptRequest {
    AdoptRequest { mode: repair_now().mode, choices: Choices::default() }
}

/// An app source out of texts: `("001_name.up.sql", "…")`.
pub(crate) fn source(files: &[(&str, &str)]) -> Source {
    Source::embedded("app", files)
}

/// One up-and-down source of a single table with a child that cascades.
pub(crate) fn fresh() -> Database {
    let database = Database::empty();
    database.migrator().up(&RunRequest::default()).unwrap();
    database
}
