use longshore_core::{Attempt, AttemptOutcome, ClaimNumber, DeadLetterCode, Job, JobDetail, JobId, Status, WorkerId};
use rusqlite::{Connection, OptionalExtension, Row};

use crate::column;
use crate::jobs::unique_key;

/// A job from the columns in the order of `select_job.sql` and the pages.
pub(crate) fn job(row: &Row<'_>) -> rusqlite::Result<Job> {
    let reason = column::optional_text(row, 18)?;
    let id = column::id(row, 0)?;
    Ok(Job {
        id,
        job_type: column::text(row, 1)?,
        job_data: column::data(row, 2)?,
        status: column::status(row, 3)?,
        priority: column::priority(row, 4)?,
        created_at: column::timestamp(row, 5)?,
        started_at: column::optional_timestamp(row, 6)?,
        completed_at: column::optional_timestamp(row, 7)?,
        log_file_path: column::optional_text(row, 8)?,
        error_message: column::optional_text(row, 9)?,
        retry_count: column::count(row, 10)?,
        max_retries: column::count(row, 11)?,
        worker_id: worker_id(row, 12)?,
        timeout: column::optional_seconds(row, 13)?,
        parent_job_id: column::optional_integer(row, 14)?.map(JobId),
        failure_type: column::optional_text(row, 15)?,
        next_retry_at: column::optional_timestamp(row, 16)?,
        last_error_traceback: column::optional_text(row, 17)?,
        dead_letter_code: reason.as_deref().and_then(DeadLetterCode::of_reason),
        dead_letter_reason: reason,
        moved_to_dead_letter_at: column::optional_timestamp(row, 19)?,
        queue: column::text(row, 20)?,
        run_at: column::timestamp(row, 21)?,
        claim_number: ClaimNumber(column::integer(row, 22)?),
        crash_count: column::count(row, 23)?,
        max_crashes: column::count(row, 24)?,
        deferral_count: column::count(row, 25)?,
        max_deferrals: column::count(row, 26)?,
        unique_key: column::optional_text(row, 27)?.map(|stored| unique_key::given(stored, id)),
        cancel_requested_at: column::optional_timestamp(row, 28)?,
        progress: column::optional_real(row, 29)?,
        progress_message: column::optional_text(row, 30)?,
        result: column::optional_data(row, 31)?,
        metadata: column::optional_data(row, 32)?,
        expires_at: column::optional_timestamp(row, 33)?,
        deadline_at: column::optional_timestamp(row, 34)?,
    })
}

/// One job with its attempts. A running or successful attempt has no row; it is built from the job's row.
pub(crate) fn detail(connection: &Connection, id: JobId) -> rusqlite::Result<Option<JobDetail>> {
    let found = connection.prepare_cached(include_str!("../sql/select_job.sql"))?.query_row([id.0], job).optional()?;
    let Some(job) = found else { return Ok(None) };
    let mut attempts: Vec<Attempt> = connection
        .prepare_cached(include_str!("../sql/select_attempts.sql"))?
        .query_map([id.0], attempt)?
        .collect::<Result<_, _>>()?;
    attempts.extend(current_attempt(&job));
    Ok(Some(JobDetail { job, attempts }))
}

fn attempt(row: &Row<'_>) -> rusqlite::Result<Attempt> {
    let outcome = column::text(row, 5)?;
    let failure_type = column::optional_text(row, 6)?;
    Ok(Attempt {
        attempt: column::count(row, 0)?,
        claim_number: ClaimNumber(column::integer(row, 1)?),
        worker_id: worker_id(row, 2)?,
        started_at: column::optional_timestamp(row, 3)?,
        finished_at: column::optional_timestamp(row, 4)?,
        // A CHECK constraint allows only known words.
        outcome: AttemptOutcome::from_stored(&outcome).unwrap_or(AttemptOutcome::Crashed),
        failure_type: failure_type.and_then(|word| word.parse().ok()),
        error_message: column::optional_text(row, 7)?,
        traceback: column::optional_text(row, 8)?,
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

fn worker_id(row: &Row<'_>, index: usize) -> rusqlite::Result<Option<WorkerId>> {
    Ok(column::optional_text(row, index)?.map(|word| WorkerId::from_stored(&word)))
}
