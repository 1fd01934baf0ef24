-- Limits: how many jobs of a queue, a type or a key run at once, and how often they start. The row in `running` is the
-- place that a job holds, so nothing has to be released, whatever ends the job or kills its worker.

-- The rule of a queue (scope 1) or a type (2): that of a program and the one that was set by hand, which wins. Both are
-- read by programs alone. A row without a rule is of a type whose handler was asked to slow down, or of one whose jobs
-- still stand in lanes.
CREATE TABLE longshore.job_limit (
    limit_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    scope smallint NOT NULL CHECK (scope IN (1, 2)),
    name text NOT NULL CHECK (name <> ''),
    configured text,
    manual text,
    -- The theoretical arrival time of the next start, in microseconds.
    arrival bigint NOT NULL DEFAULT 0,
    closed_until timestamptz,
    -- No job that counts has a lower claim number. Whoever counts begins here, because what ended before may be in the way
    -- as long as any snapshot is held.
    counted_from bigint NOT NULL DEFAULT 0,
    -- The turn of the last job that started, of a type whose keys take turns.
    turn bigint NOT NULL DEFAULT 0,
    UNIQUE (scope, name)
);

-- Grows with each change of the rules. A claim that knows another version takes nothing.
CREATE TABLE longshore.limit_version (
    version bigint NOT NULL
);
INSERT INTO longshore.limit_version (version) VALUES (0);

-- The keys of each type whose jobs take turns by key, and '' for the jobs that have none.
CREATE TABLE longshore.limit_key (
    key_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- Compared as bytes, so that pages come in the same order everywhere.
    job_type text COLLATE "C" NOT NULL,
    limit_key text COLLATE "C" NOT NULL,
    arrival bigint NOT NULL DEFAULT 0,
    closed_until timestamptz,
    counted_from bigint NOT NULL DEFAULT 0,
    UNIQUE (job_type, limit_key)
);

-- Where the ready jobs of a key in one queue wait. A claim seeks only lanes that may give a job, in the order of their
-- turns, so it never meets those that are full or closed, however many jobs wait there.
CREATE TABLE longshore.lane (
    lane bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key_id bigint NOT NULL,
    job_type text NOT NULL,
    queue text NOT NULL,
    limit_key text COLLATE "C" NOT NULL,
    -- The rank of its first job.
    head_rank integer NOT NULL,
    turn bigint NOT NULL DEFAULT 0,
    is_waiting boolean NOT NULL DEFAULT true,
    is_full boolean NOT NULL DEFAULT false,
    -- When its rate, or whoever asked to slow down, lets it give again. NULL if it may now.
    opens_at timestamptz,
    -- When it was last used, because its turn is worth keeping for a while.
    used_at timestamptz NOT NULL,
    -- The rule that made it is another one now: its jobs go back.
    is_stale boolean NOT NULL DEFAULT false,
    UNIQUE (key_id, queue)
-- Most changes of a lane move it in the order of turns.
) WITH (fillfactor = 80);
CREATE INDEX lane_turn ON longshore.lane (job_type, queue, head_rank, turn, limit_key)
    WHERE is_waiting AND NOT is_full AND NOT is_stale AND opens_at IS NULL;
CREATE INDEX lane_opens ON longshore.lane (opens_at, lane) WHERE opens_at IS NOT NULL;
CREATE INDEX lane_opens_of_type ON longshore.lane (job_type, opens_at) WHERE opens_at IS NOT NULL;
CREATE INDEX lane_full ON longshore.lane (job_type, queue) WHERE is_full;
CREATE INDEX lane_stale ON longshore.lane (job_type, lane) WHERE is_stale;
CREATE INDEX lane_idle ON longshore.lane (job_type, used_at) WHERE NOT is_waiting;

-- The ready jobs that stand in lanes. What asks for a ready job finds them, too; a claim of other types reads ONLY the
-- parent. Jobs are inserted into the parent, whoever makes them ready, and a claim of their type sorts them.
CREATE TABLE longshore.laned (
    lane bigint NOT NULL,
    PRIMARY KEY (job_type, queue, rank, again, id)
) INHERITS (longshore.ready);
CREATE INDEX laned_head ON longshore.laned (lane, rank, id);

-- The key that an enqueue has set by hand.
ALTER TABLE longshore.job ADD COLUMN limit_key text;

-- Whether its queue or its type has a rule, and its key.
ALTER TABLE longshore.running ADD COLUMN is_counted boolean, ADD COLUMN key_id bigint;
CREATE INDEX running_of_type ON longshore.running (job_type, claim_number) WHERE is_counted;
CREATE INDEX running_of_queue ON longshore.running (queue, claim_number) WHERE is_counted;
CREATE INDEX running_of_key ON longshore.running (key_id, claim_number) WHERE key_id IS NOT NULL;

