-- A checkpoint (step '') replaces the one before. A step keeps its first result; the update that changes nothing makes the
-- count of changed rows say that the attempt runs.
INSERT INTO job_checkpoints (job_id, step, attempt, saved_at, value)
SELECT id, ?4, ?5, ?6, ?7
FROM job_queue
WHERE id = ?1
  AND worker_id = ?2
  AND claim_number = ?3
  AND status = 'running'
ON CONFLICT (job_id, step) DO UPDATE
SET attempt = CASE step WHEN '' THEN excluded.attempt ELSE attempt END,
    saved_at = CASE step WHEN '' THEN excluded.saved_at ELSE saved_at END,
    value = CASE step WHEN '' THEN excluded.value ELSE value END
