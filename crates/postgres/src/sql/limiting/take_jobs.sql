-- Takes jobs that a claim has chosen under limits: $1 worker, $2 request; for each job its place: $3 type, $4 queue,
-- $5 rank, $6 again, $7 id, $8 whether it stands in a lane; $9 its key, $10 whether a queue or a type counts it. What
-- others have taken meanwhile is left out. In the columns of a claim's own rows.
WITH clock AS MATERIALIZED (
    SELECT longshore.now() AS now
),
-- Until the commit nobody can delete the registration, so whoever takes the jobs of a dead worker finds these, too.
claimer AS MATERIALIZED (
    SELECT w.worker
    FROM longshore.worker AS w
    WHERE w.worker = (SELECT n.worker FROM longshore.worker_name AS n WHERE n.worker_id = $1)
    FOR KEY SHARE
),
wanted AS MATERIALIZED (
    SELECT t.*
    FROM claimer
    CROSS JOIN unnest(
        $3::text[], $4::text[], $5::integer[], $6::boolean[], $7::bigint[], $8::boolean[], $9::bigint[], $10::boolean[]
    ) AS t (job_type, queue, rank, again, id, is_laned, key_id, is_counted)
),
locked AS MATERIALIZED (
    SELECT w.*, x.place, x.ready_at, x.has_story
    FROM wanted AS w
    CROSS JOIN LATERAL (
        SELECT r.ctid AS place, r.ready_at, r.has_story
        FROM ONLY longshore.ready AS r
        WHERE NOT w.is_laned
          AND r.job_type = w.job_type
          AND r.queue = w.queue
          AND r.rank = w.rank
          AND r.again = w.again
          AND r.id = w.id
        LIMIT 1
        FOR UPDATE SKIP LOCKED
    ) AS x
    UNION ALL
    SELECT w.*, x.place, x.ready_at, x.has_story
    FROM wanted AS w
    CROSS JOIN LATERAL (
        SELECT r.ctid AS place, r.ready_at, r.has_story
        FROM longshore.laned AS r
        WHERE w.is_laned
          AND r.job_type = w.job_type
          AND r.queue = w.queue
          AND r.rank = w.rank
          AND r.again = w.again
          AND r.id = w.id
        LIMIT 1
        FOR UPDATE SKIP LOCKED
    ) AS x
),
found AS MATERIALIZED (
    SELECT l.place, COALESCE(LEAST(j.expires_at, j.deadline_at) <= (SELECT clock.now FROM clock), false) AS is_overdue,
           l.id, l.ready_at, l.rank, l.again, l.has_story, l.job_type, l.queue, l.is_laned, l.key_id, l.is_counted,
           s.lapsed_worker, s.retry_count, s.crash_count, s.deferral_count, j.priority, j.job_data, j.max_retries,
           j.max_crashes, j.max_deferrals, j.timeout_ms, j.expires_at, j.deadline_at, j.metadata, j.ties
    FROM locked AS l
    CROSS JOIN LATERAL (
        SELECT j.priority, j.job_data, j.max_retries, j.max_crashes, j.max_deferrals, j.timeout_ms, j.expires_at,
               j.deadline_at, j.metadata,
               -- What it has beside itself in one column: 1 a unique key, 2 a parent.
               (j.unique_key IS NOT NULL)::integer + 2 * (j.parent_job_id IS NOT NULL)::integer AS ties
        FROM longshore.job AS j
        WHERE j.id = l.id
        LIMIT 1
    ) AS j
    LEFT JOIN LATERAL (
        SELECT s.retry_count, s.crash_count, s.deferral_count, s.lapsed_worker
        FROM longshore.story AS s
        WHERE l.has_story
          AND s.id = l.id
        LIMIT 1
    ) AS s ON true
),
number AS MATERIALIZED (
    SELECT nextval('longshore.claim_number') AS claim_number
    WHERE EXISTS (SELECT FROM found WHERE NOT found.is_overdue)
),
taken AS (
    DELETE FROM ONLY longshore.ready
    WHERE ctid = ANY (ARRAY(SELECT f.place FROM found AS f WHERE NOT f.is_overdue AND NOT f.is_laned))
),
taken_from_lanes AS (
    DELETE FROM longshore.laned
    WHERE ctid = ANY (ARRAY(SELECT f.place FROM found AS f WHERE NOT f.is_overdue AND f.is_laned))
),
run AS (
    INSERT INTO longshore.running (
        id, claim_number, worker, job_type, queue, started_at, ready_at, has_story, is_counted, key_id
    )
    SELECT f.id, (SELECT n.claim_number FROM number AS n), (SELECT c.worker FROM claimer AS c), f.job_type, f.queue,
           (SELECT clock.now FROM clock), f.ready_at, f.has_story, NULLIF(f.is_counted, false), f.key_id
    FROM found AS f
    WHERE NOT f.is_overdue
),
noted AS (
    INSERT INTO longshore.claim (claim_number, worker, request_id, ids)
    SELECT n.claim_number, c.worker, $2, ARRAY(SELECT f.id FROM found AS f WHERE NOT f.is_overdue)
    FROM number AS n
    CROSS JOIN claimer AS c
),
counted AS (
    INSERT INTO longshore.change (queue, pending, running)
    SELECT f.queue, -count(*), count(*)
    FROM found AS f
    WHERE NOT f.is_overdue
    GROUP BY f.queue
),
-- Another worker than the one that lost the job spends a crash.
told AS (
    UPDATE longshore.story AS s
    SET crash_count = s.crash_count + (s.lapsed_worker <> c.worker)::integer,
        lapsed_worker = NULL
    FROM claimer AS c
    WHERE s.id = ANY (ARRAY(SELECT f.id FROM found AS f WHERE f.lapsed_worker IS NOT NULL AND NOT f.is_overdue))
      AND s.lapsed_worker IS NOT NULL
)
SELECT clock.now, c.worker, n.claim_number, NULL::timestamptz AS due_at,
       (SELECT count(*) FROM locked) < cardinality($7::bigint[]) AS is_short,
       0::bigint AS xmin, 0::bigint AS xmax, NULL::bigint AS limit_version,
       NULL::bigint AS id, NULL::text AS job_type, NULL::text AS queue, NULL::integer AS priority, NULL::json AS job_data,
       NULL::integer AS max_retries, NULL::integer AS max_crashes, NULL::integer AS max_deferrals,
       NULL::bigint AS timeout_ms, NULL::timestamptz AS expires_at, NULL::timestamptz AS deadline_at,
       NULL::json AS metadata, NULL::timestamptz AS ready_at, NULL::integer AS ties, NULL::integer AS retry_count,
       NULL::integer AS crash_count, NULL::integer AS deferral_count, NULL::integer AS lapsed_worker,
       NULL::integer AS rank, NULL::boolean AS again, NULL::boolean AS is_held
FROM clock
LEFT JOIN claimer AS c ON true
LEFT JOIN number AS n ON true
UNION ALL
SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
       f.id, f.job_type, f.queue, f.priority, f.job_data, f.max_retries, f.max_crashes, f.max_deferrals, f.timeout_ms,
       f.expires_at, f.deadline_at, f.metadata, f.ready_at, f.ties,
       -- A member of a batch has a story to look for, even if there is no row of it.
       COALESCE(f.retry_count, CASE WHEN f.has_story THEN 0 END), f.crash_count, f.deferral_count, f.lapsed_worker,
       f.rank, f.again, false
FROM found AS f
