//! An enqueue for the driver of an application: the text of the statement and its values.

use longshore_core::{Due, JobData, NewJob, OnDuplicate, UniqueWhile, ValidJob};
use rusqlite::types;

use crate::database::column;

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

/// The clock of the database, in milliseconds.
macro_rules! now {
    () => {
        "CAST(round((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER)"
    };
}

/// What a duplicate gives to the job that has its unique key.
macro_rules! new_content {
    () => {
        "DO UPDATE SET job_type = excluded.job_type, job_data = excluded.job_data, priority = excluded.priority, \
         max_retries = excluded.max_retries, timeout_seconds = excluded.timeout_seconds, \
         max_crashes = excluded.max_crashes, max_deferrals = excluded.max_deferrals, metadata = excluded.metadata, \
         expires_at = excluded.expires_at, deadline_at = excluded.deadline_at, limit_key = excluded.limit_key"
    };
}

macro_rules! insert {
    ($($conflict:expr),*) => {
        concat!(
            "INSERT INTO job_queue (job_type, job_data, queue, priority, max_retries, timeout_seconds, max_crashes, \
             max_deferrals, unique_key, parent_job_id, metadata, limit_key, run_at, expires_at, deadline_at) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, COALESCE(?, ", now!(), " + ?), ", now!(), " + ?, ", now!(), " + ?)"
            $(, $conflict)*
        )
    };
}

macro_rules! insert_unless_unique {
    ($($conflict:expr),*) => {
        insert!(
            " ON CONFLICT (unique_key) WHERE unique_key IS NOT NULL \
             AND status IN ('pending', 'running', 'retrying', 'blocked') "
            $(, $conflict)*
        )
    };
}

const PLAIN: &str = insert!();
const KEEP: &str = insert_unless_unique!("DO NOTHING");
const REPLACE: &str = insert_unless_unique!(new_content!(), " WHERE job_queue.status <> 'running'");
const PUSH_BACK: &str = insert_unless_unique!(
    new_content!(),
    ", run_at = excluded.run_at, \
     next_retry_at = CASE job_queue.status WHEN 'retrying' THEN COALESCE(excluded.run_at, ",
    now!(),
    ") END WHERE job_queue.status <> 'running'"
);

impl Statement {
    /// The statement that enqueues a job. `None` if the job may wait behind a running one with its unique key, which
    /// takes more than one statement.
    pub fn enqueueing(job: ValidJob) -> Option<Self> {
        let job = job.into_inner();
        let sql = match (&job.unique_key, job.unique_while, job.on_duplicate) {
            (None, _, _) => PLAIN,
            (Some(_), UniqueWhile::Waiting, _) => return None,
            (Some(_), UniqueWhile::Unfinished, OnDuplicate::Keep) => KEEP,
            (Some(_), UniqueWhile::Unfinished, OnDuplicate::Replace) => REPLACE,
            (Some(_), UniqueWhile::Unfinished, OnDuplicate::PushBack) => PUSH_BACK,
        };
        Some(Self { sql, values: values(job) })
    }
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
        limit_key,
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
        timeout.map_or(Value::Null, |timeout| number(&column::seconds(timeout))),
        Value::Integer(max_crashes.into()),
        Value::Integer(max_deferrals.into()),
        unique_key.map_or(Value::Null, Value::Text),
        integer(parent.map(|parent| parent.0)),
        metadata.as_ref().map(JobData::as_str).map_or(Value::Null, |text| Value::Text(text.to_owned())),
        limit_key.map_or(Value::Null, Value::Text),
        integer(at),
        integer(delay.map(column::milliseconds)),
        integer(expires_in.map(column::milliseconds)),
        integer(deadline_in.map(column::milliseconds)),
    ]
}

fn integer(number: Option<i64>) -> Value {
    number.map_or(Value::Null, Value::Integer)
}

/// A number of this crate's own driver.
fn number(value: &types::Value) -> Value {
    match value {
        types::Value::Integer(number) => Value::Integer(*number),
        types::Value::Real(number) => Value::Real(*number),
        types::Value::Null | types::Value::Text(_) | types::Value::Blob(_) => Value::Null,
    }
}
