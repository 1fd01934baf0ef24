use longshore_core::{Attempt, Job, JobId, LogEntry, MovedJob, Status, Timestamp, WorkerId};
use rusqlite::{Connection, Row, params};

use crate::database::column;
use crate::database::column::Columns;
use crate::jobs::job_row::{attempt, job_from};
use crate::jobs::outcomes::attempt_log::log_entry;
use crate::jobs::outcomes::checkpoint::insert_saved;
use crate::jobs::unique_key;

/// A job from the columns of `select_moved_jobs.sql`, without its attempts and its log.
pub(super) fn moved_job(row: &Row<'_>) -> rusqlite::Result<MovedJob> {
    let mut columns = Columns::of(row);
    let job = job_from(&mut columns)?;
    let own_retries = columns.read(column::optional_count)?;
    let waits_for_instant = columns.read(|row, index| row.get(index))?;
    let since = columns.read(column::timestamp)?;
    let stored_key = columns.read(column::optional_text)?;
    let lapsed_worker = columns.read(column::optional_text)?.map(|word| WorkerId::from_stored(&word));
    let awaits_settings = columns.read(column::optional_count)?.map(|left_out| u8::try_from(left_out).unwrap_or(0));
    let has_passed_key = stored_key != job.unique_key;
    Ok(MovedJob {
        job,
        own_retries,
        waits_for_instant,
        blocked_since: Some(since),
        has_passed_key,
        lapsed_worker,
        awaits_settings,
        attempts: Vec::new(),
        log: Vec::new(),
        checkpoints: Vec::new(),
    })
}

/// The attempts of a job that have a row of their own.
pub(super) fn attempts(connection: &Connection, id: JobId) -> rusqlite::Result<Vec<Attempt>> {
    let mut select = connection.prepare_cached(include_str!("../sql/jobs/select_attempts.sql"))?;
    select.query_map([id.0], attempt)?.collect()
}

/// The log of a job.
pub(super) fn log(connection: &Connection, id: JobId) -> rusqlite::Result<Vec<LogEntry>> {
    let mut select = connection.prepare_cached(include_str!("../sql/moving/select_moved_log.sql"))?;
    select.query_map([id.0], log_entry)?.collect()
}

/// Writes a job with its attempts, its log and its checkpoints.
pub(super) fn insert(connection: &Connection, moved: &MovedJob) -> rusqlite::Result<()> {
    insert_job(connection, moved)?;
    insert_attempts(connection, moved)?;
    insert_log(connection, moved)?;
    insert_saved(connection, moved.job.id, &moved.checkpoints)
}

fn insert_job(connection: &Connection, moved: &MovedJob) -> rusqlite::Result<()> {
    let MovedJob { job, own_retries, waits_for_instant, blocked_since, has_passed_key, lapsed_worker, .. } = moved;
    let ms = |instant: Option<Timestamp>| instant.map(Timestamp::as_ms);
    let run_at = waits_for_instant.then_some(job.run_at);
    let ready_at =
        if job.status == Status::Blocked { *blocked_since } else { Some(job.run_at).filter(|_| run_at.is_none()) };
    let key = job.unique_key.as_deref().map(|key| unique_key::stored(key, job.id, *has_passed_key));
    // Every field is listed, so that a new one cannot be forgotten.
    let Job {
        id,
        job_type,
        job_data,
        status,
        priority,
        created_at,
        started_at,
        completed_at,
        log_file_path,
        error_message,
        retry_count,
        max_retries: _,
        worker_id,
        timeout,
        parent_job_id,
        failure_type,
        next_retry_at,
        last_error_traceback,
        dead_letter_reason,
        moved_to_dead_letter_at,
        dead_letter_code: _,
        queue,
        run_at: _,
        claim_number,
        crash_count,
        max_crashes,
        deferral_count,
        max_deferrals,
        unique_key: _,
        limit_key,
        cancel_requested_at,
        progress,
        progress_message,
        result,
        metadata,
        expires_at,
        deadline_at,
    } = job;
    connection.prepare_cached(include_str!("../sql/moving/insert_moved_job.sql"))?.execute(params![
        id.0,
        job_type,
        job_data.as_str(),
        status.as_str(),
        priority.0,
        created_at.as_ms(),
        ms(*started_at),
        ms(*completed_at),
        log_file_path,
        error_message,
        retry_count,
        own_retries,
        worker_id.as_ref().map(WorkerId::as_str),
        timeout.map(column::seconds),
        parent_job_id.map(|parent| parent.0),
        failure_type,
        ms(*next_retry_at),
        last_error_traceback,
        dead_letter_reason,
        ms(*moved_to_dead_letter_at),
        queue,
        ms(run_at),
        ms(ready_at),
        claim_number.0,
        crash_count,
        max_crashes,
        deferral_count,
        max_deferrals,
        key,
        ms(*cancel_requested_at),
        progress,
        progress_message,
        result.as_ref().map(longshore_core::JobData::as_str),
        metadata.as_ref().map(longshore_core::JobData::as_str),
        lapsed_worker.as_ref().map(WorkerId::as_str),
        ms(*expires_at),
        ms(*deadline_at),
        moved.awaits_settings,
        limit_key,
    ])?;
    Ok(())
}

fn insert_attempts(connection: &Connection, moved: &MovedJob) -> rusqlite::Result<()> {
    let mut insert = connection.prepare_cached(include_str!("../sql/outcomes/insert_attempt.sql"))?;
    for attempt in &moved.attempts {
        insert.execute(params![
            moved.job.id.0,
            attempt.claim_number.0,
            attempt.attempt,
            attempt.worker_id.as_ref().map(WorkerId::as_str),
            attempt.started_at.map(Timestamp::as_ms),
            attempt.finished_at.map(Timestamp::as_ms),
            attempt.outcome.as_str(),
            attempt.failure_type.map(longshore_core::FailureType::as_str),
            attempt.error_message,
            attempt.traceback,
        ])?;
    }
    Ok(())
}

fn insert_log(connection: &Connection, moved: &MovedJob) -> rusqlite::Result<()> {
    let mut insert = connection.prepare_cached(include_str!("../sql/outcomes/insert_log_chunk.sql"))?;
    for entry in &moved.log {
        insert.execute(params![
            moved.job.id.0,
            entry.claim_number.0,
            entry.chunk_number,
            entry.attempt,
            entry.written_at.as_ms(),
            i64::try_from(entry.cut_bytes).unwrap_or(i64::MAX),
            entry.text,
        ])?;
    }
    Ok(())
}
