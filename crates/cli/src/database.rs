use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;

use longshore::{Backend, Queue};
use longshore_core::StoreError;
use longshore_migrate::target::TargetError;
use longshore_migrate::{MigrateError, Migrator};
use longshore_sqlite::schema::{SchemaProblem, check, latest_up};
use longshore_sqlite::target::{Access, SqliteTarget};
use longshore_sqlite::{SqliteOptions, SqliteStore, migrations};
use rusqlite::{Connection, OpenFlags};

use crate::arguments::Durability;
use crate::command_error::CommandError;
use crate::context::Context;
use crate::database_url::DatabaseUrl;

mod creation;

/// An open database whose schema is understood.
#[derive(Clone, Debug)]
pub(crate) struct Database {
    queue: Queue,
}

/// What is done for a database before it is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Prepare {
    /// Nothing: it has to be there and understood.
    Nothing,
    /// Where there is none, or one without any table, it is made: nothing can be lost.
    New,
    /// It is made, or brought up to date.
    Latest,
}

impl Database {
    /// Opens the database that the flags, the environment and the configuration name.
    pub(crate) async fn open(context: &Context, prepare: Prepare) -> anyhow::Result<Self> {
        let url = context.database_url()?;
        Ok(Self {
            queue: Queue::from_backend(open_sqlite(
                &url,
                prepare,
                context.config()?.durability.unwrap_or(Durability::Full),
            )?),
        })
    }

    /// The library's view of it.
    pub(crate) fn queue(&self) -> &Queue {
        &self.queue
    }
}

/// How a database stands before it is opened.
#[derive(Debug)]
enum Standing {
    /// Its schema is this program's.
    Understood,
    /// It is not there.
    Absent,
    /// Nothing at all is in it.
    Empty,
    /// Its schema is another one, perhaps only an older one.
    NotUnderstood(SchemaProblem),
}

fn open_sqlite(url: &DatabaseUrl, prepare: Prepare, durability: Durability) -> anyhow::Result<Arc<dyn Backend>> {
    let path = url.path();
    match (look(path)?, prepare) {
        (Standing::Understood, _) => {}
        (Standing::Absent | Standing::Empty, Prepare::Nothing) => {
            return Err(StoreError::Missing { database: path.display().to_string().into() }.into());
        }
        // Migrations would say the same of a newer schema, but not which program knows it.
        (Standing::NotUnderstood(problem), prepare)
            if prepare != Prepare::Latest || matches!(problem, SchemaProblem::Newer { .. }) =>
        {
            return Err(problem.into());
        }
        (Standing::Absent, _) => {
            url.check_folder().map_err(CommandError::DatabaseUrl)?;
            creation::create(path)?;
        }
        (Standing::Empty | Standing::NotUnderstood(_), _) => {
            latest_up(path)?;
        }
    }
    Ok(Arc::new(SqliteStore::open(SqliteOptions::new(path).durability(durability.into()))?))
}

/// Looks at the schema without changing anything.
fn look(path: &Path) -> anyhow::Result<Standing> {
    if !path.exists() {
        return Ok(Standing::Absent);
    }
    match check_file(path) {
        Err(SchemaProblem::NeverMigrated) if is_empty(path)? => Ok(Standing::Empty),
        // The store says best what is wrong with a file that cannot be read.
        Ok(()) | Err(SchemaProblem::Unreadable { .. }) => Ok(Standing::Understood),
        Err(problem) => Ok(Standing::NotUnderstood(problem)),
    }
}

fn check_file(path: &Path) -> Result<(), SchemaProblem> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let unreadable = |source: rusqlite::Error| {
        let database = path.display().to_string();
        SchemaProblem::Unreadable { source: TargetError::Open { database, source: Box::new(source) } }
    };
    let connection = Connection::open_with_flags(path, flags).map_err(unreadable)?;
    // One transaction, so that ledger and tables are seen at one instant while somebody migrates.
    connection.execute_batch("PRAGMA query_only = ON; BEGIN").map_err(unreadable)?;
    check(&connection)
}

/// Whether no table of anybody is in the file.
fn is_empty(path: &Path) -> Result<bool, MigrateError> {
    let target = SqliteTarget::open(path, Access::Inspect)?;
    let status = Migrator::new(Box::new(target), vec![migrations::longshore()]).status()?;
    Ok(status.foreign.is_empty() && status.foreign_ledgers.is_empty() && status.differences.is_empty())
}

impl Deref for Database {
    type Target = dyn Backend;

    fn deref(&self) -> &Self::Target {
        self.queue.backend().as_ref()
    }
}
