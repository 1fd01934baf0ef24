use std::sync::Arc;

use longshore_core::WorkerId;
use postgres_types::Type;

use crate::session::fault::Fault;
use crate::session::sql::sql;
use crate::store::Parts;

/// Returns every job that the worker holds and deletes its registration.
pub(crate) async fn retire(parts: Arc<Parts>, worker_id: WorkerId) -> Result<(), Fault> {
    let transaction = parts.pool.begin().await?;
    let Some(worker) = parts.workers.names.number(&transaction, &worker_id).await? else { return Ok(()) };
    transaction.execute(sql!("workers/delete_started"), &[(&worker, Type::INT4)]).await?;
    transaction.execute(sql!("workers/delete_worker"), &[(&worker, Type::INT4)]).await?;
    transaction.commit().await?;
    parts.workers.told.forget(&worker_id);
    drop(parts.workers.own.remove(&worker_id));
    Ok(())
}
