use std::sync::Arc;
use std::time::Duration;

use longshore_core::{
    FailureType, Job, JobData, JobId, MoveChange, MoveState, MovedJob, MovedPart, MovedSettings, Status, Timestamp,
    WorkerId,
};
use postgres_types::Type;
use serde::Serialize;
use serde_json::json;

use crate::instant::Instant;
use crate::jobs::job_row::{MAX_CRASHES, MAX_DEFERRALS};
use crate::jobs::outcomes::checkpoint::CHECKPOINT;
use crate::limiting::moved::{keep_keys, keep_limits};
use crate::moving::fence::{hold_turn, pass_fence, replace_state, state};
use crate::moving::tokens::keep_tokens;
use crate::moving::workflow_rows::{keep_batches, keep_places, unmet};
use crate::schedules::{schedule_row, ticks};
use crate::session::columns::Columns;
use crate::session::fault::Fault;
use crate::session::pool::Transaction;
use crate::session::sql::{Sql, sql};
use crate::store::Parts;
use crate::upkeep::counts::Counts;
use crate::workers::register::keep_settings as keep_type_settings;

/// How many schedules, ticks or keys one statement writes.
const STATEMENT_ROWS_MAX: usize = 1000;

/// Writes a part of what moves, and the state that says so.
pub(super) async fn keep(parts: Arc<Parts>, change: MoveChange, part: MovedPart) -> Result<bool, Fault> {
    let transaction = parts.pool.begin().await?;
    if !replace_state(&transaction, &change).await? {
        return Ok(false);
    }
    match part {
        MovedPart::Settings(settings) => keep_settings(&transaction, &settings).await?,
        MovedPart::Jobs(jobs) => keep_jobs(&transaction, &jobs).await?,
    }
    transaction.commit().await?;
    Ok(true)
}

async fn keep_jobs(transaction: &Transaction, jobs: &[MovedJob]) -> Result<(), Fault> {
    let last_id = jobs.iter().map(|moved| moved.job.id.0).max().unwrap_or(0);
    let last_claim = jobs.iter().map(|moved| moved.job.claim_number.0).max().unwrap_or(0);
    raise_numbers(transaction, last_id, last_claim).await?;
    name_workers(transaction, jobs).await?;
    insert(transaction, sql!("moving/insert_moved_jobs"), jobs.iter().map(JobDocument::of)).await?;
    insert(transaction, sql!("moving/insert_moved_attempts"), jobs.iter().flat_map(attempts)).await?;
    insert(transaction, sql!("moving/insert_moved_logs"), jobs.iter().flat_map(log)).await?;
    insert(transaction, sql!("moving/insert_moved_checkpoints"), jobs.iter().flat_map(checkpoints)).await?;
    keep_places(transaction, jobs).await?;
    let mut counts = Counts::default();
    jobs.iter().for_each(|moved| counts.entered(&moved.job.queue, moved.job.status));
    counts.flush(transaction).await?;
    Ok(())
}

async fn raise_numbers(transaction: &Transaction, last_id: i64, last_claim: i64) -> Result<(), Fault> {
    transaction.query(sql!("moving/raise_numbers"), &[(&last_id, Type::INT8), (&last_claim, Type::INT8)]).await?;
    Ok(())
}

/// The rows of jobs name their workers by number.
async fn name_workers(transaction: &Transaction, jobs: &[MovedJob]) -> Result<(), Fault> {
    let of_job = |moved: &MovedJob| -> Vec<String> {
        let attempts = moved.attempts.iter().map(|attempt| &attempt.worker_id);
        let all = [&moved.job.worker_id, &moved.lapsed_worker].into_iter().chain(attempts);
        all.flatten().map(|worker_id| worker_id.as_str().to_owned()).collect()
    };
    let mut names: Vec<String> = jobs.iter().flat_map(of_job).collect();
    names.sort_unstable();
    names.dedup();
    if !names.is_empty() {
        transaction.execute(sql!("moving/insert_worker_names"), &[(&names, Type::TEXT_ARRAY)]).await?;
    }
    Ok(())
}

pub(super) async fn insert<T: Serialize>(
    transaction: &Transaction,
    sql: &'static Sql,
    rows: impl Iterator<Item = T>,
) -> Result<(), Fault> {
    let rows: Vec<T> = rows.collect();
    if !rows.is_empty() {
        let document = serde_json::to_string(&rows).expect("text and numbers are always JSON");
        transaction.execute(sql, &[(&document, Type::TEXT)]).await?;
    }
    Ok(())
}

