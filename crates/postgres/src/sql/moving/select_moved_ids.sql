-- The next jobs that move, with about how many bytes each has. A page looks at each job once, in the order of the ids.
SELECT j.id,
       (octet_length(j.job_data::text) + COALESCE(octet_length(j.metadata::text), 0))::bigint
       + COALESCE((SELECT octet_length(e.result::text) FROM longshore.ended AS e WHERE e.id = j.id LIMIT 1), 0)
       + COALESCE((SELECT sum(octet_length(l.text)) FROM longshore.log_chunk AS l WHERE l.id = j.id), 0)::bigint
FROM longshore.job AS j
WHERE j.id > $1
  AND ($2
      OR NOT EXISTS (SELECT FROM longshore.ended AS e WHERE e.id = j.id AND e.status IN (1, 2))
      OR EXISTS (SELECT FROM longshore.blocked AS b WHERE b.parent_job_id = j.id))
ORDER BY j.id
LIMIT $3
