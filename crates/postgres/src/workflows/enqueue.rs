mod dependency_columns;
mod executor;
mod filling;
mod in_transaction;
mod references;

use std::sync::Arc;

use longshore_core::{EnqueuedWorkflow, ValidWorkflowJob, WorkflowBatch};
use longshore_spool::Spooled;

use self::executor::Executor;
use self::filling::Filling;
pub use self::in_transaction::{enqueue_workflow_in, enqueue_workflow_in_schema};
use super::advance::advance_at_once;
use crate::session::fault::Fault;
use crate::store::Parts;

/// Enqueues the jobs of a workflow that was read to its end, in one transaction.
pub(crate) async fn enqueue(
    parts: Arc<Parts>,
    batch: WorkflowBatch,
    mut spooled: Spooled<ValidWorkflowJob>,
) -> Result<EnqueuedWorkflow, Fault> {
    let transaction = parts.pool.begin().await?;
    let mut filling = Filling::begin(Executor::Own(&transaction), &batch).await?;
    loop {
        let part = spooled.parts.next_part()?;
        if part.is_empty() {
            break;
        }
        filling.insert(&part).await?;
    }
    if let Some(error) = spooled.broken {
        return Err(error.into());
    }
    let (enqueued, changes) = filling.end().await?;
    transaction.commit().await?;
    parts.claims.hints.give(changes);
    advance_at_once(&parts).await;
    Ok(enqueued)
}
