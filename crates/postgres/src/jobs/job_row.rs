use std::time::Duration;

use longshore_core::{
    Attempt, AttemptOutcome, ClaimNumber, DeadLetterCode, Job, JobData, JobDetail, JobId, Priority, RetryPolicy, Status,
};
use postgres_types::Type;
use tokio_postgres::{Error, Row};

use crate::jobs::outcomes::checkpoint::shown;
use crate::session::columns::Columns;
use crate::session::sql::sql;
use crate::session::statements::Session;
use crate::workflows::reading::{dependencies_of, place_of};

/// The jobs with these ids that exist, newest first.
pub(crate) async fn select_jobs(session: &Session, ids: &[JobId]) -> Result<Vec<Job>, Error> {
    let ids: Vec<i64> = ids.iter().map(|id| id.0).collect();
    let rows = session.query(sql!("reading/select_jobs"), &[(&ids, Type::INT8_ARRAY)]).await?;
    rows.iter().map(job).collect()
}

/// One job with its attempts. A running or successful attempt has no row; it is built from the job.
pub(crate) async fn detail(session: &Session, id: JobId) -> Result<Option<JobDetail>, Error> {
    let Some(job) = select_jobs(session, &[id]).await?.pop() else { return Ok(None) };
    let rows = session.query(sql!("reading/select_attempts"), &[(&id.0, Type::INT8)]).await?;
    let mut attempts = rows.iter().map(attempt).collect::<Result<Vec<_>, _>>()?;
    attempts.extend(current_attempt(&job));
    let checkpoints = shown(session, id).await?;
    let (place, dependencies) = (place_of(session, id).await?, dependencies_of(session, &job).await?);
    Ok(Some(JobDetail { job, attempts, checkpoints, place, dependencies }))
}

/// A job from the columns of `select_jobs.sql`, in their order.
fn job(row: &Row) -> Result<Job, Error> {
    let columns = &mut Columns::of(row);
    let mut job = Job {
        id: columns.id()?,
        job_type: columns.read()?,
        job_data: JobData::from_stored(columns.read()?),
        status: columns.status()?,
        priority: Priority(columns.read()?),
        created_at: columns.instant()?,
        started_at: columns.optional_instant()?,
        completed_at: columns.optional_instant()?,
        log_file_path: columns.read()?,
        error_message: columns.read()?,
        retry_count: columns.count()?,
        max_retries: columns.optional_count()?.unwrap_or(RetryPolicy::RETRIES),
        worker_id: columns.worker_id()?,
        timeout: columns.read::<Option<i64>>()?.map(to_duration),
        parent_job_id: columns.read::<Option<i64>>()?.map(JobId),
        failure_type: columns.read()?,
        next_retry_at: columns.optional_instant()?,
        last_error_traceback: columns.read()?,
        dead_letter_reason: columns.read()?,
        moved_to_dead_letter_at: columns.optional_instant()?,
        queue: columns.read()?,
        run_at: columns.instant()?,
        claim_number: ClaimNumber(columns.read()?),
        crash_count: columns.count()?,
        max_crashes: columns.optional_count()?.unwrap_or(MAX_CRASHES),
        deferral_count: columns.count()?,
        max_deferrals: columns.optional_count()?.unwrap_or(MAX_DEFERRALS),
        unique_key: columns.read()?,
        limit_key: None,
        cancel_requested_at: columns.optional_instant()?,
        progress: columns.read()?,
        progress_message: columns.read()?,
        result: columns.data()?,
        metadata: columns.data()?,
        expires_at: columns.optional_instant()?,
        deadline_at: columns.optional_instant()?,
        dead_letter_code: None,
    };
    job.dead_letter_code = job.dead_letter_reason.as_deref().and_then(DeadLetterCode::of_reason);
    Ok(job)
}

/// What NULL means in `max_crashes` and `max_deferrals`: as in [`NewJob::new`](longshore_core::NewJob::new).
pub(crate) const MAX_CRASHES: u32 = 3;
pub(crate) const MAX_DEFERRALS: u32 = 1000;

pub(crate) fn to_duration(ms: i64) -> Duration {
    Duration::from_millis(u64::try_from(ms).unwrap_or(0))
}

fn attempt(row: &Row) -> Result<Attempt, Error> {
    attempt_from(&mut Columns::of(row))
}

/// An attempt from the columns of `select_attempts.sql`, in their order.
pub(crate) fn attempt_from(columns: &mut Columns<'_>) -> Result<Attempt, Error> {
    Ok(Attempt {
        attempt: columns.count()?,
        claim_number: ClaimNumber(columns.read()?),
        worker_id: columns.worker_id()?,
        started_at: columns.optional_instant()?,
        finished_at: columns.optional_instant()?,
        // Only another program can have written another word.
        outcome: AttemptOutcome::from_stored(columns.read()?).unwrap_or(AttemptOutcome::Crashed),
        failure_type: columns.read::<Option<&str>>()?.and_then(|word| word.parse().ok()),
        error_message: columns.read()?,
        traceback: columns.read()?,
    })
}

fn current_attempt(job: &Job) -> Option<Attempt> {
    let outcome = match job.status {
        Status::Running => AttemptOutcome::Running,
        Status::Completed => AttemptOutcome::Completed,
        _ => return None,
    };
    Some(Attempt {
        attempt: job.retry_count.saturating_add(1),
        claim_number: job.claim_number,
        worker_id: job.worker_id.clone(),
        started_at: job.started_at,
        finished_at: job.completed_at,
        outcome,
        failure_type: None,
        error_message: None,
        traceback: None,
    })
}

#[cfg(test)]
mod tests {
    use longshore_core::{JobData, NewJob};

    use super::*;

    #[test]
    fn null_means_the_defaults_of_a_new_job() {
        let new = NewJob::new("any", JobData::default());
        assert_eq!((new.max_crashes, new.max_deferrals), (MAX_CRASHES, MAX_DEFERRALS));
    }
}
