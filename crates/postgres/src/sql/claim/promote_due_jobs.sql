-- Jobs whose instant has come become ready, a bounded number of them. What another claim promotes at this moment is
-- left to it. Rank must be the same everywhere; the lowest priority has no negation.
WITH clock AS MATERIALIZED (
    SELECT longshore.now() AS now
),
due AS MATERIALIZED (
    SELECT l.ctid AS place, l.id
    FROM longshore.later l
    WHERE l.due_at <= (SELECT clock.now FROM clock)
    ORDER BY l.due_at, l.id
    LIMIT $1
    FOR UPDATE SKIP LOCKED
),
gone AS (
    DELETE FROM longshore.later
    WHERE ctid = ANY (ARRAY(SELECT due.place FROM due))
    RETURNING id, job_type, queue, due_at, is_retry, has_story
),
promoted AS (
    INSERT INTO longshore.ready (job_type, queue, rank, again, id, ready_at, has_story)
    SELECT g.job_type, g.queue, -GREATEST(j.priority, -2147483647), true, g.id, g.due_at, g.has_story
    FROM gone g
    CROSS JOIN LATERAL (
        SELECT j.priority
        FROM longshore.job j
        WHERE j.id = g.id
        LIMIT 1
    ) j
),
counted AS (
    INSERT INTO longshore.change (queue, retrying, pending)
    SELECT g.queue, -count(*), count(*)
    FROM gone g
    WHERE g.is_retry
    GROUP BY g.queue
)
SELECT g.job_type, g.queue, count(*) AS jobs
FROM gone g
GROUP BY g.job_type, g.queue
