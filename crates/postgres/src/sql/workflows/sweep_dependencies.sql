-- Of the next $3 dependencies behind the one of the job $1 at $2, a hint for each job that waits for one that has ended or
-- is gone. Those of a job that is gone go with it. Gives the last one that was looked at, and how many there were.
WITH page AS MATERIALIZED (
    SELECT d.id, d.position, d.kind, d.target_id, d.state
    FROM longshore.dependency AS d
    WHERE (d.id, d.position) > ($1, $2)
    ORDER BY d.id, d.position
    LIMIT $3
),
gone AS (
    DELETE FROM longshore.dependency
    WHERE id = ANY (
        ARRAY(
            SELECT DISTINCT p.id
            FROM page AS p
            WHERE NOT EXISTS (SELECT FROM longshore.job AS j WHERE j.id = p.id)
        )
    )
),
hints AS (
    INSERT INTO longshore.unsettled (kind, target_id)
    SELECT DISTINCT 'waits', p.id
    FROM page AS p
    WHERE p.state = 'waiting'
      AND p.kind = 'job'
      AND EXISTS (SELECT FROM longshore.blocked AS b WHERE b.id = p.id)
      AND (
          EXISTS (SELECT FROM longshore.ended AS e WHERE e.id = p.target_id)
          OR NOT EXISTS (SELECT FROM longshore.job AS j WHERE j.id = p.target_id)
      )
)
SELECT p.id, p.position, (SELECT count(*) FROM page)
FROM page AS p
ORDER BY p.id DESC, p.position DESC
LIMIT 1
