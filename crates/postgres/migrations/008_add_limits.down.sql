-- longshore: loses longshore.job_limit, longshore.limit_key
-- Jobs in lanes are ready without them, too.
WITH gone AS (
    DELETE FROM longshore.laned
    RETURNING job_type, queue, rank, id, ready_at, has_story
)
INSERT INTO longshore.ready (job_type, queue, rank, again, id, ready_at, has_story)
SELECT job_type, queue, rank, true, id, ready_at, has_story
FROM gone;
DROP TABLE longshore.laned;
DROP TRIGGER note_freed ON longshore.running;
DROP FUNCTION longshore.note_freed;
DROP FUNCTION longshore.limit_key_of;
DROP FUNCTION longshore.replace_job;
ALTER FUNCTION longshore.replace_without_key(bigint, longshore.job, boolean) RENAME TO replace_job;
DROP FUNCTION longshore.enqueue;
DROP FUNCTION longshore.enqueue_or_meet;
-- The same with a parameter for each property. What is left out is what the type decides, or the default.
CREATE FUNCTION longshore.enqueue_or_meet(
    job_type text,
    job_data json DEFAULT '{}',
    queue text DEFAULT NULL,
    priority integer DEFAULT NULL,
    run_at timestamptz DEFAULT NULL,
    delay interval DEFAULT NULL,
    max_retries integer DEFAULT NULL,
    timeout_seconds double precision DEFAULT NULL,
    unique_key text DEFAULT NULL,
    on_duplicate text DEFAULT 'keep',
    unique_while text DEFAULT 'unfinished',
    parent_job_id bigint DEFAULT NULL,
    expires_at timestamptz DEFAULT NULL,
    deadline_at timestamptz DEFAULT NULL,
    max_crashes integer DEFAULT NULL,
    max_deferrals integer DEFAULT NULL,
    metadata json DEFAULT NULL,
    OUT id bigint,
    OUT duplicate text
)
    LANGUAGE plpgsql
    AS $$
DECLARE
    body longshore.job;
    answer record;
BEGIN
    body.job_type = job_type;
    body.job_data = job_data;
    body.queue = queue;
    body.priority = priority;
    body.run_at = COALESCE(run_at, longshore.now() + delay);
    body.max_retries = max_retries;
    body.timeout_ms = timeout_seconds * 1000;
    body.unique_key = unique_key;
    body.parent_job_id = parent_job_id;
    body.expires_at = expires_at;
    body.deadline_at = deadline_at;
    body.max_crashes = max_crashes;
    body.max_deferrals = max_deferrals;
    body.metadata = metadata;
    answer = longshore.enqueue_job(body, on_duplicate, unique_while);
    id = answer.id;
    duplicate = answer.duplicate;
END
$$;

-- For every language: gives the id of the new job, or of the one that has the unique key.
CREATE FUNCTION longshore.enqueue(
    job_type text,
    job_data json DEFAULT '{}',
    queue text DEFAULT NULL,
    priority integer DEFAULT NULL,
    run_at timestamptz DEFAULT NULL,
    delay interval DEFAULT NULL,
    max_retries integer DEFAULT NULL,
    timeout_seconds double precision DEFAULT NULL,
    unique_key text DEFAULT NULL,
    on_duplicate text DEFAULT 'keep',
    unique_while text DEFAULT 'unfinished',
    parent_job_id bigint DEFAULT NULL,
    expires_at timestamptz DEFAULT NULL,
    deadline_at timestamptz DEFAULT NULL,
    max_crashes integer DEFAULT NULL,
    max_deferrals integer DEFAULT NULL,
    metadata json DEFAULT NULL
) RETURNS bigint
    LANGUAGE sql VOLATILE
    AS $$
    SELECT met.id
    FROM longshore.enqueue_or_meet(
        $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17
    ) AS met
$$;

CREATE OR REPLACE FUNCTION longshore.insert_into_job_queue() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE
    body longshore.job;
