use std::any::Any;
use std::error::Error;
use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use longshore_core::{InvalidJob, StoreError};
use longshore_migrate::target::TargetError;
use rusqlite::{ErrorCode, ffi};

use crate::shared_files::Refused;

/// What stops a piece of work inside a transaction: the database's own error, or an answer for the caller.
#[derive(Debug)]
pub(crate) enum Fault {
    /// SQLite said no; what that means for the caller is told by [`ErrorContext::explain`].
    Sql(rusqlite::Error),
    /// The caller gets exactly this.
    Answer(StoreError),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Answer(error)
    }
}

impl From<InvalidJob> for Fault {
    fn from(error: InvalidJob) -> Self {
        Self::Answer(error.into())
    }
}

/// Which database, and how long was waited for it: what every error tells.
#[derive(Clone, Debug)]
pub(crate) struct ErrorContext {
    pub(crate) database: Arc<str>,
    pub(crate) busy_timeout: Duration,
}

impl ErrorContext {
    pub(crate) fn closed(&self) -> StoreError {
        StoreError::Closed { database: Arc::clone(&self.database) }
    }

    pub(crate) fn panicked(&self, payload: &(dyn Any + Send), doing: &'static str) -> StoreError {
        StoreError::Panicked { database: Arc::clone(&self.database), doing, message: panic_message(payload).to_owned() }
    }

    pub(crate) fn schema_changed(&self) -> StoreError {
        StoreError::SchemaChanged { database: Arc::clone(&self.database) }
    }

    pub(crate) fn failed(&self, source: Box<dyn Error + Send + Sync>, doing: &'static str) -> StoreError {
        StoreError::Backend { database: Arc::clone(&self.database), doing, source }
    }

    pub(crate) fn answer(&self, fault: Fault, doing: &'static str) -> StoreError {
        match fault {
            Fault::Sql(error) => self.explain(error, doing),
            Fault::Answer(error) => error,
        }
    }

    /// The decision that a caller can make about an error of SQLite.
    pub(crate) fn explain(&self, error: rusqlite::Error, doing: &'static str) -> StoreError {
        let database = Arc::clone(&self.database);
        match Trouble::of(&error) {
            Some(Trouble::Busy) => StoreError::Busy { database, waited: self.busy_timeout },
            Some(Trouble::Full) => StoreError::Full { database },
            Some(Trouble::ReadOnly) => StoreError::ReadOnly { database },
            Some(Trouble::Damaged) => StoreError::Damaged { database, source: error.into() },
            Some(Trouble::NotADatabase) => StoreError::NotADatabase { database },
            Some(Trouble::Unreachable) if is_out_of_files() => StoreError::TooManyFiles { database },
            Some(Trouble::Unreachable) => StoreError::Unreachable { database, source: error.into() },
            None => StoreError::Backend { database, doing, source: error.into() },
        }
    }

    /// The same decision about a file in the folder of the workers.
    pub(crate) fn explain_refused(&self, refused: Refused, folder: &Path) -> StoreError {
        let database = Arc::clone(&self.database);
        let Refused { path, source } = refused;
        match source.kind() {
            ErrorKind::PermissionDenied => StoreError::Forbidden { database, path, folder: folder.to_owned(), source },
            ErrorKind::ReadOnlyFilesystem => StoreError::ReadOnlyMount { database },
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => StoreError::Full { database },
            _ if is_want_of_files(&source) => StoreError::TooManyFiles { database },
            _ => self.failed(source.into(), "locking the file that shows that a worker lives"),
        }
    }

    /// The same decision about what a migration target has explained already.
    pub(crate) fn explain_target(&self, error: TargetError, doing: &'static str) -> StoreError {
        let database = Arc::clone(&self.database);
        match error {
            TargetError::Busy { .. } | TargetError::Locked { .. } => {
                StoreError::Busy { database, waited: self.busy_timeout }
            }
            TargetError::Full { .. } => StoreError::Full { database },
            TargetError::ReadOnly { .. } => StoreError::ReadOnly { database },
            TargetError::Damaged { source, .. } => StoreError::Damaged { database, source },
            TargetError::NotADatabase { .. } => StoreError::NotADatabase { database },
            TargetError::Open { source, .. } => match source.downcast::<StoreError>() {
                Ok(error) => *error,
                Err(_) if is_out_of_files() => StoreError::TooManyFiles { database },
                Err(source) => StoreError::Unreachable { database, source },
            },
            TargetError::Statement { source, .. } | TargetError::Catalog { source } => self.failed(source, doing),
            other => self.failed(other.into(), doing),
        }
    }
}

/// A cause that no word of a statement can have: the file, the disk or another program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    Busy,
    Full,
    ReadOnly,
    Damaged,
    NotADatabase,
    Unreachable,
}

