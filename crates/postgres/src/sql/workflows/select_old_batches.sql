-- The next $2 batches behind $1, whether each ended before $3 (NULL if it has not), and whether no job is left that belongs
-- to it or waits for it.
SELECT b.id, b.ended_at < $3,
       NOT EXISTS (SELECT FROM longshore.member AS m WHERE m.batch_id = b.id)
       AND NOT EXISTS (
           SELECT
           FROM longshore.dependency AS d
           WHERE d.target_id = b.id
             AND d.kind IN ('batch', 'signal')
             AND d.state = 'waiting'
       )
FROM longshore.batch AS b
WHERE b.id > $1
ORDER BY b.id
LIMIT $2
