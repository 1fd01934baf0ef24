use longshore_core::{Budgets, ClaimNumber, JobId, Lease, NewJob, Status, TimeBounds, Timestamp, ValidJob};
use rusqlite::params;

use crate::database::column;
use crate::database::fault::{Fault, is_key_mismatch};
use crate::jobs::claim::due::later_than;
use crate::jobs::claim::offers::Taken;
use crate::jobs::unique_key::Met;
use crate::workers::held::HeldLease;
use crate::writing::session::{Delivery, WriteTx, is_of_a_row};

/// Creates a job with a lease for a worker that would run it at once, if there is one and nothing delays the job. This
/// includes the claim that would otherwise follow in its own transaction.
pub(crate) fn make_leased(tx: &mut WriteTx<'_, '_>, job: &ValidJob) -> Result<Option<JobId>, Fault> {
    if tx.offers.borrow().is_empty() {
        return Ok(None);
    }
    // A limit decides in a claim alone.
    if job.limit_key.is_some() || tx.limits.covers(&job.job_type, &job.queue) {
        return Ok(None);
    }
    if job.parent.is_some() || later_than(tx.now, job.due).is_some() {
        return Ok(None);
    }
    if let Some(unique_key) = &job.unique_key
        && Met::of(tx.connection, unique_key, job.unique_while, tx.now)? != Met::NOBODY
    {
        return Ok(None);
    }
    let Some(taken) = tx.offers.borrow_mut().take(tx.connection, job)? else { return Ok(None) };
    let id = match insert(tx, job, &taken) {
        Ok(id) => id,
        // Without a lease the database may accept it.
        Err(error) if (is_of_a_row(&error) || is_key_mismatch(&error)) && !tx.connection.is_autocommit() => {
            return Ok(None);
        }
        Err(error) => return Err(error.into()),
    };
    let lease = lease(id, job, tx.now);
    tx.counts.entered(&job.queue, Status::Running);
    let held = HeldLease { claim_number: lease.claim_number, queue: job.queue.as_str().into(), ready_at: tx.now };
    tx.held.give(&taken.worker_id, std::iter::once((id, held)));
    tx.deliveries.push(Delivery { mailbox: taken.mailbox, lease });
    Ok(Some(id))
}

fn insert(tx: &WriteTx<'_, '_>, job: &NewJob, taken: &Taken) -> rusqlite::Result<JobId> {
    let time = TimeBounds::from_now(tx.now, job.expires_in, job.deadline_in);
    let id = tx.connection.prepare_cached(include_str!("../../sql/enqueue/insert_leased_job.sql"))?.insert(params![
        job.job_type,
        job.job_data.as_str(),
        job.priority.0,
        tx.now.as_ms(),
        job.max_retries,
        taken.worker_id.as_str(),
        job.timeout.map(column::seconds),
        job.queue,
        job.max_crashes,
        job.max_deferrals,
        job.unique_key,
        job.metadata.as_ref().map(longshore_core::JobData::as_str),
        time.expires_at.map(Timestamp::as_ms),
        time.deadline_at.map(Timestamp::as_ms),
    ])?;
    Ok(JobId(id))
}

/// The lease that a claim of this job would return.
fn lease(id: JobId, job: &NewJob, now: Timestamp) -> Lease {
    Lease {
        id,
        claim_number: ClaimNumber(1),
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
