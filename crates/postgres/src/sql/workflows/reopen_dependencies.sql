-- The jobs $1 wait again for what they were given up for: for a signal as long as before; until $2 for what has failed still,
-- because a person may retry that next; for what may happen by itself without a limit. Gives how many dependencies of each
-- job are open.
WITH reopened AS (
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
    WHERE d.id = ANY($1)
      AND d.state = 'failed'
)
SELECT id, count(*)::integer
FROM longshore.dependency
WHERE id = ANY($1)
  AND state IN ('waiting', 'failed')
GROUP BY id
