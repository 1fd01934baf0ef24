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

use std::time::Duration;

use longshore_core::{Due, InvalidJob, InvalidJobData, JobData, Limits, NewJob, OnDuplicate, UniqueWhile};
use thiserror::Error;

use crate::Payload;

/// A statement and the values of its `?` placeholders, in order.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    /// The text, for SQLite 3.38 and later.
    pub sql: &'static str,
    /// One value for each placeholder.
    pub values: Vec<Value>,
}

/// A value to bind.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// NULL
    Null,
    /// An integer.
    Integer(i64),
    /// A number with a fraction.
    Real(f64),
    /// Text.
    Text(String),
}

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

macro_rules! insert {
    ($($conflict:literal)?) => {
        concat!(
            "INSERT INTO job_queue (job_type, job_data, queue, priority, max_retries, timeout_seconds, max_crashes, \
             max_deferrals, unique_key, parent_job_id, metadata, run_at, expires_at, deadline_at) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, \
             COALESCE(?, CAST(round((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) + ?), \
             CAST(round((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) + ?, \
             CAST(round((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) + ?)",
            $(" ON CONFLICT (unique_key) WHERE unique_key IS NOT NULL \
             AND status IN ('pending', 'running', 'retrying', 'blocked') ", $conflict)?
        )
    };
}

const PLAIN: &str = insert!();
const KEEP: &str = insert!("DO NOTHING");
const REPLACE: &str = insert!(
    "DO UPDATE SET job_type = excluded.job_type, job_data = excluded.job_data, priority = excluded.priority, \
     max_retries = excluded.max_retries, timeout_seconds = excluded.timeout_seconds, \
     max_crashes = excluded.max_crashes, max_deferrals = excluded.max_deferrals, metadata = excluded.metadata, \
     expires_at = excluded.expires_at, deadline_at = excluded.deadline_at WHERE job_queue.status <> 'running'"
);
const PUSH_BACK: &str = insert!(
    "DO UPDATE SET job_type = excluded.job_type, job_data = excluded.job_data, priority = excluded.priority, \
     max_retries = excluded.max_retries, timeout_seconds = excluded.timeout_seconds, \
     max_crashes = excluded.max_crashes, max_deferrals = excluded.max_deferrals, metadata = excluded.metadata, \
     expires_at = excluded.expires_at, deadline_at = excluded.deadline_at, run_at = excluded.run_at, \
     next_retry_at = CASE job_queue.status WHEN 'retrying' THEN \
     COALESCE(excluded.run_at, CAST(round((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER)) END \
     WHERE job_queue.status <> 'running'"
);

/// The statement that enqueues this job, and its values. Delays count from when the statement runs, by the database's
/// clock.
///
/// If a job with its unique key has not ended, the statement does what the job's [`OnDuplicate`] says. The payload may
/// have at most 1 MiB.
pub fn enqueue(job: &impl EnqueueBySql) -> Result<Statement, StatementError> {
    let job = job.to_new_job()?.check(&Limits::default())?.into_inner();
    if job.unique_key.is_some() && job.unique_while == UniqueWhile::Waiting {
        return Err(StatementError::UniqueWhileWaiting);
    }
    let sql = match (&job.unique_key, job.on_duplicate) {
        (None, _) => PLAIN,
        (Some(_), OnDuplicate::Keep) => KEEP,
        (Some(_), OnDuplicate::Replace) => REPLACE,
        (Some(_), OnDuplicate::PushBack) => PUSH_BACK,
    };
    Ok(Statement { sql, values: values(job) })
}

fn values(job: NewJob) -> Vec<Value> {
    // Every field is listed, so that a new field cannot be forgotten here or in the statement.
    let NewJob {
        job_type,
        job_data,
        queue,
        priority,
        due,
        max_retries,
        max_crashes,
        max_deferrals,
        timeout,
        expires_in,
        deadline_in,
        unique_key,
        on_duplicate: _,
        unique_while: _,
        parent,
        metadata,
    } = job;
    let (at, delay) = match due {
        Due::Now => (None, None),
        Due::At(instant) => (Some(instant.as_ms()), None),
        Due::After(delay) => (None, Some(delay)),
    };
    vec![
        Value::Text(job_type),
        Value::Text(job_data.as_str().to_owned()),
        Value::Text(queue),
        Value::Integer(priority.0.into()),
        integer(max_retries.map(i64::from)),
        timeout.map_or(Value::Null, seconds),
        Value::Integer(max_crashes.into()),
        Value::Integer(max_deferrals.into()),
        unique_key.map_or(Value::Null, Value::Text),
        integer(parent.map(|parent| parent.0)),
        metadata.as_ref().map(JobData::as_str).map_or(Value::Null, |text| Value::Text(text.to_owned())),
        integer(at),
        integer(delay.map(milliseconds)),
        integer(expires_in.map(milliseconds)),
        integer(deadline_in.map(milliseconds)),
    ]
}

fn integer(number: Option<i64>) -> Value {
    number.map_or(Value::Null, Value::Integer)
}

fn milliseconds(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

/// As the library stores it: an integer for whole seconds, else a fraction.
fn seconds(span: Duration) -> Value {
    match i64::try_from(span.as_secs()) {
        Ok(seconds) if span.subsec_nanos() == 0 => Value::Integer(seconds),
        _ => Value::Real(span.as_secs_f64()),
    }
}
