-- Compares what the batches have counted of the members $1 with how they are now, and gives the batches whose counts have
-- changed. A member that was deleted before it had ended counts as cancelled; then nothing else is kept of it.
WITH looked AS MATERIALIZED (
    SELECT m.id, m.batch_id, m.role, m.counted, j.id IS NULL AS is_gone,
           CASE WHEN j.id IS NULL THEN COALESCE(m.counted, 2) ELSE e.status END AS status
    FROM unnest($1::bigint[]) AS u (id)
    CROSS JOIN LATERAL (
        SELECT m.id, m.batch_id, m.role, m.counted
        FROM longshore.member AS m
        WHERE m.id = u.id
        LIMIT 1
    ) AS m
    LEFT JOIN LATERAL (SELECT j.id FROM longshore.job AS j WHERE j.id = m.id LIMIT 1) AS j ON true
    LEFT JOIN LATERAL (SELECT e.status FROM longshore.ended AS e WHERE e.id = m.id LIMIT 1) AS e ON true
),
gone AS (
    DELETE FROM longshore.member
    WHERE id = ANY (ARRAY(SELECT l.id FROM looked AS l WHERE l.is_gone))
),
noted AS (
    UPDATE longshore.member AS m
    SET counted = l.status
    FROM looked AS l
    WHERE m.id = l.id
      AND NOT l.is_gone
      AND l.counted IS DISTINCT FROM l.status
),
delta AS MATERIALIZED (
    SELECT l.batch_id,
           count(*) FILTER (WHERE l.status = 1) - count(*) FILTER (WHERE l.counted = 1) AS completed,
           count(*) FILTER (WHERE l.status = 2) - count(*) FILTER (WHERE l.counted = 2) AS cancelled,
           count(*) FILTER (WHERE l.status = 3) - count(*) FILTER (WHERE l.counted = 3) AS dead_letter
    FROM looked AS l
    WHERE l.role = 'member'
      AND l.counted IS DISTINCT FROM l.status
    GROUP BY l.batch_id
)
UPDATE longshore.batch AS b
SET completed = b.completed + d.completed,
    cancelled = b.cancelled + d.cancelled,
    dead_letter = b.dead_letter + d.dead_letter
FROM delta AS d
WHERE b.id = d.batch_id
RETURNING b.id
