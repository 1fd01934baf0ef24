SELECT b.id, b.parent_job_id
FROM unnest($1::bigint[]) p (id)
CROSS JOIN LATERAL (
    SELECT b.id, b.parent_job_id
    FROM longshore.blocked b
    WHERE b.parent_job_id = p.id
    ORDER BY b.id
    LIMIT 1000000000
) b
ORDER BY b.id
