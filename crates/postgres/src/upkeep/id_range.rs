use std::sync::Arc;

use longshore_core::IdRange;
use postgres_types::Type;

use crate::session::fault::Fault;
use crate::session::sql::sql;
use crate::session::statements::Session;
use crate::store::Parts;

/// The range of the last id that was given.
pub(crate) async fn id_range(parts: Arc<Parts>) -> Result<Option<IdRange>, Fault> {
    read(&*parts.pool.session().await?).await
}

/// Lets an empty database give ids of another range.
pub(crate) async fn take_id_range(parts: Arc<Parts>, range: IdRange) -> Result<Option<IdRange>, Fault> {
    let transaction = parts.pool.begin().await?;
    // Before the look whether there are jobs: otherwise one could come between with an id of the old range.
    transaction.execute(sql!("upkeep/limit_lock_wait"), &[]).await?;
    transaction.execute(sql!("upkeep/lock_jobs_against_inserts"), &[]).await?;
    transaction.query(sql!("upkeep/raise_last_given_id"), &[(&range.before_first(), Type::INT8)]).await?;
    let range = read(&transaction).await?;
    transaction.commit().await?;
    Ok(range)
}

async fn read(session: &Session) -> Result<Option<IdRange>, Fault> {
    let row = session.query_opt(sql!("upkeep/select_last_given_id"), &[]).await?;
    let last: Option<i64> = row.map(|row| row.try_get("last_id")).transpose()?;
    Ok(IdRange::after(last.unwrap_or_default()))
}
