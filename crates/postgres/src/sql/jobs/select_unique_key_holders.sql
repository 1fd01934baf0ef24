-- The jobs that have not ended and have one of these unique keys: of each first the one that holds it, then those that
-- passed it on while they ran. A job that ends deletes its row in the same transaction, so in every snapshot a row here
-- belongs to a job that has not ended.
SELECT k.place,
       u.id,
       u.unique_key = k.unique_key AS holds_key,
       CASE
           WHEN r.id IS NOT NULL THEN 'running'
           WHEN b.id IS NOT NULL THEN 'blocked'
           WHEN l.is_retry THEN 'retrying'
           ELSE 'pending'
       END AS status,
       j.expires_at,
       j.deadline_at,
       longshore.now() AS now
FROM unnest($1::text[]) WITH ORDINALITY AS k (unique_key, place)
CROSS JOIN LATERAL (
    SELECT u.unique_key, u.id
    FROM longshore.unique_key AS u
    -- The range is that of the primary key.
    WHERE u.unique_key >= k.unique_key COLLATE "C"
      AND u.unique_key < (k.unique_key || ' ') COLLATE "C"
      AND (u.unique_key = k.unique_key OR u.unique_key > (k.unique_key || chr(31)) COLLATE "C")
    ORDER BY u.unique_key
    LIMIT 1000000
) AS u
CROSS JOIN LATERAL (
    SELECT expires_at, deadline_at
    FROM longshore.job
    WHERE id = u.id
    LIMIT 1
) AS j
LEFT JOIN LATERAL (SELECT id FROM longshore.running WHERE id = u.id LIMIT 1) AS r ON true
LEFT JOIN LATERAL (SELECT id FROM longshore.blocked WHERE id = u.id LIMIT 1) AS b ON true
LEFT JOIN LATERAL (SELECT is_retry FROM longshore.later WHERE id = u.id LIMIT 1) AS l ON true
ORDER BY k.place, u.unique_key
