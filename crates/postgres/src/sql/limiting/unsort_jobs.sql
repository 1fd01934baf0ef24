-- Takes the jobs of a type ($1) out of lanes that an earlier rule has made, at most $2. They are ready without them, too.
WITH stale AS MATERIALIZED (
    SELECT l.lane
    FROM longshore.lane AS l
    WHERE l.job_type = $1
      AND l.is_stale
      AND l.is_waiting
    ORDER BY l.lane
    LIMIT 100
    FOR UPDATE SKIP LOCKED
),
due AS MATERIALIZED (
    SELECT x.place
    FROM stale AS s
    CROSS JOIN LATERAL (
        SELECT r.ctid AS place
        FROM longshore.laned AS r
        WHERE r.lane = s.lane
        ORDER BY r.rank, r.id
        LIMIT $2
        FOR UPDATE SKIP LOCKED
    ) AS x
    LIMIT $2
),
gone AS (
    DELETE FROM longshore.laned
    WHERE ctid = ANY (ARRAY(SELECT d.place FROM due AS d))
    RETURNING job_type, queue, rank, id, ready_at, has_story
),
-- Their ids may be lower than those that were claimed already.
put AS (
    INSERT INTO longshore.ready (job_type, queue, rank, again, id, ready_at, has_story)
    SELECT g.job_type, g.queue, g.rank, true, g.id, g.ready_at, g.has_story
    FROM gone AS g
)
SELECT count(*) AS moved
FROM gone
