-- Ready jobs that a claim has found to be overdue end as $6, because of $7.
WITH clock AS MATERIALIZED (
    SELECT longshore.now() AS now
),
overdue AS MATERIALIZED (
    SELECT r.ctid AS place, r.is_laned, o.id, o.status, o.reason
    FROM unnest($1::text[], $2::text[], $3::integer[], $4::boolean[], $5::bigint[], $6::smallint[], $7::text[])
        o (job_type, queue, rank, again, id, status, reason)
    CROSS JOIN LATERAL (
        SELECT r.ctid, r.tableoid = 'longshore.laned'::regclass AS is_laned
        FROM longshore.ready r
        WHERE r.job_type = o.job_type
          AND r.queue = o.queue
          AND r.rank = o.rank
          AND r.again = o.again
          AND r.id = o.id
        LIMIT 1
        FOR UPDATE SKIP LOCKED
    ) r
),
gone_ready AS (
    DELETE FROM ONLY longshore.ready
    WHERE ctid = ANY (ARRAY(SELECT overdue.place FROM overdue WHERE NOT overdue.is_laned))
    RETURNING id, queue, ready_at, has_story
),
gone_laned AS (
    DELETE FROM longshore.laned
    WHERE ctid = ANY (ARRAY(SELECT overdue.place FROM overdue WHERE overdue.is_laned))
    RETURNING id, queue, ready_at, has_story
),
gone AS (
    SELECT g.* FROM gone_ready g
    UNION ALL
    SELECT g.* FROM gone_laned g
),
kept AS (
    INSERT INTO longshore.ended (id, status, queue, ended_at, ready_at, has_story, reason)
    SELECT g.id, o.status, g.queue, c.now, g.ready_at, g.has_story, o.reason
    FROM gone g
    JOIN overdue o ON o.id = g.id
    CROSS JOIN clock c
),
counted AS (
    INSERT INTO longshore.change (queue, pending, cancelled, dead_letter, minute, minute_failed, minute_cancelled)
    SELECT g.queue, -count(*), count(*) FILTER (WHERE o.status = 2), count(*) FILTER (WHERE o.status = 3),
           date_trunc('minute', c.now), count(*) FILTER (WHERE o.status = 3), count(*) FILTER (WHERE o.status = 2)
    FROM gone g
    JOIN overdue o ON o.id = g.id
    CROSS JOIN clock c
    GROUP BY g.queue, c.now
),
unkeyed AS (
    DELETE FROM longshore.unique_key
    WHERE id = ANY ($5::bigint[])
      AND id IN (SELECT g.id FROM gone g)
)
SELECT g.id, c.now
FROM gone g
CROSS JOIN clock c
