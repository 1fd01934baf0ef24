use std::sync::Arc;

use longshore_core::{JobId, Outcome, WorkerId};
use postgres_types::Type;

use crate::session::columns::Columns;
use crate::session::fault::Fault;
use crate::session::repeated::repeated;
use crate::session::sql::sql;
use crate::session::statements::{Call, Parameter};
use crate::store::Parts;
use crate::workers::give_back::{GivenBack, give_back};
use crate::workers::held_job::{HeldBy, HeldJob, LostAttempt};
use crate::workers::started::StartedTable;

/// Returns every job that the worker holds and deletes its registration.
pub(crate) async fn retire(parts: Arc<Parts>, worker_id: WorkerId) -> Result<(), Fault> {
    let given_back = repeated(|| give_all_back(&parts, &worker_id)).await?;
    parts.claims.hints.give(given_back.changes);
    parts.claims.forget(&worker_id);
    parts.limiting.places.forget(&worker_id);
    parts.workers.told.forget(&worker_id);
    // Its lock goes now, when no row names it any more.
    drop(parts.workers.own.remove(&worker_id));
    Ok(())
}

async fn give_all_back(parts: &Parts, worker_id: &WorkerId) -> Result<GivenBack, Fault> {
    let number = parts.workers.names.number(&*parts.pool.session().await?, worker_id).await?;
    let Some(worker) = number else { return Ok(GivenBack::default()) };
    let parameters: [Parameter<'_>; 1] = [(&worker, Type::INT4)];
    let calls = [
        Call { sql: sql!("workers/limit_idle_transaction"), parameters: &[] },
        Call { sql: sql!("workers/lock_retiring_worker"), parameters: &parameters },
        Call { sql: sql!("upkeep/select_now"), parameters: &[] },
    ];
    let (transaction, answers) = parts.pool.begin_with(&calls).await?;
    let (Some(row), Some(now)) = (answers[1].first(), answers[2].first()) else { return Ok(GivenBack::default()) };
    let now = Columns::of(now).instant()?;
    let started = StartedTable::read(&transaction, worker, Some(row.try_get("session_key")?)).await?;
    // A worker holds no more than it prefetched.
    let jobs = HeldJob::read(&transaction, HeldBy::Registered(worker), JobId(i64::MIN), i64::MAX).await?;
    let attempts: Vec<LostAttempt> =
        jobs.iter().map(|job| job.ended(job.begun(&started), Outcome::Returned, now)).collect();
    let given_back = give_back(&transaction, worker_id, &attempts).await?;
    // One that cannot be given back keeps the row of the worker, and with it the next look for lost workers.
    transaction.query(sql!("workers/delete_worker"), &parameters).await?;
    transaction.commit().await?;
    Ok(given_back)
}
