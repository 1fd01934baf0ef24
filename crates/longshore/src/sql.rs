//! Enqueues with the application's own driver: the statement and its values, for sqlx, Diesel, SeaORM or any other.
//!
//! The job then belongs to the driver's transaction: it exists if and only if that transaction commits. A
//! [`Worker`](crate::Worker) in this or any other process runs it. With `rusqlite` use
//! [`Queue::enqueue_in`](crate::Queue::enqueue_in), which also says the job's id.
//!
//! ```
//! use longshore::sql::{self, Value};
//! use longshore::{JobData, NewJob, Priority};
//!
//! let job = NewJob::new("send_receipt", JobData::parse(r#"{"order": 42}"#)?).priority(Priority::HIGH);
//! let insert = sql::enqueue(&job)?;
//! assert!(insert.sql.starts_with("INSERT INTO job_queue"));
//! assert_eq!(insert.values[1], Value::Text(r#"{"order": 42}"#.to_owned()));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! With sqlx, inside a transaction of the application:
//!
//! ```ignore
//! let insert = longshore::sql::enqueue(&Receipt { order: 42 })?;
//! let mut query = sqlx::query(insert.sql);
//! for value in insert.values {
//!     query = match value {
//!         Value::Null => query.bind(None::<i64>),
//!         Value::Integer(number) => query.bind(number),
//!         Value::Real(number) => query.bind(number),
//!         Value::Text(text) => query.bind(text),
//!     };
//! }
//! query.execute(&mut *transaction).await?;
//! ```
//!
//! `examples/sqlx` and `examples/diesel` are whole programs.

use longshore_core::{InvalidJob, InvalidJobData, Limits, NewJob};
pub use longshore_sqlite::{Statement, Value};
use thiserror::Error;

use crate::Payload;

/// Why there is no statement for a job.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StatementError {
    /// The payload cannot be encoded as JSON.
    #[error("the payload is {0}")]
    Encode(#[from] InvalidJobData),
    /// The job is invalid for every store.
    #[error(transparent)]
    Job(#[from] InvalidJob),
    /// The job may wait behind a running one with its unique key, which takes more than one statement.
    #[error(
        "one statement cannot enqueue a job whose key is unique only while it waits: use unfinished, or enqueue_in"
    )]
    UniqueWhileWaiting,
}

/// What can be enqueued by a statement: a [`Payload`], or a [`NewJob`] of any type.
pub trait EnqueueBySql {
    /// The job with all of its properties.
    fn to_new_job(&self) -> Result<NewJob, StatementError>;
}

impl<T: Payload> EnqueueBySql for T {
    fn to_new_job(&self) -> Result<NewJob, StatementError> {
        Ok(self.to_job()?)
    }
}

impl EnqueueBySql for NewJob {
    fn to_new_job(&self) -> Result<NewJob, StatementError> {
        Ok(self.clone())
    }
}

/// The statement that enqueues this job, and its values. Delays count from when the statement runs, by the database's
/// clock.
///
/// If a job with its unique key has not ended, the statement does what the job's
/// [`OnDuplicate`](crate::job::OnDuplicate) says. The payload may have at most 1 MiB.
pub fn enqueue(job: &impl EnqueueBySql) -> Result<Statement, StatementError> {
    let job = job.to_new_job()?.check(&Limits::default())?;
    Statement::enqueueing(job).ok_or(StatementError::UniqueWhileWaiting)
}
