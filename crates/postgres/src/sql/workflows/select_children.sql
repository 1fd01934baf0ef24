-- The children of job $1 behind job $2. The index by parent does not know their ids, so not all of very many are sorted.
-- MATERIALIZED, because with ORDER BY and LIMIT the planner may scan all jobs by id to find children.
WITH child AS MATERIALIZED (
    SELECT j.id
    FROM longshore.job AS j
    WHERE j.parent_job_id = $1
      AND j.id > $2
    LIMIT 10000
)
SELECT c.id, true AS is_child
FROM child AS c
ORDER BY c.id
LIMIT $3
