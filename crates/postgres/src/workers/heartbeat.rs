use std::sync::Arc;

use longshore_core::{ClaimNumber, Extended, Heartbeat, HeldClaims, JobId, StoreError, WorkerId};
use postgres_types::Type;
use tokio_postgres::Row;

use crate::session::fault::Fault;
use crate::session::sql::sql;
use crate::session::statements::Session;
use crate::store::Parts;

/// Extends the lease of a worker: one row, however many jobs it holds.
pub(crate) async fn extend(parts: Arc<Parts>, heartbeat: Heartbeat) -> Result<Extended, Fault> {
    let held = parts.workers.told.take_in(&heartbeat);
    let session = parts.pool.session().await?;
    let worker = number(&parts, &session, &heartbeat.worker_id).await?;
    let parameters = [(&worker as _, Type::INT4)];
    // Sent together. The second one sees what was committed while the first one waited for somebody who took the
    // worker's jobs.
    let (extended, changes) = tokio::join!(
        session.execute(sql!("workers/extend_lease"), &parameters),
        held_changes(&session, worker, held.as_deref()),
    );
    if extended? == 0 {
        return Err(gone(&heartbeat.worker_id));
    }
    if !parts.workers.own.contains(&heartbeat.worker_id) {
        session.execute(sql!("workers/delete_used_up_claims"), &parameters).await?;
    }
    let mut answer = Extended { asks_for_all: held.is_none(), ..Extended::default() };
    for row in changes? {
        let id = JobId(row.try_get("id")?);
        if row.try_get("is_lost")? { answer.lost.push(id) } else { answer.cancel_requested.push(id) }
    }
    Ok(answer)
}

async fn held_changes(
    session: &Session,
    worker: i32,
    held: Option<&HeldClaims>,
) -> Result<Vec<Row>, tokio_postgres::Error> {
    let (ids, claim_numbers): (Vec<i64>, Vec<i64>) =
        held.into_iter().flat_map(HeldClaims::iter).map(|(id, claim_number)| (id.0, claim_number.0)).unzip();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let parameters =
        [(&worker as _, Type::INT4), (&ids as _, Type::INT8_ARRAY), (&claim_numbers as _, Type::INT8_ARRAY)];
    session.query(sql!("workers/select_held_changes"), &parameters).await
}

/// The running jobs of a worker whose cancellation was requested.
pub(crate) async fn cancel_requests(
    parts: Arc<Parts>,
    worker_id: WorkerId,
) -> Result<Vec<(JobId, ClaimNumber)>, Fault> {
    let session = parts.pool.session().await?;
    let worker = number(&parts, &session, &worker_id).await?;
    let rows = session.query(sql!("workers/select_cancel_requests"), &[(&worker, Type::INT4)]).await?;
    if rows.is_empty() {
        return Err(gone(&worker_id));
    }
    let mut asked = Vec::new();
    for row in rows {
        let (id, claim_number): (Option<i64>, Option<i64>) = (row.try_get("id")?, row.try_get("claim_number")?);
        asked.extend(id.zip(claim_number).map(|(id, claim_number)| (JobId(id), ClaimNumber(claim_number))));
    }
    Ok(asked)
}

async fn number(parts: &Parts, session: &Session, worker_id: &WorkerId) -> Result<i32, Fault> {
    parts.workers.names.number(session, worker_id).await?.ok_or_else(|| gone(worker_id))
}

fn gone(worker_id: &WorkerId) -> Fault {
    StoreError::WorkerGone { worker_id: worker_id.clone() }.into()
}
