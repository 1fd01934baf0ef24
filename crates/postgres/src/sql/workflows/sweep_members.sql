-- Of the next $2 members behind $1, a hint for each that its batch counts in another way than it is. A name without a batch
-- goes with its job. Gives the last id that was looked at, and how many there were.
WITH page AS MATERIALIZED (
    SELECT m.id, m.batch_id, m.counted
    FROM longshore.member AS m
    WHERE m.id > $1
    ORDER BY m.id
    LIMIT $2
),
looked AS MATERIALIZED (
    SELECT p.id, p.batch_id, p.counted, e.status, j.id IS NULL AS is_gone
    FROM page AS p
    LEFT JOIN LATERAL (SELECT j.id FROM longshore.job AS j WHERE j.id = p.id LIMIT 1) AS j ON true
    LEFT JOIN LATERAL (SELECT e.status FROM longshore.ended AS e WHERE e.id = p.id LIMIT 1) AS e ON true
),
hints AS (
    INSERT INTO longshore.unsettled (kind, target_id)
    SELECT 'job', l.id
    FROM looked AS l
    WHERE l.batch_id IS NOT NULL
      AND (l.is_gone OR l.counted IS DISTINCT FROM l.status)
),
gone AS (
    DELETE FROM longshore.member
    WHERE id = ANY (ARRAY(SELECT l.id FROM looked AS l WHERE l.is_gone AND l.batch_id IS NULL))
)
SELECT max(p.id), count(*)
FROM page AS p
