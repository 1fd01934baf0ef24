-- The dead letters among the children of these jobs. LIMIT 1 keeps the look-up an index scan for each child.
SELECT child.id, child.parent_job_id, ended.reason
FROM longshore.job AS child
CROSS JOIN LATERAL (
    SELECT reason
    FROM longshore.ended
    WHERE id = child.id
      AND status = 3
    LIMIT 1
) AS ended
WHERE child.parent_job_id = ANY($1)
ORDER BY child.id
