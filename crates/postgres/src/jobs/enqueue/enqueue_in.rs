use std::sync::Arc;

use longshore_core::{Duplicate, Enqueued, JobId, Limits, NewJob, StoreError};
use tokio_postgres::Transaction;
use tokio_postgres::error::SqlState;

use super::DOING;
use super::statement::Statement;
use crate::session::fault::{ErrorContext, Fault};
use crate::session::sql::SCHEMA;

/// Enqueues a job in the caller's transaction: it exists if and only if that commits. The queue is in the schema
/// `longshore`; see [`enqueue_in_schema`] for another one.
///
/// After Err the transaction can only be rolled back. Other producers do not wait for the transaction, unless they enqueue
/// with the same unique key.
pub async fn enqueue_in(transaction: &Transaction<'_>, job: &NewJob) -> Result<Enqueued, StoreError> {
    enqueue_in_schema(transaction, SCHEMA, job).await
}

/// [`enqueue_in`] for a queue in another schema.
pub async fn enqueue_in_schema(
    transaction: &Transaction<'_>,
    schema: &str,
    job: &NewJob,
) -> Result<Enqueued, StoreError> {
    let job = job.clone().check(&Limits::default()).map_err(StoreError::InvalidJob)?;
    let parent = job.parent;
    let statement = Statement::enqueueing(job, schema);
    let context = ErrorContext { database: Arc::from("the database of the transaction") };
    let answered = async {
        let rows = transaction.query_typed(&statement.sql, &statement.parameters()).await?;
        let row = rows.first().expect("a function with OUT parameters gives one row");
        Ok((JobId(row.try_get(0)?), row.try_get::<_, Option<String>>(1)?))
    };
    let (id, duplicate) = answered.await.map_err(|error: tokio_postgres::Error| match (error.code(), parent) {
        (Some(code), Some(parent)) if *code == SqlState::FOREIGN_KEY_VIOLATION => StoreError::UnknownParent { parent },
        _ => context.answer(Fault::Database(error), DOING),
    })?;
    Ok(match duplicate.as_deref() {
        None => Enqueued::made(id),
        Some("replaced") => Enqueued::met(id, Duplicate::Replaced),
        Some("pushed_back") => Enqueued::met(id, Duplicate::PushedBack),
        Some(_) => Enqueued::met(id, Duplicate::Kept),
    })
}
