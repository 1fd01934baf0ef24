-- Ready jobs that came back with the priority that they had when their attempt ended, though it was changed meanwhile.
WITH stale AS (
    DELETE FROM longshore.ready AS r
    USING unnest($1::bigint[], $2::text[], $3::text[], $4::integer[]) AS old (id, job_type, queue, priority)
    WHERE r.job_type = old.job_type
      AND r.queue = old.queue
      AND r.rank = -GREATEST(old.priority, -2147483647)
      AND r.rank <> -GREATEST($5, -2147483647)
      AND r.again IN (false, true)
      AND r.id = old.id
    RETURNING r.id, r.job_type, r.queue, r.ready_at, r.has_story
)
INSERT INTO longshore.ready (job_type, queue, rank, again, id, ready_at, has_story)
SELECT s.job_type, s.queue, -GREATEST(j.priority, -2147483647), true, s.id, s.ready_at, s.has_story
FROM stale AS s
CROSS JOIN LATERAL (
    SELECT priority
    FROM longshore.job
    WHERE id = s.id
    LIMIT 1
) AS j
