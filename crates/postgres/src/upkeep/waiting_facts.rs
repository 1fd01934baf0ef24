use std::sync::Arc;

use longshore_core::{Ancestor, Job, JobFacts, JobId, Status, Timestamp, WaitingFacts, WorkerFacts};
use postgres_types::Type;
use tokio_postgres::Error;

use crate::jobs::job_row::select_jobs;
use crate::jobs::unique_key::holders;
use crate::limiting::{count_turns_ahead, limits_of};
use crate::session::columns::Columns;
use crate::session::fault::Fault;
use crate::session::sql::sql;
use crate::session::statements::{Parameter, Session};
use crate::store::Parts;
use crate::upkeep::stats::now;
use crate::workers::records;
use crate::workflows::reading::unmet;

/// What an explanation must know of a job. Reads single rows and bounded ranges of keys. Who lives is asked first, because
/// that is no part of any snapshot.
pub(crate) async fn waiting_facts(parts: Arc<Parts>, id: JobId) -> Result<Option<WaitingFacts>, Fault> {
    let workers = records(Arc::clone(&parts)).await?.into_iter().map(WorkerFacts::from).collect();
    let transaction = parts.pool.begin_reading().await?;
    let now = now(&transaction).await?;
    let Some(job) = select_jobs(&transaction, &[id]).await?.pop() else { return Ok(None) };
    let (ancestors, root) = ancestors(&transaction, &job).await?;
    let root = match root {
        Some(root) => Some(job_facts(&transaction, root, now).await?),
        None => None,
    };
    let unique_key_holder = other_holder(&transaction, &job).await?;
    let job = job_facts(&transaction, job, now).await?;
    transaction.commit().await?;
    Ok(Some(WaitingFacts { now, job, ancestors, root, unique_key_holder, workers }))
}

/// The jobs that a blocked one waits for, and the last of them.
async fn ancestors(session: &Session, job: &Job) -> Result<(Vec<Ancestor>, Option<Job>), Error> {
    let (mut ancestors, mut root): (Vec<Ancestor>, Option<Job>) = (Vec::new(), None);
    let mut next = job.parent_job_id.filter(|_| job.status == Status::Blocked);
    while let Some(id) = next.filter(|_| ancestors.len() < WaitingFacts::ANCESTORS_MAX) {
        let Some(ancestor) = select_jobs(session, &[id]).await?.pop() else { break };
        let is_again = id == job.id || ancestors.iter().any(|known| known.id == id);
        ancestors.push(Ancestor { id, status: ancestor.status });
        next = ancestor.parent_job_id.filter(|_| ancestor.status == Status::Blocked && !is_again);
        root = Some(ancestor);
    }
    Ok((ancestors, root))
}

async fn other_holder(session: &Session, job: &Job) -> Result<Option<JobId>, Error> {
    let Some(key) = job.unique_key.as_deref().filter(|_| job.status.is_ended()) else { return Ok(None) };
    let holders = holders(session, &[key]).await?;
    Ok(holders.into_iter().flatten().map(|holder| holder.id).find(|id| *id != job.id))
}

async fn job_facts(session: &Session, job: Job, now: Timestamp) -> Result<JobFacts, Error> {
    let row = session.query_opt(sql!("explanation/select_hindrances"), &[(&job.id.0, Type::INT8)]).await?;
    let (queue_paused_at, awaits_settings) = match &row {
        Some(row) => {
            let columns = &mut Columns::of(row);
            (columns.optional_instant()?, columns.read()?)
        }
        None => (None, false),
    };
    let waits = !job.status.is_ended() && job.status != Status::Running;
    let limits = if waits { limits_of(session, &job, now).await? } else { Vec::new() };
    let (keys_ahead, ahead) = match JobFacts::is_claimable(&job, now) {
        false => (0, 0),
        true => match count_turns_ahead(session, &job, &limits).await? {
            Some(ahead) => ahead,
            None => (0, count_ahead(session, &job).await?),
        },
    };
    let unmet = unmet(session, &job).await?;
    // The server accepts no other text.
    let has_valid_names = true;
    Ok(JobFacts { job, queue_paused_at, awaits_settings, has_valid_names, ahead, limits, keys_ahead, unmet })
}

async fn count_ahead(session: &Session, job: &Job) -> Result<u32, Error> {
    // The lowest priority has no negation.
    let rank = -job.priority.0.max(-i32::MAX);
    let limit = i64::from(JobFacts::AHEAD_MAX);
    let parameters: [Parameter<'_>; 5] = [
        (&job.job_type, Type::TEXT),
        (&job.queue, Type::TEXT),
        (&rank, Type::INT4),
        (&job.id.0, Type::INT8),
        (&limit, Type::INT8),
    ];
    let row = session.query_opt(sql!("explanation/count_ahead"), &parameters).await?;
    let ahead = row.map(|row| Columns::of(&row).size()).transpose()?.unwrap_or(0);
    Ok(u32::try_from(ahead).unwrap_or(u32::MAX))
}
