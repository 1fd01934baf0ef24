use std::cell::RefCell;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use longshore_core::{OutsideCause, StoreError};
use longshore_sqlite_file::{check_kind, check_left_log};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::database::fault::ErrorContext;
use crate::options::{Durability, SqliteOptions};

/// After this wait for another program's lock, a warning is logged.
const LOUD_AFTER: Duration = Duration::from_secs(5);
/// The longest pause between two tries for the lock. It is short, because a commit takes only a fraction of it.
const PAUSE_MAX: Duration = Duration::from_millis(5);
/// More than the number of our statements, so that none is prepared twice.
const STATEMENTS_MAX: usize = 512;

/// Opens the one connection that writes.
///
/// Its triggers are off, because the engine updates the counts itself, once for each batch.
pub(crate) fn open_writer(options: &SqliteOptions, context: &ErrorContext) -> Result<Connection, StoreError> {
    let connection = open_to_write(options, context)?;
    configure_writer(&connection, options, context)?;
    Ok(connection)
}

/// [`open_writer`] without [`configure_writer`]: nothing is written yet.
pub(crate) fn open_to_write(options: &SqliteOptions, context: &ErrorContext) -> Result<Connection, StoreError> {
    let connection = open(options, context, OpenFlags::SQLITE_OPEN_READ_WRITE);
    #[cfg(test)]
    let connection = connection.map(crate::database::stop_before::watched);
    connection
}

/// Opens a connection that cannot write.
pub(crate) fn open_reader(options: &SqliteOptions, context: &ErrorContext) -> Result<Connection, StoreError> {
    let connection = open(options, context, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection
        .execute_batch("PRAGMA cache_size = -1000; PRAGMA mmap_size = 0; PRAGMA query_only = ON")
        .map_err(|error| context.explain(error, "opening it for reading"))?;
    Ok(connection)
}

fn open(options: &SqliteOptions, context: &ErrorContext, access: OpenFlags) -> Result<Connection, StoreError> {
    check_is_there(&options.path, context)?;
    let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let opened = Connection::open_with_flags(&options.path, flags).and_then(|mut connection| {
        prepare(&mut connection, context)?;
        Ok(connection)
    });
    opened.map_err(|error| context.explain(error, "opening it"))
}

/// SQLite would report only "unable to open". A stat opens nothing, so it drops no lock.
fn check_is_there(path: &Path, context: &ErrorContext) -> Result<(), StoreError> {
    check_left_log(path)?;
    match std::fs::metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(OutsideCause::Missing { database: context.database.clone() }.into())
        }
        Err(error) => Err(context.unreachable(error).into()),
        Ok(found) => Ok(check_kind(path, &found, &context.database)?),
    }
}

fn prepare(connection: &mut Connection, context: &ErrorContext) -> rusqlite::Result<()> {
    wait_for_locks(connection, context)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    // Otherwise SQLite compiles a statement with a bound LIMIT or range again for each binding: 88,000 instructions.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    rusqlite::vtab::array::load_module(connection)?;
    // The first read shows whether the file is a database at all.
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))
}

/// Makes a connection wait for other programs' locks as the thread does that uses it.
fn wait_for_locks(connection: &mut Connection, context: &ErrorContext) -> rusqlite::Result<()> {
    wait_on_this_thread(context);
    // Without captured values, because before version 0.41 rusqlite accepts only a plain function.
    connection.busy_handler(Some(|tries| {
        PATIENCE.with_borrow_mut(|patience| patience.as_mut().is_some_and(|patience| patience.wait(tries)))
    }))
}

/// Configures a connection for the engine. The journal mode is stored in the file.
pub(crate) fn configure_writer(
    connection: &Connection,
    options: &SqliteOptions,
    context: &ErrorContext,
) -> Result<(), StoreError> {
    switch_to_log(connection, context)
        .and_then(|()| set_pragmas(connection, options))
        .map_err(|error| context.explain(error, "opening it for writing"))
}

/// The first store on a file switches it to a write-ahead log. For this, SQLite reads before it writes, and does not
/// wait if another store does the same at that moment.
fn switch_to_log(connection: &Connection, context: &ErrorContext) -> rusqlite::Result<()> {
    let begun = Instant::now();
    loop {
        let switched = connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()));
        let is_busy = |error: &rusqlite::Error| error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy);
        if begun.elapsed() >= context.busy_timeout || !switched.as_ref().is_err_and(is_busy) {
            return switched;
        }
        thread::sleep(PAUSE_MAX);
    }
}

fn set_pragmas(connection: &Connection, options: &SqliteOptions) -> rusqlite::Result<()> {
    let synchronous = match options.durability {
        Durability::Full => "FULL",
        Durability::Normal => "NORMAL",
    };
    connection.pragma_update(None, "synchronous", synchronous)?;
    connection.execute_batch(include_str!("../sql/database/configure_writer.sql"))?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
    if let Some(bytes) = options.size_max_bytes {
        let page_bytes: u32 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
        let pages_max = i64::try_from(bytes / u64::from(page_bytes.max(1))).unwrap_or(i64::MAX);
        connection.pragma_update_and_check(None, "max_page_count", pages_max, |_| Ok(()))?;
    }
    Ok(())
}

/// Writes in the caller's transaction. If one of several statements fails, the ones before it are undone.
pub(crate) fn in_savepoint<T, E: From<rusqlite::Error>>(
    connection: &Connection,
    piece: impl FnOnce() -> Result<T, E>,
) -> Result<T, E> {
    connection.execute_batch("SAVEPOINT longshore")?;
    let done = piece();
    // After some errors SQLite ends the whole transaction, and the savepoint with it.
    if done.is_err() && !connection.is_autocommit() {
        connection.execute_batch("ROLLBACK TO longshore")?;
    }
    if !connection.is_autocommit() {
        connection.execute_batch("RELEASE longshore")?;
    }
    done
}

thread_local! {
    /// How this thread waits for locks. `None` if it does not wait.
    static PATIENCE: RefCell<Option<Patience>> = const { RefCell::new(None) };
}

/// From now on this thread waits for locks as the store's options say. A thread that takes a connection from another
/// one calls it first.
pub(crate) fn wait_on_this_thread(context: &ErrorContext) {
    PATIENCE.set(Some(Patience::new(context.clone())));
}

/// From now on this thread waits for no lock: a statement that meets one fails at once.
pub(crate) fn never_wait_on_this_thread() {
    PATIENCE.set(None);
}

/// How one thread waits for another program's lock: with short pauses first, and with a warning after a while.
struct Patience {
    context: ErrorContext,
    since: Instant,
    has_warned: bool,
}

impl Patience {
    fn new(context: ErrorContext) -> Self {
        Self { context, since: Instant::now(), has_warned: false }
    }

    /// SQLite calls this for every failed try. `false` ends the wait with `SQLITE_BUSY`.
    fn wait(&mut self, tries: i32) -> bool {
        if tries == 0 {
            self.since = Instant::now();
            self.has_warned = false;
        }
        let waited = self.since.elapsed();
        if waited >= self.context.busy_timeout {
            return false;
        }
        if waited >= LOUD_AFTER && !self.has_warned {
            self.has_warned = true;
            crate::database::quiet::warning!(database = %self.context.database, waited_ms = waited.as_millis(), "waiting for a lock");
        }
        let pause = Duration::from_micros(100).saturating_mul(1 << tries.clamp(0, 6)).min(PAUSE_MAX);
        thread::sleep(pause.min(self.context.busy_timeout.saturating_sub(waited)));
        true
    }
}
