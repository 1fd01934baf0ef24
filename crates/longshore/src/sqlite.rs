use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use longshore_core::{Enqueued, NewJob, SchemaVerdict, StoreError};
use longshore_sqlite::rusqlite::{Connection, OpenFlags};
use longshore_sqlite::schema::{self, SchemaProblem};
use longshore_sqlite::target::wait_for_runner;
use longshore_sqlite::{SqliteOptions, SqliteStore};

use crate::{Payload, Queue, QueueError};

impl Queue {
    /// Opens `sqlite:PATH` or a bare path. A file that is not there is created, and a database that never held
    /// jobs gets the queue's tables beside its own.
    ///
    /// A database whose tables are older, newer or other than this version expects is refused, and nothing is
    /// changed: the error says what to type.
    pub async fn open(url: impl Into<String>) -> Result<Self, QueueError> {
        let url = url.into();
        let opening = tokio::task::spawn_blocking(move || Self::open_blocking(&url));
        opening.await.expect("opening a database does not panic, and the runtime waits for it")
    }

    /// [`Queue::open`] for a thread without a runtime.
    pub fn open_blocking(url: &str) -> Result<Self, QueueError> {
        Ok(Self::open_with(SqliteOptions::new(path_of(url)?))?)
    }

    /// [`Queue::open_blocking`] with other options: durability, patience, limits.
    pub fn open_with(options: SqliteOptions) -> Result<Self, StoreError> {
        prepare(&options.path)?;
        Ok(Self::from_backend(Arc::new(SqliteStore::open(options)?)))
    }

    /// Enqueues a typed job in the caller's own transaction: the job exists if and only if that commits.
    ///
    /// A worker in any process is woken by the commit. After an error the transaction is as it was.
    pub fn enqueue_in<T: Payload>(transaction: &Connection, payload: &T) -> Result<Enqueued, QueueError> {
        Ok(Self::enqueue_job_in(transaction, &payload.to_job()?)?)
    }

    /// [`Queue::enqueue_in`] for a job of any type.
    pub fn enqueue_job_in(transaction: &Connection, job: &NewJob) -> Result<Enqueued, StoreError> {
        longshore_sqlite::enqueue_in(transaction, job)
    }
}

fn path_of(url: &str) -> Result<&str, QueueError> {
    let invalid = || QueueError::InvalidUrl { url: url.to_owned() };
    let path = url.strip_prefix("sqlite:").unwrap_or(url);
    let path = path.strip_prefix("//").unwrap_or(path);
    let is_other = path.contains("://") || path.starts_with("file:") || path == ":memory:";
    if path.is_empty() || is_other {
        return Err(invalid());
    }
    Ok(path)
}

/// Makes the queue's tables where there are none at all, and otherwise looks whether they are understood.
fn prepare(path: &Path) -> Result<(), StoreError> {
    if !path.exists() {
        return create(path);
    }
    let mut judged = look(path);
    if !matches!(judged, Ok(()) | Err(SchemaProblem::NeverMigrated)) {
        // It may be half of what another process is just making, so it is judged when that one is done.
        wait_for_runner(path).map_err(|error| unreachable(path, error))?;
        judged = look(path);
    }
    match judged {
        Ok(()) => Ok(()),
        Err(SchemaProblem::NeverMigrated) => create(path),
        Err(problem) => Err(StoreError::Schema {
            message: problem.to_string(),
            hint: problem.hint().to_owned(),
            verdict: verdict(problem.code()),
        }),
    }
}

/// Judges the schema in one transaction. What cannot be opened or read here, the store's own opening explains.
fn look(path: &Path) -> Result<(), SchemaProblem> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let Ok(connection) = Connection::open_with_flags(path, flags) else { return Ok(()) };
    if connection.execute_batch("BEGIN").is_err() {
        return Ok(());
    }
    match schema::check(&connection) {
        Err(SchemaProblem::Unreadable { .. }) => Ok(()),
        judged => judged,
    }
}

fn create(path: &Path) -> Result<(), StoreError> {
    let Err(error) = schema::latest_up(path) else { return Ok(()) };
    if error.target_error().is_some() {
        return Err(unreachable(path, error));
    }
    Err(StoreError::Schema { message: error.to_string(), hint: error.hint(), verdict: verdict(error.code()) })
}

fn unreachable(path: &Path, error: impl Error + Send + Sync + 'static) -> StoreError {
    StoreError::Unreachable { database: path.display().to_string().into(), source: Box::new(error) }
}

fn verdict(code: &str) -> SchemaVerdict {
    match code {
        "history_broken" => SchemaVerdict::HistoryBroken,
        _ => SchemaVerdict::Disagrees,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_may_be_bare_or_a_url() {
        for url in ["app.db", "sqlite:app.db", "sqlite://app.db"] {
            assert_eq!(path_of(url).unwrap(), "app.db");
        }
        assert_eq!(path_of("sqlite:///var/app.db").unwrap(), "/var/app.db");
    }

    #[test]
    fn what_names_no_file_is_refused() {
        for url in ["", "sqlite:", ":memory:", "postgres://host/app", "file:app.db"] {
            assert!(matches!(path_of(url), Err(QueueError::InvalidUrl { .. })), "{url}");
        }
    }
}
