-- What the key $2 of a type ($1) holds. Its jobs in lanes are counted up to $3.
SELECT k.limit_key, k.arrival, k.closed_until,
       (SELECT count(*) FROM longshore.running AS r WHERE r.key_id = k.key_id AND r.claim_number >= k.counted_from)
           AS running,
       (
           SELECT count(*)
           FROM (
               SELECT
               FROM longshore.lane AS l
               CROSS JOIN LATERAL (
                   SELECT
                   FROM longshore.laned AS r
                   WHERE r.lane = l.lane
                   ORDER BY r.rank, r.id
                   LIMIT $3
               ) AS r
               WHERE l.key_id = k.key_id
               ORDER BY l.key_id, l.queue
               LIMIT $3
           ) AS r
       ) AS waiting
FROM longshore.limit_key AS k
WHERE k.job_type = $1
  AND k.limit_key = $2
