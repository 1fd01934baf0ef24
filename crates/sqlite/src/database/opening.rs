//! The only way to open a database: it is checked, created or migrated as the caller permits, and opened.

use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;

use longshore_core::{OutsideCause, StoreError};
use longshore_migrate::{MigrateError, Migrator, RunRequest};
use longshore_migrate_sqlite::{SqliteTarget, lock_runners, wait_for_runner};
use longshore_schema::{OpenError, Origin, Prepare};
use longshore_sqlite_file::{check_folder, check_kind, check_left_log, folder_of, follow_links};
use rusqlite::{Connection, MAIN_DB, OpenFlags};

use crate::database::common_index::await_common_index;
use crate::database::fault::ErrorContext;
use crate::migrations;
use crate::options::SqliteOptions;
use crate::schema::{self, SchemaProblem};

/// The store error for these options.
pub fn into_store_error(error: OpenError, options: &SqliteOptions) -> StoreError {
    let context = context(options);
    error.into_store_error(|source| context.explain_target(source, "reading its schema"))
}

/// Whether SQLite reported the file as damaged.
pub(crate) const fn is_damage(error: &OpenError) -> bool {
    matches!(error, OpenError::Store(StoreError::Outside(OutsideCause::Damaged { .. })))
}

fn context(options: &SqliteOptions) -> ErrorContext {
    ErrorContext { database: options.path.display().to_string().into(), busy_timeout: options.busy_timeout }
}

/// The state of a database before it is opened.
#[derive(Debug)]
enum OpeningState {
    /// Its schema is that of this program. Or it cannot be read: then opening it returns the best error.
    Understood,
    /// It does not exist.
    Absent,
    /// It has no tables.
    Empty,
    /// It has only tables of other programs.
    Unmigrated,
    /// Its schema is another one, possibly an older one.
    NotUnderstood(SchemaProblem),
}

/// Prepares the database as `prepare` permits. Afterwards the options name the file itself, not a link to it.
///
/// A database is created in one transaction. If the process is killed, the file has no tables, or SQLite restores that
/// state, and the next call creates them. If several calls run at once, only one creates it.
pub(crate) fn make_ready_for(options: &mut SqliteOptions, prepare: Prepare) -> Result<Origin, OpenError> {
    options.path = follow_links(&options.path);
    let context = context(options);
    await_common_index(&options.path, &context).map_err(outside)?;
    make_ready(&options.path, prepare, &context)
}

fn make_ready(path: &Path, prepare: Prepare, context: &ErrorContext) -> Result<Origin, OpenError> {
    let state = inspect_again(path, prepare, context)?;
    match (state, prepare) {
        (OpeningState::Understood, _) => Ok(Origin::Found),
        (OpeningState::Absent | OpeningState::Empty, Prepare::Nothing) => {
            Err(outside(OutsideCause::Missing { database: Arc::clone(&context.database) }))
        }
        (OpeningState::Unmigrated, Prepare::Nothing | Prepare::New) => Err(SchemaProblem::NeverMigrated.into()),
        (OpeningState::Absent, _) => {
            check_folder(path).map_err(outside)?;
            create(path, context)?;
            Ok(Origin::Created)
        }
        (OpeningState::Empty | OpeningState::Unmigrated, _) => create(path, context).map(|()| Origin::Found),
        // Migrations would report a newer schema too, but not which program supports it.
        (OpeningState::NotUnderstood(problem), prepare)
            if prepare != Prepare::Latest || matches!(problem, SchemaProblem::Newer { .. }) =>
        {
            Err(problem.into())
        }
        (OpeningState::NotUnderstood(_), _) => {
            schema::latest_up(path)?;
            Ok(Origin::Found)
        }
    }
}

/// An unsupported schema may be an intermediate state of a running migration, so it is judged after that has ended.
fn inspect_again(path: &Path, prepare: Prepare, context: &ErrorContext) -> Result<OpeningState, OpenError> {
    let state = inspect(path, prepare, context)?;
    let may_be_half_made = matches!(state, OpeningState::NotUnderstood(_) | OpeningState::Unmigrated);
    if !may_be_half_made || !matches!(prepare, Prepare::New | Prepare::Beside) {
        return Ok(state);
    }
    wait_for_runner(path).map_err(MigrateError::from)?;
    inspect(path, prepare, context)
}

