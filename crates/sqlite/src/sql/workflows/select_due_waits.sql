SELECT job_id, position, kind, target_id, signal, reference, needs, otherwise, state, timeout_ms, timeout_at
FROM job_waits INDEXED BY job_waits_due
WHERE timeout_at <= ?1
  AND state = 'waiting'
ORDER BY timeout_at
LIMIT ?2
