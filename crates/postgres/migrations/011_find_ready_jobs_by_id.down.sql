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

CREATE OR REPLACE FUNCTION longshore.insert_job(body longshore.job) RETURNS bigint
    LANGUAGE plpgsql
    AS $$
DECLARE
    now timestamptz = longshore.now();
    settings longshore.type_settings;
    parent_status smallint;
    is_blocked boolean = false;
BEGIN
    IF COALESCE(body.job_type, '') = '' OR octet_length(body.job_type) > 1000 THEN
        RAISE check_violation USING MESSAGE = 'job_type must be 1 to 1000 bytes';
    ELSIF body.queue = '' OR octet_length(body.queue) > 1000 THEN
        RAISE check_violation USING MESSAGE = 'queue must be 1 to 1000 bytes';
    ELSIF body.unique_key = '' OR octet_length(body.unique_key) > 2000 OR strpos(body.unique_key, chr(31)) > 0 THEN
        RAISE check_violation USING MESSAGE = 'unique_key must be 1 to 2000 bytes without the control character 31';
    END IF;
    SELECT * INTO settings FROM longshore.type_settings AS t WHERE t.job_type = body.job_type;
    IF FOUND THEN
        body.queue = COALESCE(body.queue, settings.queue);
        body.priority = COALESCE(body.priority, settings.priority);
        body.max_retries = COALESCE(body.max_retries, settings.max_retries);
        body.timeout_ms = COALESCE(body.timeout_ms, settings.timeout_ms);
    ELSIF body.queue IS NULL OR body.priority IS NULL OR body.max_retries IS NULL OR body.timeout_ms IS NULL THEN
        body.awaits_settings = (body.queue IS NULL)::integer + 2 * (body.priority IS NULL)::integer;
    END IF;
    body.queue = COALESCE(body.queue, 'default');
    body.priority = COALESCE(body.priority, 5);
    body.job_data = COALESCE(body.job_data, '{}');
    body.created_at = COALESCE(body.created_at, now);
    body.run_at = CASE WHEN body.run_at > now THEN body.run_at END;
    body.max_crashes = NULLIF(body.max_crashes, 3);
    body.max_deferrals = NULLIF(body.max_deferrals, 1000);
    body.id = nextval('longshore.job_id');
    IF body.parent_job_id IS NOT NULL THEN
        SELECT e.status
        INTO parent_status
        FROM longshore.job AS j
        LEFT JOIN longshore.ended AS e ON e.id = j.id
        WHERE j.id = body.parent_job_id;
        IF NOT FOUND THEN
            RAISE foreign_key_violation
                USING MESSAGE = format('parent_job_id must name a job that was made before, but there is no job %s', body.parent_job_id);
        END IF;
        is_blocked = parent_status IS NULL;
    END IF;
    IF body.unique_key IS NOT NULL THEN
        INSERT INTO longshore.unique_key (unique_key, id) VALUES (body.unique_key, body.id) ON CONFLICT DO NOTHING;
        IF NOT FOUND THEN
            RETURN NULL;
        END IF;
    END IF;
    INSERT INTO longshore.job VALUES (body.*);
    IF is_blocked THEN
        INSERT INTO longshore.blocked (id, parent_job_id, queue, due_at)
        VALUES (body.id, body.parent_job_id, body.queue, body.run_at);
        -- The parent may end before this transaction does.
        INSERT INTO longshore.blocked_unchecked (id) VALUES (body.id);
        PERFORM longshore.count_job(body.queue, 0, 1, 0);
    ELSIF parent_status IN (2, 3) THEN
        INSERT INTO longshore.ended (id, status, queue, ended_at, reason)
        VALUES (
            body.id, 3, body.queue, now,
            format(
                'parent_ended: its parent job %s ended as %s',
                body.parent_job_id, CASE parent_status WHEN 2 THEN 'cancelled' ELSE 'dead_letter' END
            )
        );
        DELETE FROM longshore.unique_key WHERE body.unique_key IS NOT NULL AND id = body.id;
        PERFORM longshore.count_job(body.queue, 0, 0, 1);
    ELSIF body.run_at IS NULL THEN
        INSERT INTO longshore.ready (job_type, queue, rank, again, id, ready_at)
        VALUES (body.job_type, body.queue, -GREATEST(body.priority, -2147483647), false, body.id, now);
        PERFORM longshore.count_job(body.queue, 1, 0, 0);
    ELSE
        INSERT INTO longshore.later (id, job_type, queue, due_at, is_retry)
        VALUES (body.id, body.job_type, body.queue, body.run_at, false);
        PERFORM longshore.count_job(body.queue, 1, 0, 0);
    END IF;
    RETURN body.id;
