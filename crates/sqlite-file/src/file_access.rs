use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use longshore_cause::{OutsideCause, is_want_of_files, is_want_of_threads};
use rusqlite::{ErrorCode, ffi};

use crate::size_limit::is_size_limit_reached;
use crate::write_access::{folder_of, is_mounted_read_only, is_read_only};

/// The maximum number of files that SQLite opens for one connection: database, log, its index, a journal and the
/// folder.
const FILES_OF_A_CONNECTION: usize = 5;

/// The database and its lock timeout, which every cause names.
#[derive(Clone, Debug)]
pub struct FileAccess {
    /// The database as the user knows it, usually a path.
    pub database: Arc<str>,
    /// Zero if only the owner of the connection knows it.
    pub busy_timeout: Duration,
}

impl FileAccess {
    /// The outside cause of the error. Err returns the error itself if the statement is wrong.
    pub fn outside_cause(&self, error: rusqlite::Error) -> Result<OutsideCause, rusqlite::Error> {
        let database = Arc::clone(&self.database);
        Ok(match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                OutsideCause::Busy { database, waited: self.busy_timeout }
            }
            // SQLite reports only that it could not write.
            _ if is_failed_write(&error) && is_size_limit_reached(Path::new(&*database)) => {
                OutsideCause::FileTooLarge { database }
            }
            // The shared memory of the write-ahead log could not grow, so the disk is full.
            _ if extended_code(&error) == Some(ffi::SQLITE_IOERR_SHMSIZE) => OutsideCause::Full { database },
            Some(ErrorCode::DiskFull) => OutsideCause::Full { database },
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => OutsideCause::ReadOnly { database },
            Some(ErrorCode::DatabaseCorrupt) => OutsideCause::Damaged { database, source: error.into() },
            Some(ErrorCode::NotADatabase) => OutsideCause::NotADatabase { database },
            Some(ErrorCode::CannotOpen) => self.cannot_open(error),
            Some(ErrorCode::SystemIoFailure | ErrorCode::OutOfMemory) => {
                OutsideCause::Device { database, source: error.into() }
            }
            _ => return Err(error),
        })
    }

    /// Why the database at `path` cannot be written, when SQLite reports only that it cannot.
    pub fn read_only(&self, path: &Path) -> OutsideCause {
        let database = Arc::clone(&self.database);
        if is_mounted_read_only(path) || is_mounted_read_only(folder_of(path)) {
            return OutsideCause::ReadOnlyMount { database };
        }
        OutsideCause::ReadOnly { database }
    }

    /// The operating system refused a file or a thread without which the database cannot be used.
    pub fn unreachable(&self, source: io::Error) -> OutsideCause {
        let database = Arc::clone(&self.database);
        match source.kind() {
            _ if is_want_of_files(&source) => OutsideCause::TooManyFiles { database },
            _ if is_want_of_threads(&source) => OutsideCause::TooManyThreads,
            _ => OutsideCause::Unreachable { database, source: source.into() },
        }
    }

    /// SQLite reports only that it cannot open its file, and repeats the path. The operating system knows the reason.
    fn cannot_open(&self, error: rusqlite::Error) -> OutsideCause {
        let path = Path::new(&*self.database);
        if is_out_of_files() {
            return OutsideCause::TooManyFiles { database: Arc::clone(&self.database) };
        }
        match fs::metadata(path) {
            Err(source) if source.kind() != ErrorKind::NotFound => self.unreachable(source),
            // In write-ahead mode a reader also writes files beside the database. In a read-only folder this is
            // impossible.
            _ if is_read_only(path) => self.read_only(path),
            _ => OutsideCause::Unreachable { database: Arc::clone(&self.database), source: in_short(error).into() },
        }
    }
}

/// The error with SQLite's own text, without the path, because messages about it already name the path.
fn in_short(error: rusqlite::Error) -> rusqlite::Error {
    match error {
        rusqlite::Error::SqliteFailure(code, _) => rusqlite::Error::SqliteFailure(code, None),
        other => other,
    }
}

/// Whether there are too few file descriptors for a connection. SQLite reports only that it cannot open its file. It
/// has closed the files that it had opened, so this tries to open as many as it needs.
fn is_out_of_files() -> bool {
    let place = if cfg!(unix) { "/dev/null" } else { "NUL" };
    let opened: Result<Vec<File>, _> = (0..FILES_OF_A_CONNECTION).map(|_| File::open(place)).collect();
    opened.is_err_and(|error| is_want_of_files(&error))
}

fn is_failed_write(error: &rusqlite::Error) -> bool {
    matches!(
        extended_code(error),
        Some(ffi::SQLITE_IOERR_WRITE | ffi::SQLITE_IOERR_SHMSIZE | ffi::SQLITE_IOERR_TRUNCATE | ffi::SQLITE_FULL)
    )
}

fn extended_code(error: &rusqlite::Error) -> Option<i32> {
    error.sqlite_error().map(|error| error.extended_code)
}
