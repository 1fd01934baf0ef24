-- The next of what jobs wait or waited for, and whether the job itself is gone.
SELECT job_id, position, NOT EXISTS (SELECT 1 FROM job_queue WHERE id = job_id)
FROM job_waits
WHERE (job_id, position) > (?1, ?2)
ORDER BY job_id, position
LIMIT ?3