/// A job as `insert_moved_jobs.sql` reads it.
#[derive(Serialize)]
struct JobDocument<'a> {
    id: JobId,
    job_type: &'a str,
    queue: &'a str,
    priority: i32,
    job_data: &'a str,
    created_at: Timestamp,
    max_retries: Option<u32>,
    max_crashes: Option<u32>,
    max_deferrals: Option<u32>,
    timeout_ms: Option<u64>,
    expires_at: Option<Timestamp>,
    deadline_at: Option<Timestamp>,
    unique_key: Option<&'a str>,
    limit_key: Option<&'a str>,
    held_key: Option<String>,
    parent_job_id: Option<JobId>,
    metadata: Option<&'a str>,
    log_file_path: Option<&'a str>,
    awaits_settings: Option<u8>,
    place: &'static str,
    unmet: Option<usize>,
    ready_at: Option<Timestamp>,
    due_at: Option<Timestamp>,
    ended_status: Option<i16>,
    ended_at: Option<Timestamp>,
    started_at: Option<Timestamp>,
    claim_number: Option<i64>,
    worker_id: Option<&'a WorkerId>,
    lapsed_worker_id: Option<&'a WorkerId>,
    has_story: bool,
    retry_count: u32,
    crash_count: u32,
    deferral_count: u32,
    failure_type: Option<&'a str>,
    error_message: Option<&'a str>,
    last_error_traceback: Option<&'a str>,
    progress: Option<f64>,
    progress_message: Option<&'a str>,
    cancel_requested_at: Option<Timestamp>,
    result: Option<&'a str>,
    reason: Option<&'a str>,
}

impl<'a> JobDocument<'a> {
    fn of(moved: &'a MovedJob) -> Self {
        // Every field is listed, so that a new one cannot be forgotten.
        let MovedJob {
            job,
            own_retries,
            waits_for_instant,
            blocked_since,
            has_passed_key,
            lapsed_worker,
            awaits_settings,
            attempts: _,
            log: _,
            checkpoints: _,
            member: _,
            dependencies: _,
        } = moved;
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
            next_retry_at: _,
            last_error_traceback,
            dead_letter_reason,
            moved_to_dead_letter_at: _,
            dead_letter_code: _,
            queue,
            run_at,
            claim_number,
            crash_count,
            max_crashes,
            deferral_count,
            max_deferrals,
            unique_key,
            limit_key,
            cancel_requested_at,
            progress,
            progress_message,
            result,
            metadata,
            expires_at,
            deadline_at,
        } = job;
        let is_ended = status.is_ended();
        let held_key = unique_key
            .as_deref()
            .filter(|_| !is_ended)
            .map(|key| if *has_passed_key { format!("{key}\u{1f}{id}") } else { key.to_owned() });
        let ready_at = match status {
            Status::Blocked => *blocked_since,
            _ => Some(*run_at).filter(|_| !waits_for_instant),
        };
        Self {
            id: *id,
            job_type,
            queue,
            priority: priority.0,
            job_data: job_data.as_str(),
            created_at: *created_at,
            max_retries: *own_retries,
            max_crashes: unless_default(*max_crashes, MAX_CRASHES),
            max_deferrals: unless_default(*max_deferrals, MAX_DEFERRALS),
            timeout_ms: timeout.map(milliseconds),
            expires_at: *expires_at,
            deadline_at: *deadline_at,
            unique_key: unique_key.as_deref(),
            limit_key: limit_key.as_deref(),
            held_key,
            parent_job_id: *parent_job_id,
            metadata: metadata.as_ref().map(JobData::as_str),
            log_file_path: log_file_path.as_deref(),
            awaits_settings: *awaits_settings,
            place: place(*status, *waits_for_instant),
            unmet: unmet(moved),
            ready_at,
            due_at: waits_for_instant.then_some(*run_at),
            ended_status: match status {
                Status::Completed => Some(1),
                Status::Cancelled => Some(2),
                Status::DeadLetter => Some(3),
                _ => None,
            },
            ended_at: *completed_at,
            started_at: *started_at,
            claim_number: Some(claim_number.0).filter(|number| *number != 0),
            worker_id: worker_id.as_ref(),
            lapsed_worker_id: lapsed_worker.as_ref(),
            has_story: has_story(moved),
            retry_count: *retry_count,
            crash_count: *crash_count,
            deferral_count: *deferral_count,
            failure_type: failure_type.as_deref(),
            error_message: error_message.as_deref(),
            last_error_traceback: last_error_traceback.as_deref(),
            progress: *progress,
            progress_message: progress_message.as_deref(),
            cancel_requested_at: *cancel_requested_at,
            result: result.as_ref().map(JobData::as_str),
            reason: dead_letter_reason.as_deref(),
        }
    }
}

/// The table of its state.
fn place(status: Status, waits_for_instant: bool) -> &'static str {
    match status {
        Status::Blocked => "blocked",
        Status::Retrying => "retry",
        Status::Pending if waits_for_instant => "later",
        Status::Pending | Status::Running => "ready",
        Status::Completed | Status::Cancelled | Status::DeadLetter => "ended",
    }
}

/// Whether anything happened to the job that the table of its state has no column for.
fn has_story(moved: &MovedJob) -> bool {
    let job = &moved.job;
    let has_failed = job.failure_type.is_some() || job.error_message.is_some() || job.last_error_traceback.is_some();
    let has_progress = job.progress.is_some() || job.progress_message.is_some();
    let has_run = job.claim_number.0 != 0 || job.worker_id.is_some() || job.started_at.is_some();
    job.retry_count + job.crash_count + job.deferral_count > 0
        || has_failed
        || has_progress
        || moved.lapsed_worker.is_some()
        || !moved.checkpoints.is_empty()
        || moved.member.is_some()
        || !moved.dependencies.is_empty()
        || has_run && !job.status.is_ended()
}

