-- Jobs that arrive, each in the tables of its state. Payloads are text in the document, so that they stay as they are.
WITH moved AS MATERIALIZED (
    SELECT given.*, w.worker, l.worker AS lapsed_worker
    FROM json_to_recordset($1::json) AS given (
        id bigint, job_type text, queue text, priority integer, job_data text, created_at timestamptz,
        max_retries integer, max_crashes integer, max_deferrals integer, timeout_ms bigint, expires_at timestamptz,
        deadline_at timestamptz, unique_key text, held_key text, limit_key text, parent_job_id bigint, metadata text,
        log_file_path text, awaits_settings smallint, place text, unmet integer, ready_at timestamptz, due_at timestamptz,
        ended_status smallint, ended_at timestamptz, started_at timestamptz, claim_number bigint, worker_id text,
        lapsed_worker_id text, has_story boolean, retry_count integer, crash_count integer, deferral_count integer,
        failure_type text, error_message text, last_error_traceback text, progress double precision,
        progress_message text, cancel_requested_at timestamptz, result text, reason text
    )
    LEFT JOIN longshore.worker_name AS w ON w.worker_id = given.worker_id
    LEFT JOIN longshore.worker_name AS l ON l.worker_id = given.lapsed_worker_id
), jobs AS (
    INSERT INTO longshore.job (
        id, job_type, queue, priority, job_data, created_at, max_retries, max_crashes, max_deferrals, timeout_ms,
        expires_at, deadline_at, unique_key, limit_key, parent_job_id, metadata, log_file_path, awaits_settings
    )
    SELECT id, job_type, queue, priority, job_data::json, created_at, max_retries, max_crashes, max_deferrals, timeout_ms,
           expires_at, deadline_at, unique_key, limit_key, parent_job_id, metadata::json, log_file_path, awaits_settings
    FROM moved
), stories AS (
    INSERT INTO longshore.story (
        id, retry_count, crash_count, deferral_count, claim_number, worker, started_at, failure_type, error_message,
        last_error_traceback, progress, progress_message, lapsed_worker
    )
    SELECT id, retry_count, crash_count, deferral_count, claim_number, worker, started_at, failure_type, error_message,
           last_error_traceback, progress, progress_message, lapsed_worker
    FROM moved
    WHERE has_story
), are_ready AS (
    -- Their ids are lower than those that may have been claimed here before.
    INSERT INTO longshore.ready (job_type, queue, rank, again, id, ready_at, has_story)
    SELECT job_type, queue, -GREATEST(priority, -2147483647), true, id, ready_at, NULLIF(has_story, false)
    FROM moved
    WHERE place = 'ready'
), are_later AS (
    INSERT INTO longshore.later (id, job_type, queue, due_at, is_retry, has_story)
    SELECT id, job_type, queue, due_at, place = 'retry', NULLIF(has_story, false)
    FROM moved
    WHERE place IN ('later', 'retry')
), are_blocked AS (
    INSERT INTO longshore.blocked (id, parent_job_id, queue, due_at, ready_at, has_story, unmet)
    SELECT id, CASE WHEN unmet IS NULL THEN parent_job_id END, queue, due_at, ready_at, NULLIF(has_story, false), unmet
    FROM moved
    WHERE place = 'blocked'
), have_ended AS (
    INSERT INTO longshore.ended (
        id, status, queue, ended_at, ready_at, started_at, claim_number, worker, has_story, cancel_requested_at, result,
        reason
    )
    SELECT id, ended_status, queue, ended_at, ready_at, started_at, claim_number, worker, NULLIF(has_story, false),
           cancel_requested_at, result::json, reason
    FROM moved
    WHERE place = 'ended'
)
INSERT INTO longshore.unique_key (unique_key, id)
SELECT held_key, id
FROM moved
WHERE held_key IS NOT NULL
