DELETE FROM job_followups
WHERE (kind, target_id, signal, revives) IN (
    SELECT kind, target_id, signal, revives
    FROM job_followups
    ORDER BY kind, target_id, signal, revives
    LIMIT 1
)
RETURNING kind, target_id, signal, revives, after_job
