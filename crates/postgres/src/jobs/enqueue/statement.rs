//! An enqueue for the driver of an application: the text of the statement and its values.

use std::borrow::Cow;

use longshore_core::{Due, NewJob, ValidJob};
use postgres_types::{ToSql, Type};

use super::columns::milliseconds;
use crate::session::sql::sql;
use crate::session::statements::Parameter;

/// A statement and the values of `$1`, `$2`, …, in order. It gives one row: the job's `id`, and `duplicate`, which is NULL
/// for a new job and else `kept`, `replaced` or `pushed_back`.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    /// The text.
    pub sql: Cow<'static, str>,
    /// One value for each placeholder.
    pub values: Vec<Value>,
}

/// A value to bind, with its type also when it is NULL.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A `bigint`.
    Integer(Option<i64>),
    /// A `text`.
    Text(Option<String>),
}

impl Statement {
    /// The statement that enqueues a job into the queue of this schema. Delays count from when the statement runs, by the
    /// clock of the database.
    pub fn enqueueing(job: ValidJob, schema: &str) -> Self {
        let sql = match sql!("enqueue/enqueue_in").text_in(schema) {
            Cow::Borrowed(text) => Cow::Borrowed(text.trim_end()),
            Cow::Owned(text) => Cow::Owned(text.trim_end().to_owned()),
        };
        Self { sql, values: values(job) }
    }

    pub(super) fn parameters(&self) -> Vec<Parameter<'_>> {
        let parameters = self.values.iter().map(|value| match value {
            Value::Integer(number) => (number as &(dyn ToSql + Sync), Type::INT8),
            Value::Text(text) => (text as &(dyn ToSql + Sync), Type::TEXT),
        });
        parameters.collect()
    }
}

fn values(job: ValidJob) -> Vec<Value> {
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
        on_duplicate,
        unique_while,
        limit_key,
        parent,
        metadata,
    } = job.into_inner();
    let (at_ms, delay) = match due {
        Due::Now => (None, None),
        Due::At(instant) => (Some(instant.as_ms()), None),
        Due::After(delay) => (None, Some(delay)),
    };
    let text = |text: &str| Value::Text(Some(text.to_owned()));
    vec![
        Value::Text(Some(job_type)),
        text(job_data.as_str()),
        Value::Text(Some(queue)),
        Value::Integer(Some(priority.0.into())),
        Value::Integer(at_ms),
        Value::Integer(delay.map(milliseconds)),
        Value::Integer(max_retries.map(i64::from)),
        Value::Integer(timeout.map(milliseconds)),
        Value::Text(unique_key),
        text(on_duplicate.as_str()),
        text(unique_while.as_str()),
        Value::Integer(parent.map(|parent| parent.0)),
        Value::Integer(expires_in.map(milliseconds)),
        Value::Integer(deadline_in.map(milliseconds)),
        Value::Integer(Some(max_crashes.into())),
        Value::Integer(Some(max_deferrals.into())),
        Value::Text(metadata.map(|metadata| metadata.as_str().to_owned())),
        Value::Text(limit_key),
    ]
}