END
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

CREATE OR REPLACE FUNCTION longshore.enqueue_or_meet(
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

CREATE OR REPLACE FUNCTION longshore.enqueue_job(
    body longshore.job, on_duplicate text, unique_while text, OUT id bigint, OUT duplicate text
)
    LANGUAGE plpgsql
    AS $$
DECLARE
    holder record;
    passes bigint;
    overdue bigint[];
BEGIN
    IF on_duplicate NOT IN ('keep', 'replace', 'push_back') THEN
        RAISE invalid_parameter_value USING
            MESSAGE = format('"%s" is not a rule for duplicates: expected keep, replace or push_back', on_duplicate);
    ELSIF unique_while NOT IN ('unfinished', 'waiting') THEN
        RAISE invalid_parameter_value USING
            MESSAGE = format('"%s" is not a state for a unique key: expected unfinished or waiting', unique_while);
    END IF;
    FOR look IN 1..20 LOOP
        duplicate = NULL;
        passes = NULL;
        overdue = '{}';
        -- First the job that holds the key, then those that passed it on while they ran.
        FOR holder IN
            SELECT u.id,
                   u.unique_key = body.unique_key AS holds_key,
                   EXISTS (SELECT FROM longshore.running AS r WHERE r.id = u.id) AS is_running,
                   LEAST(j.expires_at, j.deadline_at) <= longshore.now() AS is_overdue
            FROM longshore.unique_key AS u
            JOIN longshore.job AS j ON j.id = u.id
            WHERE u.unique_key >= body.unique_key COLLATE "C"
              AND u.unique_key < (body.unique_key || ' ') COLLATE "C"
              AND (u.unique_key = body.unique_key OR u.unique_key > (body.unique_key || chr(31)) COLLATE "C")
            ORDER BY u.unique_key
        LOOP
            IF holder.is_overdue AND NOT holder.is_running THEN
                overdue = overdue || holder.id;
            ELSIF NOT holder.is_running OR unique_while = 'unfinished' THEN
                duplicate = CASE
                    WHEN holder.is_running OR on_duplicate = 'keep' THEN 'kept'
                    WHEN on_duplicate = 'replace' THEN 'replaced'
                    ELSE 'pushed_back'
                END;
                id = holder.id;
                EXIT;
            ELSIF holder.holds_key THEN
                passes = holder.id;
            END IF;
        END LOOP;
        IF duplicate = 'kept' THEN
            RETURN;
        ELSIF duplicate IS NOT NULL THEN
            -- Others may have moved what this look saw; then the next one sees it.
            IF longshore.replace_job(id, body, duplicate = 'pushed_back') THEN
                RETURN;
            END IF;
        ELSE
            FOREACH id IN ARRAY overdue LOOP
                PERFORM longshore.end_overdue_job(id);
            END LOOP;
            UPDATE longshore.unique_key AS u
            SET unique_key = u.unique_key || chr(31) || u.id
            WHERE u.id = passes
              AND u.unique_key = body.unique_key
              AND EXISTS (SELECT FROM longshore.running AS r WHERE r.id = passes);
            id = longshore.insert_job(body);
            IF id IS NOT NULL THEN
                PERFORM longshore.flush_counts();
                RETURN;
            END IF;
        END IF;
    END LOOP;
    RAISE lock_not_available USING
        MESSAGE = format('the jobs with the unique key %L move all the time; repeat the transaction', body.unique_key);
END
$$;

CREATE OR REPLACE FUNCTION longshore.end_overdue_job(overdue bigint) RETURNS void
    LANGUAGE plpgsql
    AS $$
DECLARE
    now timestamptz = longshore.now();
    was longshore.job;
    status smallint;
    waited record;
BEGIN
    SELECT * INTO STRICT was FROM longshore.job AS j WHERE j.id = overdue;
    DELETE FROM longshore.later AS l
    WHERE l.id = overdue
    RETURNING l.due_at AS ready_at, l.has_story, NOT l.is_retry AS pending, l.is_retry AS retrying, false AS blocked
    INTO waited;
    IF NOT FOUND THEN
        DELETE FROM longshore.blocked AS b
        WHERE b.id = overdue
        RETURNING COALESCE(b.due_at, b.ready_at) AS ready_at, b.has_story, false AS pending, false AS retrying,
            true AS blocked
        INTO waited;
    END IF;
    IF NOT FOUND THEN
        DELETE FROM longshore.ready AS r
        WHERE r.job_type = was.job_type
          AND r.queue = was.queue
          AND r.rank = -GREATEST(was.priority, -2147483647)
          AND r.again IN (false, true)
          AND r.id = overdue
        RETURNING r.ready_at, r.has_story, true AS pending, false AS retrying, false AS blocked
        INTO waited;
        IF NOT FOUND THEN
            RETURN;
        END IF;
    END IF;
    -- The limit that passes first; if both pass at the same time, the expiry.
    status = CASE WHEN was.expires_at <= LEAST(was.deadline_at, now) THEN 2 ELSE 3 END;
    INSERT INTO longshore.ended (id, status, queue, ended_at, ready_at, has_story, reason)
    VALUES (
        overdue, status, was.queue, now, waited.ready_at, waited.has_story,
        CASE status
            WHEN 2 THEN format('expired: it expired: no attempt may begin after %s', longshore.instant_text(was.expires_at))
            ELSE format('expired: its deadline passed: no attempt may run after %s', longshore.instant_text(was.deadline_at))
        END
    );
    INSERT INTO longshore.change (
        queue, pending, retrying, blocked, cancelled, dead_letter, minute, minute_failed, minute_cancelled
    )
    VALUES (
        was.queue, -waited.pending::integer, -waited.retrying::integer, -waited.blocked::integer,
        (status = 2)::integer, (status = 3)::integer,
        date_trunc('minute', now), (status = 3)::integer, (status = 2)::integer
    );
    DELETE FROM longshore.unique_key AS u WHERE u.id = overdue;
    INSERT INTO longshore.blocked_unchecked (id)
    SELECT b.id FROM longshore.blocked AS b WHERE b.parent_job_id = overdue;
END
$$;

CREATE FUNCTION longshore.replace_content(holder bigint, body longshore.job, is_pushed_back boolean) RETURNS boolean
    LANGUAGE plpgsql
    AS $$
DECLARE
    now timestamptz = longshore.now();
    given_run_at timestamptz = CASE WHEN body.run_at > now THEN body.run_at END;
    was longshore.job;
    due_at timestamptz;
    ready_at timestamptz;
    is_retry boolean = false;
    has_story boolean;
BEGIN
    SELECT * INTO was FROM longshore.job AS j WHERE j.id = holder;
    UPDATE longshore.blocked AS b
    SET due_at = CASE WHEN is_pushed_back THEN given_run_at ELSE b.due_at END,
        ready_at = CASE WHEN is_pushed_back AND given_run_at IS NULL THEN now ELSE b.ready_at END
    WHERE b.id = holder;
    IF NOT FOUND THEN
        DELETE FROM longshore.later AS l
        WHERE l.id = holder
        RETURNING l.due_at, l.is_retry, l.has_story INTO due_at, is_retry, has_story;
        IF NOT FOUND THEN
            DELETE FROM longshore.ready AS r
            WHERE r.job_type = was.job_type
              AND r.queue = was.queue
              AND r.rank = -GREATEST(was.priority, -2147483647)
              AND r.again IN (false, true)
              AND r.id = holder
            RETURNING r.ready_at, r.has_story INTO ready_at, has_story;
            IF NOT FOUND THEN
                RETURN false;
            END IF;
            -- A statement without a row set it to NULL.
            is_retry = false;
        END IF;
        IF is_pushed_back THEN
            due_at = given_run_at;
            ready_at = now;
        END IF;
        -- Its id may be lower than those that were claimed already.
        IF due_at IS NULL THEN
            INSERT INTO longshore.ready (job_type, queue, rank, again, id, ready_at, has_story)
            VALUES (
                body.job_type, was.queue, -GREATEST(COALESCE(body.priority, 5), -2147483647), true, holder, ready_at,
                has_story
            );
            -- A retrying job without a time is a pending one.
            IF is_retry THEN
                INSERT INTO longshore.change (queue, retrying, pending) VALUES (was.queue, -1, 1);
            END IF;
        ELSE
            INSERT INTO longshore.later (id, job_type, queue, due_at, is_retry, has_story)
            VALUES (holder, body.job_type, was.queue, due_at, is_retry, has_story);
        END IF;
    END IF;
    UPDATE longshore.job AS j
    SET job_type = body.job_type,
        job_data = COALESCE(body.job_data, '{}'),
        priority = COALESCE(body.priority, 5),
        max_retries = body.max_retries,
        max_crashes = NULLIF(body.max_crashes, 3),
        max_deferrals = NULLIF(body.max_deferrals, 1000),
        timeout_ms = body.timeout_ms,
        metadata = body.metadata,
        expires_at = body.expires_at,
        deadline_at = body.deadline_at,
        run_at = CASE WHEN is_pushed_back THEN given_run_at ELSE j.run_at END
    WHERE j.id = holder;
    RETURN true;
END
$$;
CREATE FUNCTION longshore.replace_without_key(holder bigint, body longshore.job, is_pushed_back boolean) RETURNS boolean
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF NOT longshore.replace_content(holder, body, is_pushed_back) THEN
        RETURN false;
    END IF;
    DELETE FROM longshore.checkpoint AS c
    WHERE c.id = holder;
    RETURN true;
END
$$;
CREATE OR REPLACE FUNCTION longshore.replace_job(holder bigint, body longshore.job, is_pushed_back boolean) RETURNS boolean
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

CREATE OR REPLACE FUNCTION longshore.watch_job(job bigint) RETURNS boolean
    LANGUAGE plpgsql
    AS $$
DECLARE
    body longshore.job;
    was longshore.ready;
BEGIN
    FOR look IN 1..20 LOOP
        SELECT * INTO body FROM longshore.job AS j WHERE j.id = job;
        IF NOT FOUND THEN
            RETURN false;
        END IF;
        UPDATE longshore.running AS r SET has_story = true WHERE r.id = job;
        IF FOUND THEN
            RETURN true;
        END IF;
        UPDATE longshore.ended AS e SET has_story = true WHERE e.id = job;
        IF FOUND THEN
            RETURN true;
        END IF;
        UPDATE longshore.later AS l SET has_story = true WHERE l.id = job;
        IF FOUND THEN
            RETURN true;
        END IF;
        UPDATE longshore.blocked AS b SET has_story = true WHERE b.id = job;
        IF FOUND THEN
            RETURN true;
        END IF;
        DELETE FROM longshore.ready AS r
        WHERE r.job_type = body.job_type
          AND r.queue = body.queue
          AND r.rank = -GREATEST(body.priority, -2147483647)
          AND r.again IN (false, true)
          AND r.id = job
        RETURNING * INTO was;
        IF FOUND THEN
            -- A claim passes over a locked row, and looks again only at those that came back.
            INSERT INTO longshore.ready (job_type, queue, rank, again, id, ready_at, has_story)
            VALUES (was.job_type, was.queue, was.rank, true, was.id, was.ready_at, true);
            RETURN true;
        END IF;
        -- It moved between two of these statements.
    END LOOP;
    RAISE lock_not_available USING MESSAGE = format('job %s moves all the time; repeat the transaction', job);
END
$$;

CREATE OR REPLACE FUNCTION longshore.block_job(job bigint, unmet integer) RETURNS void
    LANGUAGE plpgsql
    AS $$
DECLARE
    body longshore.job;
    due_at timestamptz;
BEGIN
    SELECT * INTO STRICT body FROM longshore.job AS j WHERE j.id = job;
    DELETE FROM longshore.later AS l WHERE l.id = job RETURNING l.due_at INTO due_at;
    IF NOT FOUND THEN
        DELETE FROM longshore.ready AS r
        WHERE r.job_type = body.job_type
          AND r.queue = body.queue
          AND r.rank = -GREATEST(body.priority, -2147483647)
          AND r.again IN (false, true)
          AND r.id = job;
        IF NOT FOUND THEN
            RETURN;
        END IF;
    END IF;
    INSERT INTO longshore.blocked (id, queue, due_at, has_story, unmet)
    VALUES (job, body.queue, due_at, true, unmet);
    INSERT INTO longshore.change (queue, pending, blocked) VALUES (body.queue, -1, 1);
END
$$;
DROP FUNCTION longshore.take_ready;
DROP FUNCTION longshore.check_job;