impl Trouble {
    /// The trouble behind an error of SQLite; none where the statement itself is at fault.
    pub(crate) fn of(error: &rusqlite::Error) -> Option<Self> {
        match error.sqlite_error_code()? {
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Some(Self::Busy),
            ErrorCode::DiskFull => Some(Self::Full),
            // The shared memory of the write-ahead log could not be made larger: the disk is full as well.
            _ if extended_code(error) == Some(ffi::SQLITE_IOERR_SHMSIZE) => Some(Self::Full),
            ErrorCode::ReadOnly | ErrorCode::PermissionDenied => Some(Self::ReadOnly),
            ErrorCode::DatabaseCorrupt => Some(Self::Damaged),
            ErrorCode::NotADatabase => Some(Self::NotADatabase),
            ErrorCode::CannotOpen => Some(Self::Unreachable),
            _ => None,
        }
    }
}

/// What SQLite opens for one connection at most: database, log, its index, a journal and the folder.
const FILES_OF_A_CONNECTION: usize = 5;

/// Whether a connection has not files enough, of which SQLite says only that it cannot open its own. It has closed
/// those that it had opened, so as many as it needs are tried at once.
pub(crate) fn is_out_of_files() -> bool {
    let place = if cfg!(unix) { "/dev/null" } else { "NUL" };
    let opened: Result<Vec<File>, _> = (0..FILES_OF_A_CONNECTION).map(|_| File::open(place)).collect();
    opened.is_err_and(|error| is_want_of_files(&error))
}

/// Whether the process or the machine has no file descriptor left.
pub(crate) fn is_want_of_files(error: &std::io::Error) -> bool {
    #[cfg(unix)]
    {
        use rustix::io::Errno;
        matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE))
    }
    #[cfg(not(unix))]
    {
        let _ = error;
        false
    }
}

fn extended_code(error: &rusqlite::Error) -> Option<i32> {
    error.sqlite_error().map(|error| error.extended_code)
}

/// What a panic said.
pub(crate) fn panic_message(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("a value that is no text")
}

/// Whether the connection may be unusable after this error: a fresh one is opened before the next transaction.
pub(crate) fn spoils_connection(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(
            ErrorCode::SystemIoFailure
                | ErrorCode::DatabaseCorrupt
                | ErrorCode::NotADatabase
                | ErrorCode::CannotOpen
                | ErrorCode::ReadOnly
                | ErrorCode::PermissionDenied
                | ErrorCode::DiskFull
                | ErrorCode::OutOfMemory
                | ErrorCode::ApiMisuse
        )
    )
}

/// The same error once more, for every request that one failed commit has undone.
pub(crate) fn repeat(error: &rusqlite::Error) -> rusqlite::Error {
    match error {
        rusqlite::Error::SqliteFailure(code, message) => rusqlite::Error::SqliteFailure(*code, message.clone()),
        other => rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_ERROR), Some(other.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explained(code: i32) -> &'static str {
        let context = ErrorContext { database: "queue.db".into(), busy_timeout: Duration::from_secs(10) };
        context.explain(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None), "testing").code()
    }

    #[test]
    fn every_cause_that_a_caller_can_tell_apart_has_its_own_error() {
        let cases = [
            (ffi::SQLITE_BUSY, "database_locked"),
            (ffi::SQLITE_BUSY_SNAPSHOT, "database_locked"),
            (ffi::SQLITE_FULL, "disk_full"),
            (ffi::SQLITE_IOERR_SHMSIZE, "disk_full"),
            (ffi::SQLITE_READONLY, "database_read_only"),
            (ffi::SQLITE_READONLY_DBMOVED, "database_read_only"),
            (ffi::SQLITE_PERM, "database_read_only"),
            (ffi::SQLITE_CORRUPT, "database_damaged"),
            (ffi::SQLITE_NOTADB, "not_a_database"),
            (ffi::SQLITE_CANTOPEN, "database_unreachable"),
            (ffi::SQLITE_IOERR_WRITE, "database_failed"),
        ];
        for (code, word) in cases {
            assert_eq!(explained(code), word, "{code}");
        }
    }

    #[test]
    fn after_an_error_of_the_file_the_connection_is_opened_anew_and_after_one_of_a_row_it_is_not() {
        let spoils = |code| spoils_connection(&rusqlite::Error::SqliteFailure(ffi::Error::new(code), None));
        assert!(spoils(ffi::SQLITE_IOERR) && spoils(ffi::SQLITE_READONLY) && spoils(ffi::SQLITE_FULL));
        assert!(!spoils(ffi::SQLITE_CONSTRAINT) && !spoils(ffi::SQLITE_BUSY));
    }
}
