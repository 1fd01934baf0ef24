use longshore_core::{Budgets, ClaimNumber, Enqueued, JobId, Lease, NewJob, TimeBounds, Timestamp, ValidJob};
use postgres_types::Type;

use super::columns::Columns;
use super::offer::Taken;
use crate::jobs::claim::held::HasKey;
use crate::jobs::claim::hints::Changes;
use crate::session::columns;
use crate::session::fault::Fault;
use crate::session::repeated::repeated;
use crate::session::sql::sql;
use crate::store::Parts;

/// Creates a job for a worker that would run it at once, with its lease if nothing else comes first. `None` if it met
/// another job with its unique key, or if the database refuses it.
pub(super) async fn insert_leased(parts: &Parts, job: &ValidJob, taken: Taken) -> Result<Option<Enqueued>, Fault> {
    let made = repeated(|| insert(parts, job, &taken)).await;
    let Ok(Some(Made { id, claim_number, now })) = made else {
        taken.mailbox.give_back(&job.queue);
        return match made {
            // Without a lease the database may accept it.
            Err(fault) if !fault.is_refusal() => Err(fault),
            _ => Ok(None),
        };
    };
    match claim_number {
        Some(claim_number) => {
            let has_key = if job.unique_key.is_some() { HasKey::Yes } else { HasKey::No };
            parts.claims.held.give(&taken.mailbox.worker_id, claim_number, [(id, has_key)]);
            taken.mailbox.put(lease(id, claim_number, job, now));
        }
        None => {
            taken.mailbox.end_offer();
            let mut changes = Changes::default();
            changes.add_job(Some(&job.job_type), &job.queue);
            parts.claims.hints.give(changes);
        }
    }
    Ok(Some(Enqueued::made(id)))
}

struct Made {
    id: JobId,
    /// None if it is ready.
    claim_number: Option<ClaimNumber>,
    now: Timestamp,
}

async fn insert(parts: &Parts, job: &ValidJob, taken: &Taken) -> Result<Option<Made>, Fault> {
    let columns = Columns::of([job]);
    let worker_id = taken.mailbox.worker_id.as_str();
    let job_types = &taken.job_types[..];
    let mut values = columns.all();
    values.push((&worker_id, Type::TEXT));
    values.push((&job_types, Type::TEXT_ARRAY));
    values.push((&taken.queues, Type::TEXT_ARRAY));
    let row = parts.pool.session().await?.query_opt(sql!("enqueue/insert_leased_job"), &values).await?;
    let Some(row) = row else { return Ok(None) };
    let columns = &mut columns::Columns::of(&row);
    let (id, claim_number) = (columns.id()?, columns.read::<Option<i64>>()?.map(ClaimNumber));
    Ok(Some(Made { id, claim_number, now: columns.instant()? }))
}

/// The lease that a claim of this job would return.
fn lease(id: JobId, claim_number: ClaimNumber, job: &NewJob, now: Timestamp) -> Lease {
    Lease {
        id,
        claim_number,
        job_type: job.job_type.clone(),
        job_data: job.job_data.clone(),
        queue: job.queue.clone(),
        priority: job.priority,
        budgets: Budgets {
            retry_count: 0,
            max_retries: job.max_retries,
            crash_count: 0,
            max_crashes: job.max_crashes,
            deferral_count: 0,
            max_deferrals: job.max_deferrals,
            time: TimeBounds::from_now(now, job.expires_in, job.deadline_in),
        },
        timeout: job.timeout,
        ready_at: now,
        metadata: job.metadata.clone(),
        checkpoint: None,
        step_count: 0,
        has_dependencies: false,
    }
}
