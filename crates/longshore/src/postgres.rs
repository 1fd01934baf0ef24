//! The backend on PostgreSQL: how it is opened, and jobs in the application's own transactions.
//!
//! With tokio-postgres use [`enqueue_in`] and [`complete_in`], with sqlx, Diesel or another driver the statement and values
//! of [`enqueue_statement`]. An open transaction delays no other producer, unless both enqueue with the same unique key.

pub use crate::handler::completion::Completion;
pub use longshore_postgres::{
    CompleteError, InvalidPostgresUrl, Pooling, PostgresOptions, PostgresUrl, Statement, Value, tokio_postgres,
};

use std::sync::Arc;

use longshore_core::{Enqueued, EnqueuedWorkflow, InvalidJob, JobData, Limits, NewJob, StoreError};
use longshore_postgres::tokio_postgres::Transaction;
use longshore_postgres::{AttemptSuccess, PostgresStore, Prepare, into_store_error};
use serde::Serialize;

use crate::trace::EnqueueSpan;
use crate::workflow::Workflow;
use crate::{CurrentAttempt, Payload, Queue, QueueError};

/// The schema of a queue that was opened without naming another one.
pub const SCHEMA: &str = "longshore";

impl Queue {
    /// [`Queue::open_blocking`] with other options: schema, pooler, connections, limits.
    ///
    /// ```no_run
    /// use longshore::Queue;
    /// use longshore::postgres::{PostgresOptions, PostgresUrl};
    ///
    /// # fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let url: PostgresUrl = "postgres://app@db.example.org/shop?sslmode=verify-full".parse()?;
    /// let queue = Queue::open_postgres_with(PostgresOptions::new(url.in_schema("jobs")?).connections_max(8))?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn open_postgres_with(options: PostgresOptions) -> Result<Self, StoreError> {
        let named = options.clone();
        let (store, _) =
            PostgresStore::open_prepared(options, Prepare::Beside).map_err(|error| into_store_error(error, &named))?;
        Ok(Self::from_backend(Arc::new(store)))
    }
}

/// Enqueues a typed job in the caller's own transaction: the job exists if and only if the transaction commits. `schema` is
/// that of the queue, usually [`SCHEMA`].
///
/// After Err the transaction can only be rolled back.
///
/// ```no_run
/// use longshore::postgres::{self, SCHEMA, tokio_postgres::Transaction};
/// # #[derive(serde::Serialize, serde::Deserialize)]
/// # struct Receipt { order: i64 }
/// # impl longshore::Payload for Receipt { const JOB_TYPE: &'static str = "receipt"; }
///
/// async fn order(transaction: &Transaction<'_>, order: i64) -> Result<(), Box<dyn std::error::Error>> {
///     transaction.execute("INSERT INTO orders (id) VALUES ($1)", &[&order]).await?;
///     postgres::enqueue_in(transaction, SCHEMA, &Receipt { order }).await?;
///     Ok(())
/// }
/// ```
pub async fn enqueue_in<T: Payload>(
    transaction: &Transaction<'_>,
    schema: &str,
    payload: &T,
) -> Result<Enqueued, QueueError> {
    Ok(enqueue_job_in(transaction, schema, &payload.to_job()?).await?)
}

/// [`enqueue_in`] for a job of any type.
pub async fn enqueue_job_in(transaction: &Transaction<'_>, schema: &str, job: &NewJob) -> Result<Enqueued, StoreError> {
    let span = EnqueueSpan::of_job(job, None);
    let enqueued = longshore_postgres::enqueue_in_schema(transaction, schema, &span.traced(job)).await;
    enqueued.inspect(|enqueued| span.note_job(enqueued.id)).inspect_err(|error| span.note_error(error.code()))
}

/// Enqueues a workflow in the caller's own transaction: it exists if and only if the transaction commits. A worker looks after
/// the commit at what may have happened before, such as the end of an older job that a step waits for.
///
/// After Err the transaction can only be rolled back. While the transaction is open, whoever ends an older job that the
/// workflow waits for waits for it.
///
/// ```no_run
/// use longshore::postgres::{self, SCHEMA, tokio_postgres::Transaction};
/// use longshore::{NewJob, workflow::Workflow};
///
/// async fn order(transaction: &Transaction<'_>, id: i64) -> Result<(), Box<dyn std::error::Error>> {
///     let mut flow = Workflow::new(format!("order {id}"));
///     let pack = flow.add_job(NewJob::encode("pack", &id)?);
///     flow.add_job(NewJob::encode("ship", &id)?).after(pack);
///     postgres::enqueue_workflow_in(transaction, SCHEMA, flow).await?;
///     Ok(())
/// }
/// ```
pub async fn enqueue_workflow_in(
    transaction: &Transaction<'_>,
    schema: &str,
    flow: Workflow,
) -> Result<EnqueuedWorkflow, QueueError> {
    let (span, workflow) = flow.into_traced(None)?;
    let enqueued = longshore_postgres::enqueue_workflow_in_schema(transaction, schema, workflow).await;
    Ok(enqueued.inspect_err(|error| span.note_error(error.code()))?)
}

/// The statement that enqueues a job with any driver, and its typed values. Delays count from when the statement runs, by
/// the clock of the database.
///
/// ```
/// use longshore::postgres::{self, SCHEMA, Value};
/// use longshore::{JobData, NewJob};
///
/// let job = NewJob::new("send_receipt", JobData::parse(r#"{"order": 42}"#)?);
/// let statement = postgres::enqueue_statement(SCHEMA, job)?;
/// assert_eq!(statement.values[1], Value::Text(Some(r#"{"order": 42}"#.to_owned())));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn enqueue_statement(schema: &str, job: NewJob) -> Result<Statement, InvalidJob> {
    Ok(Statement::enqueueing(job.check(&Limits::default())?, schema))
}

/// Completes the job of an attempt in the handler's own transaction, together with the handler's own writes: the job is
/// completed if and only if the transaction commits. So the handler's writes to the same database happen exactly once, even
/// if the process dies. A result of `null` is no result.
///
/// After Err nothing of the completion is written. If the transaction is rolled back, the handler's return value decides as
/// usual; returning the [`Completion`] then counts as a failure. Once it has committed, the job stays completed, even if the
/// handler then fails, panics, times out or is cancelled.
pub async fn complete_in<R: Serialize + ?Sized>(
    transaction: &Transaction<'_>,
    schema: &str,
    attempt: &CurrentAttempt,
    result: &R,
) -> Result<Completion, CompleteError> {
    let (id, result) = (attempt.id(), JobData::encode(result)?);
    attempt.limits().check("result", &result).map_err(StoreError::from)?;
    // Once the attempt has ended, the worker has decided its outcome.
    if !attempt.is_completable() {
        return Err(CompleteError::NotRunning { id });
    }
    let success = AttemptSuccess {
        worker_id: attempt.worker_id(),
        id,
        claim_number: attempt.lease().claim_number,
        ran: attempt.ran(),
        result: Some(&result).filter(|result| result.as_str() != "null"),
    };
    longshore_postgres::complete_in_schema(transaction, schema, &success).await?;
    attempt.note_completion();
    Ok(Completion::written())
}
