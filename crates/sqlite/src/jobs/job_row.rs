use longshore_core::{Attempt, AttemptOutcome, ClaimNumber, DeadLetterCode, Job, JobDetail, JobId, Status, WorkerId};
use rusqlite::{Connection, OptionalExtension, Row};

use crate::database::column;
use crate::database::column::Columns;
use crate::jobs::outcomes::checkpoint::shown;
use crate::jobs::unique_key;
use crate::workflows::dependencies::{first_dependencies, place};

/// A job from the columns that `select_job.sql` and the pages name.
pub(crate) fn job(row: &Row<'_>) -> rusqlite::Result<Job> {
    job_from(&mut Columns::of(row))
}

/// The same, where other columns follow.
pub(crate) fn job_from(columns: &mut Columns<'_, '_>) -> rusqlite::Result<Job> {
    // The fields are read in the order in which they stand here, which is that of the statements.
    let mut job = Job {
        id: columns.read(column::id)?,
        job_type: columns.read(column::text)?,
        job_data: columns.read(column::data)?,
        status: columns.read(column::status)?,
        priority: columns.read(column::priority)?,
        created_at: columns.read(column::timestamp)?,
        started_at: columns.read(column::optional_timestamp)?,
        completed_at: columns.read(column::optional_timestamp)?,
        log_file_path: columns.read(column::optional_text)?,
        error_message: columns.read(column::optional_text)?,
        retry_count: columns.read(column::count)?,
        max_retries: columns.read(column::count)?,
        worker_id: columns.read(worker_id)?,
        timeout: columns.read(column::optional_seconds)?,
        parent_job_id: columns.read(column::optional_integer)?.map(JobId),
        failure_type: columns.read(column::optional_text)?,
        next_retry_at: columns.read(column::optional_timestamp)?,
        last_error_traceback: columns.read(column::optional_text)?,
        dead_letter_reason: columns.read(column::optional_text)?,
        moved_to_dead_letter_at: columns.read(column::optional_timestamp)?,
        queue: columns.read(column::text)?,
        run_at: columns.read(column::timestamp)?,
        claim_number: ClaimNumber(columns.read(column::integer)?),
        crash_count: columns.read(column::count)?,
        max_crashes: columns.read(column::count)?,
        deferral_count: columns.read(column::count)?,
        max_deferrals: columns.read(column::count)?,
        unique_key: columns.read(column::optional_text)?,
        cancel_requested_at: columns.read(column::optional_timestamp)?,
        progress: columns.read(column::optional_real)?,
        progress_message: columns.read(column::optional_text)?,
        result: columns.read(column::optional_data)?,
        metadata: columns.read(column::optional_data)?,
        expires_at: columns.read(column::optional_timestamp)?,
        deadline_at: columns.read(column::optional_timestamp)?,
        limit_key: columns.read(column::optional_text)?,
        dead_letter_code: None,
    };
    job.dead_letter_code = job.dead_letter_reason.as_deref().and_then(DeadLetterCode::of_reason);
    job.unique_key = job.unique_key.map(|stored| unique_key::given(stored, job.id));
    Ok(job)
}

/// One job with its attempts. A running or successful attempt has no row; it is built from the job's row.
pub(crate) fn detail(connection: &Connection, id: JobId) -> rusqlite::Result<Option<JobDetail>> {
    let found =
        connection.prepare_cached(include_str!("../sql/jobs/select_job.sql"))?.query_row([id.0], job).optional()?;
    let Some(job) = found else { return Ok(None) };
    let mut attempts: Vec<Attempt> = connection
        .prepare_cached(include_str!("../sql/jobs/select_attempts.sql"))?
        .query_map([id.0], attempt)?
        .collect::<Result<_, _>>()?;
    attempts.extend(current_attempt(&job));
    let checkpoints = shown(connection, id)?;
    let place = place(connection, id)?;
    let dependencies = first_dependencies(connection, id, usize::MAX)?;
    Ok(Some(JobDetail { job, attempts, checkpoints, place, dependencies }))
}

/// An attempt that has a row of its own.
pub(crate) fn attempt(row: &Row<'_>) -> rusqlite::Result<Attempt> {
    let mut columns = Columns::of(row);
    Ok(Attempt {
        attempt: columns.read(column::count)?,
        claim_number: ClaimNumber(columns.read(column::integer)?),
        worker_id: columns.read(worker_id)?,
        started_at: columns.read(column::optional_timestamp)?,
        finished_at: columns.read(column::optional_timestamp)?,
        // A CHECK constraint allows only known words.
        outcome: AttemptOutcome::from_stored(&columns.read(column::text)?).unwrap_or(AttemptOutcome::Crashed),
        failure_type: columns.read(column::optional_text)?.and_then(|word| word.parse().ok()),
        error_message: columns.read(column::optional_text)?,
        traceback: columns.read(column::optional_text)?,
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
