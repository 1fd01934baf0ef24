mod actions;
mod enqueueing;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod opening;
mod reading;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod several;

#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub use several::Databases;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use longshore_combined::CombineError;
use longshore_core::{Backend, InvalidJobData, JobId, Status, StoreError};

use crate::InvalidDatabaseUrl;
use crate::measures::Measures;

/// A database with jobs. Cheap to clone; all clones share one connection.
///
/// Its async methods run on every executor. Its blocking methods work on every thread, also inside an async task. There
/// they block the other tasks of that thread until they return.
#[derive(Clone, Debug)]
pub struct Queue {
    backend: Arc<dyn Backend>,
    measures: Arc<Measures>,
}

/// Why a call of a queue failed. Nothing was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QueueError {
    /// The payload cannot be encoded as JSON, or decoded from it.
    #[error("the payload is {0}")]
    Encode(#[from] InvalidJobData),
    /// The URL names no database that this build supports.
    #[error(transparent)]
    InvalidUrl(#[from] InvalidDatabaseUrl),
    /// Several databases cannot be used together.
    #[error(transparent)]
    Combine(#[from] CombineError),
    /// No thread could be started to open the database.
    #[error("no thread could be started to open the database: {source}")]
    Thread {
        /// The cause.
        source: io::Error,
    },
    /// The store returned an error.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The job belongs to no batch, so it cannot add members to one.
    #[error("job {id} belongs to no batch")]
    NoBatch {
        /// The job id.
        id: JobId,
    },
    /// The job does not exist.
    #[error("there is no job {id}")]
    NotFound {
        /// The job id.
        id: JobId,
    },
    /// The job had not ended when the time of a wait was over. It is unchanged.
    #[error("job {id} is still {status} after {}: wait longer", longshore_core::format_duration(*waited))]
    WaitTimedOut {
        /// The job id.
        id: JobId,
        /// Its status.
        status: Status,
        /// How long the wait was allowed to take.
        waited: Duration,
    },
    /// A wait needs a thread for its timer, and none could be started.
    #[error("cannot wait for a job, because no thread can be started: {0}; stop other threads, or raise the limit")]
    Timer(#[source] io::Error),
}

impl QueueError {
    /// A stable code for scripts.
    ///
    /// ```
    /// let error = longshore::Queue::open_blocking("mysql://localhost/app").unwrap_err();
    /// assert_eq!(error.code(), "invalid_database");
    /// ```
    pub fn code(&self) -> &'static str {
        match self {
            Self::Encode(_) => "invalid_job",
            Self::InvalidUrl(error) => error.code(),
            Self::Combine(error) => error.code(),
            Self::Thread { .. } | Self::Timer(_) => "no_thread",
            Self::Store(error) => error.code(),
            Self::NoBatch { .. } => "no_batch",
            Self::NotFound { .. } => "no_such_job",
            Self::WaitTimedOut { .. } => "wait_timed_out",
        }
    }

    /// What the user can do about it, if the message does not say it.
    ///
    /// ```
    /// let error = longshore::Queue::open_blocking("mysql://localhost/app").unwrap_err();
    /// assert_eq!(error.hint(), Some("such as sqlite:longshore.db"));
    /// ```
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::InvalidUrl(error) => Some(error.hint()),
            Self::Combine(error) => error.hint(),
            Self::Store(error) => error.hint(),
            _ => None,
        }
    }
}

impl Queue {
    /// Creates a queue on any backend.
    ///
    /// ```
    /// # use longshore::{Queue, backend::Backend};
    /// # use std::sync::Arc;
    /// # fn example(store: impl Backend + 'static) {
    /// let queue = Queue::from_backend(Arc::new(store));
    /// # }
    /// ```
    pub fn from_backend(backend: Arc<dyn Backend>) -> Self {
        Self { backend, measures: Arc::default() }
    }

    /// The backend itself, for pages, statistics and health.
    ///
    /// ```
    /// # use longshore::{Queue};
    /// # async fn example(queue: &Queue) -> Result<(), Box<dyn std::error::Error>> {
    /// let health = queue.backend().health().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn backend(&self) -> &Arc<dyn Backend> {
        &self.backend
    }

    /// What the attempts of this process on this queue and its clones have come to.
    ///
    /// ```
    /// # use longshore::Queue;
    /// # fn example(queue: &Queue) {
    /// let attempts: u64 = queue.measures().read().iter().map(|kind| kind.run_ms.count()).sum();
    /// # }
    /// ```
    pub fn measures(&self) -> &Measures {
        &self.measures
    }
}
