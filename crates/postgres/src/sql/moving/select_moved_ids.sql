-- The next jobs that move, with about how many bytes each has. A page looks at each job once, in the order of the ids.
SELECT j.id,
       (octet_length(j.job_data::text) + COALESCE(octet_length(j.metadata::text), 0))::bigint
       + COALESCE((SELECT octet_length(e.result::text) FROM longshore.ended AS e WHERE e.id = j.id LIMIT 1), 0)
       + COALESCE((SELECT sum(octet_length(l.text)) FROM longshore.log_chunk AS l WHERE l.id = j.id), 0)::bigint
FROM longshore.job AS j
WHERE j.id > $1
  AND ($2
      OR NOT EXISTS (SELECT FROM longshore.ended AS e WHERE e.id = j.id AND e.status IN (1, 2))
      OR EXISTS (SELECT FROM longshore.blocked AS b WHERE b.parent_job_id = j.id)
      -- A job that moves waits for it, or will read its result; or its batch has not heard of its end.
      OR EXISTS (
          SELECT
          FROM longshore.dependency AS d
          WHERE d.target_id = j.id
            AND d.kind = 'job'
            AND EXISTS (SELECT FROM longshore.job AS o WHERE o.id = d.id)
            AND NOT EXISTS (SELECT FROM longshore.ended AS e WHERE e.id = d.id AND e.status IN (1, 2))
      )
      OR EXISTS (
          SELECT
          FROM longshore.member AS m
          JOIN longshore.ended AS e ON e.id = m.id
          WHERE m.id = j.id
            AND m.batch_id IS NOT NULL
            AND m.counted IS DISTINCT FROM e.status
      ))
ORDER BY j.id
LIMIT $3