/// Reads the schema without changing anything.
fn inspect(path: &Path, prepare: Prepare, context: &ErrorContext) -> Result<OpeningState, OpenError> {
    check_left_log(path).map_err(outside)?;
    match fs::metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(OpeningState::Absent),
        Err(_) => return Ok(OpeningState::Understood),
        Ok(found) => check_kind(path, &found, &context.database).map_err(outside)?,
    }
    let Ok(connection) = snapshot(path, context) else { return Ok(OpeningState::Understood) };
    let state = match schema::check(&connection) {
        Err(SchemaProblem::NeverMigrated) if is_empty(&connection)? => OpeningState::Empty,
        Err(SchemaProblem::NeverMigrated) => OpeningState::Unmigrated,
        Ok(()) | Err(SchemaProblem::Unreadable { .. }) => OpeningState::Understood,
        Err(problem) => return Ok(OpeningState::NotUnderstood(problem)),
    };
    // A running worker waits until it can write again. One that can never write would wait silently.
    let is_read_only = connection.is_readonly(MAIN_DB).map_err(|error| context.explain(error, "looking at it"))?;
    if prepare != Prepare::Nothing && is_read_only {
        return Err(outside(context.read_only(path)));
    }
    Ok(state)
}

/// Opens the file in one transaction, so that ledger and tables are read in the same state while another process
/// migrates.
///
/// The connection may write only because SQLite may have to undo the work of a killed process before it can read.
fn snapshot(path: &Path, context: &ErrorContext) -> rusqlite::Result<Connection> {
    let connection = open_plainly(path, context, OpenFlags::empty())?;
    connection.execute_batch("PRAGMA query_only = ON; BEGIN")?;
    Ok(connection)
}

fn open_plainly(path: &Path, context: &ErrorContext, more: OpenFlags) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | more;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(context.busy_timeout)?;
    Ok(connection)
}

/// Whether the file has no tables at all.
fn is_empty(connection: &Connection) -> Result<bool, MigrateError> {
    let status = Migrator::new(Box::new(SqliteTarget::on(connection)), vec![migrations::longshore()]).status()?;
    Ok(status.foreign.is_empty() && status.foreign_ledgers.is_empty() && status.differences.is_empty())
}

/// Creates the queue's tables in a database without them.
fn create(path: &Path, context: &ErrorContext) -> Result<(), OpenError> {
    // Other runners use several transactions and must not find half of their work done.
    let _lock = lock_runners(path).map_err(MigrateError::from)?;
    let explain = |error| context.explain(error, "opening it");
    let connection = open_plainly(path, context, OpenFlags::SQLITE_OPEN_CREATE).map_err(explain)?;
    // Foreign keys cannot be switched off inside a transaction. Empty tables need no foreign key check.
    connection.execute_batch("PRAGMA foreign_keys = OFF; BEGIN IMMEDIATE").map_err(explain)?;
    match schema::check(&connection) {
        Err(SchemaProblem::NeverMigrated) => {}
        // Another process was faster. Dropping the connection rolls back.
        judged => return Ok(judged?),
    }
    let target = SqliteTarget::within(&connection, path);
    Migrator::new(Box::new(target), vec![migrations::longshore()]).up(&RunRequest::default())?;
    connection.execute_batch("COMMIT").map_err(|error| context.explain(error, "making the queue's tables"))?;
    drop(connection);
    sync_folder(path).map_err(|error| outside(context.unreachable(error)))
}

fn outside(cause: OutsideCause) -> OpenError {
    StoreError::from(cause).into()
}

/// The name of the file must also survive a power cut before a job in it is acknowledged.
fn sync_folder(path: &Path) -> std::io::Result<()> {
    if cfg!(unix) { File::open(folder_of(path))?.sync_all() } else { Ok(()) }
}
