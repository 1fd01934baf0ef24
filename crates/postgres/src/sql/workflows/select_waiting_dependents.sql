-- The blocked jobs behind job $2 that wait for job $1. Each part has its own limit, so that neither is sorted as a whole.
SELECT w.id, bool_or(w.is_child) AS is_child
FROM (
    (
        SELECT b.id, true AS is_child
        FROM longshore.blocked AS b
        WHERE b.parent_job_id = $1
          AND b.id > $2
        ORDER BY b.id
        LIMIT $3
    )
    UNION ALL
    (
        SELECT d.id, false AS is_child
        FROM longshore.dependency AS d
        JOIN longshore.blocked AS b ON b.id = d.id
        WHERE d.target_id = $1
          AND d.kind = 'job'
          AND d.state = 'waiting'
          AND d.id > $2
        GROUP BY d.id
        ORDER BY d.id
        LIMIT $3
    )
) AS w
GROUP BY w.id
ORDER BY w.id
LIMIT $3
