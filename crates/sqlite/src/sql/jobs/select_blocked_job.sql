SELECT child.queue, child.parent_job_id, parent.status, child.ready_at
FROM job_queue AS child
LEFT JOIN job_queue AS parent ON parent.id = child.parent_job_id
WHERE child.id = ?1
  AND child.status = 'blocked'