-- The keys of which a job has ended, so that their lanes may not be full any more. A change of the lane itself would make
-- everybody who ends a job of the key wait for the others, and could be overtaken by a claim that counts at this moment.
CREATE TABLE longshore.freed (
    key_id bigint NOT NULL
);
CREATE FUNCTION longshore.note_freed() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    INSERT INTO longshore.freed (key_id) VALUES (OLD.key_id);
    RETURN NULL;
END
$$;
CREATE TRIGGER note_freed AFTER DELETE ON longshore.running
    FOR EACH ROW
    WHEN (OLD.key_id IS NOT NULL)
    EXECUTE FUNCTION longshore.note_freed();

-- The key in a payload: a text of 1 to 200 bytes, or a whole number. The library has the same rule.
CREATE FUNCTION longshore.limit_key_of(job_data json, pointer text) RETURNS text
    LANGUAGE plpgsql IMMUTABLE
    AS $$
DECLARE
    found json = job_data;
    part text;
    key text;
BEGIN
    -- An empty text has no parts, but the pointer "/" has one, which is empty.
    FOREACH part IN ARRAY COALESCE(NULLIF(string_to_array(substr(pointer, 2), '/'), '{}'), ARRAY['']) LOOP
        part = replace(replace(part, '~1', '/'), '~0', '~');
        IF json_typeof(found) = 'object' THEN
            found = found -> part;
        ELSIF json_typeof(found) = 'array' AND part ~ '^(0|[1-9][0-9]{0,8})$' THEN
            found = found -> part::integer;
        ELSE
            RETURN NULL;
        END IF;
    END LOOP;
    IF json_typeof(found) = 'string' THEN
        key = found #>> '{}';
    ELSIF json_typeof(found) = 'number' THEN
        key = found #>> '{}';
        IF key !~ '^(0|-?[1-9][0-9]{0,18})$'
            OR key::numeric NOT BETWEEN -9223372036854775808 AND 9223372036854775807
        THEN
            RETURN NULL;
        END IF;
    END IF;
    RETURN CASE WHEN octet_length(key) BETWEEN 1 AND 200 THEN key END;
EXCEPTION
    -- JSON may have escapes that are no text of this server, such as \u0000.
    WHEN data_exception THEN
        RETURN NULL;
END
$$;

-- Plain SQL may set a key, too.
CREATE OR REPLACE VIEW longshore.job_queue AS
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
       j.deadline_at,
       j.limit_key
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
    IF NEW.limit_key = '' OR octet_length(NEW.limit_key) > 200 THEN
        RAISE check_violation USING MESSAGE = 'limit_key must be 1 to 200 bytes';
    END IF;
    body.limit_key = NEW.limit_key;
    NEW.id = longshore.insert_job(body);
    IF NEW.id IS NULL THEN
        RAISE unique_violation USING
            MESSAGE = format('a job with the unique key %L has not ended', NEW.unique_key),
            HINT = 'the function enqueue keeps or replaces that job';
    END IF;
    RETURN NEW;
END
$$;

DROP FUNCTION longshore.enqueue(
    text, json, text, integer, timestamptz, interval, integer, double precision, text, text, text, bigint, timestamptz,
    timestamptz, integer, integer, json
);
DROP FUNCTION longshore.enqueue_or_meet(
    text, json, text, integer, timestamptz, interval, integer, double precision, text, text, text, bigint, timestamptz,
    timestamptz, integer, integer, json
);
-- Creates a job or applies the rule for duplicates, with a parameter for each property. What is left out is what the type decides, or the default.
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
    limit_key text DEFAULT NULL,
    OUT id bigint,
    OUT duplicate text
)
    LANGUAGE plpgsql
    AS $$
DECLARE
    body longshore.job;
    answer record;
BEGIN
    IF limit_key = '' OR octet_length(limit_key) > 200 THEN
        RAISE check_violation USING MESSAGE = 'limit_key must be 1 to 200 bytes';
    END IF;
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
    body.limit_key = limit_key;
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
    metadata json DEFAULT NULL,
    limit_key text DEFAULT NULL
) RETURNS bigint
    LANGUAGE sql VOLATILE
    AS $$
    SELECT met.id
    FROM longshore.enqueue_or_meet(
        $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18
    ) AS met
$$;

-- The key is a part of the content.
ALTER FUNCTION longshore.replace_job(bigint, longshore.job, boolean) RENAME TO replace_without_key;
CREATE FUNCTION longshore.replace_job(holder bigint, body longshore.job, is_pushed_back boolean) RETURNS boolean
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF NOT longshore.replace_without_key(holder, body, is_pushed_back) THEN
        RETURN false;
    END IF;
    UPDATE longshore.job AS j
    SET limit_key = body.limit_key
    WHERE j.id = holder
      AND j.limit_key IS DISTINCT FROM body.limit_key;
    RETURN true;
END
$$;