BEGIN
    IF NEW.id IS NOT NULL OR COALESCE(NEW.status, 'pending') <> 'pending'
        OR COALESCE(
            NEW.started_at, NEW.completed_at, NEW.next_retry_at, NEW.moved_to_dead_letter_at, NEW.cancel_requested_at
        ) IS NOT NULL
        OR COALESCE(
            NEW.log_file_path, NEW.error_message, NEW.worker_id, NEW.failure_type, NEW.last_error_traceback,
            NEW.dead_letter_reason, NEW.progress_message
        ) IS NOT NULL
        OR COALESCE(NEW.retry_count, NEW.crash_count, NEW.deferral_count, NEW.claim_number, 0) <> 0
        OR NEW.progress IS NOT NULL OR NEW.result IS NOT NULL
    THEN
        RAISE feature_not_supported USING
            MESSAGE = 'a new job waits, and has no id and no past: leave these columns out',
            HINT = 'docs/sql.md lists the columns to insert';
    END IF;
    body.job_type = NEW.job_type;
    body.job_data = NEW.job_data;
    body.queue = NEW.queue;
    body.priority = NEW.priority;
    body.created_at = NEW.created_at;
    body.run_at = NEW.run_at;
    body.max_retries = NEW.max_retries;
    body.max_crashes = NEW.max_crashes;
    body.max_deferrals = NEW.max_deferrals;
    body.timeout_ms = NEW.timeout_seconds * 1000;
    body.unique_key = NEW.unique_key;
    body.parent_job_id = NEW.parent_job_id;
    body.metadata = NEW.metadata;
    body.expires_at = NEW.expires_at;
    body.deadline_at = NEW.deadline_at;
    NEW.id = longshore.insert_job(body);
    IF NEW.id IS NULL THEN
        RAISE unique_violation USING
            MESSAGE = format('a job with the unique key %L has not ended', NEW.unique_key),
            HINT = 'the function enqueue keeps or replaces that job';
    END IF;
    RETURN NEW;
END
$$;

-- A view loses a column only by being made again.
DROP VIEW longshore.job_queue;
CREATE VIEW longshore.job_queue AS
SELECT j.id,
       j.job_type,
       j.job_data,
       state.status,
       j.priority,
       j.created_at,
       COALESCE(state.started_at, s.started_at) AS started_at,
       CASE WHEN state.status IN ('completed', 'cancelled', 'dead_letter') THEN state.ended_at END AS completed_at,
       j.log_file_path,
       s.error_message,
       COALESCE(s.retry_count, 0) AS retry_count,
       j.max_retries,
       w.worker_id,
       (j.timeout_ms / 1000.0)::double precision AS timeout_seconds,
       j.parent_job_id,
       s.failure_type,
       CASE WHEN state.status = 'retrying' THEN state.ready_at END AS next_retry_at,
       s.last_error_traceback,
       state.reason AS dead_letter_reason,
       CASE WHEN state.status = 'dead_letter' THEN state.ended_at END AS moved_to_dead_letter_at,
       j.queue,
       COALESCE(state.ready_at, j.run_at, j.created_at) AS run_at,
       COALESCE(state.claim_number, s.claim_number, 0) AS claim_number,
       COALESCE(s.crash_count, 0) AS crash_count,
       COALESCE(j.max_crashes, 3) AS max_crashes,
       COALESCE(s.deferral_count, 0) AS deferral_count,
       COALESCE(j.max_deferrals, 1000) AS max_deferrals,
       j.unique_key,
       state.cancel_requested_at,
       -- Of the current or last attempt: a claim leaves that of the attempt before in place.
       CASE WHEN s.claim_number = COALESCE(state.claim_number, s.claim_number) THEN s.progress END AS progress,
       CASE WHEN s.claim_number = COALESCE(state.claim_number, s.claim_number) THEN s.progress_message END
           AS progress_message,
       state.result,
       j.metadata,
       j.expires_at,
       j.deadline_at
