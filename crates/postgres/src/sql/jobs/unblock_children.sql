-- The jobs that waited for these ones, which have completed. It must be a statement after the one that ended them, whose
-- snapshot does not have the children that were committed while it waited for a lock.
WITH span AS MATERIALIZED (
    SELECT min(p.id) AS first, max(p.id) AS last
    FROM unnest($1::bigint[]) p (id)
),
-- Most jobs have no children: one look for all of them together.
parent AS MATERIALIZED (
    SELECT p.id
    FROM unnest($1::bigint[]) p (id)
    WHERE EXISTS (
        SELECT 1
        FROM longshore.blocked b
        WHERE b.parent_job_id >= (SELECT span.first FROM span)
          AND b.parent_job_id <= (SELECT span.last FROM span)
    )
),
child AS MATERIALIZED (
    SELECT b.ctid AS place, e.ended_at
    FROM parent p
    CROSS JOIN LATERAL (
        SELECT b.ctid, b.parent_job_id
        FROM longshore.blocked b
        WHERE b.parent_job_id = p.id
        ORDER BY b.id
        FOR UPDATE
    ) b
    CROSS JOIN LATERAL (
        SELECT e.ended_at
        FROM longshore.ended e
        WHERE e.id = p.id
          AND e.status = 1
        LIMIT 1
    ) e
),
gone AS (
    DELETE FROM longshore.blocked
    WHERE ctid = ANY (ARRAY(SELECT child.place FROM child))
    RETURNING id, parent_job_id, queue, due_at, has_story
),
free AS MATERIALIZED (
    SELECT g.id, g.queue, g.due_at, g.has_story, e.ended_at, j.job_type, j.priority,
           COALESCE(g.due_at > e.ended_at, false) AS is_later
    FROM gone g
    CROSS JOIN LATERAL (
        SELECT e.ended_at
        FROM longshore.ended e
        WHERE e.id = g.parent_job_id
        LIMIT 1
    ) e
    CROSS JOIN LATERAL (
        SELECT j.job_type, j.priority
        FROM longshore.job j
        WHERE j.id = g.id
        LIMIT 1
    ) j
),
readied AS (
    INSERT INTO longshore.ready (job_type, queue, rank, again, id, ready_at, has_story)
    SELECT f.job_type, f.queue, -GREATEST(f.priority, -2147483647), true, f.id, f.ended_at, f.has_story
    FROM free f
    WHERE NOT f.is_later
),
delayed AS (
    INSERT INTO longshore.later (id, job_type, queue, due_at, is_retry, has_story)
    SELECT f.id, f.job_type, f.queue, f.due_at, false, f.has_story
    FROM free f
    WHERE f.is_later
),
counted AS (
    INSERT INTO longshore.change (queue, blocked, pending)
    SELECT f.queue, -count(*), count(*)
    FROM free f
    GROUP BY f.queue
)
SELECT f.job_type, f.queue
FROM free f
GROUP BY f.job_type, f.queue
