use std::sync::Arc;
use std::thread;

use longshore_core::{Enqueued, NewJob, StoreError};
use longshore_sqlite::rusqlite::Connection;
use longshore_sqlite::{Prepare, SqliteOptions, SqliteStore};
use tokio::sync::oneshot;

use crate::{DatabaseUrl, Payload, Queue, QueueError};

impl Queue {
    /// Opens `sqlite:PATH` or a bare path, see [`DatabaseUrl`]. A file that is not there is created, and a database
    /// that never held jobs gets the queue's tables beside its own; a process that is killed meanwhile leaves a
    /// database that the next call opens.
    ///
    /// A database whose tables are older, newer or other than this version expects is refused, and nothing is
    /// changed: the error says what to type. It runs on a thread of its own, so any executor may await it. When the
    /// future is dropped, the database is opened all the same and closed again.
    pub async fn open(url: impl Into<String>) -> Result<Self, QueueError> {
        let url = url.into();
        let (reply, answer) = oneshot::channel();
        let opening = move || {
            // Whoever asked may have gone.
            let _ = reply.send(Self::open_blocking(&url));
        };
        thread::Builder::new()
            .name("longshore-open".to_owned())
            .spawn(opening)
            .map_err(|source| QueueError::Thread { source })?;
        answer.await.expect("opening a database does not panic")
    }

    /// [`Queue::open`] for a thread that may be held up.
    pub fn open_blocking(url: &str) -> Result<Self, QueueError> {
        let url: DatabaseUrl = url.parse()?;
        Ok(Self::open_with(SqliteOptions::new(url.path()))?)
    }

    /// [`Queue::open_blocking`] with other options: durability, patience, limits.
    pub fn open_with(options: SqliteOptions) -> Result<Self, StoreError> {
        let named = options.clone();
        let (store, _) =
            SqliteStore::open_prepared(options, Prepare::Beside).map_err(|error| error.into_store_error(&named))?;
        Ok(Self::from_backend(Arc::new(store)))
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
