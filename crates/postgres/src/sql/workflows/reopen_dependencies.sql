-- The jobs $1 wait again for what they were given up for, and for what another job or a batch had done that may run again:
-- all but a needed completion, as `is_judged_again` says. For a signal as long as before; until $2 for what has ended,
-- because a person may retry that next; for what may happen by itself without a limit. Gives how many dependencies of each
-- job are open.
WITH again AS MATERIALIZED (
    SELECT d.id, d.position
    FROM longshore.dependency AS d
    WHERE d.id = ANY($1)
      AND (
          d.state = 'failed'
          OR d.kind <> 'signal' AND (d.state = 'passed' OR d.state = 'met' AND d.needs <> 'completed')
      )
),
reopened AS (
    UPDATE longshore.dependency AS d
    SET state = 'waiting',
        timeout_at = CASE
            WHEN d.kind = 'signal' THEN longshore.now() + d.timeout_ms * interval '1 millisecond'
            WHEN d.kind = 'job' AND EXISTS (SELECT FROM longshore.job AS j WHERE j.id = d.target_id)
                AND NOT EXISTS (SELECT FROM longshore.ended AS e WHERE e.id = d.target_id) THEN NULL
            WHEN d.kind = 'batch'
                AND EXISTS (SELECT FROM longshore.batch AS b WHERE b.id = d.target_id AND b.ended_at IS NULL) THEN NULL
            ELSE $2::timestamptz
        END
    FROM again AS a
    WHERE d.id = a.id
      AND d.position = a.position
)
SELECT o.id, count(*)::integer
FROM (
    SELECT a.id
    FROM again AS a
    UNION ALL
    SELECT d.id
    FROM longshore.dependency AS d
    WHERE d.id = ANY($1)
      AND d.state = 'waiting'
) AS o
GROUP BY o.id
