use longshore_core::{JobId, ValidJob};

use super::columns::Columns;
use crate::session::fault::Fault;
use crate::session::sql::sql;
use crate::session::statements::Session;
use crate::store::Parts;

/// Whether a job is created without a look at others.
pub(super) fn is_plain(job: &ValidJob) -> bool {
    job.unique_key.is_none() && job.parent.is_none()
}

/// Creates plain jobs in one statement and transaction; gives their ids in order.
pub(super) async fn insert_plain<'j>(
    parts: &Parts,
    jobs: impl IntoIterator<Item = &'j ValidJob>,
) -> Result<Vec<JobId>, Fault> {
    let columns = Columns::of(jobs);
    let session = parts.pool.session().await?;
    insert_in(&session, &columns).await
}

/// The same in the transaction of the session.
pub(super) async fn insert_in(session: &Session, columns: &Columns<'_>) -> Result<Vec<JobId>, Fault> {
    let rows = session.query(sql!("enqueue/insert_plain_jobs"), &columns.plain()).await?;
    rows.iter().map(|row| Ok(JobId(row.try_get("id")?))).collect()
}
