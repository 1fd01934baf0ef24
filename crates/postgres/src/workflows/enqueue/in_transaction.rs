use std::sync::Arc;

use longshore_core::{EnqueuedWorkflow, Limits, NewWorkflow, StoreError};
use tokio_postgres::Transaction;

use super::executor::Executor;
use super::filling::{Filling, PART_JOBS_MAX};
use crate::session::fault::{ErrorContext, Fault};
use crate::session::sql::SCHEMA;

/// Enqueues a workflow in the caller's transaction: its batch and its jobs exist if and only if that commits. The queue is in
/// the schema `longshore`; see [`enqueue_workflow_in_schema`] for another one.
///
/// After Err the transaction can only be rolled back. A job that waits for something that has happened already is released
/// by the next look of a worker. Until the commit, whoever ends or changes a job that the workflow waits for by its id waits
/// for this transaction, and so does whoever closes its batch.
pub async fn enqueue_workflow_in(
    transaction: &Transaction<'_>,
    workflow: NewWorkflow,
) -> Result<EnqueuedWorkflow, StoreError> {
    enqueue_workflow_in_schema(transaction, SCHEMA, workflow).await
}

/// [`enqueue_workflow_in`] for a queue in another schema.
pub async fn enqueue_workflow_in_schema(
    transaction: &Transaction<'_>,
    schema: &str,
    workflow: NewWorkflow,
) -> Result<EnqueuedWorkflow, StoreError> {
    let (batch, jobs) = workflow.check(&Limits::default())?.into_parts();
    let context = ErrorContext { database: Arc::from("the database of the transaction") };
    let enqueued = async {
        let mut filling = Filling::begin(Executor::Caller { transaction, schema }, &batch).await?;
        for part in jobs.chunks(PART_JOBS_MAX) {
            filling.insert(part).await?;
        }
        // Nobody can be told before the caller's commit: workers find the jobs by their next look.
        let (enqueued, _changes) = filling.end().await?;
        Ok::<_, Fault>(enqueued)
    };
    enqueued.await.map_err(|fault| context.answer(fault, "enqueueing a workflow"))
}
