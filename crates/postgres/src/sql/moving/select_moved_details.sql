-- What nobody else reads of jobs, newest first as in select_jobs.sql.
SELECT j.id, j.max_retries, l.id IS NOT NULL OR b.due_at IS NOT NULL, COALESCE(b.ready_at, j.created_at),
       COALESCE(u.unique_key <> (j.unique_key COLLATE "C"), false), w.worker_id, j.awaits_settings::integer,
       -- A parent that stays behind is left out.
       $2 OR b.id IS NOT NULL
           OR NOT EXISTS (SELECT FROM longshore.ended AS e WHERE e.id = j.parent_job_id AND e.status IN (1, 2))
           OR EXISTS (SELECT FROM longshore.blocked AS o WHERE o.parent_job_id = j.parent_job_id)
FROM longshore.job AS j
LEFT JOIN longshore.later AS l ON l.id = j.id
LEFT JOIN longshore.blocked AS b ON b.id = j.id
LEFT JOIN longshore.unique_key AS u ON u.id = j.id
LEFT JOIN longshore.story AS s ON s.id = j.id
LEFT JOIN longshore.worker_name AS w ON w.worker = s.lapsed_worker
WHERE j.id = ANY($1)
ORDER BY j.id DESC