FROM longshore.job AS j
CROSS JOIN LATERAL (
    SELECT 'pending' AS status, r.ready_at, NULL::timestamptz AS started_at, NULL::timestamptz AS ended_at,
           NULL::bigint AS claim_number, NULL::integer AS worker, r.has_story,
           NULL::timestamptz AS cancel_requested_at, NULL::json AS result, NULL::text AS reason
    FROM longshore.ready AS r
    WHERE r.job_type = j.job_type
      AND r.queue = j.queue
      AND r.rank = -GREATEST(j.priority, -2147483647)
      AND r.again IN (false, true)
      AND r.id = j.id
    -- Every value has a name: else a dump would give it one, and the restored view would be another one.
    UNION ALL
    SELECT CASE WHEN l.is_retry THEN 'retrying' ELSE 'pending' END AS status, l.due_at AS ready_at,
           NULL::timestamptz AS started_at, NULL::timestamptz AS ended_at, NULL::bigint AS claim_number,
           NULL::integer AS worker, l.has_story, NULL::timestamptz AS cancel_requested_at, NULL::json AS result,
           NULL::text AS reason
    FROM longshore.later AS l
    WHERE l.id = j.id
    UNION ALL
    SELECT 'blocked' AS status, COALESCE(b.due_at, b.ready_at) AS ready_at, NULL::timestamptz AS started_at,
           NULL::timestamptz AS ended_at, NULL::bigint AS claim_number, NULL::integer AS worker, b.has_story,
           NULL::timestamptz AS cancel_requested_at, NULL::json AS result, NULL::text AS reason
    FROM longshore.blocked AS b
    WHERE b.id = j.id
    UNION ALL
    SELECT 'running' AS status, r.ready_at, r.started_at, NULL::timestamptz AS ended_at, r.claim_number, r.worker,
           r.has_story, r.cancel_requested_at, NULL::json AS result, NULL::text AS reason
    FROM longshore.running AS r
    WHERE r.id = j.id
    UNION ALL
    SELECT CASE e.status WHEN 1 THEN 'completed' WHEN 2 THEN 'cancelled' ELSE 'dead_letter' END AS status, e.ready_at,
           e.started_at, e.ended_at, e.claim_number, e.worker, e.has_story, e.cancel_requested_at, e.result, e.reason
    FROM longshore.ended AS e
    WHERE e.id = j.id
    LIMIT 1
) AS state
LEFT JOIN LATERAL (
    SELECT story.*
    FROM longshore.story AS story
    WHERE state.has_story
      AND story.id = j.id
    LIMIT 1
) AS s ON true
LEFT JOIN LATERAL (
    SELECT n.worker_id
    FROM longshore.worker_name AS n
    WHERE n.worker = COALESCE(state.worker, s.worker)
    LIMIT 1
) AS w ON true;
CREATE TRIGGER insert_job INSTEAD OF INSERT ON longshore.job_queue
    FOR EACH ROW EXECUTE FUNCTION longshore.insert_into_job_queue();
CREATE TRIGGER flush_counts AFTER INSERT ON longshore.job_queue
    FOR EACH STATEMENT EXECUTE FUNCTION longshore.flush_counts_of_statement();
CREATE TRIGGER refuse_change INSTEAD OF UPDATE OR DELETE ON longshore.job_queue
    FOR EACH ROW EXECUTE FUNCTION longshore.refuse_change_of_job_queue();
DROP INDEX longshore.running_of_type, longshore.running_of_queue, longshore.running_of_key;
ALTER TABLE longshore.running DROP COLUMN is_counted, DROP COLUMN key_id;
ALTER TABLE longshore.job DROP COLUMN limit_key;
DROP TABLE longshore.freed, longshore.lane, longshore.limit_key, longshore.limit_version, longshore.job_limit;
