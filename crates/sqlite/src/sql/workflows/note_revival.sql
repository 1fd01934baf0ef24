-- A job was retried or a batch opened again: who was given up because of it comes back.
INSERT INTO job_followups (kind, target_id, revives)
SELECT ?1, ?2, 1
WHERE EXISTS (
    SELECT 1
    FROM job_waits INDEXED BY job_waits_failed
    WHERE kind = ?1
      AND target_id = ?2
      AND signal = ''
      AND state = 'failed'
)
ON CONFLICT (kind, target_id, signal, revives) DO UPDATE SET after_job = 0