fn attempts(moved: &MovedJob) -> impl Iterator<Item = serde_json::Value> {
    let id = moved.job.id;
    moved.attempts.iter().map(move |attempt| {
        json!({
            "id": id,
            "claim_number": attempt.claim_number,
            "attempt": attempt.attempt,
            "worker_id": attempt.worker_id,
            "started_at": attempt.started_at,
            "finished_at": attempt.finished_at,
            "outcome": attempt.outcome,
            "failure_type": attempt.failure_type.map(FailureType::as_str),
            "error_message": attempt.error_message,
            "traceback": attempt.traceback,
        })
    })
}

fn log(moved: &MovedJob) -> impl Iterator<Item = serde_json::Value> {
    let id = moved.job.id;
    moved.log.iter().map(move |entry| {
        json!({
            "id": id,
            "claim_number": entry.claim_number,
            "chunk_number": entry.chunk_number,
            "attempt": entry.attempt,
            "written_at": entry.written_at,
            "cut_bytes": entry.cut_bytes,
            "text": entry.text,
        })
    })
}

fn checkpoints(moved: &MovedJob) -> impl Iterator<Item = serde_json::Value> {
    let id = moved.job.id;
    moved.checkpoints.iter().map(move |saved| {
        json!({
            "id": id,
            "step": saved.step.as_deref().unwrap_or(CHECKPOINT),
            "attempt": saved.attempt,
            "saved_at": saved.saved_at,
            "value": saved.value.as_str(),
        })
    })
}

/// A default takes no room.
fn unless_default(count: u32, default: u32) -> Option<u32> {
    Some(count).filter(|count| *count != default)
}

fn milliseconds(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

async fn keep_settings(transaction: &Transaction, settings: &MovedSettings) -> Result<(), Fault> {
    // Every field is listed, so that a new one cannot be forgotten.
    let MovedSettings {
        last_id,
        history_last_id,
        types,
        queues,
        minutes,
        limits,
        limit_keys,
        schedules,
        ticks: moved_ticks,
        batches,
        signals,
        tokens,
    } = settings;
    raise_numbers(transaction, *last_id, 0).await?;
    transaction.execute(sql!("moving/raise_history"), &[(history_last_id, Type::INT8)]).await?;
    transaction.execute(sql!("moving/forget_settings"), &[]).await?;
    keep_limits(transaction, limits).await?;
    for part in limit_keys.chunks(STATEMENT_ROWS_MAX) {
        keep_keys(transaction, part).await?;
    }
    keep_tokens(transaction, tokens).await?;
    keep_type_settings(transaction, types).await?;
    let (paused, since): (Vec<&str>, Vec<Instant>) =
        queues.iter().filter_map(|(queue, paused_at)| Some((queue.as_str(), Instant((*paused_at)?)))).unzip();
    let pauses = [(&paused as _, Type::TEXT_ARRAY), (&since as _, Type::TIMESTAMPTZ_ARRAY)];
    transaction.execute(sql!("moving/insert_pauses"), &pauses).await?;
    let known: Vec<&str> = queues.keys().map(String::as_str).collect();
    transaction.execute(sql!("moving/insert_known_queues"), &[(&known, Type::TEXT_ARRAY)]).await?;
    insert(transaction, sql!("moving/insert_minutes"), minutes.iter()).await?;
    for part in schedules.chunks(STATEMENT_ROWS_MAX) {
        schedule_row::write(transaction, part).await?;
    }
    for part in moved_ticks.chunks(STATEMENT_ROWS_MAX) {
        ticks::insert(transaction, part).await?;
    }
    keep_batches(transaction, batches, signals).await
}

/// Deletes jobs of a move that is given up, or of one that left them here.
pub(super) async fn drop_jobs(parts: Arc<Parts>, expected: MoveState, ids: Vec<JobId>) -> Result<bool, Fault> {
    let transaction = parts.pool.begin().await?;
    hold_turn(&transaction).await?;
    if state(&transaction).await?.as_ref() != Some(&expected) {
        return Ok(false);
    }
    pass_fence(&transaction, Some(&expected)).await?;
    let ids: Vec<i64> = ids.iter().map(|id| id.0).collect();
    let mut counts = Counts::default();
    for row in transaction.query(sql!("moving/delete_moved_jobs"), &[(&ids, Type::INT8_ARRAY)]).await? {
        let columns = &mut Columns::of(&row);
        let (status, queue, jobs) = (columns.status()?, columns.read::<&str>()?, columns.read::<i64>()?);
        counts.add(queue, status, -jobs);
    }
    counts.flush(&transaction).await?;
    transaction.commit().await?;
    Ok(true)
}
