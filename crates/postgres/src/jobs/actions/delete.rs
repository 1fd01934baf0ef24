use longshore_core::Timestamp;
use postgres_types::Type;

use crate::jobs::state::children::{ParentEnd, tell_children};
use crate::jobs::state::{Held, free_keys, remove};
use crate::session::fault::Fault;
use crate::session::pool::Transaction;
use crate::session::sql::sql;
use crate::upkeep::counts::Counts;

/// Deletes jobs with their history. Those that waited for them become dead letters.
pub(crate) async fn delete(
    transaction: &Transaction,
    jobs: &[Held],
    now: Timestamp,
    counts: &mut Counts,
) -> Result<(), Fault> {
    if jobs.is_empty() {
        return Ok(());
    }
    remove(transaction, &jobs.iter().collect::<Vec<_>>()).await?;
    free_keys(transaction, jobs).await?;
    let ids: Vec<i64> = jobs.iter().map(|job| job.id.0).collect();
    transaction.execute(sql!("actions/delete_jobs"), &[(&ids, Type::INT8_ARRAY)]).await?;
    jobs.iter().for_each(|job| counts.left(&job.queue, job.status));
    tell_children(transaction, jobs.iter().map(|job| (job.id, ParentEnd::Deleted)), now, counts).await
}
