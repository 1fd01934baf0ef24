SELECT job_id, position, kind, target_id, signal, reference, needs, otherwise, state, timeout_ms, timeout_at
FROM job_waits
WHERE job_id = ?1
ORDER BY position
