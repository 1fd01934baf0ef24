-- Those of the batches $1 that can go: they ended before $2, and no job is left that belongs to them or waits for them.
SELECT b.id
FROM longshore.batch AS b
WHERE b.id = ANY ($1)
  AND b.ended_at < $2
  AND NOT EXISTS (SELECT FROM longshore.member AS m WHERE m.batch_id = b.id)
  AND NOT EXISTS (
      SELECT
      FROM longshore.dependency AS d
      WHERE d.target_id = b.id
        AND d.kind IN ('batch', 'signal')
        AND d.state = 'waiting'
  )
ORDER BY b.id
FOR UPDATE SKIP LOCKED
