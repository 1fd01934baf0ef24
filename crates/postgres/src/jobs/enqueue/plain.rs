use longshore_core::{JobId, ValidJob};

use super::columns::Columns;
use crate::jobs::claim::hints::Changes;
use crate::session::fault::Fault;
use crate::session::repeated::repeated;
use crate::session::sql::sql;
use crate::session::statements::Session;
use crate::store::Parts;

/// Whether a job is created without a look at others.
pub(crate) fn is_plain(job: &ValidJob) -> bool {
    job.unique_key.is_none() && job.parent.is_none()
}

/// Creates plain jobs in one statement and transaction; gives their ids in order.
pub(super) async fn insert_plain<'j, I: IntoIterator<Item = &'j ValidJob>>(
    parts: &Parts,
    jobs: impl Fn() -> I,
) -> Result<Vec<JobId>, Fault> {
    let columns = Columns::of(jobs());
    let ids = repeated(async || {
        let session = parts.pool.session().await?;
        insert_in(&session, &columns).await
    })
    .await?;
    let mut changes = Changes::default();
    jobs().into_iter().for_each(|job| changes.add_job(Some(&job.job_type), &job.queue));
    parts.claims.hints.give(changes);
    Ok(ids)
}

/// The same in the transaction of the session.
pub(super) async fn insert_in(session: &Session, columns: &Columns<'_>) -> Result<Vec<JobId>, Fault> {
    let rows = session.query(sql!("enqueue/insert_plain_jobs"), &columns.plain()).await?;
    rows.iter().map(|row| Ok(JobId(row.try_get("id")?))).collect()
}
