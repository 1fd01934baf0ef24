-- $5 says whether the time changes; then $6 is the new one.
UPDATE longshore.job
SET job_type = COALESCE($2, job_type),
    job_data = COALESCE($3::json, job_data),
    queue = COALESCE($4, queue),
    run_at = CASE WHEN $5 THEN $6 ELSE run_at END
WHERE id = $1
