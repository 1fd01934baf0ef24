use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use longshore_core::OutsideCause;
use longshore_sqlite_file::{beside, check_left_log};
use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::database::fault::ErrorContext;
use crate::database::file_url::file_url;

/// A store whose index was deleted notices it at once, or within a second if it has no worker. Then it closes the file.
const LEAVING_MAX: Duration = Duration::from_secs(3);
const LOOK: Duration = Duration::from_millis(20);

/// Waits until no other program uses a deleted index of the log. To be called before the file is opened.
///
/// SQLite keeps the locks of the log in that index (`-shm`). If it was deleted while a program has it open, the next
/// program makes a new one. Neither sees the locks of the other, both write to the same place in the log, and jobs that
/// were acknowledged are lost. The log without its index is the sign of that. Usually both are there, or none.
pub(crate) fn await_common_index(path: &Path, context: &ErrorContext) -> Result<(), OutsideCause> {
    await_for(LEAVING_MAX, path, context)
}

fn await_for(leaving_max: Duration, path: &Path, context: &ErrorContext) -> Result<(), OutsideCause> {
    // The files beside it are where a link leads to.
    let Ok(path) = fs::canonicalize(path) else { return Ok(()) };
    // SQLite would delete the log of an empty file when it looks.
    check_left_log(&path)?;
    let begun = Instant::now();
    while lacks_index(&path) && is_busy(&use_alone(&path)) {
        if begun.elapsed() < leaving_max {
            thread::sleep(LOOK);
        } else if is_busy(&read_without_index(&path)) {
            // Another program uses the file without an index, and alone. Opening it reports that it is locked.
            return Ok(());
        } else {
            return Err(OutsideCause::LogGone { database: context.database.clone() });
        }
    }
    Ok(())
}

fn lacks_index(path: &Path) -> bool {
    beside(path, "-wal").exists() && !beside(path, "-shm").exists()
}

/// Reads with the lock that no other program may share. With it SQLite makes no index.
fn use_alone(path: &Path) -> rusqlite::Result<()> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(Duration::ZERO)?;
    connection.pragma_update_and_check(None, "locking_mode", "EXCLUSIVE", |_| Ok(()))?;
    read_schema(&connection)
}

/// Fails for want of the index, unless the file is locked as a whole.
fn read_without_index(path: &Path) -> rusqlite::Result<()> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let connection = Connection::open_with_flags(file_url(path, "readonly_shm=1"), flags)?;
    connection.busy_timeout(Duration::ZERO)?;
    read_schema(&connection)
}

fn read_schema(connection: &Connection) -> rusqlite::Result<()> {
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))
}

fn is_busy(read: &rusqlite::Result<()>) -> bool {
    read.as_ref().is_err_and(|error| error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A database in a new folder, and a connection that uses it with a log.
    fn database() -> (tempfile::TempDir, std::path::PathBuf, Connection) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a? b%.db");
        let connection = Connection::open(&path).unwrap();
        connection.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE t (x)").unwrap();
        (folder, path, connection)
    }

    fn context() -> ErrorContext {
        ErrorContext { database: "a.db".into(), busy_timeout: Duration::ZERO }
    }

    #[test]
    fn an_index_that_was_deleted_under_another_program_is_an_error_and_none_is_made() {
        let (_folder, path, other) = database();
        fs::remove_file(beside(&path, "-shm")).unwrap();

        let waited = await_for(Duration::ZERO, &path, &context());

        assert!(matches!(waited, Err(OutsideCause::LogGone { .. })), "{waited:?}");
        assert!(!beside(&path, "-shm").exists());
        other.execute_batch("INSERT INTO t VALUES (1)").unwrap();
        drop(other);
        await_for(Duration::ZERO, &path, &context()).unwrap();
    }

    #[test]
    fn a_log_without_its_index_that_nobody_uses_is_no_error_and_keeps_its_data() {
        let (folder, path, other) = database();
        let copy = folder.path().join("copy.db");
        fs::copy(&path, &copy).unwrap();
        fs::copy(beside(&path, "-wal"), beside(&copy, "-wal")).unwrap();
        drop(other);

        await_for(Duration::ZERO, &copy, &context()).unwrap();

        Connection::open(&copy).unwrap().execute_batch("INSERT INTO t VALUES (1)").unwrap();
    }

    #[test]
    fn a_program_that_uses_the_file_alone_needs_no_index() {
        let (_folder, path, first) = database();
        drop(first);
        let other = Connection::open(&path).unwrap();
        other.execute_batch("PRAGMA locking_mode = EXCLUSIVE; INSERT INTO t VALUES (1)").unwrap();
        assert!(lacks_index(&path));

        await_for(Duration::ZERO, &path, &context()).unwrap();
    }
}
