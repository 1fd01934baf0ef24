use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;

use longshore::{Backend, Queue};
use longshore_core::StoreError;
use longshore_migrate::{MigrateError, Migrator};
use longshore_sqlite::schema::{SchemaProblem, check, latest_up};
use longshore_sqlite::target::{SqliteTarget, wait_for_runner};
use longshore_sqlite::{SqliteOptions, SqliteStore, migrations};
use rusqlite::{Connection, MAIN_DB, OpenFlags};

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
    match (look_to_prepare(path, prepare)?, prepare) {
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

/// A schema that is not understood may be half of what another process is just making out of an empty file, so it is
/// judged when that one is done.
fn look_to_prepare(path: &Path, prepare: Prepare) -> anyhow::Result<Standing> {
    let standing = look(path, prepare)?;
    if prepare != Prepare::New || !matches!(standing, Standing::NotUnderstood(_)) {
        return Ok(standing);
    }
    wait_for_runner(path).map_err(MigrateError::from)?;
    look(path, prepare)
}

/// Looks at the schema without changing anything.
fn look(path: &Path, prepare: Prepare) -> anyhow::Result<Standing> {
    if !path.exists() {
        return Ok(Standing::Absent);
    }
    // The store says best what is wrong with a file that cannot be read.
    let Ok(connection) = snapshot(path) else { return Ok(Standing::Understood) };
    let standing = match check(&connection) {
        Err(SchemaProblem::NeverMigrated) if is_empty(&connection)? => Standing::Empty,
        Ok(()) | Err(SchemaProblem::Unreadable { .. }) => Standing::Understood,
        Err(problem) => return Ok(Standing::NotUnderstood(problem)),
    };
    // A worker that runs waits until it can write again; one that never could would wait without a word.
    if prepare != Prepare::Nothing && connection.is_readonly(MAIN_DB)? {
        return Err(StoreError::ReadOnly { database: path.display().to_string().into() }.into());
    }
    Ok(standing)
}

/// The file in one transaction, so that ledger and tables are seen at one instant while somebody migrates.
fn snapshot(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.execute_batch("PRAGMA query_only = ON; BEGIN")?;
    Ok(connection)
}

/// Whether no table of anybody is in the file.
fn is_empty(connection: &Connection) -> Result<bool, MigrateError> {
    let target = SqliteTarget::on(connection);
    let status = Migrator::new(Box::new(target), vec![migrations::longshore()]).status()?;
    Ok(status.foreign.is_empty() && status.foreign_ledgers.is_empty() && status.differences.is_empty())
}

impl Deref for Database {
    type Target = dyn Backend;

    fn deref(&self) -> &Self::Target {
        self.queue.backend().as_ref()
    }
}
