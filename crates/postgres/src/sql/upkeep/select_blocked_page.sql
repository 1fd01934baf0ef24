-- One step of a walk over the blocked jobs by parent.
SELECT b.id, b.parent_job_id, b.ready_at
FROM longshore.blocked AS b
WHERE (b.parent_job_id, b.id) > ($1, $2)
ORDER BY b.parent_job_id, b.id
LIMIT $3
