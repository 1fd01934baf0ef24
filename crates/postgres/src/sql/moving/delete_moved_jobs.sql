-- Whatever their state is, with all that belongs to them; counted by queue and status.
WITH bodies AS (
    DELETE FROM longshore.job
    WHERE id = ANY($1)
    RETURNING id, job_type, queue, priority
), are_ready AS (
    DELETE FROM longshore.ready AS r
    -- Its whole key, by a subquery that stays one: otherwise both values of `again` may be a filter on the whole lane.
    USING (SELECT * FROM bodies CROSS JOIN (VALUES (false), (true)) AS turn (again) OFFSET 0) AS b
    WHERE r.job_type = b.job_type
      AND r.queue = b.queue
      AND r.rank = -GREATEST(b.priority, -2147483647)
      AND r.again = b.again
      AND r.id = b.id
    RETURNING r.queue, 'pending' AS status
), are_later AS (
    DELETE FROM longshore.later
    WHERE id = ANY($1)
    RETURNING queue, CASE WHEN is_retry THEN 'retrying' ELSE 'pending' END AS status
), are_blocked AS (
    DELETE FROM longshore.blocked
    WHERE id = ANY($1)
    RETURNING queue, 'blocked' AS status
), have_ended AS (
    DELETE FROM longshore.ended
    WHERE id = ANY($1)
    RETURNING queue, CASE status WHEN 1 THEN 'completed' WHEN 2 THEN 'cancelled' ELSE 'dead_letter' END AS status
), checkpoints AS (
    DELETE FROM longshore.checkpoint
    WHERE id = ANY($1)
), stories AS (
    DELETE FROM longshore.story
    WHERE id = ANY($1)
), keys AS (
    DELETE FROM longshore.unique_key
    WHERE id = ANY($1)
), attempts AS (
    DELETE FROM longshore.attempt
    WHERE id = ANY($1)
), chunks AS (
    DELETE FROM longshore.log_chunk
    WHERE id = ANY($1)
), members AS (
    DELETE FROM longshore.member
    WHERE id = ANY($1)
), dependencies AS (
    DELETE FROM longshore.dependency
    WHERE id = ANY($1)
), unchecked AS (
    DELETE FROM longshore.blocked_unchecked
    WHERE id = ANY($1)
)
SELECT status, queue, count(*)
FROM (
    SELECT queue, status FROM are_ready
    UNION ALL
    SELECT queue, status FROM are_later
    UNION ALL
    SELECT queue, status FROM are_blocked
    UNION ALL
    SELECT queue, status FROM have_ended
) AS gone
GROUP BY queue, status
