-- Blocked jobs in the order of their parents, with the status of the parent.
SELECT child.id, child.parent_job_id, parent.status, child.ready_at
FROM job_queue AS child INDEXED BY job_queue_blocked
LEFT JOIN job_queue AS parent ON parent.id = child.parent_job_id
WHERE child.status = 'blocked'
  AND (child.parent_job_id, child.id) > (?1, ?2)
ORDER BY child.parent_job_id, child.id
LIMIT ?3
