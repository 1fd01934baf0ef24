use std::any::Any;
use std::error::Error;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use longshore_core::{InvalidJob, OutsideCause, StoreError};
use longshore_migrate::target::TargetError;
use longshore_sqlite_file::{FileAccess, Refused};
use rusqlite::{Connection, ErrorCode, ffi};
use thiserror::Error as ThisError;

/// Why a piece of work inside a transaction stopped: an SQLite error, or an answer for the caller.
#[derive(Debug)]
pub(crate) enum Fault {
    /// An SQLite error. [`ErrorContext::explain`] converts it for the caller.
    Sql(rusqlite::Error),
    /// The caller gets exactly this error.
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

/// The database and the time spent waiting, which every error names.
#[derive(Clone, Debug)]
pub(crate) struct ErrorContext {
    pub(crate) database: Arc<str>,
    pub(crate) busy_timeout: Duration,
}

impl ErrorContext {
    /// Of a connection of the caller, which waits as long as the caller has told it. A database without a file has an
    /// empty path.
    pub(crate) fn of_caller(connection: &Connection) -> Self {
        let path = connection.path().filter(|path| !path.is_empty());
        Self { database: path.unwrap_or("the database").into(), busy_timeout: Duration::ZERO }
    }

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

    /// Converts an SQLite error into an error that the caller can act on.
    pub(crate) fn explain(&self, error: rusqlite::Error, doing: &'static str) -> StoreError {
        match self.access().outside_cause(error) {
            Ok(cause) => cause.into(),
            Err(error) if is_key_mismatch(&error) => self.failed(KeyMismatch { error }.into(), doing),
            Err(error) => self.failed(error.into(), doing),
        }
    }

    /// Converts an error about a file in the folder of the workers.
    pub(crate) fn explain_refused(&self, refused: Refused) -> StoreError {
        let database = Arc::clone(&self.database);
        let Refused { path, source } = refused;
        if source.kind() == ErrorKind::PermissionDenied {
            return OutsideCause::Forbidden { path, source }.into();
        }
        if source.kind() == ErrorKind::NotADirectory {
            return OutsideCause::NotAFolder { path }.into();
        }
        match OutsideCause::of_io(database, &source) {
            Some(cause) => cause.into(),
            None => {
                let named = io::Error::new(source.kind(), format!("{}: {source}", path.display()));
                self.failed(named.into(), "locking a worker's liveness file")
            }
        }
    }

    /// Converts an error that a migration target has already classified.
    pub(crate) fn explain_target(&self, error: TargetError, doing: &'static str) -> StoreError {
        match error {
            // A target on another connection does not know how long that connection waits.
            TargetError::Outside(OutsideCause::Busy { database, .. }) => {
                OutsideCause::Busy { database, waited: self.busy_timeout }.into()
            }
            TargetError::Outside(cause) => cause.into(),
            TargetError::Statement { source, .. } | TargetError::Catalog { source } => self.failed(source, doing),
            other => self.failed(other.into(), doing),
        }
    }

    /// Why the database at `path` cannot be written, when SQLite reports only that it cannot.
    pub(crate) fn read_only(&self, path: &Path) -> OutsideCause {
        self.access().read_only(path)
    }

    /// The operating system refused a file or a thread without which the database cannot be used.
    pub(crate) fn unreachable(&self, source: io::Error) -> OutsideCause {
        self.access().unreachable(source)
    }

    fn access(&self) -> FileAccess {
        FileAccess { database: Arc::clone(&self.database), busy_timeout: self.busy_timeout }
    }
}

/// SQLite names both tables of the foreign key, and not what to do.
#[derive(Debug, ThisError)]
#[error("{error}: it refers to no unique key; drop the foreign key, or let it refer to one, such as job_queue (id)")]
struct KeyMismatch {
    error: rusqlite::Error,
}

/// Whether a foreign key of the application refers to columns that are no unique key. SQLite then prepares no statement
/// that deletes a job or changes these columns, so the error is about the schema and not about a row.
pub(crate) fn is_key_mismatch(error: &rusqlite::Error) -> bool {
    error.to_string().starts_with("foreign key mismatch - ")
}

/// Whether every other statement would fail with this error too.
pub(crate) fn is_outside(error: &rusqlite::Error) -> bool {
    spoils_connection(error)
        || matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

/// The message of a panic.
pub(crate) fn panic_message(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("a value that is not text")
}

/// Whether the connection may be unusable after this error. A new one is opened before the next transaction.
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

/// A copy of the error, for every request whose changes the failed commit has undone.
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
