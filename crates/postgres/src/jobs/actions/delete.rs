use longshore_core::Timestamp;
use postgres_types::Type;
use tokio_postgres::Error;

use crate::jobs::state::children::{ParentEnd, tell_children};
use crate::jobs::state::{Held, free_keys, remove};
use crate::session::sql::sql;
use crate::session::statements::Session;
use crate::upkeep::counts::Counts;

/// Deletes jobs with their history. Those that waited for them become dead letters.
pub(crate) async fn delete(session: &Session, jobs: &[Held], now: Timestamp, counts: &mut Counts) -> Result<(), Error> {
    if jobs.is_empty() {
        return Ok(());
    }
    remove(session, &jobs.iter().collect::<Vec<_>>()).await?;
    free_keys(session, jobs).await?;
    let ids: Vec<i64> = jobs.iter().map(|job| job.id.0).collect();
    session.execute(sql!("actions/delete_jobs"), &[(&ids, Type::INT8_ARRAY)]).await?;
    jobs.iter().for_each(|job| counts.left(&job.queue, job.status));
    tell_children(session, jobs.iter().map(|job| (job.id, ParentEnd::Deleted)), now, counts).await
}
