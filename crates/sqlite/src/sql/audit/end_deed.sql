UPDATE job_audit
SET ended_at = ?2,
    changed = ?3,
    error = ?4
WHERE id = ?1
