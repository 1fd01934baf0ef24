-- Attempts that did not simply succeed. $1 worker; then for each attempt: $2 job, $3 claim, $4 number of the attempt,
-- $5 how many milliseconds ago it ended and $6 began (NULL: it never did), $7 where the job goes (1 ready,
-- 2 later, 3 ended), $8 after how many milliseconds later, $9 whether that is a retry, $10 the status of its end,
-- $11 the reason of its end; $12 to $15 what it spends: retries, crashes, deferrals, and if all crashes are spent how
-- many these were; $16 whether its lease lapsed, $17 the word for its history, $18 to $20 its failure and $21 whether
-- the job keeps it; $22 the jobs that may have a unique key, $23 the claims of which nothing is left.
WITH clock AS MATERIALIZED (
    SELECT longshore.now() AS now
),
worker AS MATERIALIZED (
    SELECT n.worker
    FROM longshore.worker_name n
    WHERE n.worker_id = $1
),
-- LIMIT 1 keeps the planner from joining in any way but by the id. A row that somebody else changes at this moment is
-- locked as it is then.
gone AS MATERIALIZED (
    SELECT r.place, r.id, r.claim_number, r.worker, r.job_type, r.queue, r.ready_at, r.started_at, r.cancel_requested_at,
           e.attempt, e.ended_ago_ms, e.begun_ago_ms, e.goes_to, e.delay_ms, e.is_retry, e.status, e.reason, e.retries,
           e.crashes, e.deferrals, e.crashes_spent, e.has_lapsed, e.outcome, e.failure_type, e.message, e.traceback,
           e.keeps_failure
    FROM unnest(
        $2::bigint[], $3::bigint[], $4::integer[], $5::bigint[], $6::bigint[], $7::smallint[], $8::bigint[],
        $9::boolean[], $10::smallint[], $11::text[], $12::integer[], $13::integer[], $14::integer[], $15::integer[],
        $16::boolean[], $17::text[], $18::text[], $19::text[], $20::text[], $21::boolean[]
    ) e (
        id, claim_number, attempt, ended_ago_ms, begun_ago_ms, goes_to, delay_ms, is_retry, status, reason, retries, crashes,
        deferrals, crashes_spent, has_lapsed, outcome, failure_type, message, traceback, keeps_failure
    )
    CROSS JOIN LATERAL (
        SELECT r.ctid AS place, r.id, r.claim_number, r.worker, r.job_type, r.queue, r.ready_at, r.started_at,
               r.cancel_requested_at
        FROM longshore.running r
        WHERE r.id = e.id
          AND r.claim_number = e.claim_number
          AND r.worker = (SELECT worker.worker FROM worker)
        LIMIT 1
        FOR UPDATE
    ) r
),
removed AS (
    DELETE FROM longshore.running
    WHERE ctid = ANY (ARRAY(SELECT g.place FROM gone g))
),
-- A job whose end was asked for does not run again.
timed AS MATERIALIZED (
    SELECT g.*,
           CASE WHEN g.cancel_requested_at IS NULL THEN g.goes_to ELSE 3 END AS goes,
           CASE WHEN g.goes_to = 3 THEN g.status ELSE 2 END AS ends_as,
           GREATEST(c.now - g.ended_ago_ms * interval '1 millisecond', 'epoch') AS ended_at,
           -- GREATEST passes over a NULL.
           CASE
               WHEN g.begun_ago_ms IS NOT NULL
                   THEN GREATEST(c.now - g.begun_ago_ms * interval '1 millisecond', 'epoch')
           END AS begun_at
    FROM gone g
    CROSS JOIN clock c
),
readied AS (
    INSERT INTO longshore.ready (job_type, queue, rank, again, id, ready_at, has_story)
    SELECT t.job_type, t.queue, longshore.rank_of(t.id), true, t.id, t.ended_at, true
    FROM timed t
    WHERE t.goes = 1
),
delayed AS (
    INSERT INTO longshore.later (id, job_type, queue, due_at, is_retry, has_story)
    SELECT t.id, t.job_type, t.queue,
           LEAST(t.ended_at + t.delay_ms * interval '1 millisecond', '9999-12-30 22:00:00+00'), t.is_retry, true
    FROM timed t
    WHERE t.goes = 2
),
kept AS (
    INSERT INTO longshore.ended (
        id, status, queue, ended_at, ready_at, started_at, claim_number, worker, has_story, cancel_requested_at, reason
    )
    SELECT t.id, t.ends_as, t.queue, t.ended_at,
           -- A job that does not run again because its end was asked for could have been claimed from then on.
           CASE t.goes_to
               WHEN 1 THEN t.ended_at
               WHEN 2 THEN LEAST(t.ended_at + t.delay_ms * interval '1 millisecond', '9999-12-30 22:00:00+00')
               ELSE t.ready_at
           END,
           COALESCE(t.begun_at, t.started_at), t.claim_number, t.worker, true, t.cancel_requested_at, t.reason
    FROM timed t
    WHERE t.goes = 3
),
-- Whoever looked for overdue jobs while it ran has removed its limit.
limited AS (
    INSERT INTO longshore.time_limit (overdue_at, id)
    SELECT j.overdue_at, t.id
    FROM timed t
    CROSS JOIN LATERAL (
        SELECT LEAST(j.expires_at, j.deadline_at) AS overdue_at
        FROM longshore.job j
        WHERE j.id = t.id
        LIMIT 1
    ) j
    WHERE t.goes <> 3
      AND j.overdue_at IS NOT NULL
    ON CONFLICT DO NOTHING
),
told AS (
    INSERT INTO longshore.story AS s (
        id, retry_count, crash_count, deferral_count, claim_number, worker, started_at, failure_type, error_message,
        last_error_traceback, lapsed_worker
    )
    SELECT t.id, t.retries, COALESCE(t.crashes_spent, t.crashes), t.deferrals, t.claim_number, t.worker,
           COALESCE(t.begun_at, t.started_at), CASE WHEN t.keeps_failure THEN t.failure_type END,
           CASE WHEN t.keeps_failure THEN t.message END, CASE WHEN t.keeps_failure THEN t.traceback END,
           CASE WHEN t.has_lapsed THEN t.worker END
    FROM timed t
    ON CONFLICT (id) DO UPDATE
    SET retry_count = s.retry_count + excluded.retry_count,
        -- Of the crashes that are all spent the number is known.
        crash_count = CASE
            WHEN excluded.failure_type IS NOT NULL AND EXISTS (
                SELECT 1 FROM timed t WHERE t.id = excluded.id AND t.crashes_spent IS NOT NULL
            ) THEN excluded.crash_count
            ELSE s.crash_count + excluded.crash_count
        END,
        deferral_count = s.deferral_count + excluded.deferral_count,
        claim_number = excluded.claim_number,
        worker = excluded.worker,
        started_at = excluded.started_at,
        failure_type = COALESCE(excluded.failure_type, s.failure_type),
        error_message = CASE WHEN excluded.failure_type IS NULL THEN s.error_message ELSE excluded.error_message END,
        last_error_traceback = CASE
            WHEN excluded.failure_type IS NULL THEN s.last_error_traceback
            ELSE excluded.last_error_traceback
        END,
        -- What an earlier attempt reported does not become that of this one.
        progress = CASE WHEN s.claim_number = excluded.claim_number THEN s.progress END,
        progress_message = CASE WHEN s.claim_number = excluded.claim_number THEN s.progress_message END,
        lapsed_worker = excluded.lapsed_worker
),
remembered AS (
    INSERT INTO longshore.attempt (
        id, claim_number, attempt, worker, started_at, finished_at, outcome, failure_type, error_message, traceback
    )
    SELECT t.id, t.claim_number, t.attempt, t.worker, t.begun_at, t.ended_at, t.outcome, t.failure_type, t.message,
           t.traceback
    FROM timed t
    -- Another program may have set the numbers back.
    ON CONFLICT (id, claim_number) DO UPDATE
    SET attempt = excluded.attempt,
        worker = excluded.worker,
        started_at = excluded.started_at,
        finished_at = excluded.finished_at,
        outcome = excluded.outcome,
        failure_type = excluded.failure_type,
        error_message = excluded.error_message,
        traceback = excluded.traceback
),
counted AS (
    INSERT INTO longshore.change (
        queue, running, pending, retrying, cancelled, dead_letter, minute, minute_failed, minute_retried,
        minute_cancelled, waited_ms, ran_ms
    )
    SELECT t.queue, -count(*),
           count(*) FILTER (WHERE t.goes = 1 OR t.goes = 2 AND NOT t.is_retry),
           count(*) FILTER (WHERE t.goes = 2 AND t.is_retry),
           count(*) FILTER (WHERE t.goes = 3 AND t.ends_as = 2),
           count(*) FILTER (WHERE t.goes = 3 AND t.ends_as = 3),
           date_trunc('minute', t.ended_at),
           count(*) FILTER (WHERE t.goes_to = 3 AND t.status = 3),
           count(*) FILTER (WHERE t.is_retry),
           count(*) FILTER (WHERE t.goes_to = 3 AND t.status = 2),
           sum(GREATEST(date_part('epoch', t.begun_at - t.ready_at) * 1000, 0)) FILTER (WHERE t.begun_at IS NOT NULL),
           sum(GREATEST(date_part('epoch', t.ended_at - t.begun_at) * 1000, 0)) FILTER (WHERE t.begun_at IS NOT NULL)
    FROM timed t
    GROUP BY t.queue, date_trunc('minute', t.ended_at)
),
unkeyed AS (
    DELETE FROM longshore.unique_key
    WHERE id = ANY ($22::bigint[])
      AND id IN (SELECT t.id FROM timed t WHERE t.goes = 3)
),
used_up AS (
    DELETE FROM longshore.claim c
    WHERE c.claim_number = ANY ($23::bigint[])
      AND c.worker = (SELECT worker.worker FROM worker)
)
SELECT t.id, t.claim_number, t.job_type, t.queue, t.goes::smallint, t.ends_as::smallint, t.ended_at
FROM timed t
